"""One table of PostgreSQL read by several connections that see one picture of it: pages apart, in one exported snapshot."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psycopg

from .adbc import Session
from .stream import ahead

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST_PAGES = 1024  # 8 MB: what is smaller is read before a second connection has begun
_PAGES = "SELECT pg_relation_size(to_regclass(%s)) / current_setting('block_size')::bigint"
_KIND = "SELECT relkind::text, current_setting('server_version_num')::int, pg_is_in_recovery() FROM pg_class WHERE oid = to_regclass(%s)"
_FIRST_WITH_RANGES = 140_000  # PostgreSQL 14 reads a range of pages without reading the others


def why_undivided(connection: psycopg.Connection[tuple[object, ...]], name: str) -> str:
    """Return why a relation is read by one connection; empty when it can be divided.

    Args:
        connection: any connection to its database.
        name: its name as SQL writes it.
    """
    row = connection.execute(_KIND, (name,)).fetchone()
    if row is None or row[0] != "r":
        return "it is no plain table, and only these have pages that can be divided"
    if not isinstance(row[1], int) or row[1] < _FIRST_WITH_RANGES:
        return "PostgreSQL before 14 would read all of it for each part"
    return "the server is a standby, which exports no snapshot" if row[2] else ""


def ranges(pages: int, parts: int) -> list[str]:
    """Return conditions that divide a table's pages; the last one has no end, so that together they leave no page out."""
    parts = max(1, min(parts, pages // FEWEST_PAGES))
    marks = [pages * number // parts for number in range(parts)]
    ends = [f" AND ctid < '({mark},0)'::tid" for mark in marks[1:]]
    return [f"ctid >= '({mark},0)'::tid{end}" for mark, end in zip(marks, [*ends, ""], strict=True)]


def read_divided(
    url: str, name: str, parts: int, open_session: Callable[[], Session], select: Callable[[str], str], options: dict[str, str]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table as several connections read them, in no order; all see the table as it is now.

    Args:
        url: of the database.
        name: the table's name as SQL writes it.
        parts: how many connections there may be.
        open_session: opens one, in a transaction.
        select: makes the SELECT of a condition on pages.
        options: for the driver.
    """
    with psycopg.connect(url) as leader:
        leader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        snapshot = _first(leader, "SELECT pg_export_snapshot()")
        conditions = ranges(int(str(_first(leader, _PAGES, name))), parts)

        def read(condition: str) -> Iterator[pa.RecordBatch]:
            with contextlib.closing(open_session()) as session:
                session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", f"SET TRANSACTION SNAPSHOT '{snapshot}'")
                session.execute("SET LOCAL TimeZone = 'UTC'")
                with session.stream(select(condition), options) as batches:
                    yield from batches

        with ahead(*map(read, conditions)) as batches:
            yield from batches


def _first(connection: psycopg.Connection[tuple[object, ...]], select: str, *values: object) -> object:
    ((value,),) = connection.execute(select.encode(), values or None).fetchall()
    return value
