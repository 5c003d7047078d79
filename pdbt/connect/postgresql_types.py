"""PostgreSQL's types: what kinds their values are, and which type a kind is given."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .kinds import MAX_DIGITS, UNKNOWN

_KINDS = {
    "boolean": "BOOLEAN",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "text": "VARCHAR",
    "bytea": "BLOB",
    "date": "DATE",
    "time without time zone": "TIME",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMPTZ",
    "uuid": "UUID",
    "json": "JSON",
    "jsonb": "JSON",
    "name": "VARCHAR",
}
NATIVE = {
    "BOOLEAN": "boolean",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "BLOB": "bytea",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMPTZ": "timestamp with time zone",
    "UUID": "uuid",
    "JSON": "json",
}
SENDER = "SELECT typsend::regproc::text FROM pg_type WHERE oid = to_regtype(%s)"
"""Asks for the function that gives a value of a type as bytes."""

_LABELS = "SELECT quote_literal(enumlabel) FROM pg_enum WHERE enumtypid = to_regtype(%s) ORDER BY enumsortorder"
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")
_TEXT = re.compile(r"character( varying)?(\(\d+\))?|\"char\"")
# Texts that differ in case or accents may be the same to a collation (of PostgreSQL 12 and later), and are to the type citext.
LOOSE = """
    SELECT attname FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid LEFT JOIN pg_collation c ON c.oid = attcollation
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
    AND (t.typname = 'citext' OR to_jsonb(c) ->> 'collisdeterministic' = 'false')
"""


def kind_of(native: str) -> str:
    """Return the kind of a column's values, from its type as format_type() writes it."""
    if native.endswith("[]"):
        inner = kind_of(native.removesuffix("[]"))
        return f"{inner}[]" if inner and inner not in ("UUID", "JSON") else UNKNOWN
    if (digits := _NUMERIC.fullmatch(native)) is not None:
        return f"DECIMAL({digits[1]},{digits[2]})" if int(digits[1]) <= MAX_DIGITS and int(digits[2]) <= int(digits[1]) else UNKNOWN
    if _TEXT.fullmatch(native):
        return "VARCHAR"
    return _KINDS.get(re.sub(r"^(time|timestamp)\(\d\)", r"\1", native), UNKNOWN)


def open_kind(native: str) -> str:
    """Return the kind that a target's column takes when its type has no limit of its own."""
    return "NUMERIC" if native == "numeric" else UNKNOWN


def enum_labels(rows: Callable[..., list[tuple[Any, ...]]], native: str) -> list[str]:
    """Return the words of an enum, in order and quoted; none for a type that is no enum."""
    return [str(label) for (label,) in rows(_LABELS, native)]
