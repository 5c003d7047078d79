"""The summary of a table: the column to group by, and what is computed of the others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from .columns import ColumnProfile
from .identifiers import unique
from .profile import TableProfile
from .words import is_added, is_calendar, is_group, is_id, is_measure

_FEWEST_GROUPS, _MOST_GROUPS = 2, 50
_MOST_MONTHS = 60
_EASY_TO_READ = 20
_ROWS_A_GROUP = 2
_MOST_EMPTY = 0.5
_MOST_MEASURES = 6
_DECIMALS = 2
_MOST_DECIMALS = 10
_SAY_ALREADY = {"total": ("total", "sum"), "avg": ("avg", "average", "mean")}
_BIGGEST_SUM = 4e18  # BIGINT ends at 9.2e18
_BIGGEST_ROUNDED = 1e15  # a DOUBLE has no decimals to round beyond


@dataclass(frozen=True)
class Group:
    """What a summary groups by: the SQL of it and the name that it gets."""

    expression: str
    name: str


@dataclass(frozen=True)
class Measure:
    """What a summary computes: the SQL of it and the name that it gets."""

    expression: str
    name: str


def choose_group(table: TableProfile) -> Group | None:
    """Return the most useful thing to group by: a column that few values fill, else the months of a day; None when there is neither."""
    columns = [column for column in table.columns if _can_group(column, table)]
    if columns:
        best = max(columns, key=lambda column: _usefulness(column, table))  # the first of several that are alike
        return Group(best.name, best.name)
    for column in table.columns:
        if column.is_day and _FEWEST_GROUPS <= column.months <= min(_MOST_MONTHS, table.rows // _ROWS_A_GROUP):
            # The first seven characters of a day are its month in all three databases, whose date functions differ.
            return Group(f"substr(CAST({column.name} AS VARCHAR), 1, 7)", unique(f"{column.name.rstrip('_')}_month", {column.name}))
    return None


def _can_group(column: ColumnProfile, table: TableProfile) -> bool:
    """Whether a few values, each shared by some rows, fill most of the column, and it is none to compute with."""
    fits = _FEWEST_GROUPS <= column.distinct <= min(_MOST_GROUPS, table.rows // _ROWS_A_GROUP)
    if not fits or column.filled < table.rows * (1 - _MOST_EMPTY) or table.key == (column.name,):
        return False
    if column.is_integer:
        return is_group(column.name) or is_calendar(column.name)
    return column.is_text or column.type == "BOOLEAN"


def _usefulness(column: ColumnProfile, table: TableProfile) -> float:
    """Weigh what the name says, how well the column is filled, and how easily so many groups are read."""
    named = 3.0 if is_group(column.name) else 0.0
    kind = 1.0 if column.is_text else 0.5 if column.is_integer else 0.0
    readable = 1.0 if _FEWEST_GROUPS < column.distinct <= _EASY_TO_READ else 0.0
    return named + kind + readable - 2 * (1 - column.filled / table.rows) - (1.0 if is_id(column.name) else 0.0)


def choose_measures(table: TableProfile, taken: set[str]) -> Iterator[Measure]:
    """Yield what to compute: sums of what adds up, averages of the other numbers; none of ids, codes and parts of dates.

    Args:
        table: the table.
        taken: names that are no longer free; added to.
    """
    columns = [column for column in table.columns if column.is_number and is_measure(column.name) and column.name not in table.key]
    for column in columns[:_MOST_MEASURES]:
        added = is_added(column.name) and column.size * table.rows < _BIGGEST_SUM
        yield _sum(column, taken) if added else _average(column, taken)


def _sum(column: ColumnProfile, taken: set[str]) -> Measure:
    name = unique(_prefixed("total", column.name), taken)
    if column.is_integer:
        return Measure(f"CAST(sum({column.name}) AS BIGINT)", name)
    number = column.name if column.type == "DOUBLE" else f"CAST({column.name} AS DOUBLE PRECISION)"
    return Measure(_rounded(f"sum({number})", column), name)


def _average(column: ColumnProfile, taken: set[str]) -> Measure:
    # PostgreSQL averages whole numbers as NUMERIC, with 16 decimals to show.
    number = column.name if column.type == "DOUBLE" else f"CAST({column.name} AS DOUBLE PRECISION)"
    return Measure(_rounded(f"avg({number})", column), unique(_prefixed("avg", column.name), taken))


def _prefixed(prefix: str, name: str) -> str:
    return name if name.split("_", maxsplit=1)[0] in _SAY_ALREADY[prefix] else f"{prefix}_{name.rstrip('_')}"


def _rounded(expression: str, column: ColumnProfile) -> str:
    """Round to two decimals, or more where values are small; round(x, 2) of a DOUBLE is unknown to PostgreSQL."""
    decimals = _DECIMALS
    if 0 < column.size < 1:
        decimals += math.ceil(-math.log10(column.size))
    if decimals > _MOST_DECIMALS or column.size > _BIGGEST_ROUNDED:
        return expression
    return f"round({expression} * {10**decimals}) / {10**decimals}"
