"""Whatever the graph, the bounds and the order in which workers answer: everything gets done, once, and the same comes out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import given as holds_for
from hypothesis import strategies as st

from pdbt.handlers import BaseHandler, HandlerGraph, HandlerNode
from pdbt.handlers.flow import Flow
from pdbt.handlers.parcels import ParcelFolder, pack
from pdbt.handlers.rounds import Task

ROUNDS = 3
MOST_PARTS = 6


class One(BaseHandler):
    def handle(self, data: object) -> None: ...


class Several(BaseHandler):
    def handle(self, data: dict[str, object]) -> None: ...


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
            if not waits or self.flow.may_go_on(task):
                yield "go on", task
                yield "die", task

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
            self.flow.output(task, pack(pa.table({"n": [1, 2, 3]}), self.folder.path))
            self.active[task] = (left - 1, True)
            return
        del self.active[task]
        self.seen[task.node, f"{task.batch_id} {task.span}", tuple(sorted(task.parts))] += 1
        if self.flow.done(task) is not None:
            self.done += 1

    def run(self) -> None:
        deaths = 10
        while self.done < ROUNDS:
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


def simulated(graph: HandlerGraph, limit: int, seed: int, order: int) -> Counter[tuple[str, str, tuple[str, ...]]]:
    folder = ParcelFolder()
    try:
        flow = Flow(graph, folder, limit, 10_000_000)
        simulation = Simulation(graph, flow, folder, random.Random(order), seed)
        for number in range(ROUNDS):
            for name in graph.producers:
                # Every other round is given data, as much as differs from producer to producer: none, a row, several.
                rows = pa.table({"n": range(len(name) * number)}) if number % 2 else None
                flow.give(name, f"r{number}", pack(rows, folder.path) if rows is not None else None)
        simulation.run()
        assert folder.size == 0
        assert flow.rounds == {}
        return simulation.seen
    finally:
        folder.remove()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@holds_for(graphs(), st.integers(1, 4), st.integers(0, 1000), st.integers(0, 1000))
def test_everything_gets_done_once_whatever_the_order(graph: HandlerGraph, limit: int, seed: int, order: int) -> None:
    tight, wide = simulated(graph, limit, seed, order), simulated(graph, 1000, seed, order + 1)
    assert tight == wide
    assert set(tight.values()) <= {1}
