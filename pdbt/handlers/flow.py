"""Where batches go: from node to node, split and put back in order, joined, counted until all that came of one is done.

It starts nothing and waits for nothing, so that every executor does the same; the executor holds a lock around it.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

from .figures import NodeFigures, Recorder
from .graph import HandlerGraph
from .letters import Letter
from .parcels import Parcel, Parcels, rows_of, unpack
from .rounds import Part, Place, Round, Split, Task

SetAside = Callable[[Letter, Parcel], None]


class Flow:
    """The tasks of a pipeline.

    Two bounds hold for all that is under way: a node gets no task while a node after it has `limit` tasks waiting, and producers make
    no further part while `limit` parts, or `memory` bytes, are under way. The oldest round of a producer, and of those that it is
    joined with, is bounded by its own parts alone, so that the bounds of later rounds cannot stop what these wait for. To the same
    end a producer works on its rounds in their order, also on those that are tried again.
    """

    def __init__(self, graph: HandlerGraph, folder: Parcels, limit: int, memory: int) -> None:
        """Begin with nothing under way.

        Args:
            graph: the nodes.
            folder: where large batches are.
            limit: how many batches may wait for a node, and how many parts may be under way.
            memory: how many bytes may be under way before producers wait.
        """
        self.graph = graph
        self.recorders = {name: Recorder() for name in graph.nodes}
        self.rounds: dict[str, Round] = {}
        self._folder = folder
        self._limit = limit
        self._memory = memory
        self._queues: dict[str, deque[Task]] = {name: deque() for name in graph.nodes}
        self._numbers = itertools.count()
        self._positions = {name: position for position, name in enumerate(graph.nodes)}
        self._upstream = {name: graph.upstream(name) for name, node in graph.nodes.items() if node.joins_several}
        self._joined = _joined(graph, self._upstream)
        self._open_parts = 0
        self._coming: Counter[str] = Counter()
        self._coming_bytes = 0
        self.set_aside: SetAside = lambda letter, parcel: None  # what becomes of one half of a join whose other half failed
        self._making: set[Task] = set()  # tasks of producers that have a part in hand; one that waits to go on has none
        self._postponed: set[Task] = set()  # tasks that failed and are to be put back later

    def give(self, name: str, batch_id: str, parcel: Parcel | None, *, collect: bool = False) -> Round:
        """Give a producer a batch, or the word to make its own; one that it has under way already is not given twice."""
        round_ = self.rounds.setdefault(batch_id, Round(batch_id, collect))
        if name not in round_.made:
            round_.made[name] = 0
            round_.rows += rows_of(parcel) if parcel else 0
            self._enqueue(name, round_, None, (), batch_id, {"": parcel} if parcel else {})
        elif parcel:
            self._folder.keep(parcel)
            self._folder.let_go([parcel])
        return round_

    def waits(self, name: str) -> bool:
        """Whether a producer has as many batches waiting as it may have, or memory is short."""
        waiting = len(self._queues[name]) + self._coming[name]
        size = self._folder.size + self._coming_bytes
        return waiting >= self._limit or (size >= self._memory and bool(self.rounds or self._coming_bytes))

    def reserve(self, name: str, size: int) -> None:
        """Keep room for a batch of so many bytes that is about to be given to a producer."""
        self._coming[name] += 1
        self._coming_bytes += size

    def release(self, name: str, size: int) -> None:
        """Give that room back."""
        self._coming[name] -= 1
        self._coming_bytes -= size

    def next_task(self, name: str) -> Task | None:
        """Take the next task of a node, if it may have one now."""
        queue = self._queues[name]
        if not queue or not self._room_after(name):
            return None
        if queue[0].part is None:
            if self._follows_postponed(queue[0]) or not self._room_for_part(queue[0]):
                return None
            self._making.add(queue[0])
        queue[0].began = time.monotonic()
        return queue.popleft()

    def postpone(self, task: Task) -> None:
        """Note that a task failed and is to be put back later."""
        self._making.discard(task)
        self._postponed.add(task)

    def put_back(self, task: Task) -> None:
        """Put a task that is to be done again before all later ones of its node.

        Before all others is not enough: of two that come back, the older one would wait behind a later round, which may wait for it.
        """
        task.seen = 0
        self._making.discard(task)
        self._postponed.discard(task)
        queue = self._queues[task.node]
        queue.insert(sum(other.number < task.number for other in queue), task)

    def may_go_on(self, task: Task) -> bool:
        """Whether a task that has sent one of its batches may make the next."""
        return self._room_after(task.node) and (task.part is not None or self._room_for_part(task))

    def go_on(self, task: Task) -> None:
        """Have a task make its next batch."""
        if task.part is None:
            self._making.add(task)

    def output(self, task: Task, parcel: Parcel) -> bool:
        """Send on what a task made; return False if it had been sent on by a former attempt."""
        self._folder.keep(parcel)
        self._making.discard(task)
        task.seen += 1
        new = task.seen > task.taken
        if new:
            task.taken += 1
            if task.split is None:
                self._send_on(task, parcel, task.taken - 1)
            else:
                self._folder.keep(parcel)
                task.split.made[task.piece].append(parcel)
        self._folder.let_go([parcel])
        if task.part is None:  # another producer's part may have waited for this one
            self._settle(task.round)
        return new

    def done(self, task: Task, *, given_up: bool = False) -> Round | None:
        """Close a task; return its round if that was the last of it."""
        if not given_up:
            rows = task.span[1] if task.span else sum(rows_of(parcel) for parcel in task.parts.values())
            self.recorders[task.node].done(rows, time.monotonic() - task.began)
        if task.split is not None:
            self._put_together(task, task.split)
        self._folder.let_go(task.parts.values())
        self._making.discard(task)
        if task.part is not None:
            task.round.parts[task.part].open[task.node] -= 1
        elif task.split is None or not task.split.open:
            task.round.finished.add(task.node)
        self._settle(task.round)
        if not task.round.done:
            return None
        del self.rounds[task.round.batch_id]
        return task.round

    def revive(self, batch_id: str, letters: Sequence[tuple[Letter, Parcel | None]]) -> Round:
        """Go on with batches of a round that were set aside; what else came of it is done."""
        round_ = self.rounds[batch_id] = Round(batch_id)
        again = {letter.node for letter, _ in letters if letter.part is None}
        most = max((letter.part + 1 for letter, _ in letters if letter.part is not None), default=0)
        round_.made = {name: 0 if name in again else most for name in self.graph.producers}
        round_.finished = set(self.graph.producers) - again
        for letter, parcel in letters:
            if letter.part is None:
                self._enqueue(letter.node, round_, None, (), batch_id, {"": parcel} if parcel else {})
                continue
            if letter.part not in round_.parts:
                round_.parts[letter.part] = Part()
                self._open_parts += 1
            if parcel and letter.half:
                self._folder.keep(parcel)
                waiting = round_.parts[letter.part].waiting.setdefault(letter.node, {})
                waiting.setdefault(letter.origin, []).append((letter.place, parcel))
            elif parcel:
                self._enqueue(letter.node, round_, letter.part, letter.place, letter.batch, {letter.origin: parcel})
        self._settle(round_)
        if round_.done:  # halves that found no other
            del self.rounds[batch_id]
        return round_

    def give_up(self, task: Task) -> Round | None:
        """Close a task that will not be done: the path of its batch ends; return its round if that was the last of it."""
        if task.split is not None:
            task.split.failed = True
        return self.done(task, given_up=True)

    def figures(self) -> dict[str, NodeFigures]:
        """Return what each node did."""
        return {name: recorder.figures(len(self._queues[name])) for name, recorder in self.recorders.items()}

    def waiting(self) -> Mapping[str, int]:
        """Return how many tasks wait for each node."""
        return {name: len(queue) for name, queue in self._queues.items()}

    # Room -------------------------------------------------------------------------------------------------------------

    def _room_after(self, name: str) -> bool:
        return all(len(self._queues[dependent]) < self._limit for dependent in self.graph.dependents[name])

    def _follows_postponed(self, task: Task) -> bool:
        """Return True if an earlier round of a joined producer is to be tried again: a later one could keep its worker, and wait for it."""
        return len(self._joined[task.node]) > 1 and any(
            other.node == task.node and other.number < task.number and other.round is not task.round for other in self._postponed
        )

    def _room_for_part(self, task: Task) -> bool:
        """Return True if a producer may make a part: always one that another producer has made, since a join may wait for just that.

        The oldest round of those that are joined is bounded by its own parts alone: later parts may wait for one that is still at it.
        """
        if task.round.made[task.node] < max(task.round.made.values()):
            return True
        under_way = self._open_parts + len(self._making)
        joined = self._joined[task.node]
        if task.round is next(round_ for round_ in self.rounds.values() if not joined.isdisjoint(round_.made)):
            under_way = len(task.round.parts) + sum(other.round is task.round for other in self._making)
        return under_way < self._limit and (self._folder.size < self._memory or under_way == 0)

    # From node to node ------------------------------------------------------------------------------------------------

    def _send_on(self, task: Task, parcel: Parcel, number: int) -> None:
        round_ = task.round
        place: Place = ()
        if task.part is None:
            part = round_.made[task.node]
            round_.made[task.node] += 1
            batch_id = f"{round_.batch_id}.{part}"
            if part not in round_.parts:
                round_.parts[part] = Part()
                self._open_parts += 1
        else:
            part, place = task.part, (*task.place, (self._positions[task.node], number))
            batch_id = f"{task.batch_id}/{task.node}.{number}"
        dependents = self.graph.dependents[task.node]
        for name in dependents:
            self._arrive(name, task.node, round_, part, place, batch_id, parcel)
        if not dependents and round_.collect:
            round_.outputs.append((task.node, part, place, unpack(parcel)))

    def _arrive(self, name: str, origin: str, round_: Round, part: int, place: Place, batch_id: str, parcel: Parcel) -> None:
        node = self.graph.nodes[name]
        if node.joins_several:
            self._folder.keep(parcel)
            round_.parts[part].waiting.setdefault(name, {}).setdefault(origin, []).append((place, parcel))
            return
        if len(node.dependency_names) > 1:  # one id for each way by which a batch comes to a node
            batch_id = f"{batch_id}<{origin}"
        self._enqueue(name, round_, part, place, batch_id, {origin: parcel})

    def _enqueue(self, name: str, round_: Round, part: int | None, place: Place, batch_id: str, parts: Mapping[str, Parcel]) -> None:
        node = self.graph.nodes[name]
        rows = sum(rows_of(parcel) for parcel in parts.values())
        spans = _spans(rows, node.chunks) if node.parallel else [None]
        split = Split([[] for _ in spans], len(spans)) if len(spans) > 1 else None
        for piece, span in enumerate(spans):
            for parcel in parts.values():
                self._folder.keep(parcel)
            task = Task(next(self._numbers), name, round_, batch_id, parts, part, place, span, split, piece)
            self._queues[name].append(task)
            if part is not None:
                round_.parts[part].open[name] += 1

    def _put_together(self, task: Task, split: Split) -> None:
        """Send on what came of the pieces of a batch, in order and as one batch, when the last piece is done."""
        split.open -= 1
        if split.open:
            return
        parcels = [parcel for made in split.made for parcel in made]
        if parcels and not split.failed:
            self._send_on(task, tuple(piece for parcel in parcels for piece in parcel), 0)
        self._folder.let_go(parcels)

    # Joining ----------------------------------------------------------------------------------------------------------

    def _settle(self, round_: Round) -> None:
        """Give the joining nodes what has come for them wholly, and close the parts of which nothing is under way."""
        for number, part in list(round_.parts.items()):
            for name in [name for name in self.graph.nodes if name in part.waiting]:
                if self._complete(round_, number, part, name):
                    self._join(round_, number, name, part.waiting.pop(name))
            if not part.waiting and not any(part.open.values()):
                del round_.parts[number]
                self._open_parts -= 1

    def _complete(self, round_: Round, number: int, part: Part, name: str) -> bool:
        """Whether nothing more of a part can come to a joining node."""
        for other in self._upstream[name]:
            if other in self.graph.producers:
                if other not in round_.finished and round_.made.get(other, 0) <= number:
                    return False
            elif part.open[other] or other in part.waiting:
                return False
        return True

    def _join(self, round_: Round, number: int, name: str, came: Mapping[str, list[tuple[Place, Parcel]]]) -> None:
        """Give a node one batch of each dependency; the path ends where one of them gave nothing."""
        names = self.graph.nodes[name].dependency_names
        if all(dependency in came for dependency in names):
            parts = {dependency: _in_order(came[dependency]) for dependency in names}
            self._enqueue(name, round_, number, (), f"{round_.batch_id}.{number}", parts)
        elif round_.dead_letters:
            for origin, place, parcel in ((origin, place, parcel) for origin, items in came.items() for place, parcel in items):
                batch_id = f"{round_.batch_id}.{number}"
                letter = Letter(name, batch_id, "what it is to be joined with failed", round_.batch_id, number, place, origin, half=True)
                self.set_aside(letter, parcel)
        self._folder.let_go(parcel for parcels in came.values() for _, parcel in parcels)


def _joined(graph: HandlerGraph, upstream: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return for each producer those whose batches may wait for its own: itself, and all that joins connect it with."""
    joined = {name: frozenset([name]) for name in graph.producers}
    for names in upstream.values():
        together = frozenset[str]().union(*(joined[name] for name in names if name in joined))
        joined.update(dict.fromkeys(together, together))
    return joined


def _in_order(came: Sequence[tuple[Place, Parcel]]) -> Parcel:
    """Return several batches as one, in the order in which one worker would have made them."""
    return tuple(piece for _, parcel in sorted(came, key=lambda item: item[0]) for piece in parcel)


def _spans(rows: int, chunks: int) -> list[tuple[int, int] | None]:
    """Cut rows into at most `chunks` pieces whose lengths differ by one row at most."""
    count = max(1, min(rows, chunks))
    if count == 1:
        return [None]
    edges = [rows * piece // count for piece in range(count + 1)]
    return [(start, end - start) for start, end in itertools.pairwise(edges)]
