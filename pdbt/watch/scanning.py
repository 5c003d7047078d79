"""Looking at a whole folder: which files of it are not in the ledger as they lie there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..engine.files import is_temporary
from .ledger import Ledger, Stat

BATCH_FILES = 2_000
FORGET_BATCH_FILES = 500


def unknown_files(folder: Path, recursive: bool, ledger: Path) -> Iterator[list[str]]:
    """Yield, in batches and in order of modification, the files that the ledger does not know as they are now.

    Args:
        folder: what is looked at.
        recursive: whether folders below are, too.
        ledger: the folder of the ledger, which is opened for reading.

    Raises:
        OSError: the folder cannot be read.
        PdbtError: the ledger cannot be read.
    """
    book = Ledger(ledger, read_only=True)
    try:
        known = book.stats()
    finally:
        book.close()
    found = sorted((stat[1], path) for path, stat in _files(folder, recursive) if known.get(path) != stat)
    for start in range(0, len(found), BATCH_FILES):
        yield [path for _, path in found[start : start + BATCH_FILES]]


def forgettable_files(ledger: Path, moment: float) -> Iterator[list[int]]:
    """Yield, in batches, the files of the ledger that nobody will ask for: done with before this moment, and gone or replaced since.

    A file that still lies there stays on record however old: it would run again.

    Args:
        ledger: the folder of the ledger, which is opened for reading.
        moment: in seconds since the epoch.

    Raises:
        PdbtError: the ledger cannot be read.
    """
    book = Ledger(ledger, read_only=True)
    try:
        ended = book.ended_before(moment)
    finally:
        book.close()
    found = [file for file, path, latest in ended if not latest or not os.path.lexists(path)]
    for start in range(0, len(found), FORGET_BATCH_FILES):
        yield found[start : start + FORGET_BATCH_FILES]


def _files(folder: Path, recursive: bool) -> Iterator[tuple[str, Stat]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_temporary(entry.name):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if recursive:
                        yield from _files(Path(entry.path), recursive)
                elif entry.is_file():
                    found = entry.stat()
                    yield entry.path, (found.st_size, found.st_mtime_ns, found.st_ino)
            except OSError:
                continue  # it went while it was looked at, or is none of ours
