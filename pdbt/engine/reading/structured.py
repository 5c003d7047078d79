"""JSON and Parquet: files that say what their values are, so DuckDB reads them, but for what it would lose.

Of JSON, DuckDB makes dates of texts that look like them, however many digits their seconds have, and DOUBLEs of integers of
any length. Such columns are read as text here and cast by the rules for text files; a column that does not follow is text.
Columns whose type was said are read so too, and their misfits rejected.
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
from .json_text import LINE_KEY
from .model import Column, ReadOptions
from .text_files import glob_escape
from .types import EMPTY, TEXT, Count, Evidence, Reading, decide, force

_LARGEST_OBJECT = 1 << 24  # bytes of one JSON value that DuckDB takes unless told
_SAMPLED_ROWS = 500
_LISTED_MISFITS = 100_000
_NUMBER = Reading("DOUBLE", "number", numbers.accepted(numbers.PLAIN, "DOUBLE"))
_AS_TEXT = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIME", "UUID", "DOUBLE", "JSON")
_NESTED_AS_TEXT = re.compile(r'"(?:[^"]|"")*"|\b(?:DATE|TIMESTAMP(?: WITH TIME ZONE)?|TIME|UUID)\b')
_NESTED = re.compile(r"(?:STRUCT|MAP|UNION|VARIANT)\b|.*\[[0-9]*\]$", re.DOTALL)
_MALFORMED = re.compile(r'Malformed JSON in file ".*", (at byte [0-9]+ in (line|record/value) ([0-9]+): .*?)\.? *$', re.MULTILINE)
_ROW = "pdbt_row"
_NO_TYPE = '"NULL"'  # of a column of JSON that has no value in any record


@dataclass
class StructuredPart:
    """Files of one kind that are read together.

    Attributes:
        kind: ``json`` or ``parquet``.
        files: the files in their order, as they are read.
        options: what was said about the table.
        originals: the files that rewritten ones were made of.
        exact: columns, in lower case, whose numbers are texts in the rewritten files.
        names: the columns.
        found: the types of the columns as DuckDB finds them.
        types: the types as which it is to read them.
        readings: by the column's place, how those are cast that are read as text.
        forced: the types that were said, by the column's place.
        rejecting: the places of columns some of whose values do not fit the type that was said.
        evidence: of the columns whose type was said.
        largest: bytes of the largest JSON value that is expected.
        empty: there is no value in any of the files.
        has_lines: the files were rewritten with the line of each record.
    """

    kind: str
    files: list[Path]
    options: ReadOptions = field(default_factory=ReadOptions)
    originals: dict[Path, Path] = field(default_factory=dict)
    exact: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    readings: dict[int, Reading] = field(default_factory=dict)
    forced: dict[int, str] = field(default_factory=dict)
    rejecting: set[int] = field(default_factory=set)
    evidence: dict[int, Evidence] = field(default_factory=dict)
    largest: int = _LARGEST_OBJECT
    empty: bool = False
    has_lines: bool = False
    _targets: dict[str, str] = field(default_factory=dict)

    def decide(self) -> None:
        """Do nothing: the files say it."""

    def columns(self) -> list[tuple[str, Reading]]:
        """Return the columns with their types."""
        if self.empty:
            return [(name, EMPTY) for name in self.names]
        own = enumerate(zip(self.names, self.types, strict=True))
        return [
            (name, self.readings.get(place, EMPTY if column_type == _NO_TYPE else Reading(column_type, "other")))
            for place, (name, column_type) in own
        ]

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
            if own != column.type:
                value = f"to_json({value})" if column.type == "VARCHAR" and is_nested(own) else value
                value = f"CAST({value} AS {column.type})"
            items.append(f"{value} AS {identifier(column.name)}")
        where = f" WHERE NOT ({self._wrong(casts)})" if self.rejecting else ""
        yield f"SELECT {', '.join(items)} FROM {self._source(casts)}{where}"

    def _wrong(self, casts: Mapping[int, Cast]) -> str:
        return " OR ".join(casts[place].misfit for place in sorted(self.rejecting))

    def _casts(self) -> dict[int, Cast]:
        """Return the casts of the columns read as text; one that the table wants as text is passed on."""
        return {
            place: cast(TEXT if self._targets.get(self.names[place].casefold(), "") == "VARCHAR" else reading, place)
            for place, reading in self.readings.items()
        }

    def _source(self, casts: Mapping[int, Cast], files: Sequence[Path] | None = None) -> str:
        renamed = [f"{self._as_read(place)} AS {text_name(place)}" for place in range(len(self.names))]
        if files is not None:
            row = identifier(LINE_KEY) if self.has_lines else "file_row_number + 1" if self.kind == "parquet" else "NULL"
            renamed.append(f"{row} AS {_ROW}")
        values = [f"{one.value} AS {value_name(place)}" for place, one in casts.items() if one.value]
        inner = f"(SELECT {', '.join(renamed)} FROM {self._read(files)})"
        return f"(SELECT *, {', '.join(values)} FROM {inner})" if values else inner

    def _as_read(self, place: int) -> str:
        """Return the SQL of a column: as text, for a column that is cast by its reading."""
        name = identifier(self.names[place])
        if place not in self.readings or self.kind == "json":
            return name
        return f"CAST({f'to_json({name})' if is_nested(self.found[place]) else name} AS VARCHAR)"

    def _read(self, files: Sequence[Path] | None = None) -> str:
        listed = self.files if files is None else files
        if self.kind != "json" or self.empty:
            return _read(
                self.kind, listed, self.largest, *(["file_row_number=true"] if files is not None and self.kind == "parquet" else [])
            )
        types = list(zip(self.names, self.types, strict=True)) + ([(LINE_KEY, "BIGINT")] if self.has_lines else [])
        columns = ", ".join(f"{identifier(name)}: {literal(kind)}" for name, kind in types)
        return _read(self.kind, listed, self.largest, f"columns={{{columns}}}")

    def learn(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Find the columns that do not fit their casts and decide them anew: by their values, as text, or to reject some of their rows.

        Returns whether there are any.
        """
        casts = self._casts()
        if not casts:
            return False
        found = ", ".join(f"count({text_name(place)}), count(*) FILTER ({one.misfit})" for place, one in casts.items())
        row = connection.execute(f"SELECT {found} FROM {self._source(casts)}").fetchone() or ()
        counts = {place: Count(*row[2 * number : 2 * number + 2]) for number, place in enumerate(casts)}
        wrong = [place for place, count in counts.items() if count.misfits and place not in self.rejecting]
        for place in wrong:
            if place in self.forced:
                self._learn_forced(connection, place, casts[place], counts[place])
            else:
                self.readings[place] = self._exact_number(connection, place) if self.readings[place] == _NUMBER else TEXT
        return bool(wrong)

    def _learn_forced(self, connection: duckdb.DuckDBPyConnection, place: int, one: Cast, count: Count) -> None:
        before = self.readings[place]
        listed = f"SELECT DISTINCT {text_name(place)} FROM {self._source({place: one})} WHERE {one.misfit} LIMIT {_LISTED_MISFITS}"
        self.evidence[place].counts[before] = count
        self.evidence[place].add(sorted(value for (value,) in connection.execute(listed).fetchall()))
        self.readings[place] = self._force(place)
        if self.readings[place] == before:
            self.rejecting.add(place)

    def _force(self, place: int) -> Reading:
        return force(self.forced[place], self.evidence[place], self.options.decimal, self.options.date_order)

    def _exact_number(self, connection: duckdb.DuckDBPyConnection, place: int) -> Reading:
        """Return how a column of numbers is read that a DOUBLE would change: as a DECIMAL that holds them all, else as text."""
        text = text_name(place)
        whole, fraction = f"ltrim(split_part({text}, '.', 1), '+-')", f"split_part({text}, '.', 2)"
        odd = f"NOT regexp_full_match({text}, '[+-]?[0-9]+([.][0-9]+)?') OR ({fraction} = '' AND TRY_CAST({text} AS BIGINT) IS NULL)"
        figures = f"coalesce(bool_or({odd}), true), max(strlen({whole})), max(strlen({fraction}))"
        odd_ones, digits, scale = connection.execute(f"SELECT {figures} FROM {self._source({})}").fetchone() or (True, 0, 0)
        if odd_ones or not scale or digits + scale > numbers.DECIMAL_DIGITS:
            return TEXT
        number_type = f"DECIMAL({numbers.DECIMAL_DIGITS},{scale})"
        return Reading(number_type, "number", numbers.accepted(numbers.PLAIN, number_type))

    def rows_with_exceptions(
        self, connection: duckdb.DuckDBPyConnection, path: Path, limit: int | None = None
    ) -> list[tuple[int | None, int, str, str]]:
        """Return line, column's place, value and text of the rows of a file with values that do not fit the type that was said."""
        if not self.rejecting:
            return []
        casts, places = self._casts(), sorted(self.rejecting)
        which = " ".join(f"WHEN {casts[place].misfit} THEN {place}" for place in places)
        value = " ".join(f"WHEN {place} THEN {text_name(place)}" for place in places)
        record = ", ".join(f"{literal(name)}, {text_name(place)}" for place, name in enumerate(self.names))
        found = f"SELECT *, CASE {which} END AS place FROM {self._source(casts, [path])}"
        rows = (
            f"SELECT {_ROW}, place, CASE place {value} END, CAST(json_object({record}) AS VARCHAR) FROM ({found}) WHERE place IS NOT NULL"
        )
        return connection.execute(f"{rows} ORDER BY {_ROW}" + (f" LIMIT {limit}" if limit else "")).fetchall()

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


def is_nested(type_name: str) -> bool:
    """Return True if a type is one of objects or lists."""
    return _NESTED.match(type_name) is not None


def open_part(connection: duckdb.DuckDBPyConnection, part: StructuredPart) -> StructuredPart:
    """Find the columns of a part's files, united by name, and how they are read; return the part.

    Raises:
        SourceError: one of the files is damaged, or not what its name says; which one is known when there is only one.
        OSError: one cannot be opened.
    """
    for path in part.files:
        with path.open("rb"):
            pass
    try:
        _find_columns(connection, part)
    except duckdb.Error as error:
        raise _fault(part.kind, part.files[0], error) from error
    return part


def _find_columns(connection: duckdb.DuckDBPyConnection, part: StructuredPart) -> None:
    described = _describe(connection, part)
    if part.kind == "json":
        part.empty = described == [("json", "JSON")] and not _any_row(connection, part)
    columns = [(name, kind) for name, kind in described if name != LINE_KEY]
    part.has_lines = len(columns) < len(described)
    part.names = tuple(name for name, _ in columns)
    part.found = part.types = tuple(kind for _, kind in columns)
    if part.kind == "json" and not part.empty:
        _read_as_text(connection, part)
    if not part.empty:
        _read_as_said(connection, part)


def _read_as_said(connection: duckdb.DuckDBPyConnection, part: StructuredPart) -> None:
    """Have the columns whose type was said read as text, and decide how they are cast."""
    said = {name.casefold(): type_name for name, type_name in part.options.types.items()}
    part.forced = {place: said[name.casefold()] for place, name in enumerate(part.names) if name.casefold() in said}
    if not part.forced:
        return
    part.types = tuple("VARCHAR" if place in part.forced and part.kind == "json" else kind for place, kind in enumerate(part.types))
    part.readings |= dict.fromkeys(part.forced, TEXT)
    for place, evidence in _sampled(connection, part, list(part.forced)).items():
        part.evidence[place] = evidence
        part.readings[place] = part._force(place)


def _sampled(connection: duckdb.DuckDBPyConnection, part: StructuredPart, places: Sequence[int]) -> dict[int, Evidence]:
    selected = ", ".join(text_name(place) for place in places)
    sample = connection.execute(f"SELECT {selected} FROM {part._source({})} LIMIT {_SAMPLED_ROWS}").fetchall()
    evidence = {place: Evidence() for place in places}
    for place, values in zip(places, zip(*sample, strict=True), strict=False):
        evidence[place].add(value for value in values if value is not None)
    return evidence


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
    found = part.found
    part.types = tuple(
        "VARCHAR" if kind in _AS_TEXT else _NESTED_AS_TEXT.sub(lambda match: match[0] if match[0][0] == '"' else "VARCHAR", kind)
        for kind in found
    )
    part.readings = {place: _NUMBER for place, kind in enumerate(found) if kind == "DOUBLE"}
    for place in (place for place, name in enumerate(part.names) if name.casefold() in part.exact):
        part.types = (*part.types[:place], "VARCHAR", *part.types[place + 1 :])
        part.readings[place] = part._exact_number(connection, place)
    dated = [place for place, kind in enumerate(found) if kind in _AS_TEXT and kind not in ("DOUBLE", "UUID", "JSON")]
    for place, evidence in (_sampled(connection, part, dated) if dated else {}).items():
        reading = decide(evidence).reading
        part.readings[place] = reading if reading.kind == "date" else TEXT


_FIND_OUT = "sample_size=-1, maximum_depth=-1, union_by_name=true"


def _read(kind: str, paths: Sequence[Path], largest: int, more: str = "") -> str:
    listed = ", ".join(literal(glob_escape(path)) for path in paths)
    if kind == "parquet":
        return f"read_parquet([{listed}], union_by_name=true, hive_partitioning=false{', ' + more if more else ''})"
    return f"read_json([{listed}], hive_partitioning=false, maximum_object_size={largest}, {more or _FIND_OUT})"


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
