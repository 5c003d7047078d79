"""Kinds of values that travel between databases: SQL's names for them, their Arrow types, and which holds which.

A kind is written as DuckDB writes a type: ``BIGINT``, ``DECIMAL(12,2)``, ``INTEGER[]``. The empty kind is one that does not travel
unless a cast says as what. ``OWN(…)`` is a type that only databases of one product have, and that travels between two of these as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

UNKNOWN = ""
MAX_DIGITS = 38
INTEGERS = ("SMALLINT", "INTEGER", "BIGINT")
# Whole digits that a decimal needs to hold every value of an integer.
_INTEGER_DIGITS = {"SMALLINT": 5, "INTEGER": 10, "BIGINT": 19, "UBIGINT": 20}
PLAIN = ("BOOLEAN", *INTEGERS, "UBIGINT", "FLOAT", "DOUBLE", "VARCHAR", "BLOB", "DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "UUID", "JSON")
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_SHAPES = frozenset("geometry point linestring polygon multipoint multilinestring multipolygon geometrycollection geomcollection".split())
_SYNONYMS = {
    "BOOL": "BOOLEAN",
    "TINYINT": "SMALLINT",
    "INT": "INTEGER",
    "REAL": "FLOAT",
    "TEXT": "VARCHAR",
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "BYTEA": "BLOB",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
}


def decimal(kind: str) -> tuple[int, int] | None:
    """Return digits and decimals of a decimal kind; None for any other."""
    found = _DECIMAL.fullmatch(kind)
    return (int(found[1]), int(found[2])) if found else None


def element(kind: str) -> str | None:
    """Return the kind of an array's elements; None for any other kind."""
    return kind.removesuffix("[]") if kind.endswith("[]") else None


def own_kind(product: str, native: str) -> str:
    """Return the kind of a type that travels as itself between two databases of a product; the empty one when it does not."""
    word = native.lower().partition("(")[0]
    if product == "PostgreSQL":  # of reg… the numbers would arrive, which mean other things there; numeric is written as a decimal alone
        return "" if word.startswith(("reg", "record", "any", "unknown", "numeric")) else f"OWN({native})"
    if product == "MySQL":
        return f"OWN({native})" if word in _SHAPES else ""
    return f"OWN({native})" if product == "DuckDB" and word != '"null"' else ""


def own(kind: str) -> str | None:
    """Return the type that a kind is the name of, for one that travels as itself; None for any other kind."""
    return kind[len("OWN(") : -1] if kind.startswith("OWN(") else None


def read_kind(text: str) -> str | None:
    """Return the kind that a person wrote; None if there is no such kind."""
    wanted = re.sub(r"\s*([(),])\s*", r"\1", " ".join(text.upper().split()))
    if wanted.endswith("[]"):
        inner = read_kind(wanted.removesuffix("[]"))
        return f"{inner}[]" if inner else None
    wanted = wanted.replace("NUMERIC(", "DECIMAL(")
    if (parts := decimal(wanted)) is not None:
        return wanted if 0 < parts[0] <= MAX_DIGITS and parts[1] <= parts[0] else None
    wanted = _SYNONYMS.get(wanted, wanted)
    return wanted if wanted in PLAIN else None


def arrow_type(kind: str) -> pa.DataType:
    """Return the Arrow type in which values of a kind travel; a UUID travels as its 16 bytes."""
    import pyarrow as pa

    if (inner := element(kind)) is not None:
        return pa.list_(arrow_type(inner))
    if (parts := decimal(kind)) is not None:
        return pa.decimal128(*parts)
    types = {
        "BOOLEAN": pa.bool_(),
        "SMALLINT": pa.int16(),
        "INTEGER": pa.int32(),
        "BIGINT": pa.int64(),
        "UBIGINT": pa.uint64(),
        "FLOAT": pa.float32(),
        "DOUBLE": pa.float64(),
        "BLOB": pa.binary(),
        "DATE": pa.date32(),
        "TIME": pa.time64("us"),
        "TIMESTAMP": pa.timestamp("us"),
        "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
        "UUID": pa.binary(16),
    }
    return types.get(kind, pa.string())


def holds(kind: str, other: str) -> bool:
    """Whether a column of one kind takes every value of another one, unchanged."""
    if kind == other:
        return True
    if kind == UNKNOWN or other == UNKNOWN:
        return False
    inner, other_inner = element(kind), element(other)
    if inner is not None or other_inner is not None:
        return inner is not None and other_inner is not None and holds(inner, other_inner)
    if kind in INTEGERS and other in INTEGERS:
        return INTEGERS.index(kind) >= INTEGERS.index(other)
    if kind == "DOUBLE":
        return other in ("FLOAT", "SMALLINT", "INTEGER")
    if (mine := decimal(kind)) is not None:
        return _decimal_holds(mine, other)
    return False


def _decimal_holds(mine: tuple[int, int], other: str) -> bool:
    whole = mine[0] - mine[1]
    if (theirs := decimal(other)) is not None:
        return whole >= theirs[0] - theirs[1] and mine[1] >= theirs[1]
    return other in _INTEGER_DIGITS and whole >= _INTEGER_DIGITS[other]


def wider(kind: str, other: str) -> str | None:
    """Return the smallest kind that holds two kinds; None when there is none that changes no value."""
    if holds(kind, other):
        return kind
    if holds(other, kind):
        return other
    mine, theirs = _as_decimal(kind), _as_decimal(other)
    if mine is None or theirs is None or (decimal(kind) is None and decimal(other) is None and "UBIGINT" not in (kind, other)):
        return None
    decimals = max(mine[1], theirs[1])
    digits = max(mine[0] - mine[1], theirs[0] - theirs[1]) + decimals
    return f"DECIMAL({digits},{decimals})" if digits <= MAX_DIGITS else None


def with_decimals_of(kind: str, other: str) -> str | None:
    """Return the longest decimal with the decimals of another one, if these are more, and room for its whole digits.

    A value of the first kind may need more whole digits than are left: whoever changes a column finds that out.
    """
    mine, theirs = decimal(kind), decimal(other)
    if mine is None or theirs is None or theirs[1] <= mine[1]:
        return None
    return f"DECIMAL({MAX_DIGITS},{theirs[1]})"


def _as_decimal(kind: str) -> tuple[int, int] | None:
    if kind in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[kind], 0
    return decimal(kind)
