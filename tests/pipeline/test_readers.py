"""Readers and runs do not disturb each other, and a reader sees all of one run or all of another."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from tests.conftest import StartProcess
from tests.pipeline.conftest import MakeProject
from tests.pipeline.pair import facts, pair, published_generation, require_generation, write_generation
from tests.pipeline.projects import KINDS, Project

ROOT = Path(__file__).resolve().parents[2]
LAST_READ_SECONDS = 90.0


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kind", "runs", "readers"), [("duckdb", 3, 2), *(pytest.param(kind, 20, 4, marks=pytest.mark.slow) for kind in KINDS)]
)
def test_readers_at_full_speed_see_whole_runs_only(
    make_project: MakeProject, start_process: StartProcess, kind: str, runs: int, readers: int
) -> None:
    project = pair(make_project(kind))
    project.run()
    stop = project.path / "stop"
    command = [sys.executable, "-m", "tests.pipeline.reading_process", project.kind, project.url or project.database, stop]
    processes = [start_process(command, cwd=ROOT) for _ in range(readers)]
    assert [process.stdout.readline() for process in processes if process.stdout] == ["reading\n"] * readers
    try:
        for generation in range(1, runs + 1):
            write_generation(project, generation)
            project.run()
            assert all(process.poll() is None for process in processes), [process.communicate() for process in processes if process.poll()]
    finally:
        stop.touch()
    allowed = [facts(generation) for generation in range(runs + 1)]
    seen = set()
    for process in processes:
        stdout, stderr = process.communicate(timeout=LAST_READ_SECONDS)
        assert process.returncode == 0, stderr
        told = json.loads(stdout)
        assert told["reads"] >= runs
        for answers in ([tuple(answer) for answer in told["answers"]], [tuple(answer) for answer in told["in_turn"]]):
            assert answers == [answer for answer in allowed if answer in answers], "a mixture, or a step back"
            seen |= set(answers)
    assert len(seen) > runs / 2, "the readers saw too few of the runs to show anything"
    require_generation(project, runs)


def attached(project: Project) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file so that a later `connect` of this same process opens it anew: DuckDB shares what `connect` opened."""
    database = duckdb.connect()
    database.execute(f"ATTACH '{project.database}' AS reading (READ_ONLY)")
    database.execute("USE reading")
    return database


@contextlib.contextmanager
def open_reader(project: Project, isolation: psycopg.IsolationLevel | None = None) -> Iterator[Callable[[str], Any]]:
    """Hold a connection open, with a transaction where there are such; give a function that asks for one value."""
    target = project.url or str(project.database)
    if project.kind == "duckdb":
        with attached(project) as database:
            database.execute("BEGIN")
            yield lambda sql: database.execute(sql).fetchall()[0][0]
    elif project.kind == "sqlite":
        with contextlib.closing(sqlite3.connect(target)) as connection:
            connection.execute("BEGIN")
            yield lambda sql: connection.execute(sql).fetchall()[0][0]
    else:
        with psycopg.connect(target) as server:
            server.isolation_level = isolation
            yield lambda sql: server.execute(sql.encode()).fetchall()[0][0]


@contextlib.contextmanager
def half_read(project: Project, sql: str) -> Iterator[Any]:
    """Give a cursor in the middle of a result, which is fetched row by row."""
    with contextlib.ExitStack() as stack:
        if project.kind == "postgresql":
            server = stack.enter_context(psycopg.connect(project.url))
            cursor: Any = stack.enter_context(server.cursor("slow_reader"))
            cursor.execute(sql)
        elif project.kind == "duckdb":
            cursor = stack.enter_context(attached(project)).execute(sql)
        else:
            cursor = stack.enter_context(contextlib.closing(sqlite3.connect(project.database))).execute(sql)
        assert cursor.fetchmany(10) == [(0,)] * 10
        yield cursor


def test_readers_that_stay_open_block_no_run_and_keep_what_they_saw(project: Project) -> None:
    pair(project)
    in_files = not project.url
    gone_soon = project.source("GONE_SOON.csv", "id\n1\n")
    project.run()
    middle = half_read(project, "SELECT l.run FROM LEFT_SIDE l CROSS JOIN RIGHT_SIDE r CROSS JOIN LEFT_SIDE s")
    with open_reader(project, psycopg.IsolationLevel.REPEATABLE_READ) as ask, middle as cursor:
        assert ask("SELECT max(run) FROM LEFT_SIDE") == 0
        if in_files:  # also a table that is dropped: PostgreSQL's is in the next test
            assert ask("SELECT count(*) FROM GONE_SOON") == 1
            gone_soon.unlink()
        for generation in (1, 2):
            write_generation(project, generation)
            project.run("--lock-timeout", "1")
            require_generation(project, generation)
        # this transaction began before both runs: what it has not read yet is of its own generation too
        assert ask("SELECT max(run) FROM RIGHT_SIDE") == 0
        assert ask("SELECT max(run) FROM PAIRS") == 0
        assert ask("SELECT max(run) FROM LEFT_SIDE") == 0
        assert not in_files or ask("SELECT count(*) FROM GONE_SOON") == 1
        assert {value for (value,) in cursor.fetchall()} == {0}
    assert published_generation(project) == 2
    if in_files:
        with pytest.raises(Exception, match=r"(?i)gone_soon"):
            project.query("SELECT count(*) FROM GONE_SOON")


def test_a_transaction_that_stays_open_keeps_only_the_tables_that_it_read_from_being_dropped(make_project: MakeProject) -> None:
    """PostgreSQL drops no table that a transaction has read: the run says which session it is, and publishes nothing."""
    project = make_project("postgresql")
    pair(project)
    project.source("GONE_SOON.csv", "id\n1\n")
    project.setting("database", "lock_timeout = 1")
    project.run()
    (project.path / "data/source/GONE_SOON.csv").unlink()
    write_generation(project, 1)
    with psycopg.connect(project.url) as server:
        server.execute("SELECT count(*) FROM GONE_SOON")
        told = project.run(code=1).stderr
        assert f"PID {server.info.backend_pid}" in told
        assert published_generation(project) == 0
    with psycopg.connect(project.url) as server:
        server.execute("SELECT count(*) FROM PAIRS")
        project.run()
        require_generation(project, 1)
    with pytest.raises(psycopg.errors.UndefinedTable):
        project.query("SELECT count(*) FROM GONE_SOON")
