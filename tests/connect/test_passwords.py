"""A password that PostgreSQL refuses: one sentence wherever it is met, and the password nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdbt.connect import add_connection
from tests.conftest import MakeProject, RunProject
from tests.connect.databases import DuckDBFile
from tests.connect.own_postgres import USER, OwnServer
from tests.connect.test_connections import ENCODED, SECRET, Command, pdbt

__all__ = ["pdbt"]


def sentence(server: OwnServer, user: str = USER) -> str:
    return f"PostgreSQL at 127.0.0.1:{server.port}/postgres refuses the user or the password of {user}."


def test_a_wrong_password_of_postgresql_is_told_by_test_and_by_transfers_both_ways(
    pdbt: Command, own_postgres: OwnServer, tmp_path: Path
) -> None:
    other, wrong = DuckDBFile(tmp_path / "other.duckdb"), own_postgres.url(password=ENCODED)
    other.execute("CREATE TABLE t AS SELECT 1 AS x")
    expected = [f"error: {sentence(own_postgres)}", "hint: Check user and password of the URL, or of .env."]
    for words in (
        ("connection", "test", wrong),
        ("transfer", "--table", "t", "--from", wrong, "--to", other.url),
        ("transfer", "--table", "t", "--from", other.url, "--to", wrong),
        ("transfer", "--tables", "*", "--from", wrong, "--to", other.url),
        ("transfer", "--table", "t", "--from", other.url, "--to", wrong, "--dry-run"),
    ):
        told = pdbt(*words)
        assert (told.code, told.out, told.err.splitlines()) == (2, "", expected)
    assert pdbt("connection", "test", own_postgres.url()).code == 0


def test_a_wrong_password_is_in_no_log_of_a_project(own_postgres: OwnServer, make_project: MakeProject, run_project: RunProject) -> None:
    project = make_project()
    add_connection(project, "origin", own_postgres.url(password=ENCODED))
    (project / "scripts/source").mkdir()
    (project / "scripts/source/orders.sql").write_text("-- connection: origin\nSELECT 1 AS id", encoding="utf-8")
    ended = run_project(project)
    assert ended.code == 2
    assert sentence(own_postgres) in ended.stderr
    log = (project / "macro/execution.log").read_text(encoding="utf-8")
    assert sentence(own_postgres) in log
    for text in (ended.stdout, ended.stderr, log, (project / "macro/runs.jsonl").read_text(encoding="utf-8")):
        assert SECRET not in text
        assert ENCODED not in text


@pytest.mark.parametrize(
    ("prepared", "user", "database", "said"),
    [
        ("CREATE ROLE ssl_certificate LOGIN PASSWORD 'right'", "ssl_certificate", "postgres", "refuses the user or the password of "),
        ("SELECT 1", "postgres", "no_password_for_ssl", ": there is no database 'no_password_for_ssl'."),
        (
            "CREATE ROLE busy LOGIN CONNECTION LIMIT 0 PASSWORD 'right'",
            "busy",
            "postgres",
            " takes no connection now: too many connections",
        ),
    ],
)
def test_names_that_sound_like_another_fault_are_none(
    pdbt: Command, own_postgres: OwnServer, prepared: str, user: str, database: str, said: str
) -> None:
    own_postgres.execute(prepared)
    password = "right" if user == "busy" else ENCODED
    told = pdbt("connection", "test", f"{own_postgres.url(user, password).rpartition('/')[0]}/{database}")
    assert told.code == 2
    assert said in told.err.splitlines()[0]
