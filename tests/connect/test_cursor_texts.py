"""Texts of an origin's own rows as cursors: they are values in its SQL, whatever they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdbt.connect.cursors import Cursor, condition
from pdbt.connect.source_script import Script
from tests import mysql
from tests.connect.databases import Place

TEXTS = ["b\\' OR 1=1 -- ", "b\\", "b\\\\'", "b'", "b' OR '1'='1", "b\\0\\n", "b é😀 \\% _", "b%s {0}"]
SCRIPT = Script("scripts/source/T.sql", Path("T.sql"), "", "place", "code", ("code",), 0, False)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["mysql", "postgresql", "duckdb", "sqlite"])
def test_a_text_asks_for_itself_and_what_is_higher(places: dict[str, Place], name: str, text: str) -> None:
    place = places[name]
    place.execute("CREATE TABLE t (code VARCHAR(200))")
    rows = ["a", "c", text]
    for row in rows:
        quoted = row.replace("\\", "\\\\") if name == "mysql" else row
        place.execute("INSERT INTO t VALUES ('{}')".format(quoted.replace("'", "''")))
    products = {"mysql": "MySQL", "postgresql": "PostgreSQL", "duckdb": "DuckDB", "sqlite": "SQLite"}
    found = place.execute(f"SELECT code FROM t WHERE {condition(SCRIPT, Cursor(text, 'VARCHAR'), products[name])}")
    assert sorted(row[0] for row in found) == sorted(["c", text])


@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_a_value_in_every_mode_of_mysql(mysql_url: str, mode: str, text: str) -> None:
    asked = condition(SCRIPT, Cursor(text, "VARCHAR"), "MySQL").partition(" OR `code` IS NULL")[0].removeprefix("`code` >= ")
    assert mysql.execute(mysql_url, f"SET sql_mode = '{mode}'", f"SELECT {asked}") == [(text,)]


def test_a_backslash_is_doubled_where_it_begins_an_escape() -> None:
    asked = {name: condition(SCRIPT, Cursor("a\\'", "VARCHAR"), name) for name in ("Snowflake", "BigQuery", "Oracle")}
    assert asked == {
        "Snowflake": "\"code\" >= 'a\\\\''' OR \"code\" IS NULL",
        "BigQuery": '"code" >= \'a\\\\\\\'\' OR "code" IS NULL',
        "Oracle": "\"code\" >= 'a\\''' OR \"code\" IS NULL",
    }
