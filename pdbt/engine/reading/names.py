"""Column names from header cells: trimmed, filled, joined, none empty, none twice."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LINE_BREAK = re.compile(r"\s*[\r\n]+\s*")


def column_names(header: Sequence[Sequence[str]], width: int) -> tuple[str, ...]:
    """Make the names of a table's columns from its header rows.

    Args:
        header: the cells of each header row, top to bottom; none for a table without a header.
        width: how many columns there are; missing cells are empty.

    Returns:
        `width` names: cells of one column joined by ``_``, an empty name ``column_N``, a name seen before ``name_2``, regardless of case.
    """
    rows = [_cleaned(cells, width) for cells in header]
    for upper in rows[:-1]:
        _fill_forward(upper)
    joined = []
    for parts in zip(*rows, strict=True) if rows else [()] * width:
        distinct = list(dict.fromkeys(part for part in parts if part))
        joined.append("_".join(distinct))
    return unique_names(joined)


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Give every column a name of its own, compared regardless of case; of equal names the first stays as it is, before any made up."""
    taken = {name.casefold() for name in names if name}
    unclaimed = set(taken)
    next_suffix: dict[str, int] = {}
    result = []
    for position, given in enumerate(names, start=1):
        name = given or f"column_{position}"
        key = name.casefold()
        if key in unclaimed and given:
            unclaimed.discard(key)
        elif key in taken:
            suffix = next_suffix.get(key, 2)
            while f"{key}_{suffix}" in taken:
                suffix += 1
            next_suffix[key] = suffix + 1
            name = f"{name}_{suffix}"
        taken.add(name.casefold())
        result.append(name)
    return tuple(result)


def _cleaned(cells: Sequence[str], width: int) -> list[str]:
    cut = [_LINE_BREAK.sub(" ", cell.strip()) for cell in cells[:width]]
    return cut + [""] * (width - len(cut))


def _fill_forward(cells: list[str]) -> None:
    """Write a merged cell's text, which stands in its first column only, into the empty cells to its right."""
    for position in range(1, len(cells)):
        cells[position] = cells[position] or cells[position - 1]
