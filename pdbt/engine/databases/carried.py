"""Values of DuckDB's types in files and in Arrow: each arrives equal, or is refused by its column's name.

What a format has no type for becomes text there. DuckDB itself would write HUGEINT to Parquet as a rounded DOUBLE, NaN to JSON
as a bare word, and a list to CSV in a notation of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..reading.model import Column
from .names import quoted, text
from .reader import REFUSED

if TYPE_CHECKING:
    import duckdb

DECIMAL_DIGITS = 38
SHEET_TYPES = frozenset(
    "BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT "
    "FLOAT DOUBLE DATE TIME TIMESTAMP VARCHAR".split()
)
_QUOTED = r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\''  # the names of a structure's fields, the values of an enum
_NESTED = re.compile(r"(\]$)|^(STRUCT|MAP|UNION|VARIANT)\b")
_TIME_WITH_ZONE = "TIME WITH TIME ZONE"
# In a list or a structure, types that Parquet or Arrow would round, cut or not know, and what holds their values.
_HELD_WITHIN = re.compile(rf"{_QUOTED}|\b(?P<huge>U?HUGEINT)\b|\b(?P<text>INTERVAL|{_TIME_WITH_ZONE}|BIT|BIGNUM)\b")
_STRINGS_OF_JSON = r'"(?:[^"\\]|\\.)*"'
_FRACTIONS_OF_JSON = r"-?\d+\.\d+(?:[eE][+-]?\d+)?|-?\d+[eE][+-]?\d+"
_EXACT_CHARACTERS = 16  # a double holds every number that is written with so many

Carry = Callable[[str, str], str]


def is_nested(kind: str) -> bool:
    """Return True for a list, a structure, a map, and what may be one."""
    return _NESTED.search(kind) is not None


def json_text(name: str, kind: str) -> str:
    """Return the expression that writes a nested column as JSON text; a value that JSON has no word for is refused."""
    return _unless_json_loses(name, kind, f"CAST(to_json({quoted(name)}) AS VARCHAR)")


def in_csv(name: str, kind: str) -> str:
    """Return the expression of a column in a CSV file."""
    return json_text(name, kind) if is_nested(kind) else quoted(name)


def in_json(name: str, kind: str) -> str:
    """Return the expression of a column in a JSON file."""
    column = quoted(name)
    if kind in ("FLOAT", "DOUBLE"):
        return _unless(f"NOT isfinite({column})", f"column {name} holds NaN or infinity, which JSON has no word for", column)
    return _unless_json_loses(name, kind, column)


def in_parquet(name: str, kind: str) -> str:
    """Return the expression of a column in a Parquet file."""
    column = quoted(name)
    if kind == "INTERVAL":
        return _unless(
            f"datepart('microsecond', {column}) % 1000 <> 0", f"column {name} holds an INTERVAL finer than Parquet's milliseconds", column
        )
    return in_arrow(name, kind)


def in_arrow(name: str, kind: str) -> str:
    """Return the expression of a column in an Arrow table that Python code reads."""
    column = quoted(name)
    if kind in ("HUGEINT", "UHUGEINT"):
        return huge_decimal(name)
    if kind in (_TIME_WITH_ZONE, "BIT", "BIGNUM"):
        return f"CAST({column} AS VARCHAR)"
    if _has(kind, "UNION", "VARIANT"):
        return json_text(name, kind)
    held_as = _HELD_WITHIN.sub(_held_within, kind) if is_nested(kind) else kind
    if held_as == kind:
        return column
    cast = f"TRY_CAST({column} AS {held_as})"
    return _unless(f"CAST({cast} AS VARCHAR) IS DISTINCT FROM CAST({column} AS VARCHAR)", _too_long(name), cast)


def in_sheet(name: str, kind: str) -> str:
    """Return the expression of a column in a spreadsheet."""
    column = quoted(name)
    if kind in ("DATE", "TIMESTAMP"):  # of which Python would make the last day of the year 9999
        return _unless(f"NOT isfinite({column})", f"column {name} holds infinity, which a sheet has no date for", column)
    if kind in SHEET_TYPES or kind.startswith("DECIMAL"):
        return column
    return json_text(name, kind) if is_nested(kind) else f"CAST({column} AS VARCHAR)"


def huge_decimal(name: str) -> str:
    """Return the expression that casts a HUGEINT or UHUGEINT, which may have one digit too many, to a DECIMAL."""
    column = quoted(name)
    held = f"TRY_CAST({column} AS DECIMAL({DECIMAL_DIGITS},0))"
    return f"coalesce({held}, {_unless(f'{column} IS NOT NULL', _too_long(name), 'NULL')})"


def microseconds(name: str) -> str:
    """Return the expression that casts a timestamp of another unit to one of microseconds."""
    column = quoted(name)
    cut = f"CAST(CAST({column} AS TIMESTAMP) AS TIMESTAMP_NS) <> CAST({column} AS TIMESTAMP_NS)"
    return _unless(cut, f"column {name} holds a time finer than microseconds", f"CAST({column} AS TIMESTAMP)")


def without_nan(name: str, value: str) -> str:
    """Return the value of a floating column for a database that has no NaN, and would make NULL of it."""
    return _unless(f"isnan({quoted(name)})", f"column {name} holds NaN, which SQLite does not have", value)


def selected(connection: duckdb.DuckDBPyConnection, relation: str, carry: Carry) -> tuple[list[Column], str]:
    """Return the columns of a relation, and the SELECT of them as `carry` says."""
    columns = [Column(str(name), str(kind)) for name, kind, *_ in connection.execute(f"DESCRIBE FROM {relation}").fetchall()]
    return columns, f"SELECT {carried(columns, carry)} FROM {relation}"


def carried(columns: Sequence[Column], carry: Carry) -> str:
    """Return the expressions of columns under their names."""
    expressions = ((quoted(column.name), carry(column.name, column.type)) for column in columns)
    return ", ".join(name if name == expression else f"{expression} AS {name}" for name, expression in expressions)


def _has(kind: str, *types: str) -> bool:
    """Return True if a type is one of these or has one within."""
    return re.search(rf"\b(?:{'|'.join(types)})\b", re.sub(_QUOTED, "", kind)) is not None


def _held_within(match: re.Match[str]) -> str:
    return f"DECIMAL({DECIMAL_DIGITS},0)" if match["huge"] else "VARCHAR" if match["text"] else match[0]


def _too_long(name: str) -> str:
    return f"column {name} holds an integer of more than {DECIMAL_DIGITS} digits"


def _unless(refused: str, reason: str, value: str) -> str:
    """Return an expression that is the value, unless the condition is true: that ends the statement with the reason."""
    return f"CASE WHEN {refused} THEN error({text(REFUSED + reason)}) ELSE {value} END"


def _unless_json_loses(name: str, kind: str, value: str) -> str:
    """Return the value, unless it has NaN, infinity, or a JSON number that DuckDB would write with other digits."""
    column = quoted(name)
    if is_nested(kind) and _has(kind, "FLOAT", "DOUBLE", "VARIANT", "JSON"):
        bare = f"regexp_replace(CAST(to_json({column}) AS VARCHAR), {text(_STRINGS_OF_JSON)}, '', 'g')"
        value = _unless(
            f"regexp_matches({bare}, 'NaN|Infinity')", f"column {name} holds NaN or infinity, which JSON has no word for", value
        )
    if _has(kind, "JSON"):
        numbers = f"regexp_extract_all({_without_strings(column)}, {text(_FRACTIONS_OF_JSON)})"
        altered = f"length(number) > {_EXACT_CHARACTERS} AND CAST(CAST(number AS DOUBLE) AS VARCHAR) <> number"
        refused = f"len(list_filter({numbers}, lambda number: {altered})) > 0"
        value = _unless(refused, f"column {name} holds a JSON number of more digits than DuckDB writes", value)
    return value


def _without_strings(value: str) -> str:
    return f"regexp_replace(CAST({value} AS VARCHAR), {text(_STRINGS_OF_JSON)}, '', 'g')"
