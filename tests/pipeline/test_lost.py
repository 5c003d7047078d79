"""A run needs nothing but the project's files: what it left may be lost, spoilt or moved."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import duckdb
import psycopg
import pytest

from tests.conftest import RUN_SCRIPT
from tests.pipeline.conftest import MakeProject
from tests.pipeline.projects import ALL_REVENUE, EVERYTHING, ORDERS, REVENUE_ROWS, Project, shop


@pytest.mark.parametrize("kind", ["duckdb", "sqlite", "commune"])
def test_a_database_that_is_lost_spoilt_or_written_to_is_made_again(make_project: MakeProject, kind: str) -> None:
    project = shop(make_project(kind))
    project.run()
    project.database.unlink()
    assert project.made_by_a_run() == EVERYTHING
    assert project.query(ALL_REVENUE) == REVENUE_ROWS
    if kind == "commune":  # an SQLite file of another name
        return

    for content in (b"", b"no database at all" * 1000):
        project.database.write_bytes(content)
        project.run()
        assert project.query(ALL_REVENUE) == REVENUE_ROWS

    # somebody wrote to it
    connect = duckdb.connect if kind == "duckdb" else sqlite3.connect
    with contextlib.closing(connect(str(project.database))) as connection:
        connection.execute("DELETE FROM REVENUE")
        connection.execute("DROP TABLE ORDERS")
        connection.commit()
    assert project.query("SELECT count(*) FROM REVENUE") == [(0,)]
    assert project.made_by_a_run() == EVERYTHING
    assert project.query(ALL_REVENUE) == REVENUE_ROWS


def test_a_lost_table_of_a_shared_database_is_made_again(make_project: MakeProject) -> None:
    project = shop(make_project("postgresql"))
    project.run()
    with psycopg.connect(project.url) as server:
        server.execute("DROP TABLE revenue")
    project.run()
    assert project.query(ALL_REVENUE) == REVENUE_ROWS


UNREADABLE_STATES = ["", "{", "[]", '{"format": 1}', '{"format": 999}', '{"format": 1, "token": 5, "tables": []}']


def test_a_lost_or_unreadable_state_costs_time_and_nothing_else(duckdb_shop: Project) -> None:
    duckdb_shop.run()
    path = duckdb_shop.path / "db/.work/state.json"
    path.unlink()
    assert duckdb_shop.made_by_a_run() == EVERYTHING
    assert duckdb_shop.query(ALL_REVENUE) == REVENUE_ROWS
    for state in UNREADABLE_STATES:
        path.write_text(state, encoding="utf-8")
        duckdb_shop.run()
        assert duckdb_shop.made_by_the_last_run() == EVERYTHING, state
        assert duckdb_shop.query(ALL_REVENUE) == REVENUE_ROWS


def test_a_lost_work_folder_costs_time_and_nothing_else(a_run_shop: Project) -> None:
    shutil.rmtree(a_run_shop.path / "db/.work")
    a_run_shop.source("ORDERS.csv", ORDERS + "5,30,25\n")
    a_run_shop.run()
    assert a_run_shop.query(ALL_REVENUE) == [("CH", 3, 100), ("PT", 2, 150)]
    assert a_run_shop.made_by_a_run() == set()


NOTHING_TO_RUN = (
    "There is nothing to run: data/source/ has no file, and scripts/ has no table. "
    "Put a file into data/source/, such as orders.csv, and run again; sample/ shows a pipeline that works.\n"
)


def test_an_empty_project_says_what_to_do_next(project: Project) -> None:
    assert project.run().stderr == NOTHING_TO_RUN
    if project.kind == "duckdb":
        assert project.run().stderr == NOTHING_TO_RUN
        assert project.run("--dry-run").stdout == NOTHING_TO_RUN
        assert project.run("--quiet").stderr == ""
    project.source("ORDERS.csv", ORDERS)
    assert "nothing to run" not in project.run().stderr
    (project.path / "data/source/ORDERS.csv").unlink()
    assert project.run().stderr.endswith(NOTHING_TO_RUN)
    assert project.leftovers() == []


def test_a_project_can_be_moved(duckdb_shop: Project, make_project: MakeProject) -> None:
    duckdb_shop.run()
    moved = replace(duckdb_shop, path=duckdb_shop.path.rename(duckdb_shop.path.with_name("moved to a path with spaces é")))
    assert moved.made_by_a_run() == set()
    assert moved.run_project(moved.path, script=RUN_SCRIPT).code == 0
    assert moved.query(ALL_REVENUE) == REVENUE_ROWS


def test_a_source_folder_whose_share_is_away_keeps_its_table(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project("duckdb")
    share = tmp_path / "share"
    share.mkdir()
    (share / "a.csv").write_text("id\n1\n")
    (project.path / "data/source/days").symlink_to(share)
    project.final("RESULT", "SELECT * FROM DAYS")
    project.run()
    share.rename(tmp_path / "away")
    refused = project.run(code=2)
    assert f"data/source/days is a link to {share}, which is not there." in refused.stderr
    assert project.query("SELECT * FROM RESULT") == [(1,)]
    (tmp_path / "away").rename(share)
    assert project.made_by_a_run() == set()
    (project.path / "data/source/days").unlink()
    (project.path / "scripts/final/RESULT.sql").unlink()
    assert {"drop DAYS", "drop RESULT"} <= project.made_by_a_run()
