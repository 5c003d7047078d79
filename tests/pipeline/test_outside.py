"""Tables that read more than tables: what they read is part of what they are made from, so that no stale row is published."""

from __future__ import annotations

import os

import pytest

from tests.pipeline.conftest import MakeProject
from tests.pipeline.projects import KINDS, ORDERS, Project, touch_later

NOW = {
    "duckdb": "SELECT now() AS v",
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now') AS v",
    "postgresql": "SELECT clock_timestamp() AS v",
}
DATE = {"duckdb": "current_date", "sqlite": "date('now')", "postgresql": "CURRENT_DATE"}
AGE = """import datetime

import pyarrow as pa


def table(RECENT: pa.Table) -> pa.Table:
    return RECENT.append_column("today", pa.array([str(datetime.date.today())] * RECENT.num_rows))
"""
# Their dates always differ.
EAST, WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"


@pytest.fixture
def duckdb_project(make_project: MakeProject) -> Project:
    made = make_project("duckdb")
    made.source("ORDERS.csv", ORDERS)
    return made


def total(project: Project) -> object:
    ((value,),) = project.query("SELECT total FROM TOTAL")
    return value


def test_a_table_named_by_a_text_is_followed(duckdb_project: Project) -> None:
    duckdb_project.final("TOTAL", "SELECT sum(amount) AS total FROM query_table('orders')")
    duckdb_project.final("SAME", "SELECT * FROM query('SELECT sum(amount) AS total FROM ORDERS')")
    duckdb_project.run()
    assert total(duckdb_project) == 225
    assert duckdb_project.made_by_a_run() == set()
    duckdb_project.source("ORDERS.csv", ORDERS + "5,30,100\n")
    assert {"build TOTAL", "build SAME"} <= duckdb_project.made_by_a_run()
    assert duckdb_project.query("SELECT TOTAL.total, SAME.total FROM TOTAL, SAME") == [(325, 325)]


def append(project: Project) -> None:
    project.write("extra/a.csv", "amount\n1\n10\n")


def replace_by_as_much(project: Project) -> None:
    project.write("extra/a.csv", "amount\n9\n")


def add_a_file(project: Project) -> None:
    project.write("extra/b.csv", "amount\n5\n")


def test_a_file_that_sql_names_is_followed(duckdb_project: Project) -> None:
    duckdb_project.write("extra/a.csv", "amount\n1\n")
    duckdb_project.final("TOTAL", "SELECT sum(amount) AS total FROM read_csv('extra/*.csv')")
    duckdb_project.run()
    touch_later(duckdb_project.path / "extra/a.csv")
    assert duckdb_project.made_by_a_run() == set()
    for change, reason, amount in (
        (replace_by_as_much, "extra/a.csv changed", 9),
        (append, "extra/a.csv changed", 11),
        (add_a_file, "extra/b.csv is new", 16),
    ):
        change(duckdb_project)
        assert duckdb_project.plan()["build TOTAL"] == reason
        duckdb_project.run()
        assert total(duckdb_project) == amount
        assert duckdb_project.made_by_a_run() == set()


def test_a_file_after_from_is_followed_and_one_that_is_not_there_is_refused(duckdb_project: Project) -> None:
    file = duckdb_project.write("extra/a.csv", "amount\n1\n")
    duckdb_project.final("TOTAL", "SELECT sum(amount) AS total FROM 'extra/a.csv'")
    duckdb_project.run()
    append(duckdb_project)
    assert duckdb_project.made_by_a_run() == {"build TOTAL", "export data/final/TOTAL.csv"}
    assert total(duckdb_project) == 11
    file.unlink()
    assert "TOTAL.sql reads extra/a.csv, which no file of this project makes" in duckdb_project.run(code=2).stderr


def test_a_python_table_is_followed_into_the_files_and_the_environment_that_it_names(duckdb_project: Project) -> None:
    code = f"""import os
import pandas as pd


def table() -> pd.DataFrame:
    return pd.read_csv({str(duckdb_project.path / "extra/a.csv")!r}).assign(r=os.environ['REGION'])
"""
    append(duckdb_project)
    duckdb_project.write("scripts/final/TOTAL.py", code)
    os.environ["REGION"] = "hunter2"
    try:
        duckdb_project.run()
        assert duckdb_project.made_by_a_run() == set()
        assert "hunter2" not in (duckdb_project.path / "db/.work/state.json").read_text()
        replace_by_as_much(duckdb_project)
        assert duckdb_project.plan()["build TOTAL"] == "extra/a.csv changed"
        duckdb_project.run()
        os.environ["REGION"] = "north"
        assert duckdb_project.plan()["build TOTAL"] == "environment variable REGION changed"
        duckdb_project.run()
        assert duckdb_project.query("SELECT amount, r FROM TOTAL") == [(9, "north")]
    finally:
        del os.environ["REGION"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_reads_the_clock_is_made_in_every_run(make_project: MakeProject, kind: str) -> None:
    project = make_project(kind)
    project.processed("STAMP", NOW[kind])
    project.final("COPY", "SELECT v FROM STAMP")
    project.check("LATE", f"SELECT v FROM ({NOW[kind]}) AS t WHERE v IS NULL")
    project.run()
    (first,) = project.query("SELECT v FROM COPY")
    plan = project.plan()
    assert plan["build STAMP"] == plan["check LATE"] == "reads the clock"
    assert plan["build COPY"] == "STAMP is made again"
    assert {"build STAMP", "build COPY", "check LATE"} <= project.made_by_a_run()
    (second,) = project.query("SELECT v FROM COPY")
    assert first != second


def test_what_reads_the_clock_can_be_made_step_by_step(duckdb_project: Project) -> None:
    duckdb_project.final("STAMP", "SELECT now() AS v, random() AS r")
    duckdb_project.run()
    before = duckdb_project.query("SELECT * FROM STAMP")
    duckdb_project.run(script="scripts/transforming.py")
    assert duckdb_project.query("SELECT * FROM STAMP") == before
    duckdb_project.run(script="scripts/results.py")
    after = duckdb_project.query("SELECT * FROM STAMP")
    assert after != before
    duckdb_project.run(script="scripts/results.py")  # nothing to publish, and nothing wrong
    assert duckdb_project.query("SELECT * FROM STAMP") == after


@pytest.mark.parametrize("kind", KINDS)
def test_what_reads_the_date_is_made_when_the_date_of_the_projects_zone_changes(make_project: MakeProject, kind: str) -> None:
    project = make_project(kind)
    project.source("ORDERS.csv", "day\n2020-01-01\n")
    project.processed("RECENT", f"SELECT day FROM ORDERS WHERE day < {DATE[kind]}")
    project.check("FUTURE", f"SELECT day FROM ORDERS WHERE day > {DATE[kind]}")
    project.write("scripts/final/AGE.py", AGE)
    settings = (project.path / "pdbt.toml").read_text()
    project.write("pdbt.toml", settings.replace("[dagster]", f'[dagster]\ntimezone = "{EAST}"'))
    project.run()
    assert project.made_by_a_run() == set()
    project.write("pdbt.toml", settings.replace("[dagster]", f'[dagster]\ntimezone = "{WEST}"'))
    plan = project.plan()
    assert plan["build RECENT"] == plan["build AGE"] == plan["check FUTURE"] == "reads the clock: the date changed"
    assert {"build RECENT", "build AGE", "check FUTURE"} <= project.made_by_a_run()
    assert project.made_by_a_run() == set()
