"""Runs on other Dagsters as a test sees them: held until it says so, waited for beside it, compared with runs here."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psutil
import pytest

from pdbt import CloudResult, PdbtError, run_cloud
from tests.process.graphql import runs
from tests.process.instances import Shop

AT_MOST_SECONDS = 5.0
TOKEN = "a-token-that-nobody-may-see"
# Waits for a file to go away, so that a test says when the run may end.
SLOW = """\
import time
from pathlib import Path

import pyarrow


def table():
    while Path({hold!r}).exists():
        time.sleep(0.1)
    return pyarrow.table({{"n": [1]}})
"""


def refused(*arguments: object, **more: object) -> PdbtError:
    """Return what `run_cloud` says, which it must within five seconds."""
    start = time.monotonic()
    with pytest.raises(PdbtError) as told:
        run_cloud(*arguments, **more)  # type: ignore[arg-type] # as given
    assert time.monotonic() - start < AT_MOST_SECONDS
    assert told.value.exit_code == 2
    assert TOKEN not in f"{told.value!r} {told.value.__cause__!r} {told.value.__context__!r}"
    return told.value


def results(project: Path) -> dict[str, object]:
    """Return what a reader sees: the rows of every published table, and every export byte for byte."""
    (database,) = (project / "db").glob("database.*")
    tables = _tables_of_sqlite(database) if database.suffix == ".sqlite" else _tables_of_duckdb(database)
    files = {path.name: path.read_bytes() for folder in ("processed", "final") for path in (project / "data" / folder).glob("*.csv")}
    return {**tables, **files}


def _tables_of_duckdb(database: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(database), read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        return {name: connection.execute(f'SELECT * FROM "{name}" ORDER BY ALL').fetchall() for name in names}


def _tables_of_sqlite(database: Path) -> dict[str, list[tuple[object, ...]]]:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()]
        return {name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr) for name in names}


def hold(project: Path, tmp_path: Path) -> Path:
    """Give a project a table that is made only when a file has gone; return the file."""
    path = tmp_path / "hold"
    path.touch()
    (project / "scripts/final/SLOW.py").write_text(SLOW.format(hold=str(path)), encoding="utf-8")
    return path


@contextlib.contextmanager
def waited(**more: object) -> Iterator[tuple[list[CloudResult], list[str]]]:
    """Wait for a run in another thread; yield what becomes of it and what is told meanwhile, and see that the wait ends."""
    found: list[CloudResult] = []
    told: list[str] = []

    def wait() -> None:
        found.append(run_cloud("shop", wait=True, tell=told.append, **more))  # type: ignore[arg-type] # as given

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield found, told
    finally:
        thread.join(120)
        assert not thread.is_alive()


def status_of(shop: Shop) -> list[str]:
    return list(runs(shop.port).values())


def kill(shop: Shop) -> None:
    """Kill every process of a Dagster at once, by its PID."""
    family = shop.family()
    assert family
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, 10)
