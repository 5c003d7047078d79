"""Reading ahead: one side reads, in one thread or several, while the other one writes, with few batches between them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

BATCHES_AHEAD = 4
_POLL_SECONDS = 0.5


@contextlib.contextmanager
def closed(batches: Iterator[pa.RecordBatch]) -> Iterator[Iterator[pa.RecordBatch]]:
    """Close what was not read to its end: an error that somebody keeps would keep it open, and DuckDB waits for that without end."""
    try:
        yield batches
    finally:
        close = getattr(batches, "close", None)
        if close is not None:
            close()


@contextlib.contextmanager
def ahead(*streams: Iterator[pa.RecordBatch]) -> Iterator[Iterator[pa.RecordBatch]]:
    """Give the batches as other threads read them, one a stream; what ends the reading is raised where they are taken."""
    waiting: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(BATCHES_AHEAD)
    stopped = threading.Event()

    def put(item: pa.RecordBatch | BaseException | None) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(item, timeout=_POLL_SECONDS)
                return

    def work(stream: Iterator[pa.RecordBatch]) -> None:
        try:
            with closed(stream):
                for batch in stream:
                    put(batch)
                    if stopped.is_set():
                        break
        except BaseException as failure:  # told where the batches are taken
            put(failure)
        else:
            put(None)

    def take() -> Iterator[pa.RecordBatch]:
        left = len(streams)
        while left:
            item = waiting.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                left -= 1
            else:
                yield item

    threads = [threading.Thread(target=work, args=(stream,), name="pdbt reading", daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    try:
        yield take()
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
