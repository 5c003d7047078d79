"""SQLite's types: what a column is declared as, and what its values, which may be of any type, really are."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from .base import Column
from .kinds import INTEGERS, MAX_DIGITS, UNKNOWN, decimal
from .sql import quoted

# SQLite's own FLOAT has 64 bits. A column of this name has them too, and holds floats of 32: that they are, its values say.
FLOAT32 = "FLOAT32"
NATIVE = {
    "BOOLEAN": "BOOLEAN",
    "SMALLINT": "SMALLINT",
    "INTEGER": "INT",
    "BIGINT": "BIGINT",
    "FLOAT": FLOAT32,
    "DOUBLE": "DOUBLE",
    "VARCHAR": "TEXT",
    "BLOB": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME TEXT",
    "TIMESTAMP": "TIMESTAMP",
    "TIMESTAMPTZ": "TIMESTAMPTZ",
    "UUID": "UUID TEXT",
    "JSON": "JSON TEXT",
}
WHOLE = frozenset("BOOLEAN SMALLINT INTEGER BIGINT".split())
FLOATS = frozenset({"FLOAT", "DOUBLE"})
_KINDS = {
    "BOOLEAN": "BOOLEAN",
    "BOOL": "BOOLEAN",
    "SMALLINT": "SMALLINT",
    "INT": "INTEGER",
    "INTEGER": "BIGINT",
    "BIGINT": "BIGINT",
    "FLOAT": "DOUBLE",
    FLOAT32: "DOUBLE",
    "DOUBLE": "DOUBLE",
    "DOUBLE PRECISION": "DOUBLE",
    "REAL": "DOUBLE",
    "BLOB": "BLOB",
    "DATE": "DATE",
    "TIME TEXT": "TIME",
    "TIMESTAMP": "TIMESTAMP",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMPTZ": "TIMESTAMPTZ",
    "UUID TEXT": "UUID",
    "JSON TEXT": "JSON",
}
# What SQLite calls the values of a column that is of a kind.
_STORED_AS = {"integer": WHOLE, "real": FLOATS, "blob": frozenset({"BLOB"})}
_DECIMAL = re.compile(r"DECIMAL TEXT\((\d+),\s*(\d+)\)")
_LIMITS = {"SMALLINT": 2**15, "INTEGER": 2**31, "BIGINT": 2**63}
_NARROW = ("SMALLINT", "INTEGER")
_EXACT_INTEGER = 2**53
_LAST_EXACT = 2**63 - 1024  # the greatest whole number below 2**63 that a double holds
_COLUMNS_A_QUERY = 400  # of up to three results each, of the 2,000 that a query may have
# A double is a float when its first 24 bits (by Veltkamp's splitting) are all that it has, below the greatest float; what is less than
# the least normal float is a multiple of 2**-149. The factors are products of numbers that SQLite reads exactly.
_GREATEST_FLOAT = "(16777215.0 * 4503599627370496.0 * 4503599627370496.0)"
_TO_MULTIPLES = "(4503599627370496.0 * 4503599627370496.0 * 35184372088832.0)"
_NORMAL, _SPLITTER = "8388608.0", "536870913.0"

Rows = Callable[[str], Sequence[tuple[Any, ...]]]


def declared_kind(native: str) -> str:
    """Return the kind that a column's declared type promises; the empty one when it promises nothing."""
    declared = " ".join(native.upper().split())
    if (found := _DECIMAL.fullmatch(declared)) is not None:
        return f"DECIMAL({found[1]},{found[2]})"
    if declared in _KINDS:
        return _KINDS[declared]
    return "BIGINT" if "INT" in declared else "VARCHAR" if re.search(r"CHAR|CLOB|TEXT", declared) else UNKNOWN


def found_columns(declared: Sequence[tuple[str, str]], relation: str, rows: Rows) -> list[Column]:
    """Return columns as what they are declared, if the values are that; else as what the values are.

    Args:
        declared: the columns' names and declared types.
        relation: what stands behind FROM.
        rows: runs a SELECT.
    """
    found: list[Column] = []
    for start in range(0, len(declared), _COLUMNS_A_QUERY):
        some = declared[start : start + _COLUMNS_A_QUERY]
        looks = [_looks(name, native) for name, native in some]
        (row,) = rows(f"SELECT {', '.join(look for each in looks for look in each)} FROM {relation}")
        values = iter(row)
        seen = [_seen(*(next(values) for _ in each)) for each in looks]
        mixed = [name for (name, _), (least, most, *_) in zip(some, seen, strict=True) if (least, most) == ("integer", "real")]
        rounded = _rounded(mixed, relation, rows)
        longer = [
            name
            for (name, native), (least, most, *more) in zip(some, seen, strict=True)
            if least == most == "text" and decimal(declared_kind(native)) is not None and not more[0]
        ]
        digits = _digits(longer, relation, rows)
        found += [
            _column(name, native, values[:2] + list(digits.get(name, values[2:])), name in rounded)
            for (name, native), values in zip(some, seen, strict=True)
        ]
    return found


def sent(column: Column) -> str:
    """Return the expression that reads a column."""
    name = quoted(column.name)
    if column.kind in FLOATS:
        return f"CAST({name} AS REAL) AS {name}"
    if column.kind == "TIMESTAMPTZ":
        return f"replace(replace({name}, '+00:00', ''), 'Z', '') AS {name}"
    if column.kind != UNKNOWN:
        return f"{name} AS {name}"
    short = f"CAST({name} AS TEXT)"  # of a real: 15 digits, which may be too few to mean the same number
    exact = f"WHEN typeof({name}) = 'real' AND CAST({short} AS REAL) <> {name} THEN printf('%!.17g', {name})"
    return f"CASE {exact} ELSE {short} END AS {name}"


def _looks(name: str, native: str) -> list[str]:
    """Return the expressions by which a column is looked at: its values' types, and what its own type asks."""
    column, kind = quoted(name), declared_kind(native)
    # This is half as much work as the least and the greatest of them.
    looks = [f"group_concat(DISTINCT typeof({column})) FILTER (WHERE {column} IS NOT NULL)"]
    if " ".join(native.upper().split()) == FLOAT32:
        looks.append(f"min({_is_float(column)})")
    elif decimal(kind) is not None:
        looks.append(f"min({_is_as_declared(column, kind)})")
    elif kind in _NARROW:
        looks += [f"min({column})", f"max({column})"]
    return looks


def _seen(types: str | None, *more: Any) -> list[Any]:
    """Return the first and last of the types of a column's values, in alphabetical order, and what else was seen of it."""
    if not types:
        return [None, None, *more]
    found = types.split(",")
    return [min(found), max(found), *more]


def _is_as_declared(column: str, kind: str) -> str:
    """Return the condition that the text of a decimal has the decimals of its declaration, and no more digits."""
    digits, decimals = decimal(kind) or (0, 0)
    if decimals:
        return f"substr({column}, {-decimals - 1}, 1) = '.' AND length({column}) <= {digits + 1}"
    return f"instr({column}, '.') = 0 AND length({column}) <= {digits}"


def _digits(names: Sequence[str], relation: str, rows: Rows) -> dict[str, tuple[int, int]]:
    """Return how many digits before and behind the point the values of some columns of decimals have."""
    if not names:
        return {}
    looks = []
    for column in map(quoted, names):
        point = f"nullif(instr({column}, '.'), 0)"
        sign = f"({column} < '.' COLLATE BINARY)"  # a text that begins with + or -
        whole = f"coalesce({point} - 1, length({column})) - {sign}"
        looks += [f"max({whole})", f"coalesce(max(length({column}) - {point}), 0)"]
    (row,) = rows(f"SELECT {', '.join(looks)} FROM {relation}")
    return {name: (int(row[2 * place]), int(row[2 * place + 1])) for place, name in enumerate(names)}


def _is_float(column: str) -> str:
    """Return the condition that a real is a number of 32 bits."""
    small = f"CAST({column} * {_TO_MULTIPLES} AS INTEGER) = {column} * {_TO_MULTIPLES}"
    split = f"{column} * {_SPLITTER} - ({column} * {_SPLITTER} - {column}) = {column}"
    finite = f"CASE WHEN abs({column}) * {_TO_MULTIPLES} < {_NORMAL} THEN {small} ELSE {split} END"
    others = f"CASE WHEN abs({column}) <= {_GREATEST_FLOAT} THEN {finite} ELSE abs({column}) = 9e999 END"
    return f"CASE WHEN abs({column}) BETWEEN 1.2e-38 AND 3.4e38 THEN {split} ELSE {others} END"


def _rounded(names: Sequence[str], relation: str, rows: Rows) -> set[str]:
    """Return those of some columns of whole numbers and fractions whose whole numbers are not all the same as doubles."""
    if not names:
        return set()
    beyond = [
        f"{name} NOT BETWEEN -{_EXACT_INTEGER} AND {_EXACT_INTEGER} AND typeof({name}) = 'integer'"
        f" AND ({name} > {_LAST_EXACT} OR CAST(CAST({name} AS REAL) AS INTEGER) <> {name})"
        for name in map(quoted, names)
    ]
    (row,) = rows(f"SELECT {', '.join(f'coalesce(max({condition}), 0)' for condition in beyond)} FROM {relation}")
    return {name for name, found in zip(names, row, strict=True) if found}


def _column(name: str, native: str, seen: Sequence[Any], is_rounded: bool) -> Column:
    """Return a column whose values are of SQLite's types from the first to the last, in alphabetical order, of what was seen."""
    least, most, *more = seen
    declared = declared_kind(native)
    shown = native or "nothing declared"
    if least is None:
        return Column(name, "FLOAT" if native == FLOAT32 else declared or "VARCHAR", shown)
    if least == most:
        fits = _STORED_AS.get(least)
        if (fits is not None and declared in fits) or (
            fits is None and declared and not any(declared in some for some in _STORED_AS.values())
        ):
            return Column(name, _of_values(declared, more), shown)
        # SQLite calls a column BLOB of which it knows nothing, as an expression's.
        if declared in (UNKNOWN, "VARCHAR", "BLOB") or (declared in FLOATS and least == "integer"):
            return Column(name, {"integer": "BIGINT", "real": "DOUBLE", "blob": "BLOB"}.get(least, "VARCHAR"), shown)
        return Column(name, UNKNOWN, f"{shown}, with values of type {least}")
    if (least, most) == ("integer", "real") and not is_rounded:
        return Column(name, "DOUBLE", shown)
    return Column(name, UNKNOWN, f"{shown}, with values of types {least} and {most}")


def _of_values(declared: str, more: Sequence[Any]) -> str:
    """Return the kind that holds all values of a column: the declared one, or a wider one, for SQLite keeps what it is given."""
    if declared == "DOUBLE" and more:
        return "FLOAT" if more[0] else declared
    if declared in _NARROW:
        least, most = more
        wide_enough = (kind for kind in INTEGERS[INTEGERS.index(declared) :] if -_LIMITS[kind] <= least and most < _LIMITS[kind])
        return next(wide_enough)
    if (digits := decimal(declared)) is not None and len(more) > 1:  # not all as it says
        whole, decimals = max(more[0], digits[0] - digits[1]), max(more[1], digits[1])
        if whole + decimals > MAX_DIGITS:
            whole, decimals = more
        return f"DECIMAL({whole + decimals},{decimals})" if whole + decimals <= MAX_DIGITS else UNKNOWN
    return declared
