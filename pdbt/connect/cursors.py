"""The cursor of a script of scripts/source: its highest value so far, and the condition that asks a database for the rows from there on.

The condition may give rows again that are there already, for they are merged by their key; it must never leave out one that is new. So
where a database does not compare values as they are meant (SQLite has text for times and decimals), it is asked for a little more.
"""

from __future__ import annotations

import datetime
import decimal
import math
from dataclasses import dataclass

from ..engine.errors import SettingsError
from .source_script import Script
from .sql import quoted

_DAY_SECONDS = 86_400
_MICROSECONDS = 26  # characters of an ISO text to that digit; DuckDB may give more
_ZONES = datetime.timedelta(hours=14)  # how far a clock on the wall is ahead of UTC at most
_CLOCKS = datetime.timedelta(minutes=5)  # how far two machines' clocks may be apart
# SQLite counts days in doubles and times in milliseconds: a little less than each highest value is asked for.
_SQLITE_MARGIN_DAYS = "0.0000001"
_TIMES = ("TIME", "TIMESTAMP", "TIMESTAMPTZ")
_WITHOUT_ORDER = ("BOOLEAN", "BLOB")
_WITH_INFINITIES = ("FLOAT", "DOUBLE", "DATE", "TIMESTAMP", "TIMESTAMPTZ")


@dataclass(frozen=True)
class Cursor:
    """The highest value of a cursor.

    Attributes:
        value: the value, as a script's function ``table`` is given it.
        kind: DuckDB's name for its type.
    """

    value: object
    kind: str


def plain_kind(declared: str) -> str:
    """Return the short name of a type of DuckDB's; timestamps of every precision are TIMESTAMP."""
    if declared.startswith("TIMESTAMP WITH TIME ZONE"):
        return "TIMESTAMPTZ"
    return "TIMESTAMP" if declared.startswith("TIMESTAMP_") else declared


def highest_expression(column: str, kind: str) -> str:
    """Return the SQL of DuckDB for a column's highest value as text: infinities and NaN hide nothing that comes later."""
    name = quoted(column)
    finite = f" FILTER (isfinite({name}))" if kind in _WITH_INFINITIES else ""
    exact = "::DOUBLE" if kind == "FLOAT" else ""  # the shortest text of 32 bits is another number in 64
    return f"(max({name}){finite}){exact}::VARCHAR"


def read_value(text: str, kind: str) -> object:
    """Return the value that DuckDB wrote as text."""
    if kind == "TIMESTAMPTZ":
        return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)
    if kind == "TIMESTAMP":
        return datetime.datetime.fromisoformat(text[:_MICROSECONDS])
    if kind == "DATE":
        return datetime.date.fromisoformat(text)
    if kind.startswith("DECIMAL"):
        return decimal.Decimal(text)
    if kind in ("DOUBLE", "FLOAT"):
        return float(text)
    return int(text) if kind.endswith("INT") or kind == "INTEGER" else text


def require_order(script: Script, kind: str) -> None:
    """Refuse a cursor whose values have no order that two databases agree on, or from which its lookback cannot be counted.

    Raises:
        SettingsError: says so.
    """
    if kind in _WITHOUT_ORDER or (kind.endswith((")", "]")) and not kind.startswith("DECIMAL")):
        raise SettingsError(
            f"{script.label}: the cursor {script.cursor} is of type {kind}, which tells no newer rows from older ones.",
            "Take a column of numbers, times or text.",
        )
    if script.lookback and kind == "VARCHAR":
        raise SettingsError(
            f"{script.label}: the cursor {script.cursor} is text, which no lookback can be counted from.", "Cast it in the query."
        )


def condition(script: Script, cursor: Cursor, product: str) -> str:
    """Return the condition, in the SQL of a product, on the rows from the highest cursor on, and on those without one."""
    name = quoted(script.cursor, "`" if product == "MySQL" else '"')
    value = _earlier(cursor.value, script.lookback)
    if product == "SQLite":
        return _condition_of_sqlite(name, value, cursor.kind)
    # MySQL's session is in UTC, and MariaDB reads no zone.
    literal = _text(value, product) if isinstance(value, str) else _literal(value, zoned=product != "MySQL")
    return f"{name} >= {literal} OR {name} IS NULL"


def _text(value: str, product: str) -> str:
    """Write a text of the origin's own rows as its SQL reads it: to some a backslash begins an escape."""
    if product == "MySQL" and "\\" in value:  # whether it does depends on the session's mode: these digits mean the same in all
        return f"_utf8mb4 X'{value.encode().hex()}'"
    if product in ("Snowflake", "BigQuery"):
        value = value.replace("\\", "\\\\")
    quote = "\\'" if product == "BigQuery" else "''"
    return "'" + value.replace("'", quote) + "'"


def _condition_of_sqlite(name: str, value: object, kind: str) -> str:
    """Return the condition for columns in which decimals and times are text, of whatever length, and a number may stand among texts."""
    literal = _literal(value, zoned=True)
    if kind in _TIMES:  # what it cannot read as a time is NULL to julianday, and is fetched, so that it is refused by name
        return f"julianday({name}) >= julianday({literal}) - {_SQLITE_MARGIN_DAYS} OR julianday({name}) IS NULL"
    if kind.startswith("DECIMAL"):  # a number and its neighbours may be one double, but never change their order
        return f"CAST({name} AS REAL) >= CAST({literal} AS REAL) OR {name} IS NULL"
    other = f" OR typeof({name}) <> 'text'" if isinstance(value, (str, datetime.date)) else f" OR {name} IS NULL"
    return f"{name} >= {literal}{other}"


def _earlier(value: object, lookback: int) -> object:
    """Return a cursor less the lookback; from the earliest date that there is, nothing is taken away."""
    try:
        if isinstance(value, datetime.datetime):
            return value - datetime.timedelta(seconds=lookback)
        if isinstance(value, datetime.date):  # which has no hours: what is less than a day is one
            return value - datetime.timedelta(days=math.ceil(lookback / _DAY_SECONDS))
    except OverflowError:
        return datetime.datetime.min.replace(tzinfo=value.tzinfo) if isinstance(value, datetime.datetime) else datetime.date.min
    if isinstance(value, float):
        return math.nextafter(value - lookback, -math.inf)  # some compare a sum of integers and fractions, rounded
    return value - lookback if isinstance(value, (int, decimal.Decimal)) else value


def _literal(value: object, *, zoned: bool) -> str:
    """Write a value as the SQL of all four databases reads it."""
    if isinstance(value, datetime.datetime):
        zone = "+00:00" if zoned and value.tzinfo is not None else ""
        return f"'{value.replace(tzinfo=None).isoformat(' ')}{zone}'"
    if isinstance(value, float):
        text = repr(value)
        return text if "e" in text else f"{text}e0"  # without an exponent it is a decimal to some
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def lies_in_future(value: object, now: datetime.datetime) -> bool:
    """Return True if a cursor, a time or a text that begins as one, is later than any clock shows at `now`, a time of UTC."""
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value[:_MICROSECONDS])
        except ValueError:
            return False
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            return value > now + _CLOCKS
        return value > now.replace(tzinfo=None) + _ZONES
    return isinstance(value, datetime.date) and value > (now + _ZONES).date()
