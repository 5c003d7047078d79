"""What a source table holds, found by reading it once: types, fill, spread and keys; everything that a starter is chosen by."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.errors import SourceError
from ..engine.reading.model import Column, CreateTable, Loaded, ReadOptions, SourceTable
from .columns import ColumnProfile
from .identifiers import clean_names, written
from .keys import find_key

if TYPE_CHECKING:
    import duckdb

_LOADED, _CLEANED = "loaded", "cleaned"
_COLUMNS_A_QUERY = 200
_COUNTED_EXACTLY = 200
_FIGURES = 5


@dataclass(frozen=True)
class TableProfile:
    """What a source table holds.

    Attributes:
        table: the table's name.
        label: its file or folder, relative to the project.
        rows: how many rows it has.
        columns: in the order of the table.
        key: the names of the columns that together are filled and different in every row; empty when none were found.
        notes: what was found out while it was read, a sentence each.
    """

    table: str
    label: str
    rows: int
    columns: tuple[ColumnProfile, ...]
    key: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def clean_select(columns: Sequence[Column], names: Sequence[str]) -> Iterator[str]:
    """Yield the select list that gives columns their clean names and trims their text, one item a column."""
    for column, name in zip(columns, names, strict=True):
        source = written(column.name)
        if column.type == "VARCHAR":
            yield f"nullif(trim({source}), '') AS {name}"
        else:
            yield source if source == name else f"{source} AS {name}"


def profile_table(source: SourceTable, options: ReadOptions, scratch: Path) -> TableProfile:
    """Read a source once, into a DuckDB that is thrown away, and measure it.

    Rows that do not fit are set aside here, whatever `options` says: the first run stops at them, or takes them.

    Raises:
        SourceError: no file of it can be read.
    """
    from ..engine.databases.reader import connect
    from ..engine.reading import load_table

    with _interruptible(), connect(scratch) as connection:
        loaded = load_table(source, replace(options, on_error="reject"), connection, _table_maker(connection), scratch)
        _check_loaded(source, loaded)
        names = clean_names(column.name for column in loaded.columns)
        selected = ", ".join(clean_select(loaded.columns, names))
        connection.execute(f"CREATE VIEW {_CLEANED} AS SELECT {selected} FROM {_LOADED}")  # noqa: S608 - every name in it is our own or quoted
        found = [ColumnProfile(column.name, name, column.type) for column, name in zip(loaded.columns, names, strict=True)]
        columns = tuple(_measured(connection, found))
        key = find_key(connection, _CLEANED, columns, loaded.rows)
    return TableProfile(source.name, source.label, loaded.rows, columns, key, (*loaded.notes, *_set_aside(source, loaded)))


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt: DuckDB ends its query, and tells so by an error of its own, which differs by version."""
    import duckdb

    try:
        yield
    except (RuntimeError, duckdb.InterruptException) as error:
        if "interrupted" in str(error).lower():
            raise KeyboardInterrupt from error
        raise


def _table_maker(connection: duckdb.DuckDBPyConnection) -> CreateTable:
    def create(select: str, columns: Sequence[Column]) -> int:
        connection.execute(f"CREATE OR REPLACE TABLE {_LOADED} AS {select}")
        found = connection.execute(f"SELECT count(*) FROM {_LOADED}").fetchone()  # noqa: S608 - every name in it is our own or quoted
        return int(found[0]) if found else 0

    return create


def _check_loaded(source: SourceTable, loaded: Loaded) -> None:
    for path, reason in loaded.unreadable:
        raise SourceError(f"{source.name}: {path} cannot be read: {reason}", "Repair the file, or leave it out.", path=str(path))


def _set_aside(source: SourceTable, loaded: Loaded) -> tuple[str, ...]:
    if not loaded.rejected:
        return ()
    rows = "1 row does" if loaded.rejected == 1 else f"{loaded.rejected:,} rows do"
    return (f'{rows} not fit: a run stops there, unless pdbt.toml says on_error = "reject" under [source.{source.name}]',)


def _measured(connection: duckdb.DuckDBPyConnection, columns: Sequence[ColumnProfile]) -> Iterator[ColumnProfile]:
    """Yield the columns with their figures; few are asked for at once, as a query over thousands of columns is slow to plan."""
    for start in range(0, len(columns), _COLUMNS_A_QUERY):
        some = columns[start : start + _COLUMNS_A_QUERY]
        selected = ", ".join(figure for column in some for figure in _figures(column))
        row = connection.execute(f"SELECT {selected} FROM {_CLEANED}").fetchone() or ()  # noqa: S608 - every name in it is our own or quoted
        measured = [
            replace(column, filled=filled, distinct=distinct, months=months, size=float(size), negative=negative)
            for column, (filled, distinct, months, size, negative) in zip(some, zip(*[iter(row)] * _FIGURES, strict=True), strict=True)
        ]
        yield from _counted(connection, measured)


def _figures(column: ColumnProfile) -> tuple[str, str, str, str, str]:
    """Return the SQL of what is measured: values, different values, months, size, and whether some are negative."""
    name = written(column.name)
    if not column.is_comparable:
        return f"count({name})", "0", "0", "0.0", "false"
    months = f"count(DISTINCT date_trunc('month', {name}))" if column.is_day else "0"
    number = f"CAST({name} AS DOUBLE)"
    size = f"coalesce(approx_quantile(abs({number}), 0.5) FILTER (WHERE isfinite({number})), 0.0)" if column.is_number else "0.0"
    negative = f"coalesce(min({name}) < 0, false)" if column.is_number else "false"
    return f"count({name})", f"approx_count_distinct({name})", months, size, negative


def _counted(connection: duckdb.DuckDBPyConnection, columns: Sequence[ColumnProfile]) -> Iterator[ColumnProfile]:
    """Replace the estimates of columns with few different values, which groups are chosen from, by exact counts."""
    few = [column.name for column in columns if 0 < column.distinct <= _COUNTED_EXACTLY]
    counts: dict[str, int] = {}
    if few:
        selected = ", ".join(f"count(DISTINCT {written(name)})" for name in few)
        row = connection.execute(f"SELECT {selected} FROM {_CLEANED}").fetchone()  # noqa: S608 - every name in it is our own or quoted
        counts = dict(zip(few, row or (), strict=True))
    for column in columns:
        yield replace(column, distinct=counts.get(column.name, column.distinct))
