"""What DuckDB's types become in PostgreSQL, and what PostgreSQL's values are when they are read back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..reading.model import Column
from .carried import huge_decimal, is_nested, json_text, microseconds
from .names import cast, quoted

COLUMNS_AT_MOST = 1_600
DECIMAL_DIGITS = 38  # of DuckDB

_SAME = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "UTINYINT": "smallint",
    "INTEGER": "integer",
    "USMALLINT": "integer",
    "BIGINT": "bigint",
    "UINTEGER": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "VARCHAR": "text",
    "BLOB": "bytea",
    "INTERVAL": "interval",
}
_READ_AS_THEY_ARE = frozenset(
    {
        "boolean",
        "smallint",
        "integer",
        "bigint",
        "real",
        "double precision",
        "date",
        "time without time zone",
        "timestamp without time zone",
        "timestamp with time zone",
        "text",
        "bytea",
    }
)
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")


def stored(column: Column) -> tuple[str, str]:
    """Return the PostgreSQL type of a column and the DuckDB expression that casts to what ADBC copies into it."""
    name, kind = quoted(column.name), column.type.upper()
    if kind in _SAME:
        return _SAME[kind], name
    if kind.startswith("DECIMAL"):
        return kind.replace("DECIMAL", "numeric"), name
    if kind == "UBIGINT":
        return "numeric(20,0)", cast(name, "DECIMAL(20,0)")
    if kind in ("HUGEINT", "UHUGEINT"):
        return "numeric(38,0)", huge_decimal(column.name)
    if kind == "TIMESTAMP_NS":
        return "timestamp", microseconds(column.name)
    if kind in ("TIMESTAMP_S", "TIMESTAMP_MS"):
        return "timestamp", cast(name, "TIMESTAMP")
    if kind == "JSON":
        return "json", cast(name, "VARCHAR")
    if is_nested(kind):
        return "json", json_text(column.name, kind)
    return "text", cast(name, "VARCHAR")


@dataclass(frozen=True)
class Read:
    """How a column is read.

    Attributes:
        sent: the expression that PostgreSQL evaluates.
        taken: the expression that DuckDB makes of what it was sent.
    """

    sent: str
    taken: str


@dataclass(frozen=True)
class Digits:
    """Digits that the values of a numeric column need.

    Attributes:
        whole: digits before the point, of the value that has most; None without values.
        scale: digits after it.
        odd: one is NaN or infinity.
        in_doubles: a double holds each value exactly; None if that was not asked.
    """

    whole: int | None = None
    scale: int | None = None
    odd: bool | None = None
    in_doubles: bool | None = None

    def in_a_decimal(self) -> bool:
        """Return True if one DECIMAL holds them all."""
        return not self.odd and (self.whole or 1) + (self.scale or 0) <= DECIMAL_DIGITS


def is_open_numeric(kind: str) -> bool:
    """Return True if only a column's values say what they need: numeric without a precision, as sum() and avg() are, or with a long one."""
    declared = _NUMERIC.fullmatch(kind)
    return kind.startswith("numeric") and (declared is None or int(declared[1]) > DECIMAL_DIGITS)


def digits_of(name: str) -> str:
    """Return the expressions over a whole numeric column that give the first three of its `Digits`."""
    column = quoted(name)
    numbers = f"FILTER (WHERE {column}::text !~ '[A-Za-z]')"
    return f"max(length(trunc(abs({column}))::text)) {numbers}, max(scale({column})) {numbers}, bool_or({column}::text ~ '[A-Za-z]')"


def doubles_hold(name: str) -> str:
    """Return the expression over a whole numeric column that says whether a double holds each value."""
    column = quoted(name)
    in_range = f"{column} = 0 OR abs({column}) BETWEEN 1e-300 AND 1e300"
    same = f"({column}::double precision)::text::numeric = {column}"
    return (
        f"coalesce(bool_and(CASE WHEN {column}::text ~ '[A-Za-z]' THEN true WHEN {in_range} THEN {same} ELSE {column} IS NULL END), true)"
    )


def read(name: str, kind: str, digits: Digits | None = None) -> Read:
    """Return how to read a column.

    Args:
        name: the column.
        kind: PostgreSQL's name of its type.
        digits: what the values need, if the type `is_open_numeric`.
    """
    column = quoted(name)
    if kind in _READ_AS_THEY_ARE:
        return Read(column, column)
    sent = f"{column}::text AS {column}"
    if is_open_numeric(kind):
        return _read_numeric(column, sent, digits or Digits(odd=True))
    if declared := _NUMERIC.fullmatch(kind):
        return Read(sent, f"CAST({column} AS DECIMAL({declared[1]},{declared[2]})) AS {column}")
    return Read(sent, column)


def _read_numeric(column: str, sent: str, digits: Digits) -> Read:
    if not digits.in_a_decimal():  # text where a double would alter a value
        return Read(f"{column}::double precision AS {column}", column) if digits.in_doubles else Read(sent, column)
    whole, scale = digits.whole or 1, digits.scale or 0
    if scale == 0 and whole < len(str(2**63)):
        return Read(f"{column}::bigint AS {column}", column)
    return Read(sent, f"CAST({column} AS DECIMAL({whole + scale},{scale})) AS {column}")
