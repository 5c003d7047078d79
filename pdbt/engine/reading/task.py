"""The import of one table as its steps share it: where things are, what was noticed, and what a fault leads to."""

from __future__ import annotations

import errno
import tempfile
import zlib
from pathlib import Path
from types import TracebackType

import duckdb

from ..errors import PdbtError, SourceError
from .model import ReadOptions, SourceTable
from .records import Record
from .rejects import Rejects
from .text_files import TextFile, clean

UNREADABLE = (SourceError, OSError, EOFError, zlib.error)
"""What opening or unpacking a file that cannot be read raises."""

ROW_HINT = 'Set on_error = "reject" to put such rows in data/rejected.'
FILE_HINT = 'Set on_error = "reject" to go on without it.'


class ImportTask:
    """One table being imported.

    Attributes:
        source: the table and its files.
        options: what was said about it.
        connection: where DuckDB reads the files.
        rejects: what was set aside.
        unreadable: files that could not be read, with the reason.
        fails: the first fault ends the import.
    """

    def __init__(
        self, source: SourceTable, options: ReadOptions, connection: duckdb.DuckDBPyConnection, scratch: Path, rejects: Rejects
    ) -> None:
        """Keep what the steps share; temporary files will be made in `scratch`."""
        self.source = source
        self.options = options
        self.connection = connection
        self.rejects = rejects
        self.unreadable: list[tuple[Path, str]] = []
        self.fails = options.on_error != "reject"
        self._scratch = scratch
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._temporary = 0
        self._notes: dict[str, list[str]] = {}

    def __enter__(self) -> ImportTask:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove the temporary files."""
        if self._folder:
            self._folder.cleanup()

    def temporary_file(self) -> Path:
        """Return a new path for a temporary file."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix=f"{self.source.name}.", dir=self._scratch)
        self._temporary += 1
        return Path(self._folder.name) / f"{self._temporary}.csv"

    def label(self, path: Path) -> str:
        """Return a file as a person would name it, relative to the project."""
        label = self.source.label
        return label if label.endswith(path.name) else f"{label}/{path.name}"

    def note(self, label: str, sentences: tuple[str, ...]) -> None:
        """Remember what was found out about a file."""
        for sentence in sentences:
            labels = self._notes.setdefault(sentence, [])
            if label not in labels:
                labels.append(label)

    def notes(self) -> tuple[str, ...]:
        """Return the sentences; in a table of many files each says of which it is true."""
        if len(self.source.files) == 1:
            return tuple(self._notes)
        return tuple(f"{labels[0]}{_and_more(len(labels) - 1)}: {sentence}" for sentence, labels in self._notes.items())

    def give_up(self, path: Path, error: BaseException) -> None:
        """Set a file aside that cannot be read, or end the import with it.

        Raises:
            SourceError: the import fails at the first fault.
            OSError: it is the disk that is full, which is no fault of the file.
        """
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise error
        label = self.label(path)
        why = _in_words(error, path, label)
        if self.fails:
            hint = error.hint if isinstance(error, PdbtError) else ""
            raise SourceError(f"{self.source.name}: {why}", hint or FILE_HINT, path=str(path)) from error
        self.unreadable.append((path, why))
        self.rejects.add(label, None, "", why, "")

    def clean(self, file: TextFile) -> TextFile | None:
        """Rewrite a file row by row, setting rows aside that have the wrong number of fields; None when it cannot be read.

        Raises:
            SourceError: the import fails at the first fault.
        """

        def bad(record: Record, reason: str) -> None:
            line = file.row(record.line)
            if self.fails:
                message = f"{self.source.name}: line {line} of {file.label} {reason}."
                raise SourceError(message, ROW_HINT, path=str(file.path), line=line, text=record.text)
            self.rejects.add(file.label, line, "", reason, record.text)

        mark = self.rejects.mark()
        try:
            cleaned = clean(file, self.temporary_file(), bad)
        except UNREADABLE as error:
            if isinstance(error, SourceError) and error.line is not None:
                raise
            self.rejects.rewind(mark)  # the whole file is set aside, and these rows with it
            self.give_up(file.path, error)
            return None
        self.note(file.label, cleaned.dialect.notes)
        return cleaned


def _and_more(number: int) -> str:
    return f" and {number:,} more" if number else ""


def _in_words(error: BaseException, path: Path, label: str) -> str:
    """Say why a file cannot be read, beginning with its label."""
    if isinstance(error, PdbtError):
        return error.message.replace(path.name, label, 1) if label not in error.message else error.message
    if isinstance(error, PermissionError):
        return f"{label} cannot be opened: permission denied."
    if isinstance(error, FileNotFoundError):
        return f"{label} is not there any more."
    packed = path.suffix.lower() in (".gz", ".zst")
    return f"{label} cannot be {'unpacked: it is damaged or cut short' if packed else f'read: {error}'}."
