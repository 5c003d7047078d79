"""A reader: opens the published database and asks, again and again, until a file tells it to stop; then says what it saw.

Usage: reading_process.py KIND TARGET STOP_FILE. It prints a line once it has read, then one JSON object: `reads`, `answers` (each
different one, in order of its first appearance, from one statement) and `in_turn` (the same facts from one statement per table).
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.pipeline.pair import GENERATION

IN_TURN = (
    "SELECT min(run), max(run), count(*) FROM LEFT_SIDE",
    "SELECT min(run), max(run), count(*) FROM RIGHT_SIDE",
    "SELECT max(run), max(pairs) FROM PAIRS",
)

Ask = Callable[[str], tuple[Any, ...]]


@contextlib.contextmanager
def opened(kind: str, target: str) -> Iterator[Ask]:
    """Open the database as a reader does, and give a function that asks for one row."""
    if kind == "duckdb":
        import duckdb

        with duckdb.connect(target, read_only=True) as database:
            yield lambda sql: database.execute(sql).fetchall()[0]
    elif kind == "postgresql":
        import psycopg

        with psycopg.connect(target, connect_timeout=10) as server:
            server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield lambda sql: server.execute(sql.encode()).fetchall()[0]
    else:
        with contextlib.closing(sqlite3.connect(f"{Path(target).as_uri()}?mode=ro", uri=True)) as connection:
            yield lambda sql: connection.execute(sql).fetchall()[0]


def read_until(kind: str, target: str, stop: Path) -> dict[str, object]:
    """Read as fast as possible until `stop` exists."""
    reads = 0
    answers: dict[tuple[Any, ...], None] = {}
    in_turn: dict[tuple[Any, ...], None] = {}
    while not stop.exists():
        with opened(kind, target) as ask:
            answers[ask(GENERATION)] = None
        with opened(kind, target) as ask:
            in_turn[tuple(value for sql in IN_TURN for value in ask(sql))] = None
        if not reads:
            print("reading", flush=True)
        reads += 2
    return {"reads": reads, "answers": list(answers), "in_turn": list(in_turn)}


if __name__ == "__main__":
    print(json.dumps(read_until(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
