"""Tables of many files: their columns united by name, their types by what holds the values of all."""

from __future__ import annotations

from collections.abc import Iterable

from .model import Column
from .types import Reading

_INTEGERS = ("TINYINT", "UTINYINT", "SMALLINT", "USMALLINT", "INTEGER", "UINTEGER", "BIGINT")


def unite(parts: Iterable[Iterable[tuple[str, Reading]]], as_text: Iterable[str] = ()) -> list[Column]:
    """Return the columns of a table in the order in which they first appear.

    Args:
        parts: the columns of each part with how it reads them; names are equal without regard to case.
        as_text: names, in lower case, of columns that are to be text whatever the parts say.
    """
    names: dict[str, str] = {}
    readings: dict[str, list[Reading]] = {}
    for part in parts:
        for name, reading in part:
            names.setdefault(name.casefold(), name)
            readings.setdefault(name.casefold(), []).append(reading)
    text = set(as_text)
    return [Column(name, "VARCHAR" if key in text else _common_type(readings[key])) for key, name in names.items()]


def _common_type(readings: Iterable[Reading]) -> str:
    """Return the type that holds the values of all readings without loss; parts without any value have no say."""
    types = {reading.type for reading in readings if reading.kind != "empty"}
    if len(types) <= 1:
        return types.pop() if types else "VARCHAR"
    if types <= set(_INTEGERS):
        return "BIGINT"
    decimals = {name for name in types if name.startswith("DECIMAL(38,")}
    rest = types - decimals - set(_INTEGERS)
    if rest == {"DOUBLE"} and not decimals:
        return "DOUBLE"
    if decimals and not rest:
        return max(decimals, key=lambda name: int(name[len("DECIMAL(38,") : -1]))
    return "TIMESTAMP" if types == {"DATE", "TIMESTAMP"} else "VARCHAR"
