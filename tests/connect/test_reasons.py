"""Refusals of a database with their reason, however many lines the statement has; in a project, with what to do there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdbt.connect import add_connection, transfer
from pdbt.connect.base import TransferFailed, TransferRefused
from pdbt.engine.databases.adbc import AdbcError, server_reason
from tests.conftest import MakeProject, RunProject
from tests.connect.databases import Place


def failed(places: dict[str, Place], start: str, end: str, **how: object) -> str:
    with pytest.raises((TransferFailed, TransferRefused)) as told:
        transfer(places[start].url, places[end].url, **how)  # type: ignore[arg-type]
    assert "\n" not in told.value.message
    return told.value.message


def test_postgresql_says_what_is_wrong_with_a_table_that_it_does_not_make(places: dict[str, Place]) -> None:
    target = places["postgresql"]
    places["duckdb"].execute("CREATE TABLE o AS SELECT 1 AS a, 2 AS b, 3 AS tableoid", "CREATE TABLE p AS SELECT 1 AS a, 2 AS b")
    assert failed(places, "duckdb", "postgresql", table="p", target="nowhere.t").endswith(': schema "nowhere" does not exist.')
    assert failed(places, "duckdb", "postgresql", table="o").endswith(': column name "tableoid" conflicts with a system column name.')
    role = f"guest_{abs(hash(target.url)) % 10**6}"
    target.execute(f"CREATE ROLE {role} LOGIN", "CREATE SCHEMA closed", f"GRANT USAGE ON SCHEMA closed TO {role}")
    try:
        url = target.url.replace("postgres@", f"{role}@")
        with pytest.raises(TransferFailed, match=r": permission denied for schema closed\. ") as told:
            transfer(places["duckdb"].url, url, table="p", target="closed.t")
        assert "CREATE TABLE" not in told.value.message
    finally:
        target.execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_postgresql_says_which_row_breaks_which_rule(places: dict[str, Place]) -> None:
    places["postgresql"].execute("CREATE TABLE t (a INTEGER PRIMARY KEY CHECK (a < 5), b INTEGER)", "INSERT INTO t VALUES (1, 1)")
    places["duckdb"].execute("CREATE TABLE o AS SELECT 1 AS a, 2 AS b", "CREATE TABLE p AS SELECT 9 AS a, 2 AS b")
    said = failed(places, "duckdb", "postgresql", table="o", target="t", mode="append")
    assert said.endswith('duplicate key value violates unique constraint "t_pkey". Key (a)=(1) already exists.')
    assert 'violates check constraint "t_a_check"' in failed(places, "duckdb", "postgresql", table="p", target="t", mode="append")


@pytest.mark.parametrize(
    ("start", "query", "reason"),
    [
        ("postgresql", "SELECT\n 1\n / 0 AS x", "division by zero"),
        ("postgresql", "SELECT\n 'ERROR: no' AS x\nFROM\n nothing", 'relation "nothing" does not exist'),
        ("postgresql", "SELECT\n 1 / (3 - g) AS x, 'ERROR: no' AS y\nFROM\n generate_series(1, 3) g", "division by zero"),
        ("mysql", "SELECT\n x\nFROM\n nothing", "nothing' doesn't exist"),
        ("mysql", "SELECT\n 1 AS x\nFRM\n nothing\nWHERE\n 1", "at line "),
        ("sqlite", "SELECT\n x\nFROM\n gone", "no such table: gone"),
        ("sqlite", "SELECT\n foo(\n1) AS x", "no such function: foo"),
        ("duckdb", "SELECT\n CAST('a\nb' AS INTEGER) AS x", "Could not convert string 'a b' to INT32"),
        ("duckdb", "SELECT\n x\nFROM\n nothing", "Table with name nothing does not exist!"),
    ],
)
def test_a_query_of_several_lines_is_told_with_its_reason(places: dict[str, Place], start: str, query: str, reason: str) -> None:
    if start == "duckdb":
        places[start].execute("SELECT 1")
    elif start == "sqlite":
        places[start].execute("CREATE TABLE here (a)")
    end = "sqlite" if start == "duckdb" else "duckdb"
    said = failed(places, start, end, query=query)
    assert reason in said
    assert "SELECT" not in said


@pytest.mark.parametrize(("start", "end"), [("mysql", "duckdb"), ("duckdb", "mysql"), ("duckdb", "sqlite"), ("sqlite", "duckdb")])
def test_a_row_that_breaks_a_rule_is_told_with_the_rule(places: dict[str, Place], start: str, end: str) -> None:
    places[end].execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER)", "INSERT INTO t VALUES (1, 1)")
    places[start].execute("CREATE TABLE o (a INT, b INT)", "INSERT INTO o VALUES (1, 2)")
    said = failed(places, start, end, table="o", target="t", mode="append").casefold()
    assert "duplicate" in said or "unique constraint failed: t.a" in said
    assert "insert into" not in said


def test_the_reason_is_the_servers_own_where_the_driver_has_it_apart() -> None:
    class Raised(Exception):
        details = ((b"PG_DIAG_MESSAGE_PRIMARY", b"one\n two."), ("PG_DIAG_MESSAGE_DETAIL", "three"))

    assert server_reason(Raised()) == "one two. three"
    assert server_reason(ValueError("no details")) == ""
    assert AdbcError("said", "why").reason == "why"


@pytest.mark.parametrize(
    ("select", "header", "said", "hint"),
    [
        ("SELECT 'NaN'::DOUBLE AS d", "", "holds NaN or an infinity", "Cast d to text in the SELECT, or leave such rows out with WHERE."),
        ("SELECT [1] AS a", "", "which MySQL cannot hold unchanged", "Cast a to another type in the SELECT."),
        ("SELECT 'x' AS id", "-- mode: append\n", "has id as int", "Cast id to that type in the SELECT, or write -- mode: replace."),
        (
            "SELECT NULL::INTEGER AS id",
            "-- mode: upsert\n-- key: id\n",
            "no value in the key id",
            "Leave them out with WHERE in the SELECT, or",
        ),
        ('SELECT 1 AS "' + "n" * 65 + '"', "", "does not take the name of the column", "Give it a shorter one with AS."),
    ],
)
def test_a_delivery_that_is_refused_says_what_to_do_in_the_script(
    make_project: MakeProject, run_project: RunProject, places: dict[str, Place], select: str, header: str, said: str, hint: str
) -> None:
    project = make_project()
    add_connection(project, "shop", places["mysql"].url)
    places["mysql"].execute("CREATE TABLE t (id INT)")
    (project / "scripts/final/T.sql").write_text(f"-- load: shop.t\n{header}{select}\n", encoding="utf-8")
    result = run_project(project)
    assert result.code != 0
    assert said in result.stderr
    assert f"hint: {hint}" in result.stderr
    assert not any(option in result.stderr for option in ("--cast", "--where", "--key", "--query", "--as", "--mode"))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("d DATE", "'infinity'", "a date outside of the years 1 to 9999"), ("n NUMERIC(9,2)", "'NaN'", "NaN, which DECIMAL(9,2) has not")],
)
def test_a_fetch_that_is_refused_says_what_to_do_in_the_script(
    make_project: MakeProject, run_project: RunProject, places: dict[str, Place], column: str, value: str, said: str
) -> None:
    places["postgresql"].execute(f"CREATE TABLE o ({column})", f"INSERT INTO o VALUES ({value})")
    project = make_project()
    add_connection(project, "shop", places["postgresql"].url)
    (project / "scripts/source").mkdir()
    (project / "scripts/source/T.sql").write_text("-- connection: shop\nSELECT * FROM o\n", encoding="utf-8")
    result = run_project(project)
    assert result.code != 0
    assert f"scripts/source/T.sql: Column {column[0]} (" in result.stderr
    assert f"holds {said}." in result.stderr
    assert f"hint: Cast {column[0]} to text in the SELECT" in result.stderr
    assert "--cast" not in result.stderr


def test_a_commune_says_why_postgresql_takes_no_rows(make_project: MakeProject, run_project: RunProject, postgres_url: str) -> None:
    project = make_project(database="commune", url=postgres_url)
    (project / "data/source/T.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    Path(project / "scripts/final/F.sql").write_text("SELECT\n a,\n nothing\nFROM t\n", encoding="utf-8")
    result = run_project(project)
    assert result.code != 0
    assert 'column "nothing" does not exist' in result.stderr
