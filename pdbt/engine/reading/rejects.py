"""What was set aside: rows with their line and reason, and files that could not be read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TextIO

from ..csv_writer import CsvWriter

HEADER = ("file", "line", "column", "reason", "text")


class Rejects:
    """Writes rejected rows to a CSV file, which is made with the first of them.

    Attributes:
        count: rows and files written so far.
    """

    def __init__(self, path: Path) -> None:
        """Remember where to write; an earlier file there is removed."""
        self._path = path
        self._stream: TextIO | None = None
        self._writer: CsvWriter | None = None
        self.count = 0
        path.unlink(missing_ok=True)

    def __enter__(self) -> Rejects:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file; after a failure remove it."""
        if self._stream:
            self._stream.close()
        if kind:
            self._path.unlink(missing_ok=True)

    def add(self, file: str, line: int | None, column: str, reason: str, text: str) -> None:
        """Write one row, or one file when there is no line."""
        self.add_all([(file, line, column, reason, text)])

    def add_all(self, rows: Iterable[tuple[str, int | None, str, str, str]]) -> None:
        """Write rows."""
        for row in rows:
            if self._writer is None:
                self._stream = self._path.open("w", encoding="utf-8", newline="")
                self._writer = CsvWriter(self._stream)
                self._writer.write(HEADER)
            self._writer.write(row)
            self.count += 1

    def mark(self) -> tuple[int, int]:
        """Return where the file ends now, for `rewind`."""
        return (self._stream.tell(), self.count) if self._stream else (0, 0)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forget what was written since: the rows of a file that was set aside as a whole, or is read again."""
        position, self.count = mark
        if self._stream is None:
            return
        if self.count:
            self._stream.seek(position)
            self._stream.truncate()
            return
        self._stream.close()
        self._stream = self._writer = None
        self._path.unlink(missing_ok=True)

    @property
    def file(self) -> Path | None:
        """The file, closed and whole; None when nothing was rejected."""
        if self._stream is None:
            return None
        self._stream.flush()
        return self._path
