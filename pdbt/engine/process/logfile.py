"""dagster.log: kept small, read from its end, followed while it grows."""

from __future__ import annotations

import codecs
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ..report import LOG_BYTES

POLL_SECONDS = 0.25
_BLOCK_BYTES = 64 * 1024


def rotate(log: Path, limit: int = LOG_BYTES) -> None:
    """Put a log that has grown too large aside, in place of the one before, while processes may have it open for appending."""
    if size(log) > limit:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        with log.open("r+b") as file:
            file.truncate()


def size(log: Path) -> int:
    """Return how many bytes a log holds; one that is not there holds none."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def last_lines(path: Path, count: int, start: int = 0, end: int | None = None) -> list[str]:
    """Return the last lines of a file, reading no more of it than they take; none if it is not there.

    Args:
        path: a text file.
        count: how many lines.
        start: the byte before which nothing is read.
        end: the byte from which on nothing is read; None means the end of the file.
    """
    data = b""
    try:
        with path.open("rb") as file:
            position = file.seek(0, os.SEEK_END)
            position = position if end is None else min(end, position)
            start = 0 if start > position else start  # rotated since
            while position > start and data.count(b"\n") <= count:
                before = max(start, position - _BLOCK_BYTES)
                file.seek(before)
                data = file.read(position - before) + data
                position = before
    except FileNotFoundError:
        return []
    return data.decode(errors="replace").splitlines()[-count:] if count else []


def follow(path: Path, position: int) -> Iterator[str]:
    """Yield what is appended to a file from a byte on, without end; go on with the new one when it is rotated."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while True:
        if size(path) < position:
            position = 0
        try:
            with path.open("rb") as file:
                file.seek(position)
                data = file.read(_BLOCK_BYTES)
        except FileNotFoundError:
            data = b""
        position += len(data)
        if data:
            yield decoder.decode(data)
        else:
            time.sleep(POLL_SECONDS)
