"""What a source table holds, found by reading it once: types, fill, spread and keys; everything that a starter is chosen by."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.errors import SourceError
from ..engine.reading.model import Column, CreateTable, Loaded, ReadOptions, SourceTable
from .columns import ColumnProfile
from .identifiers import clean_names, written
from .keys import find_key

if TYPE_CHECKING:
    import duckdb

_LOADED = "loaded"
_COLUMNS_A_QUERY = 200
_COUNTED_EXACTLY = 200
_FIGURES = ("filled", "distinct", "size", "negative")
# DuckDB looks for common subexpressions in a time that grows with the square of the columns: 13 of 15 seconds at 5,000 of them.
_WITHOUT_SEARCH = "SET disabled_optimizers = 'common_subexpressions'"


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
        found = [ColumnProfile(column.name, name, column.type) for column, name in zip(loaded.columns, names, strict=True)]
        columns = tuple(_measured(connection, found))
        key = find_key(connection, _cleaned, columns, loaded.rows)
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
        if len(columns) > _COLUMNS_A_QUERY:
            connection.execute(_WITHOUT_SEARCH)
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


def _cleaned(columns: Sequence[ColumnProfile]) -> str:
    """Return the SQL of a table of these columns alone, clean: DuckDB plans a view of all columns anew for each query of a few."""
    selected = ", ".join(clean_select([Column(column.source, column.type) for column in columns], [column.name for column in columns]))
    return f"(SELECT {selected} FROM {_LOADED})"  # noqa: S608 - every name in it is our own or quoted


def _measured(connection: duckdb.DuckDBPyConnection, columns: Sequence[ColumnProfile]) -> Iterator[ColumnProfile]:
    """Yield the columns with their figures; few are asked for at once, as a query over thousands of columns is slow to plan."""
    for start in range(0, len(columns), _COLUMNS_A_QUERY):
        some = columns[start : start + _COLUMNS_A_QUERY]
        figures = _grouped(connection, some, "{}", _figures)
        measured = [replace(column, **dict(zip(_FIGURES, figures[column.name], strict=True))) for column in some if column.name in figures]
        yield from _counted(connection, measured or some)


def _figures(column: ColumnProfile) -> str:
    """Return the SQL of what is measured of a column's values, in the order of `_FIGURES`."""
    if not column.is_comparable:
        return "count(value), 0, 0.0::DOUBLE, false"
    number = "CAST(value AS DOUBLE)"
    size = f"coalesce(approx_quantile(abs({number}), 0.5) FILTER (WHERE isfinite({number})), 0.0)" if column.is_number else "0.0::DOUBLE"
    negative = "coalesce(min(value) < 0, false)" if column.is_number else "false"
    return f"count(value), approx_count_distinct(value), {size}, {negative}"


def _counted(connection: duckdb.DuckDBPyConnection, columns: Sequence[ColumnProfile]) -> Iterator[ColumnProfile]:
    """Count the months, and replace the estimates of columns with few different values, which groups are chosen from, by exact counts."""
    few = [column for column in columns if 0 < column.distinct <= _COUNTED_EXACTLY]
    distinct = _grouped(connection, few, "{}", _different)
    months = _grouped(connection, [column for column in columns if column.is_day], "date_trunc('month', {})", _different)
    for column in columns:
        (different,), (month,) = distinct.get(column.name, (column.distinct,)), months.get(column.name, (0,))
        yield replace(column, distinct=different, months=month)


def _different(_: ColumnProfile) -> str:
    return "count(DISTINCT value)"


def _grouped(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[ColumnProfile], expression: str, figures: Callable[[ColumnProfile], str]
) -> dict[str, tuple[Any, ...]]:
    """Compute figures of an expression of each column, by the column's name; a table without rows has none.

    The columns of one type are the groups of one table: with aggregates for each column, above all count(DISTINCT), DuckDB keeps a
    state and a hash table for each of them, which costs more than the counting as soon as there are some dozens.

    Args:
        connection: where the table is.
        columns: of which the figures are computed.
        expression: the SQL of what is computed with, ``{}`` for the column.
        figures: gives the SQL of the figures of ``value``, for all columns of a type.
    """
    by_type: dict[str, list[ColumnProfile]] = {}
    for column in columns:
        by_type.setdefault(column.type, []).append(column)
    found: dict[str, tuple[Any, ...]] = {}
    for alike in by_type.values():
        values = ", ".join(expression.format(written(column.name)) for column in alike)
        unpivoted = f"SELECT unnest(range({len(alike)})) AS place, unnest([{values}]) AS value FROM {_cleaned(alike)}"  # noqa: S608 - every name in it is our own or quoted
        rows = connection.execute(f"SELECT place, {figures(alike[0])} FROM ({unpivoted}) GROUP BY place").fetchall()  # noqa: S608 - every name in it is our own or quoted
        found |= {alike[place].name: tuple(row) for place, *row in rows}
    return found
