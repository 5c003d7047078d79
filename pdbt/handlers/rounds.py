"""What is under way in a pipeline: rounds, the parts that producers make in them, and the tasks of the nodes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..engine.errors import PdbtError
from .parcels import Parcel

if TYPE_CHECKING:
    import pyarrow as pa

# The way of a batch through the graph: for each node its position and the number of the output; sorts as one worker would make it.
Place = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Receipt:
    """A batch and all that came of it went through the pipeline.

    Attributes:
        batch_id: the id that it was given in with.
        rows: how many rows were given in.
        seconds: how long it took.
        stored: how many rows the sinks that it reached hold of it, now or since it came before.
        dead_letters: how many batches that came of it were set aside.
    """

    batch_id: str
    rows: int
    seconds: float
    stored: int = 0
    dead_letters: int = 0


@dataclass
class Part:
    """One batch that the producers of a round made, and all that comes of it.

    Attributes:
        open: how many tasks each node has yet to do for it.
        waiting: for nodes that join several dependencies, what has come so far from each.
    """

    open: Counter[str] = field(default_factory=Counter)
    waiting: dict[str, dict[str, list[tuple[Place, Parcel]]]] = field(default_factory=dict)


@dataclass(eq=False)
class Round:
    """What was given in under one batch id: to one producer, or to several whose outputs are joined.

    Attributes:
        batch_id: the id.
        collect: keep what the last nodes return.
        rows: how many rows were given in.
        outputs: what the last nodes returned, when it is collected.
        made: for each producer that was given its batch, how many parts it has made.
        finished: the producers that will make no more.
        parts: the parts that are under way, by their number.
        cut: a producer was ended before it was done, so that the batch counts as not processed.
        stored: how many rows sinks hold of it.
        dead_letters: how many batches that came of it were set aside.
        refused: what the first handler that refused a batch of it said.
    """

    batch_id: str
    collect: bool = False
    rows: int = 0
    outputs: list[tuple[str, int, Place, pa.Table]] = field(default_factory=list)
    made: dict[str, int] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    parts: dict[int, Part] = field(default_factory=dict)
    cut: bool = False
    stored: int = 0
    dead_letters: int = 0
    refused: str = ""
    future: Future[Receipt] = field(default_factory=Future)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Say that it is under way: its future cannot be cancelled."""
        self.future.set_running_or_notify_cancel()

    @property
    def done(self) -> bool:
        """Whether nothing of it is under way."""
        return not self.parts and len(self.finished) == len(self.made)

    def receipt(self) -> Receipt:
        """Return the receipt of it, now that it is done."""
        return Receipt(self.batch_id, self.rows, time.monotonic() - self.started, self.stored, self.dead_letters)

    def resolve(self, result: Receipt | PdbtError) -> None:
        """Tell whoever gave it in what became of it; what comes first counts."""
        if self.future.done():
            return
        if isinstance(result, Receipt):
            self.future.set_result(result)
        else:
            self.future.set_exception(result)


@dataclass(eq=False)
class Split:
    """A batch that parallel workers process in pieces.

    Attributes:
        made: what came of each piece, in order.
        open: how many pieces are under way.
        failed: a piece was given up, so that nothing comes of the batch.
    """

    made: list[list[Parcel]]
    open: int
    failed: bool = False


@dataclass(eq=False)
class Task:
    """A batch, or a piece of one, that a node is to process.

    Attributes:
        number: tells it from all others.
        node: the name of the node.
        round: what it belongs to.
        batch_id: the id that the handler sees.
        parts: the batch by the dependency that it comes from.
        part: the number of the part of the round; None for a producer's task, which makes parts.
        place: the way of the batch so far.
        span: offset and length of the piece, in rows.
        split: the other pieces.
        piece: which piece it is.
        taken: how many outputs were sent on, in all attempts; an attempt makes the same ones again, and these are left out.
        seen: how many outputs this attempt has made.
        errors: how often the handler failed.
        deaths: how often the worker ended in the midst of it.
        began: when a worker was last given it, by the monotonic clock.
    """

    number: int
    node: str
    round: Round
    batch_id: str
    parts: Mapping[str, Parcel]
    part: int | None = None
    place: Place = ()
    span: tuple[int, int] | None = None
    split: Split | None = None
    piece: int = 0
    taken: int = 0
    seen: int = 0
    errors: int = 0
    deaths: int = 0
    began: float = 0.0
