"""JSON and Parquet: files that say themselves what their values are, so DuckDB reads them as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from ..errors import SourceError
from . import formats
from .casts import identifier, literal
from .model import Column
from .text_files import glob_escape
from .types import Reading

_LARGEST_OBJECT = 1 << 24  # bytes; DuckDB's own limit for one JSON value, raised to the file's size where needed


@dataclass
class StructuredPart:
    """Files of one kind that are read together.

    Attributes:
        kind: ``json`` or ``parquet``.
        files: the files in their order.
        names: the columns.
        types: the types of the columns.
    """

    kind: str
    files: list[Path]
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    _targets: dict[str, str] = field(default_factory=dict)

    def decide(self) -> None:
        """Do nothing: the files say it."""

    def columns(self) -> list[tuple[str, Reading]]:
        """Return the columns with their types."""
        return [(name, Reading(column_type, "other")) for name, column_type in zip(self.names, self.types, strict=True)]

    def adapt(self, targets: Mapping[str, str]) -> None:
        """Convert each column to the type that the table has for its name (in lower case)."""
        self._targets = dict(targets)

    def select(self, columns: Sequence[Column]) -> Iterator[str]:
        """Yield the SELECT of the table's columns."""
        own = {name.casefold(): (name, column_type) for name, column_type in zip(self.names, self.types, strict=True)}
        items = []
        for column in columns:
            name, column_type = own.get(column.name.casefold(), ("", ""))
            value = identifier(name) if name else "NULL"
            items.append(f"{value if column_type == column.type else f'CAST({value} AS {column.type})'} AS {identifier(column.name)}")
        yield f"SELECT {', '.join(items)} FROM {_read(self.kind, self.files)}"

    def unreadable(self, connection: duckdb.DuckDBPyConnection) -> list[tuple[Path, SourceError]]:
        """Return the files that cannot be read to their end."""
        faults = []
        for path in self.files:
            try:
                connection.execute(f"SELECT count(COLUMNS(*)) FROM {_read(self.kind, [path])}").fetchall()
            except duckdb.Error as error:
                faults.append((path, _fault(self.kind, path, error)))
        return faults


def kind_of(path: Path) -> str:
    """Return ``json`` or ``parquet``; empty for a file of text or a spreadsheet."""
    ending = formats.ending(path).removesuffix(".gz").removesuffix(".zst")
    return "json" if ending in formats.JSON else "parquet" if ending in formats.PARQUET else ""


def require_readable(connection: duckdb.DuckDBPyConnection, kind: str, path: Path) -> None:
    """Find out whether a file can be read.

    Raises:
        SourceError: it is damaged, or not what its name says.
        OSError: it cannot be opened.
    """
    with path.open("rb"):
        pass
    try:
        connection.execute(f"DESCRIBE FROM {_read(kind, [path])}").fetchall()
    except duckdb.Error as error:
        raise _fault(kind, path, error) from error


def open_part(connection: duckdb.DuckDBPyConnection, kind: str, paths: Sequence[Path]) -> StructuredPart:
    """Return readable files of one kind as a part, its columns united by name."""
    described = connection.execute(f"DESCRIBE FROM {_read(kind, paths)}").fetchall()
    return StructuredPart(kind, list(paths), tuple(row[0] for row in described), tuple(row[1] for row in described))


def _read(kind: str, paths: Sequence[Path]) -> str:
    listed = ", ".join(literal(glob_escape(path)) for path in paths)
    union = "union_by_name=true, hive_partitioning=false"
    if kind == "parquet":
        return f"read_parquet([{listed}], {union})"
    largest = max(_LARGEST_OBJECT, *(path.stat().st_size for path in paths))
    return f"read_json([{listed}], {union}, sample_size=-1, maximum_depth=-1, maximum_object_size={min(largest, 2**32 - 1)})"


def _fault(kind: str, path: Path, error: duckdb.Error) -> SourceError:
    """Tell DuckDB's error as a sentence; of JSON it knows the line."""
    first = str(error).splitlines()[0]
    name = {"json": "JSON", "parquet": "Parquet"}[kind]
    return SourceError(f"{path.name} cannot be read as {name}: {first}", path=str(path))
