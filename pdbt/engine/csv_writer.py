r"""Rows written as CSV: the one place where pdbt does, so that every value arrives as it is.

Up to Python 3.12 the csv module quotes a lone carriage return only where lines end with one, and every reader takes it for a line's end.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import TextIO


class CsvWriter:
    """Writes rows to a stream of text, a line feed after each; None is an empty field."""

    def __init__(self, stream: TextIO) -> None:
        """Keep the stream, which was opened with ``newline=""``."""
        self.write_plain = csv.writer(stream, lineterminator="\n").writerow
        self._write_quoted = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow

    def write(self, row: Sequence[object]) -> None:
        """Write a row; `write_plain` is quicker, for rows that hold no carriage return."""
        lone = any("\r" in field for field in row if isinstance(field, str))
        (self._write_quoted if lone else self.write_plain)(row)

    def write_all(self, rows: Iterable[Sequence[object]]) -> None:
        """Write rows."""
        for row in rows:
            self.write(row)
