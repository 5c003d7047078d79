"""The part of a table that comes from text files of the same columns: what is known of them, and the SQL that reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb

from . import numbers
from .casts import Cast, cast, cast_ordinary, identifier, is_ordinary, literal, text_name, value_name
from .model import Column
from .text_files import BLANK_ROW, FILE, LINE, TextFile, read_all, read_together
from .types import TEXT, WHITE_SPACE, Count, Decision, Evidence, Reading, decide_all

SHOWN_MISFITS = 64  # kinds of misfits that the first look at a column returns
LISTED_MISFITS = 100_000  # distinct misfits of a column that are looked at one by one
WIDE = 100  # columns from which the load begins with short casts
_FEW = 0.05  # of a column's values, above which its misfits are not listed


@dataclass
class TextPart:
    """Text files of the same columns.

    Attributes:
        names: the columns as the files name them.
        files: the files in their order.
        evidence: what is known of each column.
        decimal: the decimal mark, when it was said.
        date_order: the order of dates, when it was said.
        forced: the types that were said, by the column's place.
        decisions: how each column is read, as far as is known now.
        readings: how each is read so that the parts of a table fit together.
        empty: there is neither a header nor a row in any of the files.
        small: planning the load takes longer than doing it.
        extraordinary: the places of columns, of a wide table, that are known to need more than the short casts.
    """

    names: tuple[str, ...]
    files: list[TextFile]
    evidence: list[Evidence]
    decimal: str | None = None
    date_order: str | None = None
    forced: dict[int, str] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    empty: bool = False
    small: bool = False
    extraordinary: set[int] = field(default_factory=set)

    def decide(self) -> None:
        """Decide how each column is read from the evidence."""
        self.decisions = decide_all(self.evidence, self.decimal, self.forced, self.date_order)
        self.readings = [decision.reading for decision in self.decisions]

    def columns(self) -> list[tuple[str, Reading]]:
        """Return the columns with the readings that were decided."""
        return list(zip(self.names, (decision.reading for decision in self.decisions), strict=True))

    def adapt(self, targets: Mapping[str, str], as_text: Collection[str]) -> None:
        """Read each column so that it becomes the type that the table has for its name (in lower case), or any text whatever."""
        self.readings = [
            TEXT if name.casefold() in as_text else _adapted(decision.reading, targets[name.casefold()])
            for name, decision in zip(self.names, self.decisions, strict=True)
        ]

    def select(self, columns: Sequence[Column]) -> Iterator[str]:
        """Yield SELECTs of the table's columns that raise casts.MISFIT, or leave rows with known exceptions out."""
        casts = self._casts_of_load()
        places = {name.casefold(): place for place, name in enumerate(self.names)}
        items = []
        for column in columns:
            place = places.get(column.name.casefold())
            value = "NULL" if place is None else casts[place].checked
            if place is None or self.readings[place].type != column.type:
                value = f"CAST({value} AS {column.type})"
            items.append(f"{value} AS {identifier(column.name)}")
        exceptions = [cast(self.readings[place], place).misfit for place in self.exceptions()]
        kept = [f"NOT ({' OR '.join(exceptions)})"] if exceptions else []
        some_value = f"coalesce({', '.join(map(text_name, range(len(self.names))))}) IS NOT NULL"
        filled = f"CASE WHEN {some_value} THEN true ELSE error({literal(BLANK_ROW)}) END"
        for files in read_together(self.files):
            where = " AND ".join([filled, *kept] if files[0].packed else kept)
            yield f"SELECT {', '.join(items)} FROM {self.sources(casts, files)[0]}{' WHERE ' * bool(where)}{where}"

    def sources(self, casts: Sequence[Cast], files: Sequence[TextFile] | None = None, *, named: bool = False) -> list[str]:
        """Return what to select from: the text of the columns and the values that casts need; and FILE, when files are to be `named`."""
        values = [f"{one.value} AS {value_name(place)}" for place, one in enumerate(casts) if one.value]
        read = read_all(self.files if files is None else files, len(self.names), named=named)
        return [f"(SELECT *, {', '.join(values)} FROM {function})" if values else function for function in read]

    def _casts(self) -> list[Cast]:
        return [cast(reading, place) for place, reading in enumerate(self.readings)]

    def _casts_of_load(self) -> list[Cast]:
        """Return the casts of a load: short ones, where they save time, of columns that seem to have ordinary values only."""
        if not self.small and len(self.names) < WIDE:
            return self._casts()
        careful = self.extraordinary | set(self.exceptions())
        return [
            (None if place in careful or not self._seems_ordinary(place) else cast_ordinary(reading, place)) or cast(reading, place)
            for place, reading in enumerate(self.readings)
        ]

    def _seems_ordinary(self, place: int) -> bool:
        evidence = self.evidence[place]
        return not evidence.padded and all(is_ordinary(self.readings[place], value) for value in evidence.seen)

    def find_extraordinary(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Find the columns of a wide table that need more than the short casts; returns whether there are new ones."""
        casts, full = self._casts_of_load(), self._casts()
        places = [place for place, (one, other) in enumerate(zip(casts, full, strict=True)) if one != other]
        if not places:
            return False
        found = ", ".join(f"bool_or({casts[place].misfit})" for place in places)
        rows = [connection.execute(f"SELECT {found} FROM {source}").fetchone() or () for source in self.sources(casts)]
        new = {place for row in rows for place, extraordinary in zip(places, row, strict=True) if extraordinary}
        self.extraordinary |= new
        return bool(new)

    def exceptions(self) -> list[int]:
        """Return the places of columns some of whose values are known not to fit, and are to be rejected."""
        return [
            place
            for place, (decision, evidence) in enumerate(zip(self.decisions, self.evidence, strict=True))
            if (decision.exceptions or decision.reading.forced)
            and (counted := evidence.counts.get(self.readings[place]))
            and counted.misfits
        ]

    def uncounted(self) -> list[int]:
        """Return the places of columns that may have exceptions, as far as the sample tells, and were not counted yet."""
        return [
            place
            for place, (decision, evidence) in enumerate(zip(self.decisions, self.evidence, strict=True))
            if decision.exceptions and self.readings[place] == decision.reading and decision.reading not in evidence.counts
        ]

    def survey(self, connection: duckdb.DuckDBPyConnection) -> list[int]:
        """Count the misfits of every column over all rows and take them as evidence; returns the places that have some."""
        casts = self._casts()
        places = [place for place, one in enumerate(casts) if one.misfit != "false"]
        misfits: dict[int, int] = {}
        for batch in range(0, len(places), _COLUMNS_A_SURVEY):
            misfits |= self._count(connection, casts, places[batch : batch + _COLUMNS_A_SURVEY])
        return [place for place, number in misfits.items() if number]

    def _count(self, connection: duckdb.DuckDBPyConnection, casts: list[Cast], places: list[int]) -> dict[int, int]:
        inner = ", ".join(f"{text_name(place)}, {casts[place].misfit} AS m{place}" for place in places)
        read = " UNION ALL ".join(f"SELECT {inner} FROM {source}" for source in self.sources(casts))
        found = ", ".join(
            f"count({text}), count(*) FILTER ({misfit}), approx_top_k({text}, {SHOWN_MISFITS}) FILTER ({misfit}),"
            f" arg_max({text}, strlen({text})) FILTER ({misfit})"
            for text, misfit in ((text_name(place), f"m{place}") for place in places)
        )
        row = connection.execute(f"SELECT {found} FROM ({read})").fetchone() or ()
        misfits = {}
        for number, place in enumerate(places):
            values, wrong, shown, longest = row[4 * number : 4 * number + 4]
            evidence, reading = self.evidence[place], self.readings[place]
            evidence.counts[reading] = Count(values, wrong)
            evidence.add([*(shown or ()), *([longest] if longest is not None else [])])
            if 0 < wrong <= _FEW * values or (wrong and reading.forced):
                evidence.misfits[reading] = self._list_misfits(connection, casts, place)
                evidence.add(sorted(evidence.misfits[reading]))
            misfits[place] = wrong
        return misfits

    def _list_misfits(self, connection: duckdb.DuckDBPyConnection, casts: list[Cast], place: int) -> set[str]:
        read = " UNION ALL ".join(
            f"SELECT {text_name(place)} AS value FROM {source} WHERE {casts[place].misfit}" for source in self.sources(casts)
        )
        listed = connection.execute(f"SELECT DISTINCT value FROM ({read}) LIMIT {LISTED_MISFITS}").fetchall()
        return {value.strip(WHITE_SPACE) for (value,) in listed}

    def with_exceptions(self, connection: duckdb.DuckDBPyConnection) -> list[TextFile]:
        """Return the files that have rows with exceptions, in their order."""
        places = self.exceptions()
        if not places:
            return []
        casts = self._casts()
        wrong = " OR ".join(casts[place].misfit for place in places)
        if len(self.files) == 1:
            return list(self.files)
        alike = sorted(self.files, key=lambda file: repr(file.kind()))  # so that as few queries as possible read them all
        queries = [f"SELECT DISTINCT {FILE} FROM {source} WHERE {wrong}" for source in self.sources(casts, alike, named=True)]
        found = {path for query in queries for (path,) in connection.execute(query).fetchall()}
        return [file for file in self.files if str(file.clean or file.path) in found]

    def rows_with_exceptions(
        self, connection: duckdb.DuckDBPyConnection, file: TextFile, limit: int | None = None
    ) -> list[tuple[int, int, str]]:
        """Return line, column's place and value of the first exception of each row of a clean file that has some, by line."""
        casts, places = self._casts(), self.exceptions()
        which = " ".join(f"WHEN {casts[place].misfit} THEN {place}" for place in places)
        value = " ".join(f"WHEN {place} THEN {text_name(place)}" for place in places)
        found = f"SELECT *, CASE {which} END AS place FROM {self.sources(casts, [file])[0]}"
        rows = f"SELECT {LINE}, place, CASE place {value} END FROM ({found}) WHERE place IS NOT NULL ORDER BY {LINE}"
        return connection.execute(rows + (f" LIMIT {limit}" if limit else "")).fetchall()

    def unreadable_by_duckdb(self, connection: duckdb.DuckDBPyConnection) -> list[TextFile]:
        """Return the files, not clean, that DuckDB refuses to read as they are."""
        counts = ", ".join(f"count({text_name(place)})" for place in range(len(self.names)))
        refused = []
        for file in self.files:
            if file.clean is None:
                try:
                    connection.execute(f"SELECT {counts} FROM {self.sources([], [file])[0]}").fetchall()
                except duckdb.Error:
                    refused.append(file)
        return refused

    def replace_file(self, old: TextFile, new: TextFile | None) -> None:
        """Put another file in the place of one, or none."""
        place = self.files.index(old)
        self.files[place : place + 1] = [] if new is None else [new]


_COLUMNS_A_SURVEY = 500


def _adapted(reading: Reading, target: str) -> Reading:
    """Return the reading that gives a table's type: wider than the part's own where another part needs it."""
    if reading.type == target:
        return reading
    if reading.kind == "empty":
        return replace(reading, type=target)
    if target == "VARCHAR":
        return TEXT
    if reading.kind == "number" and (target == "DOUBLE" or target.startswith("DECIMAL")):
        return replace(reading, type=target, pattern=numbers.accepted(reading.form, target))
    return reading
