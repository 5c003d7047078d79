"""A table sink that is given batches, and its database as another program sees it, for the tests of what is stored."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import sqlite3
import uuid
from collections.abc import Iterator
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest

from pdbt.handlers import Batch, TableSink
from tests import mysql

DECIMAL = decimal.Decimal
MORNING = dt.datetime(2024, 5, 1, 10, tzinfo=dt.UTC)
on_each_target = pytest.mark.parametrize("target", ["duckdb", "mysql", "postgresql", "sqlite"], indirect=True)


def run_in(target: str, *statements: str) -> list[tuple[Any, ...]]:
    """Execute statements in a database as another program would, in UTC; return the rows of the last one."""
    path = target.partition("///")[2]
    if target.startswith("mysql"):
        return mysql.execute(target, *statements)
    if target.startswith("postgresql"):
        with psycopg.connect(target) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []
    if target.startswith("duckdb"):
        with duckdb.connect(path) as file:
            file.execute("SET TimeZone = 'UTC'")
            for statement in statements:
                found = file.execute(statement).fetchall()
            return found
    with contextlib.closing(sqlite3.connect(path)) as lite, lite:
        for statement in statements:
            found = lite.execute(statement).fetchall()
        return found


class SinkHere(TableSink):
    """A sink that takes no worker process, for tests of what it stores."""

    runs_in = "thread"


@contextlib.contextmanager
def storing(target: str, table: str = "stored", *, rests: bool = True) -> Iterator[Any]:
    """Give a function that stores a batch of one column, or of columns by name, and returns the number of rows or the error.

    Args:
        target: the URL of the database.
        table: the table.
        rests: let others have the database after each batch; DuckDB takes its time to open a file anew.
    """
    sink = TableSink(target, table)
    sink.setup()

    def store(*batches: pa.Array | dict[str, Any]) -> Any:
        tables = [pa.table(batch if isinstance(batch, dict) else {"x": batch}) for batch in batches]
        stored = sink.store([Batch(uuid.uuid4().hex, table) for table in tables])
        if rests:
            sink.rest()
        return stored[0] if len(batches) == 1 else stored

    try:
        yield store
    finally:
        sink.teardown()


def as_sent(found: Any, sent: Any) -> Any:
    """Return a value as it was sent: SQLite has texts for decimals and times, MySQL no zones and numbers for truths."""
    if isinstance(sent, (DECIMAL, float, int)) and isinstance(found, str):
        found = DECIMAL(found)
    if isinstance(sent, float) and isinstance(found, DECIMAL):
        return float(found)
    if isinstance(sent, DECIMAL) and isinstance(found, float):
        return DECIMAL(repr(found))
    if isinstance(sent, dt.time) and isinstance(found, dt.timedelta):
        return (dt.datetime.min + found).time()
    if isinstance(sent, dt.datetime) and isinstance(found, str):
        found = dt.datetime.fromisoformat(found)
    if isinstance(sent, dt.datetime) and isinstance(found, dt.datetime):
        return found.replace(tzinfo=dt.UTC) if sent.tzinfo and found.tzinfo is None else found
    return type(sent)(found) if isinstance(sent, bool) and found in (0, 1) else found
