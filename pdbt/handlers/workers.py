"""The executor's side of its workers: processes and threads, started once, told what to do, and ended."""

from __future__ import annotations

import contextlib
import copy
import json
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from ..engine.errors import GraphError, MissingLibrary
from ..engine.process.libraries import is_installed
from . import pickling
from .messages import Gone, Job
from .nodes import BaseHandler
from .work import work

Deliver = Callable[["Worker", object], None]
# The process finds what this one finds: pdbt, and the modules that handlers come from.
_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[2]); from pdbt.handlers.worker import main; main()"


class Worker:
    """A process or a thread that works for one node."""

    def __init__(self, job: Job) -> None:
        """Keep what it works for."""
        self.job = job
        self.pid: int | None = None
        self.capacity = 1  # how many batches it may have in hand

    def send(self, message: object) -> None:
        """Send it a message; one that is gone has no use for it, and Gone tells of that."""
        raise NotImplementedError

    def end(self, seconds: float) -> None:
        """Wait until it ends, after it was sent End; by force after `seconds`, if it is a process."""
        raise NotImplementedError


class ProcessWorker(Worker):
    """A worker in a process of its own."""

    def __init__(self, job: Job, handler: bytes, deliver: Deliver) -> None:
        """Start the process; what it sends, and its end, go to `deliver`."""
        super().__init__(job)
        self.capacity = job.together
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), json.dumps(sys.path)],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self.pid = self._process.pid
        self._channel = Connection(ours.detach())
        self._listener = threading.Thread(target=self._listen, args=(deliver,), name=f"pdbt {job.node}", daemon=True)
        with contextlib.suppress(OSError):
            self._channel.send_bytes(handler)
        self._listener.start()

    def send(self, message: object) -> None:
        """Send it a message."""
        with contextlib.suppress(OSError):
            self._channel.send(message)

    def end(self, seconds: float) -> None:
        """Wait until it ends, and kill it if it does not."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        self._channel.close()

    def _listen(self, deliver: Deliver) -> None:
        while True:
            try:
                message = self._channel.recv()
            except (EOFError, OSError):
                break
            deliver(self, message)
        deliver(self, Gone(_why(self._process.wait())))


class ThreadWorker(Worker):
    """A worker in a thread of this process."""

    def __init__(self, job: Job, handler: BaseHandler, deliver: Deliver) -> None:
        """Start the thread; it works with a shallow copy, so that what the handler's attributes refer to is shared."""
        super().__init__(job)
        self.capacity = job.together
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # A daemon: a handler that hangs must not keep the interpreter from ending.
        self._thread = threading.Thread(target=self._work, args=(copy.copy(handler), deliver), name=f"pdbt {job.node}", daemon=True)
        self._thread.start()

    def send(self, message: object) -> None:
        """Send it a message."""
        self._inbox.put(message)

    def end(self, seconds: float) -> None:
        """Wait until it ends; a thread cannot be forced."""
        self._thread.join(seconds)

    def _work(self, handler: BaseHandler, deliver: Deliver) -> None:
        why = "ended"
        try:
            work(handler, self.job, self._inbox.get, lambda message: deliver(self, message))
        except BaseException as error:  # what no handler should raise, such as CancelledError: who waits for its batch is told
            why = f"was ended by {type(error).__name__}"
        deliver(self, Gone(why))


def packed(job: Job, handler: BaseHandler) -> bytes:
    """Return a handler as bytes that a worker process makes its copy from; also one of a script or a notebook, without a module.

    Raises:
        GraphError: it holds something that cannot be copied, such as an open connection.
        MissingLibrary: cloudpickle is not installed.
    """
    if not is_installed("cloudpickle"):
        raise MissingLibrary("cloudpickle", "A handler that runs in a process")
    try:
        return pickling.dumps((job, handler))
    except Exception as error:  # an object's own way to be copied may raise anything
        raise GraphError(
            f"Node {job.node}: its handler cannot be copied into a worker process: {error}.",
            'Open files and connections in setup(), or write runs_in = "thread" in the handler.',
        ) from error


def _why(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
