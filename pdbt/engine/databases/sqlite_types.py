"""What DuckDB's types become in SQLite, and what SQLite's values are when they are read back."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from ..reading.model import Column
from .carried import is_nested, json_text, without_nan
from .names import cast, quoted

COLUMNS_AT_MOST = 2_000  # SQLITE_MAX_COLUMN, as SQLite is built by default
EXACT_DIGITS = 15  # any decimal number of so many digits is the same after a double held it
EXACT_INTEGER = 2**53
SCANNED_COLUMNS = 500  # two results for each, in a query that may have 2,000

_HELD = {"BIGINT": "INTEGER", "VARCHAR": "TEXT", "BLOB": "BLOB"}
_INTEGERS = frozenset("BOOLEAN TINYINT SMALLINT INTEGER UTINYINT USMALLINT UINTEGER".split())
_WIDE_INTEGERS = frozenset("UBIGINT HUGEINT UHUGEINT".split())
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


def stored(column: Column, fits: bool) -> tuple[str, str]:
    """Return the SQLite type of a column and the DuckDB expression that casts to it.

    Args:
        column: the column, with its DuckDB type.
        fits: for a column that `may_not_fit`: whether its values do.
    """
    name, kind = quoted(column.name), column.type.upper()
    if kind == "DOUBLE":
        return "REAL", without_nan(column.name, name)
    if kind in _HELD:
        return _HELD[kind], name
    if kind in _INTEGERS or (kind in _WIDE_INTEGERS and fits):
        return "INTEGER", cast(name, "BIGINT")
    if kind == "FLOAT":  # by its text: 0.1 stays 0.1 and does not become 0.10000000149011612
        return "REAL", without_nan(column.name, f"CAST({cast(name, 'VARCHAR')} AS DOUBLE)")
    if _DECIMAL.fullmatch(kind) and fits:
        return "REAL", cast(name, "DOUBLE")
    if kind == "TIMESTAMP WITH TIME ZONE":  # DuckDB writes the zone as +00, SQLite's functions know +00:00
        return "TEXT", f"{cast(name, 'VARCHAR')} || CASE WHEN isfinite({name}) THEN ':00' ELSE '' END"
    if is_nested(kind):
        return "TEXT", json_text(column.name, kind)
    return "TEXT", cast(name, "VARCHAR")


def may_not_fit(column: Column) -> str | None:
    """Return the DuckDB condition that finds a value which neither an integer nor a double of SQLite holds exactly.

    None for a type whose values all fit, or are text anyway.
    """
    name, kind = quoted(column.name), column.type.upper()
    if kind in _WIDE_INTEGERS:
        return f"TRY_CAST({name} AS BIGINT) IS NULL AND {name} IS NOT NULL"
    if (decimal := _DECIMAL.fullmatch(kind)) and int(decimal[1]) > EXACT_DIGITS:
        whole_digits = EXACT_DIGITS - int(decimal[2])
        return f"abs({name}) >= 1e{whole_digits}" if whole_digits > 0 else f"{name} <> 0"
    return None


def read_expressions(connection: sqlite3.Connection, table: str) -> tuple[list[str], list[str]]:
    """Return, for each column of a table, an expression that gives values of one type only, and an example of that type.

    SQLite's columns take values of any type; a reader that learns the type from the first rows fails on later ones. So the
    whole table is looked at, once: only integers, only numbers, only blobs, else text.
    """
    names = [str(name) for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", [table])]
    expressions, examples = [], []
    for start in range(0, len(names), SCANNED_COLUMNS):
        columns = [quoted(name) for name in names[start : start + SCANNED_COLUMNS]]
        for column, (least, most) in zip(columns, _kinds(connection, table, columns), strict=True):
            expression, example = _uniform(connection, table, column, least, most)
            expressions.append(f"{expression} AS {column}")
            examples.append(f"{example} AS {column}")
    return expressions, examples


def _kinds(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> list[tuple[str | None, str | None]]:
    """Return the alphabetically first and last type of each column's values: blob, integer, real, text; None without values."""
    known = [f"CASE WHEN {column} IS NOT NULL THEN typeof({column}) END" for column in columns]
    wanted = ", ".join(f"min({kind}), max({kind})" for kind in known)
    found = connection.execute(f"SELECT {wanted} FROM {quoted(table)}").fetchone()
    return list(zip(found[::2], found[1::2], strict=True))


def _uniform(connection: sqlite3.Connection, table: str, column: str, least: str | None, most: str | None) -> tuple[str, str]:
    """Return expression and example for a column whose values have types from `least` to `most`."""
    if least == most == "integer":
        return column, "0"
    if least == "blob":
        return f"CAST({column} AS BLOB)", "x''"
    if most == "real" and (least == "real" or _doubles_hold(connection, table, column)):
        return f"CAST({column} AS REAL)", "0.0"
    if least == most:  # text, or nothing but NULL
        return f"CAST({column} AS TEXT)", "''"
    short = f"CAST({column} AS TEXT)"  # of a real: 15 digits, which may be too few to mean the same number
    exact = f"CASE WHEN typeof({column}) = 'real' AND CAST({short} AS REAL) <> {column} THEN printf('%!.17g', {column}) ELSE {short} END"
    return exact, "''"


def _doubles_hold(connection: sqlite3.Connection, table: str, column: str) -> bool:
    """Tell whether the integers among a column's numbers stay the same as doubles."""
    beyond = f"typeof({column}) = 'integer' AND {column} NOT BETWEEN -{EXACT_INTEGER} AND {EXACT_INTEGER}"
    return connection.execute(f"SELECT 1 FROM {quoted(table)} WHERE {beyond} LIMIT 1").fetchone() is None
