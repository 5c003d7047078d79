"""What is wrong with a graph is said before anything starts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as holds_for
from hypothesis import strategies as st

from pdbt.engine.errors import GraphError
from pdbt.handlers import BaseHandler, HandlerGraph, HandlerNode


class Pass(BaseHandler):
    def handle(self, data: object) -> object:
        return data


class Both(BaseHandler):
    def handle(self, data: dict[str, object]) -> object:
        return data


class Makes(BaseHandler):
    def handle(self) -> object:
        return [{"a": 1}]


class Idle(BaseHandler):
    """Has no handle()."""


class Elsewhere(Pass):
    runs_in = "moon"


def node(name: str, *dependencies: str | HandlerNode, join: str = "any") -> HandlerNode:
    return HandlerNode(name, Pass(), dependencies=dependencies, join=join)


def test_each_node_comes_after_what_it_depends_on() -> None:
    source = node("source")
    graph = HandlerGraph.of([source], [node("last", "left", "right"), node("left", source), node("right", source)])
    assert next(iter(graph.nodes)) == "source"
    assert list(graph.nodes)[-1] == "last"
    assert graph.dependents["source"] == ("left", "right")
    assert graph.upstream("last") == {"source", "left", "right"}


WRONG: list[tuple[Callable[[], object], str, str]] = [
    (lambda: HandlerGraph.of([], []), "The pipeline has no producer: no data can enter it.", "Name one or more in producer_nodes."),
    (lambda: HandlerGraph.of([node("a")], [node("a", "a")]), "Two nodes are called a.", "Give each node a name of its own."),
    (
        lambda: HandlerGraph.of([node("orders")], [node("b", "order")]),
        "Node b depends on order, which is no node of this pipeline.",
        "Did you mean orders?",
    ),
    (
        lambda: HandlerGraph.of([node("orders")], [node("b", "x")]),
        "Node b depends on x, which is no node of this pipeline.",
        "The nodes are orders, b.",
    ),
    (
        lambda: HandlerGraph.of([node("a")], [node("b", "a", "c"), node("c", "b")]),
        "Nodes depend on each other in a circle: b -> c -> b.",
        "Take one of these dependencies out.",
    ),
    (
        lambda: HandlerGraph.of([node("a")], [node("b"), node("c", "b")]),
        "Nothing reaches b, c: no producer stands before.",
        "Give it a dependency, or name it in producer_nodes if data enters there.",
    ),
    (
        lambda: HandlerGraph.of([node("a"), node("b", "a")], []),
        "Node b is a producer and depends on a.",
        "Name it in consumer_nodes, or leave its dependencies out.",
    ),
    (lambda: HandlerNode(" ", Pass()), "A node is called ' '.", "Give each HandlerNode a name, as a text."),
    (lambda: HandlerNode("a", Idle()), "Node a: Idle has no handle().", "Write: def handle(self, data): …"),
    (lambda: HandlerNode("a", Pass(), dependencies="b"), "Node a: its dependencies are no list.", "Write: dependencies=[…]"),
    (lambda: HandlerNode("a", Pass(), join="some"), "Node a: join is 'some'.", 'Write: join="all" or join="any".'),
    (lambda: HandlerNode("a", Pass(), chunks=0), "Node a: chunks is 0.", "Write a number of chunks, 1 or more."),
    (lambda: HandlerNode("a", Pass(), workers=0), "Node a: workers is 0.", "Write a number of workers, 1 or more."),
    (
        lambda: HandlerNode("a", Elsewhere()),
        "Node a: its handler runs in 'moon'.",
        'Write: runs_in = "process" or runs_in = "thread".',
    ),
    (
        lambda: HandlerNode("a", Pass(), dependencies=["b", "c"]),
        "Node a: it joins b, c and its handle() takes one batch.",
        'Annotate its parameter dict[str, pyarrow.Table], or write join="any" to get them one by one.',
    ),
    (
        lambda: HandlerNode("a", Both(), dependencies=["b"]),
        "Node a: its handle() takes a dict by dependency, and it joins no several ones.",
        "Annotate its parameter pyarrow.Table.",
    ),
    (
        lambda: HandlerNode("a", Makes(), dependencies=["b"]),
        "Node a: it has dependencies and its handle() takes no batch.",
        "Write: def handle(self, data): …",
    ),
    (
        lambda: HandlerNode("a", Makes(), parallel=True),
        "Node a: it is parallel, and there is not one batch to split.",
        "Leave parallel out.",
    ),
]


@pytest.mark.parametrize(("make", "message", "hint"), WRONG, ids=[message for _, message, _ in WRONG])
def test_what_is_wrong_is_one_sentence(make: Callable[[], object], message: str, hint: str) -> None:
    with pytest.raises(GraphError) as raised:
        make()
    assert (raised.value.message, raised.value.hint, raised.value.exit_code) == (message, hint, 2)


def test_a_class_in_place_of_a_handler_is_named() -> None:
    with pytest.raises(GraphError, match=r"Node a: its handler is <class '.*Pass'>\. Give it an object"):
        HandlerNode("a", Pass)  # type: ignore[arg-type]  # the mistake that this is about


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@holds_for(st.lists(st.sets(st.integers(0, 11)), min_size=1, max_size=12), st.randoms())
def test_any_graph_without_a_circle_is_put_in_order(wanted: list[set[int]], shuffled: object) -> None:
    """Node k may depend on nodes below k only, so there is no circle, however the nodes are listed."""
    below = [sorted(name for name in names if name < place) for place, names in enumerate(wanted)]
    nodes = [node(f"n{place}", *(f"n{name}" for name in names)) for place, names in enumerate(below)]
    shuffled.shuffle(nodes)  # type: ignore[attr-defined]  # hypothesis' random.Random
    graph = HandlerGraph.of([item for item in nodes if not item.dependencies], [item for item in nodes if item.dependencies])
    order = list(graph.nodes)
    assert sorted(order) == sorted(item.name for item in nodes)
    assert all(order.index(dependency) < order.index(item.name) for item in nodes for dependency in item.dependency_names)
