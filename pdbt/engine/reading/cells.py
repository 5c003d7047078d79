"""A quick look at one cell: number-like, date-like, boolean, empty or text.

Enough to judge where a table and its header are and how its fields are separated. Which type a column gets is decided elsewhere, over all
its values and by strict rules; nothing here changes a value.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache


class Kind(IntEnum):
    """What a cell looks like."""

    EMPTY = 0
    NUMBER = 1
    DATE = 2
    BOOLEAN = 3
    TEXT = 4


_MISSING = frozenset({"", "na", "n/a", "#n/a", "null", "none", "nil", "nan", "-", "--", "?", ".", "\\n"})
_BOOLEANS = frozenset({"true", "false"})
_NUMBER = re.compile(
    r"""[+-]?\s?[$€£¥]?\s?
    (?: \d+ (?:\.\d*|,\d+)? | [.,]\d+ | \d{1,3} (?:[,.' \u2019\u00a0\u202f]\d{3})+ (?:[.,]\d*)? )   # plain, or with thousands
    (?: [eE][+-]?\d+ )? \s? [%$€£]?""",
    re.VERBOSE,
)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = re.compile(
    rf"""(?: \d{{4}}[-/.]\d{{1,2}}(?:[-/.]\d{{1,2}})? | \d{{1,2}}[-/.]\d{{1,2}}[-/.](?:\d{{4}}|\d{{2}})
      | \d{{1,2}}[-\s]{_MONTH}[-\s,]+\d{{2,4}} | {_MONTH}\s\d{{1,2}},?\s\d{{4}} | \d{{8}}(?=T) )
    (?: [T\s]\s? \d{{1,2}}:?\d{{2}}(?::?\d{{2}}(?:[.,]\d+)?)? (?:\s?[ap]m)? (?:\s?(?:z|utc|[+-]\d{{2}}:?(?:\d{{2}})?))? )?
    | \d{{1,2}}:\d{{2}}(?::\d{{2}}(?:[.,]\d+)?)?(?:\s?[ap]m)?""",
    re.VERBOSE | re.IGNORECASE,
)
_LONGEST_TYPED = 40  # characters; nothing longer is a number or a date


@lru_cache(maxsize=4096)
def kind(cell: str) -> Kind:
    """Say what a cell looks like, spaces around it disregarded."""
    text = cell.strip()
    if len(text) > _LONGEST_TYPED:
        return Kind.TEXT
    lower = text.lower()
    if lower in _MISSING:
        return Kind.EMPTY
    if lower in _BOOLEANS:
        return Kind.BOOLEAN
    if _NUMBER.fullmatch(text):
        return Kind.NUMBER
    if _DATE.fullmatch(text):
        return Kind.DATE
    return Kind.TEXT


def typed(cell: str) -> bool:
    """Say whether a cell is a number, a date or a boolean."""
    return kind(cell) in (Kind.NUMBER, Kind.DATE, Kind.BOOLEAN)
