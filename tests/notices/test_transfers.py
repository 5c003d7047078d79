"""Notices of `pdbt transfer` in a project that names whom to tell."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.conftest import MakeProject
from tests.notices.conftest import Listener
from tests.notices.test_runs import settle
from tests.typed import typed


def test_a_transfer_that_fails_three_times_is_told_once_and_once_when_it_works_again(
    make_project: MakeProject, listener: Listener, tmp_path: Path
) -> None:
    project = make_project()
    settle(project, 'urls = ["${NOTIFY_URL}"]')
    origin, target = project / "origin.sqlite", project / "target.duckdb"
    origin.touch()

    def transfer() -> int:
        words = ("--from", origin, "--table", "t", "--to", target, "--project", project)
        return typed("transfer", *words, cwd=tmp_path, env={"NOTIFY_URL": listener.url}).code

    assert [transfer() for _ in range(3)] == [1, 1, 1]
    assert listener.titles == [f"shop: the transfer to t of DuckDB {target} failed"]
    lines = listener.received[0]["message"].splitlines()
    assert lines[:2] == [f"Project: shop ({project})", f"Step: transfer to t of DuckDB {target}"]
    assert lines[2] == f"From: t of SQLite {origin}"
    assert lines[3].startswith("Error: ")
    with closing(sqlite3.connect(origin)) as connection, connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    assert transfer() == 0
    assert transfer() == 0
    assert listener.titles[1:] == [f"shop: the transfer to t of DuckDB {target} works again"]
