"""A worker process: started by an executor, and ended when that ends, however it ends."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from .work import work


def main() -> None:
    """Work for whoever holds the other end of the socket whose file descriptor is the first argument."""
    # Ctrl-C reaches every process of a terminal; the executor decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = Connection(int(sys.argv[1]))
    import cloudpickle

    job, handler = cloudpickle.loads(channel.recv_bytes())
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(channel, inbox), daemon=True).start()
    work(handler, job, inbox.get, channel.send)


def _listen(channel: Connection, inbox: queue.SimpleQueue[Any]) -> None:
    """Pass messages on; when the executor is gone nobody wants the work any more, also in the midst of a batch."""
    while True:
        try:
            inbox.put(channel.recv())
        except (EOFError, OSError):
            os._exit(1)


if __name__ == "__main__":
    main()
