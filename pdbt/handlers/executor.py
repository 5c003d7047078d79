"""Running a pipeline: batches given in go through the graph, and whoever gave one learns when all that came of it is done."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..engine.errors import PdbtError
from .errors import PipelineFailed, PipelineStopped, UnknownNode
from .figures import NodeFigures
from .forms import as_batch, conform
from .graph import HandlerGraph
from .letters import Letter
from .local import LocalRun
from .nodes import HandlerNode
from .rounds import Receipt
from .rules import Rules
from .transport import LocalTransport, Transport
from .triggers import Trigger

if TYPE_CHECKING:
    import pyarrow as pa


class PipelineExecutor:
    """A pipeline of handlers.

    Give batches in with `give`, or have every producer do its work once with `run_once`. As a context manager it starts, and at the
    end of the block waits until all that was given in is done and stops; after an exception it stops without waiting.
    """

    def __init__(
        self,
        producer_nodes: Sequence[HandlerNode],
        consumer_nodes: Sequence[HandlerNode] = (),
        *,
        executor: str = "local",
        address: str | None = None,
        queue: int = 16,
        memory_mb: int = 128,
        on_error: str = "stop",
        retries: int = 3,
        retry_seconds: float = 0.5,
        dead_letters: str | Path = "dead-letters",
        triggers: Sequence[Trigger] = (),
    ) -> None:
        """Check the pipeline; nothing is started.

        Args:
            producer_nodes: the nodes that data enters by.
            consumer_nodes: the nodes that receive the output of others.
            executor: what runs them: ``local``, worker processes and threads of this machine, or ``ray``, a Ray cluster.
            address: the Ray cluster that runs them, as ``host:port``, or ``auto`` for the one that RAY_ADDRESS names, or else that of
                this machine; None starts one for this process alone, which ends with it.
            queue: how many batches may wait for a node, and how many that producers made may be under way.
            memory_mb: how many megabytes of batches may be under way before producers wait.
            on_error: what an error in a handler does: ``stop`` the pipeline; ``retry`` the batch, and stop when that fails too;
                or ``dead_letter``: retry it, set it aside when that fails too, and go on with the others.
            retries: how often a batch is tried again.
            retry_seconds: how long to wait before that, in seconds; each time twice as long.
            dead_letters: the folder of the batches that were set aside; a relative path starts from the working folder.
            triggers: what has producers do their work while the pipeline runs.

        Raises:
            GraphError: the graph cannot run.
            SettingsError: one of the other values is wrong.
        """
        self.graph = HandlerGraph.of(producer_nodes, consumer_nodes)
        self.rules = Rules(executor, queue, memory_mb, on_error, retries, retry_seconds, address, Path(dead_letters).absolute())
        self.triggers = tuple(triggers)
        self._run: LocalRun | None = None
        for trigger in self.triggers:
            trigger.check(self)

    def start(self) -> None:
        """Start the workers, and wait until each is set up.

        Raises:
            GraphError: a handler cannot be copied into a worker.
            PipelineFailed: the setup of a handler fails.
            PdbtError: the pipeline runs already, or the Ray cluster cannot be reached.
            MissingLibrary: Ray is to run it and is not installed.
        """
        if self._run is not None:
            raise PdbtError("This pipeline is started already.", "Stop it first.")
        self._run = LocalRun(self.graph, self.rules, _transport(self.rules))
        try:
            self._run.start()
            for trigger in self.triggers:
                trigger.start(self)
        except BaseException:
            self.stop(finish=False)
            raise

    def stop(self, *, finish: bool = True, timeout: float | None = None) -> None:
        """Stop the workers; does nothing when they are not started.

        Args:
            finish: wait until all that was given in is done; otherwise batches under way are given up, and their futures say so.
            timeout: how long to wait for that, in seconds.

        Raises:
            PipelineFailed: the pipeline failed, or the teardown of a handler does; only when it was to finish.
        """
        if self._run is None:
            return
        self._run.close()  # a trigger that waits for room would not end before there is some
        for trigger in self.triggers:
            trigger.stop()
        run, self._run = self._run, None
        run.stop(finish, timeout)

    def give(self, node: str | HandlerNode, data: object = None, *, batch_id: str = "", timeout: float | None = None) -> Future[Receipt]:
        """Give a producer a batch; wait while the pipeline has as much under way as it may have.

        Args:
            node: the producer, or its name.
            data: a pyarrow Table, pandas DataFrame or list of dicts; None for a producer that makes its data itself.
            batch_id: tells the batch from others, so that it is the same batch when it is given again; by default a new one.
            timeout: how long to wait for room, in seconds.

        Returns:
            A future that is done when all that came of the batch is done, or raises the PipelineFailed that ended it.

        Raises:
            Overloaded: there was no room in time.
            PipelineFailed: the pipeline has failed.
            BatchRefused: the batch has not the columns that the producer takes.
            UnknownNode: `node` is no producer.
            PdbtError: the pipeline is not started, or `data` does not suit the producer.
        """
        run = self._started()
        name = node.name if isinstance(node, HandlerNode) else node
        return run.give([(name, self._batch(name, data))], batch_id or uuid.uuid4().hex, timeout).future

    def run_once(self, data: Mapping[str, object] | None = None) -> dict[str, list[pa.Table]]:
        """Have each producer do its work once, and wait until all that came of it is done; starts and stops around it if need be.

        Args:
            data: the batches for producers that take one, by the name of the producer.

        Returns:
            What the last nodes returned, by their names, in the order of the batches that it was made from.

        Raises:
            PipelineFailed: a handler failed.
            PdbtError: a producer that takes a batch has none, or `data` names no producer.
        """
        batches = {name: self._batch(name, (data or {}).get(name)) for name in (*(data or {}), *self.graph.producers)}
        if self._run is not None:
            return self._once(batches)
        with self:
            return self._once(batches)

    def _once(self, batches: Mapping[str, pa.Table | None]) -> dict[str, list[pa.Table]]:
        round_ = self._started().give(list(batches.items()), uuid.uuid4().hex, None, collect=True)
        round_.future.result()
        outputs: dict[str, list[pa.Table]] = {name: [] for name in self.graph.nodes if not self.graph.dependents[name]}
        for name, _, _, table in sorted(round_.outputs, key=lambda output: output[1:3]):
            outputs[name].append(table)
        return outputs

    def wait_for_room(self, node: str, timeout: float | None = None) -> bool:
        """Wait until a producer has room for a batch, or the pipeline has ended; return whether it has.

        Another may take that room before `give` is called.
        """
        return self._run is None or node not in self.graph.producers or self._run.wait_for_room(node, timeout)

    def revive(self, batch_id: str, letters: Sequence[tuple[Letter, pa.Table]]) -> Future[Receipt]:
        """Go on with the dead letters of one batch, each at the node that it failed at.

        Args:
            batch_id: the id that the batch was given in with.
            letters: all dead letters of it that are to be tried again.

        Returns:
            A future that is done when all that came of them is done.

        Raises:
            UnknownNode: a letter is of a node that this pipeline does not have.
            PdbtError: the pipeline is not started, or has failed.
        """
        run = self._started()
        for letter, _ in letters:
            if letter.node not in self.graph.nodes:
                raise UnknownNode(f"{letter.node} is no node of this pipeline.", f"Its nodes are {', '.join(self.graph.nodes)}.")
        return run.revive(batch_id, letters).future

    @property
    def letters(self) -> frozenset[Path]:
        """The dead letters that were written since it was started."""
        return frozenset(self._run.letterbox.written) if self._run is not None else frozenset()

    @property
    def failure(self) -> PipelineFailed | None:
        """What ended the pipeline while it runs; None as long as nothing did."""
        return self._run.failure if self._run is not None else None

    def figures(self) -> dict[str, NodeFigures]:
        """Return what each node did since the pipeline was started; empty while it is not."""
        return self._run.figures() if self._run is not None else {}

    def worker_pids(self) -> dict[str, list[int]]:
        """Return the process ids of the workers of each node; none for one whose handler runs in threads."""
        return self._run.worker_pids() if self._run is not None else {}

    def _started(self) -> LocalRun:
        if self._run is None:
            raise PipelineStopped("This pipeline is not started.", "Call start() first, or use it in a with statement.")
        return self._run

    def _batch(self, name: str, data: object) -> pa.Table | None:
        if name not in self.graph.producers:
            raise UnknownNode(f"{name} is no producer of this pipeline.", f"Its producers are {', '.join(self.graph.producers)}.")
        asked = self.graph.nodes[name].asked
        if data is None and asked.needs_data:
            raise PdbtError(f"Producer {name} takes a batch, and was given none.")
        if data is not None and not asked.takes_data:
            raise PdbtError(f"Producer {name} makes its data itself, and was given a batch.")
        return None if data is None else conform(as_batch(data, name), self.graph.nodes[name].handler.schema, name)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop; an error of the block is what the caller is told of."""
        self.stop(finish=error is None)


def _transport(rules: Rules) -> Transport:
    """Return the way to the workers; Ray is loaded only where it is asked for."""
    if rules.executor != "ray":
        return LocalTransport()
    from .ray_transport import RayTransport

    return RayTransport(rules.address, rules.memory)
