"""Text files as DuckDB reads them: as they are when that is safe, else rewritten row by row into a clean file."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from ..csv_writer import CsvWriter
from .casts import literal, text_name
from .dialect import Dialect, encoding_note, fault_reason
from .encoding import UTF_8, WINDOWS_1252, confirm_encoding
from .formats import ending
from .mixture import has_fault, readable
from .records import Record, read_records

LINE = "line"
"""The column of a clean file that holds the physical line of the original."""

FILE = "file"
"""The column that holds the path of the file that is read: the clean one, if there is one."""

_DUCKDB_LINE_BYTES = 2_000_000  # the longest row that read_csv takes unless told
_COMPRESSION = {".gz": "gzip", ".zst": "zstd"}

BLANK_ROW = "pdbt: a row has no value"
"""The text of the error that a load ends with when a packed file has a row of delimiters only, which may be after its last row."""

BadRow = Callable[[Record, str], None]
"""What to do with a row that has the wrong number of fields, and the reason in words."""


@dataclass
class TextFile:
    """One text file of a table.

    Attributes:
        path: the file.
        label: the file as a person would name it.
        dialect: how it is to be read.
        clean: its rows in a clean file, once that was made.
        longest: bytes of the longest row of the clean file.
        row_lines: for a sheet, the physical line of the file at which each of its rows starts.
    """

    path: Path
    label: str
    dialect: Dialect
    clean: Path | None = None
    longest: int = 0
    row_lines: tuple[int, ...] = ()

    def row(self, line: int) -> int:
        """Return the line, or the row of the sheet, that a person finds there."""
        return bisect(self.row_lines, line) if self.row_lines else line

    @property
    def packed(self) -> bool:
        """Return True if DuckDB unpacks the file as it reads it, so that its end has not been looked at."""
        return self.clean is None and self.path.suffix.lower() in _COMPRESSION

    def kind(self) -> tuple[object, ...]:
        """Return what is equal for files that one read_csv can read."""
        if self.clean:
            return (True, self.longest > _DUCKDB_LINE_BYTES and self.longest)
        dialect = self.dialect
        return (False, dialect.delimiter, dialect.quote, dialect.escape, dialect.body_line, ending(self.path)[-4:])


def read_all(files: Sequence[TextFile], width: int, *, named: bool = False) -> list[str]:
    """Return table functions that read the files in their order, all columns as text under `casts.text_name`.

    The columns of clean files begin with LINE; a last one is FILE when they are to be `named`.
    """
    return [_read_csv(alike, width, named=named) for alike in read_together(files)]


def read_together(files: Sequence[TextFile]) -> list[list[TextFile]]:
    """Return the files in their order, those together that one read_csv can read."""
    return [list(alike) for _, alike in groupby(files, key=TextFile.kind)]


def _read_csv(files: list[TextFile], width: int, *, named: bool) -> str:
    first = files[0]
    columns = [f"{text_name(place)}: 'VARCHAR'" for place in range(width)]
    if first.clean:
        paths, separation = [file.clean or file.path for file in files], Dialect(body_line=0)
        columns.insert(0, f"{LINE}: 'BIGINT'")
        packed = "none"
    else:
        paths, separation = [file.path for file in files], first.dialect
        packed = _COMPRESSION.get(first.path.suffix.lower(), "none")
    options = {
        "auto_detect": "false",
        "header": "false",
        "skip": str(separation.body_line),
        "delim": literal(separation.delimiter),
        "quote": literal(separation.quote),
        "escape": literal(separation.escape),
        "compression": literal(packed),
        "hive_partitioning": "false",
        "columns": "{" + ", ".join(columns) + "}",
    }
    if named:
        options["filename"] = literal(FILE)
    if first.clean:
        options["new_line"] = r"'\n'"  # found out, it would be whichever a quoted field has first
    if first.clean and first.longest > _DUCKDB_LINE_BYTES:
        options["max_line_size"] = str(first.longest + 1000)
    listed = ", ".join(literal(glob_escape(path)) for path in paths)
    return f"read_csv([{listed}], {', '.join(f'{name}={value}' for name, value in options.items())})"


def glob_escape(path: Path) -> str:
    """Write a path so that DuckDB takes no character of it for a pattern."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))


def clean(file: TextFile, target: Path, bad: BadRow) -> TextFile:
    """Write the rows of a file that have the right number of fields to a clean file, each behind its line; memory is bounded.

    Raises:
        SourceError: the file is not text to its end.
        OSError, EOFError, zlib.error: it cannot be unpacked to its end.
    """
    dialect = _confirmed(file)
    width = len(dialect.names)
    longest = 0
    faulty = dialect.encoding_said or dialect.encoding not in (UTF_8, WINDOWS_1252)
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = CsvWriter(stream)
        for record in read_records(file.path, dialect):
            if faulty and has_fault(record.text):
                bad(record._replace(text=readable(record.text)), fault_reason(dialect))
                continue
            fields = fit_width(record.fields, width)
            if fields is None:
                bad(record, f"has {len(record.fields):,} field{'s' if len(record.fields) != 1 else ''}, {width:,} expected")
                continue
            if len(record.text) > longest:
                longest = max(longest, len(record.text.encode()))
            (writer.write if "\r" in record.text else writer.write_plain)((record.line, *fields))
    return replace(file, dialect=dialect, clean=target, longest=2 * longest + 4 * width)


def _confirmed(file: TextFile) -> Dialect:
    """Return the dialect with the encoding that the whole file is in: the sample may have held plain letters only."""
    dialect = file.dialect
    if dialect.encoding_said or dialect.encoding not in (UTF_8, WINDOWS_1252):
        return dialect
    encoding = confirm_encoding(file.path)
    if encoding == dialect.encoding:
        return dialect
    notes = (note for note in dialect.notes if note != encoding_note(dialect.encoding))
    return replace(dialect, encoding=encoding, notes=(encoding_note(encoding), *notes))


def fit_width(fields: tuple[str, ...], width: int) -> tuple[str, ...] | None:
    """Return the fields of a row without empty ones beyond the last column (lines that end in a delimiter); None when they do not fit."""
    if len(fields) == width:
        return fields
    return fields[:width] if len(fields) > width and not any(fields[width:]) else None
