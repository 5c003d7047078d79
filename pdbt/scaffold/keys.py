"""Keys: the column, or the pair of columns, that is filled and different in every row of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from .columns import ColumnProfile
from .words import is_id, is_measure

if TYPE_CHECKING:
    import duckdb

_MOST_KEYS_TRIED = 8
_MOST_PAIRS_TRIED = 12
_MOST_ROWS_FOR_PAIRS = 5_000_000
_FEWEST_ROWS = 2  # in a single row everything is unique
_ESTIMATE_TOLERANCE = 0.8  # approx_count_distinct errs by some per cent


def find_key(
    connection: duckdb.DuckDBPyConnection, table_of: Callable[[Sequence[ColumnProfile]], str], columns: Sequence[ColumnProfile], rows: int
) -> tuple[str, ...]:
    """Return the clean names of the key's columns; empty when there is none, or it could be one by chance only.

    Args:
        connection: where the table is.
        table_of: gives the SQL of the table with some of its columns alone, by their clean names.
        columns: its columns.
        rows: how many rows it has.
    """
    if rows < _FEWEST_ROWS:
        return ()
    candidates = sorted((column for column in columns if _can_identify(column, rows)), key=_preference)
    likely = [column for column in candidates if column.distinct >= rows * _ESTIMATE_TOLERANCE]
    for column in likely[:_MOST_KEYS_TRIED]:
        if _is_unique(connection, table_of([column]), rows):
            return (column.name,)
    if rows > _MOST_ROWS_FOR_PAIRS:
        return ()
    for pair in islice(_pairs(candidates, rows * _ESTIMATE_TOLERANCE), _MOST_PAIRS_TRIED):
        names = {column.name for column in pair}
        in_order = [column for column in columns if column.name in names]
        if _is_unique(connection, table_of(in_order), rows):
            return tuple(column.name for column in in_order)
    return ()


def _pairs(candidates: Sequence[ColumnProfile], fewest: float) -> Iterator[tuple[ColumnProfile, ColumnProfile]]:
    """Yield the pairs that can have so many different values together, in the order of the candidates.

    A candidate that no later one is enough for is passed over in one step: a table of 5,000 columns has twelve million pairs.
    """
    most_from = [*accumulate((column.distinct for column in reversed(candidates)), max)][::-1]
    for place, first in enumerate(candidates[:-1], 1):
        if first.distinct * most_from[place] >= fewest:
            yield from ((first, second) for second in candidates[place:] if first.distinct * second.distinct >= fewest)


def _can_identify(column: ColumnProfile, rows: int) -> bool:
    """Whether the column is filled and of a kind that can tell rows apart: no measure, and nothing that is alike everywhere."""
    if column.filled < rows or column.distinct < _FEWEST_ROWS:
        return False
    if column.is_integer:
        return is_id(column.name) or not is_measure(column.name)
    return column.is_text or column.is_day or column.type in ("UUID", "TIME")


def _preference(column: ColumnProfile) -> int:
    """Ids first, then names, then days; ties stay in the order of the table."""
    return 0 if is_id(column.name) or column.type == "UUID" else 1 if column.is_text else 2 if column.is_day else 3


def _is_unique(connection: duckdb.DuckDBPyConnection, table: str, rows: int) -> bool:
    found = connection.execute(f"SELECT count(*) FROM (SELECT DISTINCT * FROM {table})").fetchone()  # noqa: S608 - every name in it is our own or quoted
    return found is not None and found[0] == rows
