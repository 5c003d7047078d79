"""Whatever the graph, the bounds and the order in which workers answer: everything gets done, once, and the same comes out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pyarrow as pa
from hypothesis import HealthCheck, example, settings
from hypothesis import given as holds_for
from hypothesis import strategies as st

from pdbt.handlers import BaseHandler, HandlerGraph, HandlerNode, PipelineExecutor
from pdbt.handlers.flow import Flow
from pdbt.handlers.parcels import ParcelFolder, pack
from pdbt.handlers.rounds import Task

ROUNDS = 3
MOST_PARTS = 6
SECONDS = 60.0
ROWS = pack(pa.table({"n": [1, 2, 3]}), "")
LIVE = "live"  # a producer that is at its first batch until all else is done, as one that waits for what others send


class One(BaseHandler):
    def handle(self, data: object) -> None: ...


class Several(BaseHandler):
    def handle(self, data: dict[str, object]) -> None: ...


class Parts(BaseHandler):
    """Makes six batches of each; the first try of one id fails."""

    runs_in = "thread"

    def __init__(self, fails: str = "") -> None:
        self.fails = fails

    def handle(self, data: pa.Table) -> Iterator[pa.Table]:
        if self.fails == self.batch_id:
            self.fails = ""
            raise ValueError("no such luck")
        yield from [data] * 6


class Join(BaseHandler):
    runs_in = "thread"

    def handle(self, data: dict[str, pa.Table]) -> None: ...


@dataclass
class Simulation:
    """Workers that answer in any order; each node's outputs depend on the batch alone, as a handler's must."""

    graph: HandlerGraph
    flow: Flow
    folder: ParcelFolder
    choose: random.Random
    seed: int
    seen: Counter[tuple[str, str, tuple[str, ...]]] = field(default_factory=Counter)
    # For each task under way how many outputs it has yet to make, and whether it waits until it may go on.
    active: dict[Task, tuple[int, bool]] = field(default_factory=dict)
    failures: int = 0  # how many tasks are yet to fail, each to be tried again at some later time
    failed: list[Task] = field(default_factory=list)
    done: int = 0

    def outputs(self, task: Task) -> int:
        most = MOST_PARTS if task.part is None else 2
        return random.Random(f"{self.seed} {task.node} {task.batch_id} {task.piece}").randint(0, most)

    def moves(self) -> Iterator[tuple[str, object]]:
        busy = Counter(task.node for task in self.active)
        for name, node in self.graph.nodes.items():
            if busy[name] < node.worker_count:
                yield "begin", name
        for task, (_, waits) in self.active.items():
            if task.node == LIVE and self.done < ROUNDS:
                continue
            if not waits or self.flow.may_go_on(task):
                yield "go on", task
                yield "die", task
                if self.failures and not waits:
                    yield "fail", task
        for task in self.failed:
            yield "try again", task

    def begin(self, name: str) -> bool:
        task = self.flow.next_task(name)
        if task is None:
            return False
        self.active[task] = (self.outputs(task), False)
        return True

    def go_on(self, task: Task) -> None:
        left, waits = self.active[task]
        if waits:
            self.flow.go_on(task)
            self.active[task] = (left, False)
            return
        if left:
            self.flow.output(task, tuple(map(replace, ROWS)))
            self.active[task] = (left - 1, True)
            return
        del self.active[task]
        self.seen[task.node, f"{task.batch_id} {task.span}", tuple(sorted(task.parts))] += 1
        if self.flow.done(task) is not None:
            self.done += 1

    def run(self) -> None:
        deaths = 10
        while self.flow.rounds:
            moves = list(self.moves())
            self.choose.shuffle(moves)
            for kind, what in moves:
                if isinstance(what, Task):
                    if kind == "die":
                        if not deaths:
                            continue
                        deaths -= 1
                        del self.active[what]
                        self.flow.put_back(what)
                    elif kind == "fail":
                        self.failures -= 1
                        del self.active[what]
                        self.flow.postpone(what)
                        self.failed.append(what)
                    elif kind == "try again":
                        self.failed.remove(what)
                        self.flow.put_back(what)
                    else:
                        self.go_on(what)
                    break
                if self.begin(str(what)):
                    break
            else:
                raise AssertionError(f"all wait for each other: {self.flow.waiting()}, {self.active}")


@st.composite
def graphs(draw: st.DrawFn) -> HandlerGraph:
    producers = [HandlerNode(f"p{number}", One(), parallel=draw(st.booleans()), chunks=3) for number in range(draw(st.integers(1, 3)))]
    names = [node.name for node in producers]
    consumers = []
    for number in range(draw(st.integers(1, 6))):
        dependencies = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        together = len(dependencies) > 1 and draw(st.booleans())
        parallel = not together and draw(st.booleans())
        workers = draw(st.integers(1, 3))
        handler = Several() if together else One()
        join = "all" if together else "any"
        consumers.append(HandlerNode(f"c{number}", handler, dependencies, parallel, 3, join, workers))
        names.append(f"c{number}")
    return HandlerGraph.of(producers, consumers)


def simulated(graph: HandlerGraph, limit: int, seed: int, order: int, failures: int) -> Counter[tuple[str, str, tuple[str, ...]]]:
    folder = ParcelFolder()
    try:
        flow = Flow(graph, folder, limit, 10_000_000)
        simulation = Simulation(graph, flow, folder, random.Random(order), seed, failures=failures)
        if LIVE in graph.nodes:
            flow.give(LIVE, "live", None)
            assert simulation.begin(LIVE)
        for number in range(ROUNDS):
            for name in (name for name in graph.producers if name != LIVE):
                # Every other round is given data, as much as differs from producer to producer: none, a row, several.
                rows = pa.table({"n": range(len(name) * number)}) if number % 2 else None
                flow.give(name, f"r{number}", pack(rows, folder.path) if rows is not None else None)
        simulation.run()
        assert simulation.done == ROUNDS + (LIVE in graph.nodes)
        assert folder.size == 0
        assert flow.rounds == {}
        return simulation.seen
    finally:
        folder.remove()


def joining(producers: int, chunks: int, *consumers: tuple[list[str], int], workers: int | None = None) -> HandlerGraph:
    """Return the graph of so many producers, parallel if they have chunks, and of consumers that join what they name."""
    made = [HandlerNode(f"p{number}", One(), parallel=chunks > 1, chunks=chunks, workers=workers) for number in range(producers)]
    joins = [HandlerNode(f"c{number}", Several(), names, join="all", workers=count) for number, (names, count) in enumerate(consumers)]
    return HandlerGraph.of(made, joins)


def with_live(graph: HandlerGraph) -> HandlerGraph:
    """Return a graph that has a live producer too, with a consumer of its own."""
    consumers = [node for name, node in graph.nodes.items() if name not in graph.producers]
    producers = [*(graph.nodes[name] for name in graph.producers), HandlerNode(LIVE, One())]
    return HandlerGraph.of(producers, [*consumers, HandlerNode("of_live", One(), [LIVE])])


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@holds_for(graphs(), st.integers(1, 4), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 6))
# Two rounds come back to a producer, the older one first: after its worker was killed, and (with failures) some time after it failed.
@example(joining(3, 3, (["p0", "p1"], 2), (["p0", "p1", "p2"], 1), workers=2), 3, 86, 1, 0)
@example(joining(2, 1, (["p0", "p1"], 1), workers=2), 3, 232, 306, 0)
@example(joining(3, 3, (["p0", "p1"], 1), (["p0", "p1"], 2), workers=2), 2, 738, 25, 0)
@example(joining(3, 1, (["p0", "p1"], 2), workers=2), 2, 230, 119, 4)
# A later round has the only worker while the older one waits to be tried again.
@example(joining(2, 1, (["p0", "p1"], 2), workers=1), 2, 442, 186, 4)
@example(joining(2, 3, (["p0", "p1"], 2), workers=1), 3, 463, 76, 4)
@example(joining(3, 1, (["p0", "p2"], 1), workers=1), 2, 26, 353, 4)
def test_everything_gets_done_once_whatever_the_order(graph: HandlerGraph, limit: int, seed: int, order: int, failures: int) -> None:
    tight, wide = simulated(graph, limit, seed, order, failures), simulated(graph, 1000, seed, order + 1, failures)
    assert tight == wide
    assert set(tight.values()) <= {1}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@holds_for(graphs(), st.integers(2, 4), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 6))
@example(joining(2, 1, (["p0", "p1"], 1), workers=1), 2, 78, 955, 0)
@example(joining(3, 3, (["p0", "p1", "p2"], 1), workers=2), 2, 73, 906, 0)
def test_a_producer_that_goes_on_for_ever_holds_up_no_other(graph: HandlerGraph, limit: int, seed: int, order: int, failures: int) -> None:
    done = simulated(with_live(graph), limit, seed, order, failures)
    assert set(done.values()) <= {1}


def test_a_joined_batch_that_is_tried_again_finds_a_worker_that_no_later_one_keeps() -> None:
    producers = [HandlerNode("p0", Parts()), HandlerNode("p1", Parts(fails="r0"))]
    joins = [HandlerNode("c", Join(), ["p0", "p1"])]
    with PipelineExecutor(producers, joins, queue=2, on_error="retry", retry_seconds=0.2) as pipeline:
        given = [pipeline.give(name, [{"n": 1}], batch_id=f"r{number}") for name in ("p1", "p0") for number in range(2)]
        assert {receipt.result(SECONDS).batch_id for receipt in given} == {"r0", "r1"}
        assert pipeline.figures()["c"].batches == 12
