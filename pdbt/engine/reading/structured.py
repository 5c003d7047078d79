"""JSON and Parquet: files that say what their values are, so DuckDB reads them, but for what it would lose.

Of JSON, DuckDB makes dates of texts that look like them, however many digits their seconds have, and DOUBLEs of integers of
any length. Such columns are read as text here and cast by the rules for text files; a column that does not follow is text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from ..errors import SourceError
from . import formats, numbers
from .casts import Cast, cast, identifier, literal, text_name, value_name
from .model import Column
from .text_files import glob_escape
from .types import EMPTY, TEXT, Evidence, Reading, decide

_LARGEST_OBJECT = 1 << 24  # bytes of one JSON value that DuckDB takes unless told
_SAMPLED_ROWS = 500
_NUMBER = Reading("DOUBLE", "number", numbers.accepted(numbers.PLAIN, "DOUBLE"))
_AS_TEXT = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIME", "UUID", "DOUBLE", "JSON")
_NESTED_AS_TEXT = re.compile(r'"(?:[^"]|"")*"|\b(?:DATE|TIMESTAMP(?: WITH TIME ZONE)?|TIME|UUID)\b')
_MALFORMED = re.compile(r'Malformed JSON in file ".*", (at byte [0-9]+ in (line|record/value) ([0-9]+): .*?)\.? *$', re.MULTILINE)


@dataclass
class StructuredPart:
    """Files of one kind that are read together.

    Attributes:
        kind: ``json`` or ``parquet``.
        files: the files in their order.
        names: the columns.
        types: the types of the columns as DuckDB reads them.
        readings: by the column's place, how those are cast that are read as text.
        largest: bytes of the largest JSON value that is expected.
        empty: there is no value in any of the files.
    """

    kind: str
    files: list[Path]
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    readings: dict[int, Reading] = field(default_factory=dict)
    largest: int = _LARGEST_OBJECT
    empty: bool = False
    _targets: dict[str, str] = field(default_factory=dict)

    def decide(self) -> None:
        """Do nothing: the files say it."""

    def columns(self) -> list[tuple[str, Reading]]:
        """Return the columns with their types."""
        if self.empty:
            return [(name, EMPTY) for name in self.names]
        own = enumerate(zip(self.names, self.types, strict=True))
        return [(name, self.readings.get(place, Reading(column_type, "other"))) for place, (name, column_type) in own]

    def adapt(self, targets: Mapping[str, str], _as_text: Collection[str]) -> None:
        """Convert each column to the type that the table has for its name (in lower case)."""
        self._targets = dict(targets)

    def select(self, columns: Sequence[Column]) -> Iterator[str]:
        """Yield the SELECT of the table's columns; raises casts.MISFIT."""
        casts, places = self._casts(), {name.casefold(): place for place, name in enumerate(self.names)}
        items = []
        for column in columns:
            place = places.get(column.name.casefold())
            value, own = "NULL", ""
            if place is not None and place in casts:
                value, own = casts[place].checked, self.readings[place].type
            elif place is not None:
                value, own = text_name(place), self.types[place]
            items.append(f"{value if own == column.type else f'CAST({value} AS {column.type})'} AS {identifier(column.name)}")
        yield f"SELECT {', '.join(items)} FROM {self._source(casts)}"

    def _casts(self) -> dict[int, Cast]:
        """Return the casts of the columns read as text; one that the table wants as text is passed on."""
        return {
            place: cast(TEXT if self._targets.get(self.names[place].casefold(), "") == "VARCHAR" else reading, place)
            for place, reading in self.readings.items()
        }

    def _source(self, casts: Mapping[int, Cast]) -> str:
        renamed = ", ".join(f"{identifier(name)} AS {text_name(place)}" for place, name in enumerate(self.names))
        values = [f"{one.value} AS {value_name(place)}" for place, one in casts.items() if one.value]
        inner = f"(SELECT {renamed} FROM {self._read()})"
        return f"(SELECT *, {', '.join(values)} FROM {inner})" if values else inner

    def _read(self) -> str:
        if self.kind != "json" or self.empty:
            return _read(self.kind, self.files, self.largest)
        columns = ", ".join(f"{identifier(name)}: {literal(kind)}" for name, kind in zip(self.names, self.types, strict=True))
        return _read(self.kind, self.files, self.largest, f"columns={{{columns}}}")

    def learn(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Find the columns that do not fit their casts and read them as text; returns whether there are any."""
        casts = self._casts()
        if not casts:
            return False
        found = ", ".join(f"bool_or({one.misfit})" for one in casts.values())
        row = connection.execute(f"SELECT {found} FROM {self._source(casts)}").fetchone() or ()
        wrong = [place for place, misfits in zip(casts, row, strict=True) if misfits]
        for place in wrong:
            self.readings[place] = TEXT
        return bool(wrong)

    def unreadable(self, connection: duckdb.DuckDBPyConnection) -> list[tuple[Path, SourceError]]:
        """Return the files that cannot be read to their end."""
        faults = []
        for path in self.files:
            try:
                connection.execute(f"SELECT max(hash(COLUMNS(*))) FROM {_read(self.kind, [path], self.largest)}").fetchall()
            except duckdb.Error as error:
                faults.append((path, _fault(self.kind, path, error)))
        return faults


def kind_of(path: Path) -> str:
    """Return ``json`` or ``parquet``; empty for a file of text or a spreadsheet."""
    ending = formats.ending(path).removesuffix(".gz").removesuffix(".zst")
    return "json" if ending in formats.JSON else "parquet" if ending in formats.PARQUET else ""


def open_part(connection: duckdb.DuckDBPyConnection, kind: str, paths: Sequence[Path]) -> StructuredPart:
    """Return files of one kind as a part, its columns united by name.

    Raises:
        SourceError: one of them is damaged, or not what its name says; which one is known when there is only one.
        OSError: one cannot be opened.
    """
    for path in paths:
        with path.open("rb"):
            pass
    part = StructuredPart(kind, list(paths))
    try:
        described = _describe(connection, part)
        if kind == "json":
            part.empty = described == [("json", "JSON")] and not _any_row(connection, part)
    except duckdb.Error as error:
        raise _fault(kind, paths[0], error) from error
    part.names = tuple(name for name, _ in described)
    part.types = tuple(column_type for _, column_type in described)
    if kind == "json" and not part.empty:
        _read_as_text(connection, part)
    return part


def _describe(connection: duckdb.DuckDBPyConnection, part: StructuredPart) -> list[tuple[str, str]]:
    try:
        rows = connection.execute(f"DESCRIBE FROM {_read(part.kind, part.files, part.largest)}").fetchall()
    except duckdb.Error as error:
        if "maximum_object_size" not in str(error):
            raise
        part.largest = min(max(path.stat().st_size for path in part.files), 2**32 - 1)
        rows = connection.execute(f"DESCRIBE FROM {_read(part.kind, part.files, part.largest)}").fetchall()
    return [(row[0], row[1]) for row in rows]


def _any_row(connection: duckdb.DuckDBPyConnection, part: StructuredPart) -> bool:
    return connection.execute(f"SELECT 1 FROM {_read(part.kind, part.files, part.largest)} LIMIT 1").fetchone() is not None


def _read_as_text(connection: duckdb.DuckDBPyConnection, part: StructuredPart) -> None:
    """Have the columns read as text that DuckDB's types could lose something of, and decide how they are cast."""
    found = part.types
    part.types = tuple(
        "VARCHAR" if kind in _AS_TEXT else _NESTED_AS_TEXT.sub(lambda match: match[0] if match[0][0] == '"' else "VARCHAR", kind)
        for kind in found
    )
    part.readings = {place: _NUMBER for place, kind in enumerate(found) if kind == "DOUBLE"}
    dated = [place for place, kind in enumerate(found) if kind in _AS_TEXT and kind not in ("DOUBLE", "UUID", "JSON")]
    if not dated:
        return
    sample = connection.execute(
        f"SELECT {', '.join(text_name(place) for place in dated)} FROM {part._source({})} LIMIT {_SAMPLED_ROWS}"
    ).fetchall()
    for place, values in zip(dated, zip(*sample, strict=True), strict=True):
        evidence = Evidence()
        evidence.add(value for value in values if value is not None)
        reading = decide(evidence).reading
        part.readings[place] = reading if reading.kind == "date" else TEXT


def _read(kind: str, paths: Sequence[Path], largest: int, columns: str = "sample_size=-1, maximum_depth=-1, union_by_name=true") -> str:
    listed = ", ".join(literal(glob_escape(path)) for path in paths)
    if kind == "parquet":
        return f"read_parquet([{listed}], union_by_name=true, hive_partitioning=false)"
    return f"read_json([{listed}], hive_partitioning=false, maximum_object_size={largest}, {columns})"


def _fault(kind: str, path: Path, error: duckdb.Error) -> SourceError:
    """Tell DuckDB's error as a sentence; of JSON it knows where."""
    text = str(error)
    malformed = _MALFORMED.search(text)
    if malformed:
        line = int(malformed[3]) if malformed[2] == "line" else None
        return SourceError(f"{path.name} is malformed JSON {malformed[1]}.", path=str(path), line=line)
    name = {"json": "JSON", "parquet": "Parquet"}[kind]
    reason = text.splitlines()[0].partition(": ")[2].replace(str(path), path.name).rstrip(". ")
    return SourceError(f"{path.name} cannot be read as {name}: {reason}.", path=str(path))
