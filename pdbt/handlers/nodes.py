"""Handlers, and the nodes that put them into a graph."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from ..engine.errors import GraphError
from .forms import Asked, asked_by

if TYPE_CHECKING:
    import pyarrow as pa

RUNS_IN = ("process", "thread")
JOINS = ("all", "any")
DEFAULT_CHUNKS = 4


class BaseHandler:
    """What a node does with each batch; override `handle`, and `setup` and `teardown` where there is something to open or close.

    A handler is copied into every worker of its node: what it keeps between batches is that worker's alone. `setup` runs once in
    each worker before its first batch, `teardown` once after its last.

    Attributes:
        runs_in: ``process`` (a worker process of its own, the default) or ``thread`` (a thread of the process that started the
            pipeline), for handlers that mostly wait, or that must share memory with that process.
        batch_id: the id of the batch that `handle` is called with; the same batch has the same id when it comes again.
        node: the name of the node that it works for.
        schema: the columns that a producer's batches must have, as a pyarrow.Schema; None for any.
    """

    runs_in: ClassVar[str] = "process"
    batch_id: str = ""
    node: str = ""
    schema: Any = None

    def setup(self) -> None:
        """Open what is needed: a connection, a model."""

    def handle(self, *data: Any, **options: Any) -> Any:
        """Process one batch; return what goes on, None to end the batch's path, or yield to send several batches on.

        Args:
            data: the batch, in the form that the parameter's annotation names: ``pyarrow.Table`` (also without annotation),
                ``pandas.DataFrame`` or ``list[dict]``. A node that joins several dependencies is given a dict of these by
                dependency: ``dict[str, pyarrow.Table]``. A producer that makes its data itself has no such parameter.
            options: parameters with a default are the handler's own affair.
        """
        raise NotImplementedError(f"{type(self).__name__} has no handle()")

    def teardown(self) -> None:
        """Close what `setup` opened."""


@dataclass(frozen=True)
class Batch:
    """A batch that a sink is to store.

    Attributes:
        batch_id: its id.
        table: its rows.
    """

    batch_id: str
    table: Any


class BaseSink(BaseHandler):
    """A handler that stores batches, those that wait together at a time; override `store` instead of `handle`.

    It must be idempotent: a batch whose id it holds already is not stored again.
    """

    def store(self, batches: Sequence[Batch]) -> Sequence[int | Exception]:
        """Store batches so that they are there after a crash.

        Args:
            batches: those that wait, each with an id of its own, of any columns.

        Returns:
            For each batch in order how many of its rows are stored now, or the error that kept it out: BatchRefused when it will
            never be taken. An error that is raised is that of all.
        """
        raise NotImplementedError(f"{type(self).__name__} has no store()")

    def rest(self) -> None:
        """Called when no batch has come for a moment: let go of what others may want."""

    def handle(self, data: pa.Table) -> None:
        """Store one batch."""
        (stored,) = self.store([Batch(self.batch_id, data)])
        if isinstance(stored, Exception):
            raise stored


@dataclass(frozen=True)
class HandlerNode:
    """A handler with its place in the graph.

    Attributes:
        name: what other nodes, errors and figures call it.
        handler: what it does; each worker gets a copy.
        dependencies: the nodes, or the names of those, whose output it receives; none for a producer.
        parallel: split each batch over the node's workers, and put what they return back in order as one batch.
        chunks: how many pieces a batch is split into when `parallel`.
        join: ``all`` gives the outputs of all dependencies for a batch together, ``any`` each as it comes.
        workers: how many workers it has; by default 1, or when `parallel` one a processor, at most `chunks`.

    Raises:
        GraphError: a value that no node can have.
    """

    name: str
    handler: BaseHandler
    dependencies: Sequence[str | HandlerNode] = ()
    parallel: bool = False
    chunks: int = DEFAULT_CHUNKS
    join: str = "all"
    workers: int | None = None

    def __post_init__(self) -> None:
        """Check what can be told from the node alone."""
        if not _is_name(self.name):
            raise GraphError(f"A node is called {self.name!r}.", "Give each HandlerNode a name, as a text.")
        if not isinstance(self.handler, BaseHandler):
            raise self._wrong(f"its handler is {self.handler!r}", "Give it an object of a class that extends BaseHandler: Normalise().")
        if type(self.handler).handle is BaseHandler.handle:
            raise self._wrong(f"{type(self.handler).__name__} has no handle()", "Write: def handle(self, data): …")
        if isinstance(self.dependencies, str | HandlerNode):
            raise self._wrong("its dependencies are no list", "Write: dependencies=[…]")
        if self.join not in JOINS:
            raise self._wrong(f"join is {self.join!r}", 'Write: join="all" or join="any".')
        if self.handler.runs_in not in RUNS_IN:
            raise self._wrong(f"its handler runs in {self.handler.runs_in!r}", 'Write: runs_in = "process" or runs_in = "thread".')
        for key, value in (("chunks", self.chunks), ("workers", self.worker_count)):
            if not _is_count(value):
                raise self._wrong(f"{key} is {value!r}", f"Write a number of {key}, 1 or more.")
        self._check_asked()

    def _check_asked(self) -> None:
        asked = self.asked
        if self.joins_several and not asked.by_dependency:
            raise self._wrong(
                f"it joins {', '.join(self.dependency_names)} and its handle() takes one batch",
                f'Annotate its parameter dict[str, {asked.form.value}], or write join="any" to get them one by one.',
            )
        if asked.by_dependency and not self.joins_several:
            raise self._wrong(
                "its handle() takes a dict by dependency, and it joins no several ones", f"Annotate its parameter {asked.form.value}."
            )
        if self.dependencies and not asked.takes_data:
            raise self._wrong("it has dependencies and its handle() takes no batch", "Write: def handle(self, data): …")
        if self.parallel and isinstance(self.handler, BaseSink):
            raise self._wrong("it is parallel, and a sink stores whole batches", "Leave parallel out; workers=2 has two store at a time.")
        if self.parallel and (self.joins_several or not asked.takes_data):
            raise self._wrong("it is parallel, and there is not one batch to split", "Leave parallel out.")

    def _wrong(self, what: str, hint: str) -> GraphError:
        return GraphError(f"Node {self.name}: {what}.", hint)

    # Kept, since they are looked at for each batch, and reading a signature takes as long as handing on a small one.
    @cached_property
    def asked(self) -> Asked:
        """What its handler wants to be given."""
        return asked_by(self.handler.handle, self.name)

    @cached_property
    def dependency_names(self) -> tuple[str, ...]:
        """The names of its dependencies, each once."""
        names = (node.name if isinstance(node, HandlerNode) else node for node in self.dependencies)
        return tuple(dict.fromkeys(names))

    @property
    def joins_several(self) -> bool:
        """Whether it is given the outputs of several dependencies together."""
        return self.join == "all" and len(self.dependency_names) > 1

    @property
    def worker_count(self) -> int:
        """How many workers it has."""
        if self.workers is not None:
            return self.workers
        return min(self.chunks, os.cpu_count() or 1) if self.parallel else 1


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
