"""Keys: the column, or the pair of columns, that is filled and different in every row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from .columns import ColumnProfile
from .identifiers import written
from .words import is_id, is_measure

if TYPE_CHECKING:
    import duckdb

_MOST_KEYS_TRIED = 8
_MOST_PAIRS_TRIED = 12
_MOST_ROWS_FOR_PAIRS = 5_000_000
_FEWEST_ROWS = 2  # in a single row everything is unique
_ESTIMATE_TOLERANCE = 0.8  # approx_count_distinct errs by some per cent


def find_key(connection: duckdb.DuckDBPyConnection, view: str, columns: Sequence[ColumnProfile], rows: int) -> tuple[str, ...]:
    """Return the clean names of the key's columns; empty when there is none, or it could be one by chance only.

    Args:
        connection: where `view` is.
        view: the table with its clean names.
        columns: its columns.
        rows: how many rows it has.
    """
    if rows < _FEWEST_ROWS:
        return ()
    candidates = sorted((column for column in columns if _can_identify(column, rows)), key=_preference)
    likely = [column for column in candidates if column.distinct >= rows * _ESTIMATE_TOLERANCE]
    for column in likely[:_MOST_KEYS_TRIED]:
        if _is_unique(connection, view, (column.name,), rows):
            return (column.name,)
    if rows > _MOST_ROWS_FOR_PAIRS:
        return ()
    pairs = [pair for pair in combinations(candidates, 2) if pair[0].distinct * pair[1].distinct >= rows * _ESTIMATE_TOLERANCE]
    for pair in pairs[:_MOST_PAIRS_TRIED]:
        names = tuple(column.name for column in columns if column in pair)
        if _is_unique(connection, view, names, rows):
            return names
    return ()


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


def _is_unique(connection: duckdb.DuckDBPyConnection, view: str, names: tuple[str, ...], rows: int) -> bool:
    selected = ", ".join(written(name) for name in names)
    found = connection.execute(f"SELECT count(*) FROM (SELECT DISTINCT {selected} FROM {view})").fetchone()  # noqa: S608 - every name in it is our own or quoted
    return found is not None and found[0] == rows
