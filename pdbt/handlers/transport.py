"""What differs between executors: where workers are, and how batches reach them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from .messages import Job
from .nodes import BaseHandler, HandlerNode
from .parcels import ParcelFolder, Parcels
from .workers import Deliver, ProcessWorker, Worker, packed


class Transport(ABC):
    """The workers of an executor that are no threads of this process, and the batches that are under way to them.

    Attributes:
        parcels: the batches.
    """

    parcels: Parcels

    @abstractmethod
    def starter(self, job: Job, handler: BaseHandler, deliver: Deliver) -> Callable[[], Worker]:
        """Return what starts a worker.

        Raises:
            GraphError: the handler cannot be copied into a worker.
        """

    @abstractmethod
    def worker_count(self, node: HandlerNode) -> int:
        """Return how many workers a node is to have."""

    @abstractmethod
    def close(self) -> None:
        """Free what was under way, after the workers have ended."""


class LocalTransport(Transport):
    """Processes of this machine, and files in memory that they share."""

    def __init__(self) -> None:
        """Make the folder of the files."""
        self.parcels = ParcelFolder()

    def starter(self, job: Job, handler: BaseHandler, deliver: Deliver) -> Callable[[], Worker]:
        """Return what starts a worker process."""
        content = packed(job, handler)
        return lambda: ProcessWorker(job, content, deliver)

    def worker_count(self, node: HandlerNode) -> int:
        """Return how many workers a node is to have on this machine."""
        return node.worker_count

    def close(self) -> None:
        """Remove the files."""
        self.parcels.remove()
