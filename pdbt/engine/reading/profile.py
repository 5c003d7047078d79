"""Profile of a table's columns: what most of their values look like, and how far a row is a header over such columns or a row of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .cells import Kind, kind

MOST_HEADER_ROWS = 3
_TYPED_SHARE = 0.8  # of a column's values, for the column to be typed
_CELLS_PROFILED = 20_000
_FEWEST_ROWS = 20
_FIRST_YEAR, _LAST_YEAR = 1800, 2200
_PLACEHOLDERS = frozenset(
    """tbd tba tbc n.a. n.a k.a. unknown unbekannt inconnu desconocido pending missing error undefined unavailable
    #ref! #value! #div/0! #name? #num! inf -inf infinity""".split()
)
_PLACEHOLDERS |= {"not available", "not applicable", "not known", "no data", "to be defined", "in progress"}


def profile(rows: Sequence[Sequence[str]], width: int) -> list[Kind]:
    """Return what most values of each column look like: TEXT unless nearly all agree, EMPTY when there are none."""
    found: list[Kind] = []
    rows = rows[: max(_FEWEST_ROWS, _CELLS_PROFILED // max(1, width))]
    for column in range(width):
        counts = Counter(kind(row[column]) for row in rows if column < len(row))
        counts.pop(Kind.EMPTY, None)
        usual, count = counts.most_common(1)[0] if counts else (Kind.EMPTY, 0)
        found.append(usual if not counts or count >= _TYPED_SHARE * counts.total() else Kind.TEXT)
    return found


def profile_below(rows: Sequence[Sequence[str]], width: int) -> list[Kind]:
    """Return the profile of a table whose header may be among its first rows."""
    full = [row for row in rows if len(row) == width]
    last = full or rows
    return profile(last[min(MOST_HEADER_ROWS, len(last) - 1) :], width)


def is_typed(look: Kind) -> bool:
    """Return True if a look is that of a number, a date or a boolean."""
    return look not in (Kind.TEXT, Kind.EMPTY)


def is_value(cell: str) -> bool:
    """Return True if a cell can hardly be a name: a number, a date or a boolean, but not a year."""
    return is_typed(kind(cell)) and not is_year(cell)


def is_year(cell: str) -> bool:
    """Return True if a cell is a year, which may be a name or a value."""
    text = cell.strip()
    return text.isdecimal() and len(text) == 4 and _FIRST_YEAR <= int(text) <= _LAST_YEAR


def is_placeholder(cell: str) -> bool:
    """Return True if a cell says that a value is not known, which a name does not."""
    text = cell.strip()
    return text.lower() in _PLACEHOLDERS or (text != "" and text != "#" and kind(cell) is Kind.EMPTY)


def evidence(row: Sequence[str], columns: Sequence[Kind]) -> tuple[int, int]:
    """Return how many cells of a row cannot be values of their typed columns, and how many can; a year may be a name or a value."""
    against = for_it = 0
    for cell, usual in zip(row, columns, strict=False):
        look = kind(cell)
        if is_typed(usual) and look is not Kind.EMPTY and not is_year(cell):
            against += look is not usual
            for_it += look is usual
    return against, for_it


def reads_as_header(row: Sequence[str], columns: Sequence[Kind]) -> bool:
    """Return True if a row names columns: it has a name over a typed column, no value, and more names than gaps."""
    against, for_it = evidence(row, columns)
    named = sum(bool(cell.strip()) for cell in row)
    return against > for_it and 2 * named >= len(row) and not any(is_value(cell) or is_placeholder(cell) for cell in row)
