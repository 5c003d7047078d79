"""A pipeline that runs: workers that are started once, and the one lock under which their answers are taken."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..engine.errors import PdbtError
from .errors import BatchRefused, Overloaded, PipelineFailed, PipelineStopped
from .figures import NodeFigures
from .flow import Flow
from .graph import HandlerGraph
from .letterbox import Letterbox, letters_of
from .letters import Letter
from .messages import Done, End, Failed, Gone, GoOn, Job, Output, Ready, Work
from .nodes import BaseSink
from .parcels import Parcel
from .rounds import Receipt, Round, Task
from .rules import Rules
from .transport import Transport
from .work import MOST_TOGETHER
from .workers import ThreadWorker, Worker

if TYPE_CHECKING:
    import pyarrow as pa

# How long workers have to end by themselves, in seconds.
GRACE_SECONDS = 10.0
# A batch in the midst of which workers were ended this often, and a worker that ended this often before it was set up, is at fault.
MOST_DEATHS = 3


class LocalRun:
    """The workers of a pipeline from its start to its stop."""

    def __init__(self, graph: HandlerGraph, rules: Rules, transport: Transport) -> None:
        """Start nothing yet."""
        self._graph = graph
        self._rules = rules
        self._transport = transport
        self._parcels = transport.parcels
        self._flow = Flow(graph, self._parcels, rules.queue, rules.memory)
        self._flow.set_aside = self._keep_letter
        self.letterbox = Letterbox(rules.dead_letters, rules.file)
        self._changed = threading.Condition()
        self._starters: dict[str, Callable[[], Worker]] = {}
        self._workers: dict[str, list[Worker]] = {name: [] for name in graph.nodes}
        self._idle: dict[str, list[Worker]] = {name: [] for name in graph.nodes}
        self._unready: set[Worker] = set()
        self._busy: dict[Worker, list[Task]] = {}  # in the order in which they were given
        self._paused: dict[Worker, Task] = {}
        self._stillborn: Counter[str] = Counter()
        self._timers: set[threading.Timer] = set()
        self._told: list[Callable[[], None]] = []
        self._failure: PipelineFailed | None = None
        self._closed = False  # no batch is given in any more
        self._cutting = False  # handlers that yield are ended
        self._ending = False  # workers are ended

    def start(self) -> None:
        """Start the workers, and wait until each is set up.

        Raises:
            GraphError: a handler cannot be copied into a worker.
            PipelineFailed: the setup of a handler fails.
        """
        self._starters = {name: self._starter(name) for name in self._graph.nodes}
        with self._changed:
            for name, node in self._graph.nodes.items():
                for _ in range(self._transport.worker_count(node)):
                    self._start_worker(name)
            self._changed.wait_for(lambda: not self._unready or self._failure)
            self._check()

    def give(self, batches: Sequence[tuple[str, pa.Table | None]], batch_id: str, timeout: float | None, *, collect: bool = False) -> Round:
        """Give producers their batches under one id.

        Raises:
            Overloaded: there was no room in time.
            PipelineFailed: the pipeline has failed.
        """
        reserved: list[tuple[str, int]] = []
        parcels: list[tuple[str, Parcel | None]] = []
        try:
            for name, batch in batches:
                size = batch.nbytes if batch is not None else 0
                with self._changed:
                    if not self._changed.wait_for(lambda name=name: self._may_give(name, batch_id), timeout):  # type: ignore[misc]  # bound early
                        raise Overloaded(name, timeout or 0)
                    self._check()
                    self._flow.reserve(name, size)
                reserved.append((name, size))
                # Only now, and not under the lock: what waits for room takes none, and a large batch holds up nobody.
                parcels.append((name, self._parcels.pack(batch) if batch is not None else None))
            with self._changed:
                self._check()
                self._release(reserved)
                for name, parcel in parcels:
                    round_ = self._flow.give(name, batch_id, parcel, collect=collect)
                parcels.clear()
                self._dispatch()
                return round_
        finally:
            with self._changed:
                self._release(reserved)
                for _, parcel in parcels:
                    if parcel:
                        self._parcels.keep(parcel)
                        self._parcels.let_go([parcel])

    def wait_for_room(self, name: str, timeout: float | None) -> bool:
        """Wait until a producer may be given a batch; return whether it may."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: self._may_give(name, ""), timeout))

    def _release(self, reserved: list[tuple[str, int]]) -> None:
        while reserved:
            self._flow.release(*reserved.pop())
        self._changed.notify_all()

    def revive(self, batch_id: str, letters: Sequence[tuple[Letter, pa.Table]]) -> Round:
        """Go on with the dead letters of one batch.

        Raises:
            PipelineFailed: the pipeline has failed.
        """
        parcels = [(letter, self._parcels.pack(table) if letter.has_data else None) for letter, table in letters]
        with self._changed:
            self._check()
            round_ = self._flow.revive(batch_id, parcels)
            if round_.done:
                self._close(round_)
            self._dispatch()
        self._tell()
        return round_

    def close(self) -> None:
        """Take no further batch; whoever waits for room is told."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self, finish: bool, timeout: float | None) -> None:
        """End the workers; first let them finish what was given in, if wanted.

        Raises:
            PipelineFailed: the pipeline failed, or the teardown of a handler did; only if it was to finish.
        """
        self.close()
        with self._changed:
            if finish:
                self._changed.wait_for(lambda: not self._flow.rounds or self._failure, timeout)
            self._cut_handlers_that_yield()
            self._changed.wait_for(lambda: not self._busy or self._failure, GRACE_SECONDS)
            self._ending = True
            workers = [worker for of_node in self._workers.values() for worker in of_node]
            for timer in self._timers:
                timer.cancel()
            for worker in workers:
                worker.send(End())
        until = time.monotonic() + GRACE_SECONDS
        for worker in workers:
            worker.end(max(0.1, until - time.monotonic()))
        with self._changed:
            for round_ in list(self._flow.rounds.values()):
                self._give_up(round_)
        self._tell()
        self._transport.close()
        if finish and self._failure is not None:
            raise self._failure

    def figures(self) -> dict[str, NodeFigures]:
        """Return what each node did."""
        with self._changed:
            return self._flow.figures()

    @property
    def failure(self) -> PipelineFailed | None:
        """What ended the pipeline; None while nothing did."""
        return self._failure

    def worker_pids(self) -> dict[str, list[int]]:
        """Return the process ids of the workers of each node."""
        with self._changed:
            return {name: [worker.pid for worker in workers if worker.pid] for name, workers in self._workers.items()}

    # Workers ----------------------------------------------------------------------------------------------------------

    def _starter(self, name: str) -> Callable[[], Worker]:
        node = self._graph.nodes[name]
        job = Job(name, node.asked, self._parcels.path, MOST_TOGETHER if isinstance(node.handler, BaseSink) else 1)
        if node.handler.runs_in == "thread":
            return lambda: ThreadWorker(job, node.handler, self._deliver)
        return self._transport.starter(job, node.handler, self._deliver)

    def _start_worker(self, name: str) -> None:
        worker = self._starters[name]()
        self._workers[name].append(worker)
        self._unready.add(worker)

    def _deliver(self, worker: Worker, message: object) -> None:
        """Take what a worker says; called in the thread that listens to it."""
        with self._changed:
            try:
                self._take(worker, message)
                self._dispatch()
            except Exception as error:  # no room for a file, say: without this the pipeline would wait for ever
                self._fail(PipelineFailed(f"Node {worker.job.node}: {type(error).__name__}: {error}."))
            self._changed.notify_all()
        self._tell()

    def _take(self, worker: Worker, message: object) -> None:
        match message:
            case Ready():
                self._unready.discard(worker)
                self._stillborn[worker.job.node] = 0
                self._idle[worker.job.node].append(worker)
            case Output(parcel=parcel):
                (task,) = self._busy[worker]
                self._flow.output(task, parcel)
                self._paused[worker] = task
                if self._cutting:
                    self._cut(worker)
            case Done():
                self._done(self._taken_from(worker, message.number), message)
            case Failed(number=None):
                self._fail(PipelineFailed(f"Node {worker.job.node}: {message.error}.", "Mend the handler.", message.trace))
            case Failed(number=number):
                self._try_again(self._taken_from(worker, number), message)
            case Gone(why=why):
                self._replace(worker, why)

    def _taken_from(self, worker: Worker, number: int | None) -> Task:
        """Take a task that a worker has answered off it, so that it may have another."""
        tasks = self._busy[worker]
        task = next(task for task in tasks if task.number == number)
        tasks.remove(task)
        if not tasks:
            del self._busy[worker]
        if worker not in self._idle[worker.job.node]:
            self._idle[worker.job.node].append(worker)
        return task

    def _done(self, task: Task, message: Done) -> None:
        if message.parcel is not None:
            self._flow.output(task, message.parcel)
        task.round.stored += message.stored
        self._close(self._flow.done(task))

    def _close(self, round_: Round | None) -> None:
        """Tell whoever gave a round in that it is done, if it is."""
        if round_ is None:
            return
        if round_.cut:
            self._give_up(round_)
            return
        result: Receipt | PdbtError = BatchRefused(round_.refused) if round_.refused else round_.receipt()
        self._told.append(lambda: round_.resolve(result))

    def _replace(self, worker: Worker, why: str) -> None:
        """Start another worker for one that ended, and give its batch to that."""
        name = worker.job.node
        tasks = self._busy.pop(worker, [])
        self._paused.pop(worker, None)
        if self._ending or self._failure is not None:
            return
        self._workers[name].remove(worker)
        if worker in self._idle[name]:
            self._idle[name].remove(worker)
        if worker in self._unready:
            self._unready.discard(worker)
            self._stillborn[name] += 1
            if self._stillborn[name] >= MOST_DEATHS:
                self._fail(
                    PipelineFailed(f"Node {name}: its worker {why} before it was set up, {MOST_DEATHS} times.", "Look at its setup().")
                )
                return
        self._start_worker(name)
        for task in reversed(tasks):
            task.deaths += 1
            if task.deaths < MOST_DEATHS:
                self._flow.put_back(task)
            elif self._rules.on_error == "dead_letter":
                self._set_aside(task, f"{MOST_DEATHS} workers ended in the midst of it; the last {why}")
            else:
                self._fail(
                    PipelineFailed(
                        f"Node {name}: {MOST_DEATHS} workers ended in the midst of batch {task.batch_id}; the last {why}.",
                        "Look at its handler and at the memory of this machine.",
                    )
                )

    # Batches ----------------------------------------------------------------------------------------------------------

    def _may_give(self, name: str, batch_id: str) -> bool:
        return self._failure is not None or self._closed or batch_id in self._flow.rounds or not self._flow.waits(name)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise PipelineStopped("This pipeline is being stopped and takes no batch.")

    def _dispatch(self) -> None:
        """Give idle workers what they may have; the last nodes first, since they make room for those before them."""
        if self._ending or self._failure is not None:
            return
        for name in reversed(list(self._graph.nodes)):
            while self._idle[name] and (task := self._flow.next_task(name)):
                worker = self._idle[name][-1]
                self._busy.setdefault(worker, []).append(task)
                # What was in hand when a worker ended is done one by one: else one batch that ends workers would take others with it.
                if task.deaths or len(self._busy[worker]) >= worker.capacity:
                    self._idle[name].pop()
                worker.send(Work(task.number, task.batch_id, task.parts, task.span))
        for worker, task in list(self._paused.items()):
            if self._flow.may_go_on(task):
                del self._paused[worker]
                self._flow.go_on(task)
                worker.send(GoOn(more=True))
        self._changed.notify_all()

    def _cut_handlers_that_yield(self) -> None:
        self._cutting = True
        for worker in list(self._paused):
            self._cut(worker)

    def _cut(self, worker: Worker) -> None:
        self._paused.pop(worker).round.cut = True
        worker.send(GoOn(more=False))

    def _try_again(self, task: Task, said: Failed) -> None:
        """Do what the rules say of an error in a handler."""
        task.errors += 1
        self._flow.recorders[task.node].errors += 1
        if self._rules.on_error == "dead_letter" and (said.refused or task.errors > self._rules.retries):
            self._set_aside(task, said.error)
            return
        if said.refused:
            task.round.refused = task.round.refused or said.error
            self._close(self._flow.give_up(task))
            return
        if self._rules.on_error == "stop" or task.errors > self._rules.retries:
            tries = f" ({task.errors} times)" if task.errors > 1 else ""
            self._fail(
                PipelineFailed(
                    f"Node {task.node}: {said.error}; batch {task.batch_id}{tries}.", "Mend the handler, or the data.", said.trace
                )
            )
            return
        self._flow.postpone(task)
        timer = threading.Timer(self._rules.retry_seconds * 2 ** (task.errors - 1), lambda: self._put_back(task, timer))
        timer.daemon = True
        self._timers.add(timer)
        timer.start()

    def _set_aside(self, task: Task, error: str) -> None:
        """Keep a batch as a dead letter, and have its path end."""
        for letter, parcel in letters_of(task, error):
            self._keep_letter(letter, parcel)
        self._close(self._flow.give_up(task))

    def _keep_letter(self, letter: Letter, parcel: Parcel) -> None:
        self._flow.rounds[letter.given].dead_letters += 1
        self._flow.recorders[letter.node].dead_letters += 1
        self.letterbox.keep(letter, parcel)

    def _put_back(self, task: Task, timer: threading.Timer) -> None:
        with self._changed:
            self._timers.discard(timer)
            self._flow.put_back(task)
            self._dispatch()

    def _fail(self, failure: PipelineFailed) -> None:
        """End the pipeline: nothing more is given to workers, and all who wait are told."""
        if self._failure is not None:
            return
        self._failure = failure
        self._closed = True
        for round_ in self._flow.rounds.values():
            self._told.append(lambda round_=round_: round_.resolve(failure))  # type: ignore[misc]  # bound early

    def _give_up(self, round_: Round) -> None:
        error = PipelineStopped(f"Batch {round_.batch_id} was not finished: the pipeline was stopped.", "Give it again.")
        self._told.append(lambda: round_.resolve(error))

    def _tell(self) -> None:
        """Resolve futures outside of the lock: what hangs on them is not ours, and may wait for us."""
        with self._changed:
            told, self._told = self._told, []
        for tell in told:
            tell()
