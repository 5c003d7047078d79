"""What DuckDB's types become in PostgreSQL, and what PostgreSQL's values are when they are read back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..reading.model import Column
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
_NESTED = re.compile(r"(\]$)|^(STRUCT|MAP|UNION|VARIANT|JSON)\b")


def stored(column: Column) -> tuple[str, str]:
    """Return the PostgreSQL type of a column and the DuckDB expression that casts to what ADBC copies into it."""
    name, kind = quoted(column.name), column.type.upper()
    if kind in _SAME:
        return _SAME[kind], name
    if kind.startswith("DECIMAL"):
        return kind.replace("DECIMAL", "numeric"), name
    if kind == "UBIGINT":
        return "numeric(20,0)", cast(name, "DECIMAL(20,0)")
    if kind in ("HUGEINT", "UHUGEINT"):  # one digit more than a DECIMAL holds, which is an error of DuckDB's
        return "numeric(38,0)", cast(name, "DECIMAL(38,0)")
    if kind in ("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"):
        return "timestamp", cast(name, "TIMESTAMP")
    if _NESTED.search(kind):
        return "json", f"CAST(to_json({name}) AS VARCHAR)"
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


def is_open_numeric(kind: str) -> bool:
    """Tell whether a column is numeric without a precision, as sum() and avg() are: only its values say what they need."""
    return kind == "numeric"


def digits_of(name: str) -> str:
    """Return the expressions over a whole numeric column: digits before the point, digits after it, and any that is no number."""
    column = quoted(name)
    numbers = f"FILTER (WHERE {column}::text !~ '[A-Za-z]')"
    return f"max(length(trunc(abs({column}))::text)) {numbers}, max(scale({column})) {numbers}, bool_or({column}::text ~ '[A-Za-z]')"


def read(name: str, kind: str, digits: tuple[int | None, int | None, bool | None] | None = None) -> Read:
    """Return how to read a column.

    Args:
        name: the column.
        kind: PostgreSQL's name of its type.
        digits: what `digits_of` found in it, if the type `is_open_numeric`.
    """
    column = quoted(name)
    if kind in _READ_AS_THEY_ARE:
        return Read(column, column)
    sent = f"{column}::text AS {column}"
    if (declared := _NUMERIC.fullmatch(kind)) and int(declared[1]) <= DECIMAL_DIGITS:
        return Read(sent, f"CAST({column} AS DECIMAL({declared[1]},{declared[2]})) AS {column}")
    if kind.startswith("numeric"):
        whole, scale, odd = digits or (None, None, True)
        whole, scale = whole or 1, scale or 0
        if odd or whole + scale > DECIMAL_DIGITS:
            return Read(f"{column}::double precision AS {column}", column)
        if scale == 0 and whole < len(str(2**63)):
            return Read(f"{column}::bigint AS {column}", column)
        return Read(sent, f"CAST({column} AS DECIMAL({whole + scale},{scale})) AS {column}")
    return Read(sent, column)
