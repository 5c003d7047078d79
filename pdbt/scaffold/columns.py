"""A column of a source table as it was found: its names, its type, and how its values are spread."""

from __future__ import annotations

import re
from dataclasses import dataclass

_INTEGER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
_DECIMAL = re.compile(r"DOUBLE|FLOAT|REAL|DECIMAL\(.*")
_DAY = re.compile(r"DATE|TIMESTAMP.*")


@dataclass(frozen=True)
class ColumnProfile:
    """What a column holds.

    Attributes:
        source: its name in the source table.
        name: its clean name.
        type: its DuckDB type.
        filled: how many rows have a value.
        distinct: how many different values; exact up to 200.
        months: how many different months, for days and moments; 0 otherwise.
        size: the median of the absolute values of numbers; 0.0 otherwise.
        negative: whether a number is below zero.
    """

    source: str
    name: str
    type: str
    filled: int = 0
    distinct: int = 0
    months: int = 0
    size: float = 0.0
    negative: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it holds text."""
        return self.type == "VARCHAR"

    @property
    def is_integer(self) -> bool:
        """Whether it holds whole numbers."""
        return _INTEGER.fullmatch(self.type) is not None

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self.is_integer or _DECIMAL.fullmatch(self.type) is not None

    @property
    def is_day(self) -> bool:
        """Whether it holds days or moments."""
        return _DAY.fullmatch(self.type) is not None

    @property
    def is_comparable(self) -> bool:
        """Whether it holds single values, not lists, structures or bytes."""
        return self.is_text or self.is_number or self.is_day or self.type in ("BOOLEAN", "TIME", "UUID")
