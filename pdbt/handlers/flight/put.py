"""One DoPut: batches are given to the pipeline as they come, and acknowledged as they are stored."""

from __future__ import annotations

import contextlib
import functools
import json
import queue
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ...engine.errors import PdbtError
from ..errors import BatchRefused, Overloaded, PipelineFailed, PipelineStopped, UnknownNode
from ..rounds import Receipt
from ..triggers import StillRunning
from . import wire

if TYPE_CHECKING:
    from ..executor import PipelineExecutor

LONGEST_ID = 200


class Takes(Protocol):
    """What a server takes."""

    @property
    def batch_mb(self) -> float:
        """How large a batch may be, in megabytes."""

    @property
    def bytes(self) -> int:
        """The same in bytes."""

    @property
    def patience(self) -> float:
        """How long a batch waits for room, in seconds."""


@dataclass(frozen=True)
class Refused:
    """The end of a call, and why.

    Attributes:
        code: the name of a gRPC status code.
        sentence: what the client is told.
    """

    code: str
    sentence: str

    @classmethod
    def of(cls, error: BaseException, about: str = "") -> Refused:
        """Return the status of an error; `about` names the batch."""
        codes = (
            (UnknownNode, "NOT_FOUND"),
            (Overloaded, "RESOURCE_EXHAUSTED"),
            (PipelineFailed, "INTERNAL"),
            (PipelineStopped, "UNAVAILABLE"),
            (StillRunning, "FAILED_PRECONDITION"),
            (wire.Malformed, "INVALID_ARGUMENT"),
            (PdbtError, "INVALID_ARGUMENT"),
        )
        code = next((code for kind, code in codes if isinstance(error, kind)), "INTERNAL")
        said = str(error) if isinstance(error, PdbtError | wire.Malformed) else f"{type(error).__name__}: {error}."
        return cls(code, f"{about}{said}")


class PutStream:
    """The batches of one call, and their acknowledgements in the order in which they are done."""

    def __init__(self, pipeline: PipelineExecutor, requests: Iterator[bytes], limits: Takes, draining: threading.Event) -> None:
        """Read nothing yet.

        Args:
            pipeline: where batches go.
            requests: the messages of the call.
            limits: what is taken.
            draining: set when no further batch is.
        """
        self._pipeline = pipeline
        self._limits = limits
        self._draining = draining
        self._received = wire.Received(requests, self._check_size)
        self._answers: queue.SimpleQueue[dict[str, Any] | Refused | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._open = 0  # batches under way
        self._reading = True
        self._end: Refused | None = None

    def answers(self) -> Iterator[dict[str, Any] | Refused]:
        """Yield the acknowledgements, and last what ended the call, if it was no plain end."""
        # Of its own, so that the acknowledgement of one batch does not wait until the next has come.
        threading.Thread(target=self._read, name="pdbt flight reader", daemon=True).start()
        while answer := self._answers.get():
            yield answer

    def end(self) -> None:
        """Wait for no acknowledgement any more: the client is gone, or has all of them. What it gave goes on."""
        self._answers.put(None)

    def _read(self) -> None:
        import grpc

        end = None
        try:
            self._give_all()
        except grpc.RpcError:  # the client is gone; what it gave goes on
            pass
        except Exception as error:
            end = Refused.of(error)
        with self._lock:
            self._reading = False
            self._end = self._end or end
            # Without room nobody knows when the batches before are done: the client is told now, and sends them again.
            last = not self._open or (end is not None and end.code == "RESOURCE_EXHAUSTED")
        if last:
            self._answers.put(self._end)

    def _give_all(self) -> None:
        if self._received.schema() is None:
            return
        node = self._received.path
        patience = self._limits.patience
        batches = self._received.batches()
        while True:
            # Nothing is read while there is no room: this is what holds a client up, and a batch that is not read takes no memory.
            room = self._pipeline.wait_for_room(node, patience)
            metadata, table = next(batches, (b"", None))
            if table is None:
                return
            if self._draining.is_set():
                raise PipelineStopped("The server is being stopped and takes no batch.", "Give it again.")
            if self._end is not None:
                return
            batch_id = _id_of(metadata)
            self._check_size(table.nbytes, batch_id)
            started = time.monotonic()
            with self._lock:
                self._open += 1
            try:
                future = self._pipeline.give(node, table, batch_id=batch_id, timeout=patience if room else 0)
            except BaseException as error:
                with self._lock:
                    self._open -= 1
                raise Overloaded(node, patience) if isinstance(error, Overloaded) else error from None
            future.add_done_callback(functools.partial(self._done, batch_id, table.num_rows, started))

    def _check_size(self, size: int, batch_id: str = "") -> None:
        if size > self._limits.bytes:
            name = f"Batch {batch_id}" if batch_id else "A batch"
            raise BatchRefused(
                f"{name} has {size / 1e6:.1f} MB, and at most {self._limits.batch_mb:g} MB are taken.", "Send it in smaller batches."
            )

    def _done(self, batch_id: str, rows: int, started: float, future: Future[Receipt]) -> None:
        error = future.exception()
        end = Refused.of(error, f"Batch {batch_id}: " if isinstance(error, BatchRefused) else "") if error is not None else None
        if end is None:
            receipt = future.result()
            self._answers.put(
                {
                    "id": batch_id,
                    "rows_received": rows,
                    "rows_stored": receipt.stored,
                    "dead_letters": receipt.dead_letters,
                    "seconds": round(time.monotonic() - started, 6),
                }
            )
        with self._lock:
            self._end = self._end or end
            self._open -= 1
            # A refusal ends the call when the batches before it are acknowledged, also if the client would send more.
            last = not self._open and (not self._reading or self._end is not None)
        if last:
            self._answers.put(self._end)


def _id_of(metadata: bytes) -> str:
    """Return the id that a client gave its batch: plain text, or JSON with a key id; a new one when it gave none.

    Raises:
        BatchRefused: it is no id.
    """
    if not metadata:
        return uuid.uuid4().hex
    try:
        text = metadata.decode("utf-8")
    except UnicodeDecodeError:
        raise BatchRefused("The id of a batch is no text in UTF-8.", "Send it as the app_metadata of the batch.") from None
    if text.startswith("{"):
        with contextlib.suppress(ValueError):
            text = str(json.loads(text).get("id") or "")
    if not text.strip() or len(text) > LONGEST_ID:
        raise BatchRefused(f"The id of a batch has {len(text)} characters.", f"It has 1 to {LONGEST_ID}, as the app_metadata of the batch.")
    return text
