"""A reader of a published database: opens and queries it as fast as it can until a file says stop, and tells what it saw.

Run as: reader_process.py KIND TARGET STOP. Two tables, FIRST and SECOND, have ROWS rows each that all hold the number of the run.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ROWS = 2 * 10**3
QUERIES = [f"SELECT count(*), min(run), max(run) FROM {table}" for table in ("FIRST", "SECOND")]


def rows(run: int) -> str:
    """Return a SELECT of the rows of one run, in the SQL of all three."""
    digits = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))"
    return f"SELECT {run} AS run FROM (VALUES (1), (2)) AS x, {digits} AS a, {digits} AS b, {digits} AS c"


def main() -> None:
    """Read until told to stop; print how many times, the runs seen in turn, and everything that was wrong."""
    kind, target, stop = sys.argv[1:]
    reads, faults = 0, list[str]()
    runs: list[object] = [0]
    with READERS[kind](target) as read:
        while not Path(stop).exists():
            try:
                first, second = read()
            except Exception as error:  # whatever a reader meets is what the test is about
                faults.append(f"{type(error).__name__}: {error}")
                continue
            reads += 1
            if not first == second == (ROWS, first[1], first[1]):
                faults.append(f"mixture: {first} {second}")
            if first[1] != runs[-1]:
                runs.append(first[1])
    print(json.dumps({"reads": reads, "runs": runs[1:], "faults": faults[:5]}))


Read = Callable[[], list[tuple[object, ...]]]


@contextmanager
def _duckdb(target: str) -> Iterator[Read]:
    import duckdb

    def read() -> list[tuple[object, ...]]:
        with duckdb.connect(target, read_only=True) as connection:
            return [connection.execute(query).fetchall()[0] for query in QUERIES]

    yield read


@contextmanager
def _sqlite(target: str) -> Iterator[Read]:
    def read() -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"{Path(target).as_uri()}?mode=ro", uri=True, timeout=0)) as connection:
            return [connection.execute(query).fetchone() for query in QUERIES]

    yield read


@contextmanager
def _postgresql(target: str) -> Iterator[Read]:
    import psycopg

    with psycopg.connect(target) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SET deadlock_timeout = '100ms'")

        def read() -> list[tuple[object, ...]]:
            with connection.transaction():
                return [connection.execute(query).fetchall()[0] for query in QUERIES]

        yield read


READERS = {"duckdb": _duckdb, "sqlite": _sqlite, "postgresql": _postgresql}

if __name__ == "__main__":
    main()
