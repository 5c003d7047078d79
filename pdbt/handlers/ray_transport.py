"""Workers on a Ray cluster: an actor each, to which batches go through the object store.

Whoever started the pipeline owns each batch and keeps a view of it in the object store of its own machine for as long as anybody
needs it: what a worker had made is there also when its machine is not, and only the batch that it was at is done again.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from . import ray_cluster
from .messages import Failed, Gone, Job, Work
from .nodes import BaseHandler, HandlerNode
from .parcels import INLINE_BYTES, Parcel, Parcels, Piece, pack
from .ray_actor import HandlerActor, attached
from .transport import Transport
from .workers import Deliver, Worker, packed

# An actor waits for batches most of its time: it takes no processor from the cluster's account, and may be anywhere.
_OPTIONS = {"num_cpus": 0, "scheduling_strategy": "SPREAD", "max_restarts": 0, "max_task_retries": 0}


class RayParcels(Parcels):
    """Batches in the object store of a Ray cluster."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__("")
        self._references: dict[Piece, Any] = {}

    def pack(self, table: Any) -> Parcel:
        """Put a table into the object store."""
        parcel = pack(table, "")
        return tuple(self._stored(piece) if piece.size >= INLINE_BYTES else piece for piece in parcel)

    def _stored(self, piece: Piece) -> Piece:
        import ray

        reference = ray.put(piece.content)
        return self.took(replace(piece, content=ray.get(reference)), reference)

    def took(self, piece: Piece, reference: Any) -> Piece:
        """Remember where a batch is; its content is a view of that, which keeps it there."""
        self._references[piece] = reference
        return piece

    def reference(self, piece: Piece) -> Any:
        """Return where a batch is, put there if it is not: a handler that runs in a thread of this process hands over its content."""
        import ray

        if piece not in self._references:
            self._references[piece] = ray.put(piece.content)
        return self._references[piece]

    def forget(self, piece: Piece) -> None:
        """Forget where a batch was, so that it is put into the object store again when it is next needed."""
        self._references.pop(piece, None)

    def _drop(self, piece: Piece) -> None:
        self._references.pop(piece, None)

    def remove(self) -> None:
        """Free all of it."""
        self._references.clear()


class RayWorker(Worker):
    """A worker in an actor."""

    def __init__(self, job: Job, handler: bytes, deliver: Deliver, parcels: RayParcels) -> None:
        """Start the actor; what it answers, and its end, go to `deliver`."""
        import ray

        super().__init__(job)
        self.capacity = job.together
        self._parcels = parcels
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        start: Any = ray.remote(HandlerActor)
        self._actor = start.options(**_OPTIONS).remote(handler, [entry for entry in sys.path if entry])
        self._listener = threading.Thread(target=self._listen, args=(deliver,), name=f"pdbt {job.node}", daemon=True)
        self._listener.start()

    def send(self, message: object) -> None:
        """Send it a message."""
        self._inbox.put(message)

    def end(self, seconds: float) -> None:
        """Wait until it ends, and kill it if it does not."""
        self._listener.join(seconds)
        self._kill()
        self._listener.join(seconds)

    def _kill(self) -> None:
        import ray

        with contextlib.suppress(Exception):  # it may be gone, or the cluster
            ray.kill(self._actor)

    def _listen(self, deliver: Deliver) -> None:
        deliver(self, Gone(self._talk(deliver)))

    def _talk(self, deliver: Deliver) -> str:
        """Pass on what it says; return why it has ended."""
        import ray

        answers: list[object] = []
        sent: list[Piece] = []
        try:
            answer, self.pid = ray.get(list(self._actor.begin.options(num_returns=2).remote()))
            answers = [answer]
            while not self._passed_on(answers, deliver):
                messages = self._next()
                answers = self._ask(messages, sent)
        except Exception as error:  # what Ray raises for a lost machine, a killed process, a cluster that is no more
            if not isinstance(error, ray.exceptions.RayActorError):
                for piece in sent:  # what it was given may be what was lost
                    self._parcels.forget(piece)
            self._kill()
            return f"is gone: {ray_cluster.first_line(error)}"
        return "ended"

    def _passed_on(self, answers: list[object], deliver: Deliver) -> bool:
        """Pass answers on; return whether the last of them was the last of all."""
        for answer in answers:
            if isinstance(answer, Gone):
                return True
            deliver(self, answer)
        return isinstance(answers[-1], Failed) and answers[-1].number is None

    def _next(self) -> list[object]:
        """Wait for a message; return it with all that wait behind it, which a sink stores together."""
        messages = [self._inbox.get()]
        with contextlib.suppress(queue.Empty):
            while True:
                messages.append(self._inbox.get_nowait())
        return messages

    def _ask(self, messages: list[object], sent: list[Piece]) -> list[object]:
        """Have it answer messages; large batches go beside them, so that Ray brings them to its machine beforehand.

        Args:
            messages: what it is to answer.
            sent: holds these large batches afterwards, also when it does not answer.
        """
        import ray

        sent.clear()
        emptied = [_emptied(message, sent) if isinstance(message, Work) else message for message in messages]
        buffers = [self._parcels.reference(piece) for piece in sent]
        calls = self._actor.answer.options(num_returns=2).remote(emptied, *buffers)
        answers, buffer = ray.get(list(calls))
        if buffer is not None:  # a view of it is kept before anybody is told of it
            answer, piece = attached(answers[0], buffer)
            self._parcels.took(piece, calls[1])
            return [answer]
        return list(answers)


def _emptied(message: Work, taken: list[Piece]) -> Work:
    """Take large batches out of a message; each bears its place among those taken."""

    def empty(piece: Piece) -> Piece:
        if piece.size < INLINE_BYTES:
            return piece
        taken.append(piece)
        return replace(piece, content=None, path=str(len(taken) - 1))

    return replace(message, parts={name: tuple(map(empty, parcel)) for name, parcel in message.parts.items()})


class RayTransport(Transport):
    """A Ray cluster."""

    parcels: RayParcels

    def __init__(self, address: str | None, memory: int) -> None:
        """Reach the cluster, or start one.

        Args:
            address: the cluster; None starts one for this process.
            memory: how many bytes of batches the pipeline may have under way.

        Raises:
            MissingLibrary: Ray is not installed.
            PdbtError: the cluster cannot be reached, or none be started.
        """
        self._cluster = ray_cluster.reach(address, memory)
        self.parcels = RayParcels()

    def starter(self, job: Job, handler: BaseHandler, deliver: Deliver) -> Callable[[], Worker]:
        """Return what starts an actor."""
        content = packed(job, handler)
        return lambda: RayWorker(job, content, deliver, self.parcels)

    def worker_count(self, node: HandlerNode) -> int:
        """Return how many workers a node is to have: a parallel one has one for each processor of the cluster, at most `chunks`."""
        if node.workers is not None or not node.parallel:
            return node.worker_count
        return max(1, min(node.chunks, ray_cluster.processors()))

    def close(self) -> None:
        """Free what was under way, and leave the cluster."""
        self.parcels.remove()
        self._cluster.leave()
