"""What an executor and its workers say to each other; a worker is a process or a thread, the words are the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .forms import Asked
from .parcels import Parcel


@dataclass(frozen=True)
class Work:
    """To a worker: process a batch.

    Attributes:
        number: the task's number, which the answers bear.
        batch_id: the id of the batch.
        parts: the batch by the dependency that it comes from; empty for a producer that makes its data itself.
        span: offset and length in rows of the piece that this worker is to process; None for all.
    """

    number: int
    batch_id: str
    parts: Mapping[str, Parcel]
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class GoOn:
    """To a worker: what was sent is taken; `more` is whether the handler is to yield the next."""

    more: bool


@dataclass(frozen=True)
class End:
    """To a worker: tear down and end."""


@dataclass(frozen=True)
class Job:
    """What a worker is started with.

    Attributes:
        node: the name of its node.
        asked: what the handler wants to be given.
        folder: where it puts large batches.
        together: how many batches it may have in hand: more than one only for a sink, which stores those that wait together.
    """

    node: str
    asked: Asked
    folder: str
    together: int = 1


@dataclass(frozen=True)
class Ready:
    """From a worker: it is set up."""


@dataclass(frozen=True)
class Output:
    """From a worker: one of several batches; it waits for GoOn before it makes the next."""

    number: int
    parcel: Parcel


@dataclass(frozen=True)
class Done:
    """From a worker: the task is done.

    Attributes:
        number: the task's number.
        parcel: what goes on, if anything does that has not been sent before.
        stored: how many rows of the batch a sink holds now, whether it stored them now or when the batch came before.
    """

    number: int
    parcel: Parcel | None
    stored: int = 0


@dataclass(frozen=True)
class Failed:
    """From a worker: the handler raised an error.

    Attributes:
        number: the task's number; None when it was in setup or teardown.
        error: the error in one sentence, with the line of the handler's file.
        trace: the traceback, for who asks.
        refused: the handler will never take this batch, and says so by BatchRefused.
    """

    number: int | None
    error: str
    trace: str
    refused: bool = False


@dataclass(frozen=True)
class Gone:
    """From the one who watches over a worker: it ended, and `why`."""

    why: str
