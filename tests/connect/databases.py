"""The databases of these tests, each looked at through its own driver and never through pdbt, so that both ends are told apart."""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import json
import math
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb
import psycopg

from tests import mysql

NAMES = ("postgresql", "mysql", "sqlite", "duckdb")
COLUMNS = "id b s i8 f d n t bl dt tm ts tz u j".split()
_UTC = datetime.UTC
_EPOCH = datetime.datetime(1970, 1, 1)

# Every type that all four have, in DuckDB's SQL: edges first, then rows that differ in each column, NULL and '' among them.
EVERY_TYPE = """
    SELECT i::BIGINT AS id, CASE i % 3 WHEN 0 THEN NULL ELSE i % 2 = 0 END AS b, (i % 65536 - 32768)::SMALLINT AS s,
        CASE i WHEN 0 THEN -9223372036854775808 WHEN 1 THEN 9223372036854775807 WHEN 2 THEN NULL ELSE i * 92233720368547 END::BIGINT AS i8,
        CASE WHEN i % 7 = 0 THEN NULL ELSE i / 7 END::FLOAT AS f, CASE i WHEN 1 THEN 1.7976931348623157e308 WHEN 2 THEN 5e-324 ELSE i / 7 END::DOUBLE AS d,
        CASE i WHEN 1 THEN '-9999999999999999999999999999.9999999999' WHEN 2 THEN NULL ELSE '1234567890123456789012345678.' || lpad(i::VARCHAR, 10, '0') END::DECIMAL(38, 10) AS n,
        CASE i % 6 WHEN 0 THEN '' WHEN 1 THEN NULL WHEN 2 THEN 'héé😀 "q" ''a'' \\ , ' || chr(9) || chr(10) || chr(13) || i WHEN 3 THEN 'NULL'
            WHEN 4 THEN '\\N' ELSE 'row ' || i END AS t,
        CASE i % 3 WHEN 0 THEN ''::BLOB WHEN 1 THEN NULL ELSE '\\x00\\xFF\\x22\\x0A\\x5C'::BLOB END AS bl,
        CASE WHEN i = 5 THEN NULL WHEN i = 6 THEN DATE '9999-12-31' ELSE DATE '1900-01-01' + (i % 50000)::INTEGER END AS dt,
        CASE WHEN i = 5 THEN NULL WHEN i = 6 THEN TIME '23:59:59.999999' ELSE TIME '00:00:00' + i * INTERVAL 1001 MICROSECOND END AS tm,
        CASE WHEN i = 5 THEN NULL ELSE TIMESTAMP '1969-12-31 23:59:59.123456' + i * INTERVAL 1 SECOND END AS ts,
        CASE WHEN i = 5 THEN NULL ELSE (TIMESTAMP '1999-12-31 23:59:59.123456' + i * INTERVAL 1 SECOND)::TIMESTAMPTZ END AS tz,
        CASE WHEN i = 5 THEN NULL ELSE md5(i::VARCHAR)::UUID END AS u,
        CASE WHEN i = 5 THEN NULL ELSE ('{"a": ' || i || ', "b":  ["x\\"y", null]}')::JSON END AS j
    FROM range({rows}) r(i)
"""  # noqa: E501


class Place(Protocol):
    """A database of the test."""

    url: str
    quote: str

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Execute statements; return the rows of the last one, if it has some."""
        ...


class PostgreSQLDatabase:
    quote = '"'

    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


class MySQLDatabase:
    quote = "`"

    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        return mysql.execute(self.url, *statements)


class SQLiteFile:
    quote = '"'

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall()


@functools.cache
def duckdb_here() -> duckdb.DuckDBPyConnection:
    """The DuckDB of this process that attaches files and reads others: making one for each look would cost more than all that is asked."""
    connection = duckdb.connect(config={"enable_external_file_cache": False})
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


@contextlib.contextmanager
def attached(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection whose database is a file."""
    with duckdb_here().cursor() as connection:
        connection.execute(f"ATTACH '{path}' AS place")
        try:
            connection.execute("USE place")
            yield connection
        finally:
            connection.execute("USE memory")
            connection.execute("DETACH place")


class DuckDBFile:
    quote = '"'

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"duckdb:///{path}"

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        with attached(self.path) as connection:
            for statement in statements:
                connection.execute(statement)
            return connection.fetchall()


def numbers(place: Place, count: int) -> str:
    """Return a SELECT of the numbers from 0 on, as i; DuckDB takes far longer for a recursion."""
    if isinstance(place, DuckDBFile):
        return f"SELECT i FROM range({count}) r(i)"
    return f"WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r WHERE i < {count - 1}) SELECT i FROM r"


def make_every_type(place: Place, table: str, rows: int) -> None:
    """Make the table of every type in DuckDB."""
    place.execute(f"CREATE TABLE {table} AS {EVERY_TYPE.replace('{rows}', str(rows))}")


def digest(place: Place, table: str, columns: Iterable[str] = COLUMNS) -> str:
    """Return the hash of all rows of a table of every type, by id, whatever each driver makes of a value."""
    wanted = list(columns)
    shown = ", ".join(_shown(place, column) for column in wanted)
    hashed = hashlib.sha256()
    for row in place.execute(f"SELECT {shown} FROM {table} ORDER BY id"):
        hashed.update(repr([canonical(value, column) for value, column in zip(row, wanted, strict=True)]).encode())
    return hashed.hexdigest()


def _shown(place: Place, column: str) -> str:
    if isinstance(place, (MySQLDatabase, PostgreSQLDatabase)) and column == "f":
        return f"CAST(f AS {'DOUBLE' if isinstance(place, MySQLDatabase) else 'DOUBLE PRECISION'})"  # or the server sends fewer digits
    if isinstance(place, DuckDBFile) and column == "tz":
        return "CAST(tz AS TIMESTAMP)"  # or DuckDB needs another library
    if isinstance(place, (PostgreSQLDatabase, DuckDBFile)) and column == "j":
        return "CAST(j AS VARCHAR)"
    return column


def canonical(value: object, column: str) -> object:
    """Return a value as Python has it, whatever the driver called it."""
    reader = _READERS.get(column)
    return value if value is None or reader is None else reader(value)


def _time(value: object) -> int:
    """Return microseconds since midnight."""
    if isinstance(value, datetime.timedelta):
        return value // datetime.timedelta(microseconds=1)
    moment = datetime.time.fromisoformat(str(value))
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond


def _moment(value: object) -> int:
    """Return microseconds since 1970, in UTC."""
    moment = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(str(value))
    naive = moment.astimezone(_UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return (naive - _EPOCH) // datetime.timedelta(microseconds=1)


_READERS: dict[str, Callable[[Any], object]] = {
    "b": bool,
    "f": lambda value: float(str(value)),
    "n": lambda value: Decimal(str(value)),
    "bl": bytes,
    "dt": str,
    "tm": _time,
    "ts": _moment,
    "tz": _moment,
    "u": lambda value: uuid.UUID(str(value)),
    "j": lambda value: value if isinstance(value, str) else json.dumps(value),
}


def same_float(one: float, other: float) -> bool:
    """Whether two floats are the same, NaN included."""
    return one == other or (math.isnan(one) and math.isnan(other))
