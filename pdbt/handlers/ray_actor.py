"""What runs on a Ray cluster: a worker of a node, as an actor that answers one message after the other."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .messages import Done, Gone, Job, Output, Work
from .nodes import BaseHandler
from .parcels import INLINE_BYTES, Piece
from .work import work

if TYPE_CHECKING:
    import pyarrow as pa


class HandlerActor:
    """Sets up a handler and processes batches.

    Each answer comes in two parts, the message and the batch that belongs to it: as a value of its own Ray puts a large batch into
    the object store, and whoever called owns it, so that it outlives this process.
    """

    def __init__(self, content: bytes, path: Sequence[str]) -> None:
        """Begin to set up.

        Args:
            content: the job and the handler, pickled.
            path: where the process that started the pipeline finds modules; on its own machine this one finds them, too.
        """
        import cloudpickle

        sys.path.extend(entry for entry in path if entry not in sys.path)
        job, handler = cloudpickle.loads(content)
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._work, args=(handler, job), daemon=True).start()

    def begin(self) -> tuple[object, int]:
        """Return the first message, when the handler is set up or could not be, and the process id."""
        return self._outbox.get(), os.getpid()

    def answer(self, messages: Sequence[object], *buffers: pa.Buffer) -> tuple[list[object], pa.Buffer | None]:
        """Take messages, and return what the worker answers to each, with the batch that belongs to the answer.

        Args:
            messages: one, or for a sink several; pieces of their batches that are in `buffers` bear their place there.
            buffers: large batches, in the object store.
        """
        for message in messages:
            self._inbox.put(filled(message, buffers) if isinstance(message, Work) else message)
        answers = []
        for _ in messages:
            answers.append(self._outbox.get())
            if isinstance(answers[-1], Gone):
                break
        return detached(answers)

    def _work(self, handler: BaseHandler, job: Job) -> None:
        try:
            work(handler, job, self._inbox.get, self._outbox.put)
        finally:
            self._outbox.put(Gone("ended"))


def filled(message: Work, buffers: Sequence[pa.Buffer]) -> Work:
    """Put the batches of a message into its pieces."""

    def fill(piece: Piece) -> Piece:
        return replace(piece, content=buffers[int(piece.path)], path="") if piece.path else piece

    return replace(message, parts={name: tuple(map(fill, parcel)) for name, parcel in message.parts.items()})


def detached(answers: list[object]) -> tuple[list[object], pa.Buffer | None]:
    """Take a large batch out of answers; one that has a batch stands alone."""
    match answers:
        case [Output() | Done() as answer] if answer.parcel and answer.parcel[0].size >= INLINE_BYTES:
            (piece,) = answer.parcel
            return [replace(answer, parcel=(replace(piece, content=None),))], piece.content
    return answers, None


def attached(answer: Output | Done, buffer: pa.Buffer) -> tuple[Output | Done, Piece]:
    """Put the batch of an answer back; return it beside the answer."""
    (emptied,) = answer.parcel or ()
    piece = replace(emptied, content=buffer)
    return replace(answer, parcel=(piece,)), piece
