"""The graph of a pipeline: which node receives whose output, checked before anything starts."""

from __future__ import annotations

import difflib
import graphlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..engine.errors import GraphError
from .nodes import HandlerNode


@dataclass(frozen=True)
class HandlerGraph:
    """The nodes of a pipeline, each after all that it depends on.

    Attributes:
        nodes: by name, in an order in which each comes after its dependencies.
        producers: the names of the nodes that data enters by.
        dependents: for each node the names of those that receive its output.
    """

    nodes: Mapping[str, HandlerNode]
    producers: tuple[str, ...]
    dependents: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, producers: Sequence[HandlerNode], consumers: Sequence[HandlerNode]) -> HandlerGraph:
        """Put nodes together.

        Raises:
            GraphError: no producer; a doubled name; an unknown dependency; a cycle; a node that nothing reaches.
        """
        if not producers:
            raise GraphError("The pipeline has no producer: no data can enter it.", "Name one or more in producer_nodes.")
        nodes = _by_name([*producers, *consumers])
        _check_dependencies(nodes, {node.name for node in producers})
        order = _order(nodes)
        dependents = {name: tuple(other for other in order if name in nodes[other].dependency_names) for name in order}
        names = tuple(node.name for node in producers)
        _check_reached(names, order, dependents)
        return cls({name: nodes[name] for name in order}, names, dependents)

    def upstream(self, name: str) -> frozenset[str]:
        """Return the names of all nodes whose output reaches a node, by any path."""
        direct = self.nodes[name].dependency_names
        return frozenset(direct).union(*(self.upstream(dependency) for dependency in direct))


def _by_name(nodes: Sequence[HandlerNode]) -> dict[str, HandlerNode]:
    found: dict[str, HandlerNode] = {}
    for node in nodes:
        if node.name in found:
            raise GraphError(f"Two nodes are called {node.name}.", "Give each node a name of its own.")
        found[node.name] = node
    return found


def _check_dependencies(nodes: Mapping[str, HandlerNode], producers: set[str]) -> None:
    for node in nodes.values():
        for dependency in node.dependency_names:
            if node.name in producers:
                raise GraphError(
                    f"Node {node.name} is a producer and depends on {dependency}.",
                    "Name it in consumer_nodes, or leave its dependencies out.",
                )
            if dependency not in nodes:
                near = difflib.get_close_matches(str(dependency), nodes, 1)
                hint = f"Did you mean {near[0]}?" if near else f"The nodes are {', '.join(nodes)}."
                raise GraphError(f"Node {node.name} depends on {dependency}, which is no node of this pipeline.", hint)


def _order(nodes: Mapping[str, HandlerNode]) -> tuple[str, ...]:
    try:
        return tuple(graphlib.TopologicalSorter({node.name: node.dependency_names for node in nodes.values()}).static_order())
    except graphlib.CycleError as error:
        # A path from a node back to itself, each a dependency of the next.
        raise GraphError(
            f"Nodes depend on each other in a circle: {' -> '.join(error.args[1])}.", "Take one of these dependencies out."
        ) from (None)


def _check_reached(producers: Sequence[str], order: Sequence[str], dependents: Mapping[str, Sequence[str]]) -> None:
    reached = set(producers)
    for name in order:
        if name in reached:
            reached.update(dependents[name])
    unreached = [name for name in order if name not in reached]
    if unreached:
        raise GraphError(
            f"Nothing reaches {', '.join(unreached)}: no producer stands before.",
            "Give it a dependency, or name it in producer_nodes if data enters there.",
        )
