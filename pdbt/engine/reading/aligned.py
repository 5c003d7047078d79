"""Files whose columns are set apart by spaces: cut at runs of white space, at gaps of two or more, or at fixed positions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate

from .separation import Separation

_WORD = re.compile(r'"(?:[^"]|"")*"(?=\s|$)|\S+')
_WORDS = re.compile(r"\S+")
_GAP = re.compile(r"[ \u00a0]{2,}|[ \u00a0]*\t\s*")
_FEWEST_LINES = 3  # below, gaps that run down all lines are chance
_FEWEST_LINES_OF_NARROW_GAPS = 4  # the same when a gap is one space wide
_FEWEST_LINES_OF_WORDS = 6  # the same when no line is padded with spaces at a gap
_LEAST_FILLED = 0.4  # of a column's cells
_LEAST_IN_LINE = 0.8  # of a column's values that start, or end, at one place
_MOST_CROSSING = 0.1  # of the lines, that may cross a gap
_STARTS_TRIED = (0, 1, 2, 3, 5, 8)  # lines before the table, which may cross its gaps


def cutter(separation: Separation, width: int = 0) -> Callable[[str], list[str]]:
    """Return what cuts a line of a space-aligned file into its fields.

    A line that crosses fixed gaps is cut at wide spaces where that gives `width` fields.
    """
    if separation.spacing == "runs":
        return words
    if separation.spacing == "gaps":
        return phrases

    def cut(text: str) -> list[str]:
        fields = cells(text, separation.gaps)
        return fields if len(fields) == width or len(loose := phrases(text)) != width else loose

    return cut


def words(text: str) -> list[str]:
    """Cut at runs of white space; a word in double quotes keeps its spaces."""
    if '"' not in text:
        return text.split()
    return [_unquoted(word) for word in _WORD.findall(text)]


def _unquoted(word: str) -> str:
    return word[1:-1].replace('""', '"') if len(word) > 1 and word[0] == word[-1] == '"' else word


def phrases(text: str) -> list[str]:
    """Cut at two or more spaces, or a tab."""
    return _GAP.split(text.strip())


def cells(text: str, gaps: Sequence[tuple[int, int]]) -> list[str]:
    """Cut at fixed gaps, empty cells kept; a value that crosses a gap gives the whole line as one field, which is no row of the table."""
    fields = []
    start = 0
    for gap_start, gap_end in gaps:
        place = _opening(text[gap_start:gap_end])
        if place is None:
            return [text]
        fields.append(text[start : gap_start + place].strip())
        start = gap_start + place
    fields.append(text[start:].strip())
    return fields


def _opening(gap: str) -> int | None:
    """Return where a gap's spaces start, seen from its own start; None when it is not one run of spaces with values at its edges."""
    inside = gap.strip(" ")
    if not inside:
        return 0
    left = len(gap) - len(gap.lstrip(" "))
    right = len(gap) - len(gap.rstrip(" "))
    if left and right:
        return None  # a value of its own inside the gap: whose is it?
    if left or right:
        return 0 if left and " " not in inside else len(gap) - right if right and " " not in inside else None
    return inside.index(" ") if len(inside.split()) == 2 else None


def vertical_gaps(lines: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return the positions (start, end) that hold spaces in every line but a few, except before the first value and after the last."""
    longest = max(map(len, lines), default=0)
    changes = [0] * (longest + 1)  # of the number of lines that have a word at a position, from one position to the next
    for line in lines:
        for match in _WORDS.finditer(line):
            changes[match.start()] += 1
            changes[match.end()] -= 1
    few = len(lines) * _MOST_CROSSING
    inner = bytes(map(few.__lt__, accumulate(changes))).rstrip(b"\0")
    offset = len(inner) - len(inner.lstrip(b"\0"))
    return tuple((match.start(), match.end()) for match in re.finditer(rb"\0+", inner) if match.start() >= offset)


def spacings(lines: Sequence[str]) -> list[Separation]:
    """Return the ways in which lines may be space-aligned, the most exact first."""
    full = [line.rstrip("\r\n") for line in lines if not line.isspace()]
    found = []
    if not any("\t" in line or ' "' in line for line in full):
        for start in _STARTS_TRIED:
            gaps = _between_filled_columns(full[start:], vertical_gaps(full[start:]))
            if gaps:
                if _are_columns(full[start:], gaps) and not _are_words(full[start:], len(gaps) + 1):
                    found.append(Separation(delimiter=" ", spacing="fixed", gaps=gaps))
                break
    found.append(Separation(delimiter=" ", spacing="gaps"))
    found.append(Separation(delimiter=" ", spacing="runs"))
    return found


def _are_words(lines: Sequence[str], columns: int) -> bool:
    """Say whether every line has a word for each column, so that the columns may move when longer values come."""
    return {len(words(line)) for line in lines} == {columns}


def _between_filled_columns(lines: Sequence[str], gaps: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Leave out gaps with hardly a value to their right: they part the words of a name."""
    ends = [*(start for start, _ in gaps[1:]), max(map(len, lines), default=0)]
    filled = [sum(not line[gap[1] : end].isspace() and len(line) > gap[1] for line in lines) for gap, end in zip(gaps, ends, strict=False)]
    return tuple(gap for gap, count in zip(gaps, filled, strict=False) if count >= _LEAST_FILLED * len(lines))


def _are_columns(lines: Sequence[str], gaps: Sequence[tuple[int, int]]) -> bool:
    """Say whether gaps part columns, and are not chance: enough lines or wide gaps, and values that stand in line at one side."""
    padded = any("  " in line[max(0, start - 1) : end + 1].strip("\r\n") for line in lines for start, end in gaps)
    narrow = any(end - start < 2 for start, end in gaps)
    fewest = _FEWEST_LINES if not narrow else _FEWEST_LINES_OF_NARROW_GAPS if padded else _FEWEST_LINES_OF_WORDS
    if len(lines) < fewest:
        return False
    starts = [0, *(end for _, end in gaps)]
    ends = [*(start for start, _ in gaps), max(map(len, lines))]
    return all(_is_column([line[start:end] for line in lines], end - start) for start, end in zip(starts, ends, strict=True))


def _is_column(column: Sequence[str], width: int) -> bool:
    values = [cell for cell in column if cell.strip()]
    left = sum(not cell.startswith(" ") for cell in values)
    right = sum(len(cell) == width and not cell.endswith(" ") for cell in values)
    return len(values) >= _LEAST_FILLED * len(column) and max(left, right) >= _LEAST_IN_LINE * len(values)
