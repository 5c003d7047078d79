"""The tolerant reader: the rows of any text file, one by one, as they are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from .dialect import Dialect
from .encoding import open_text
from .tokens import Record, cut_records

__all__ = ["Record", "read_records"]


def read_records(path: Path, dialect: Dialect) -> Iterator[Record]:
    """Yield the rows of data of a file (no preamble, header or blank lines); memory is bounded.

    Raises:
        OSError, EOFError: the file cannot be opened or unpacked.
    """
    with open_text(path, dialect.encoding) as lines:
        for _ in islice(lines, dialect.body_line):
            pass
        yield from cut_records(lines, dialect, len(dialect.names), line=dialect.body_line)
