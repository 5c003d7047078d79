"""Names of columns become clean, and are found by all three databases."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable

import duckdb
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdbt.scaffold.identifiers import MAX_BYTES, clean_names, written
from pdbt.scaffold.reserved import RESERVED

DUCKDB, SQLITE = duckdb.connect(), sqlite3.connect(":memory:")

CLEAN = {
    "order_id": "order_id",
    "OrderID": "order_id",
    "Order Date": "order_date",
    "HTTPStatusCode": "http_status_code",
    "  Unit-Price (EUR) ": "unit_price_eur",
    "Größe": "grosse",
    "Côte d'Ivoire": "cote_d_ivoire",
    "Ångström": "angstrom",
    "İstanbul": "istanbul",
    "discount %": "discount_percent",
    "#": "number",
    "2024": "n_2024",
    "order": "order_",
    "Select": "select_",
    "ctid": "ctid_",
    'say "hi"': "say_hi",
    "a\nb": "a_b",
    "名前": "column_1",
    "": "column_1",
    "__": "column_1",
}


@pytest.mark.parametrize("name", CLEAN)
def test_a_name_becomes_clean(name: str) -> None:
    assert clean_names([name]) == [CLEAN[name]]


def test_names_that_become_alike_are_numbered() -> None:
    assert clean_names(["Order ID", "order_id", "ORDER-ID", "order_id_2"]) == ["order_id", "order_id_2", "order_id_3", "order_id_2_2"]


def test_long_names_stay_different() -> None:
    names = clean_names(["x" * 200 + "1", "x" * 200 + "2"])
    assert [len(name) for name in names] == [MAX_BYTES, MAX_BYTES]
    assert names[1].endswith("_2")


@settings(deadline=None)
@given(st.lists(st.text(max_size=80), max_size=30))
def test_clean_names_are_unique_short_and_not_reserved(names: list[str]) -> None:
    found = clean_names(names)
    assert len(found) == len(names)
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) and name not in RESERVED for name in found)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40).filter(lambda name: "\0" not in name and name.isprintable()))
def test_a_written_name_is_found_by_duckdb_and_sqlite(name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    for connection in (DUCKDB, SQLITE):
        # A declared table, as the engine makes them: where a SELECT names a column "TRUE", SQLite calls it column1.
        connection.execute("DROP TABLE IF EXISTS named")
        connection.execute(f"CREATE TEMP TABLE named ({quoted} INTEGER)")
        connection.execute("INSERT INTO named VALUES (7)")
        assert connection.execute(f"SELECT {written(name)} AS x FROM named").fetchall() == [(7,)]


def test_plain_names_stay_readable_and_all_others_are_quoted() -> None:
    assert [written(name) for name in ("OrderID", "ORDER", "order id", 'a"b', "é")] == ["OrderID", '"order"', '"order id"', '"a""b"', '"é"']


# Reserved words ------------------------------------------------------------------------------------------------------


def refused_words(words: set[str], run: Callable[[str], object], error: type[Exception]) -> set[str]:
    """Return the words that a database does not take as the bare name of a column."""
    refused = set()
    for word in sorted(words):
        used = f"SELECT {word}, count(*) AS n, sum({word}) AS s FROM named WHERE {word} = 1 GROUP BY {word} ORDER BY n, {word}"
        try:
            run(f'WITH named AS (SELECT 1 AS "{word}", 2 AS other) {used}')
        except error:
            refused.add(word)
    return refused


SQLITE_WORDS = """
abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade case cast check collate
column commit conflict constraint create cross current current_date current_time current_timestamp database default deferrable deferred
delete desc detach distinct do drop each else end escape except exclude exclusive exists explain fail filter first following for foreign
from full generated glob group groups having if ignore immediate in index indexed initially inner insert instead intersect into is isnull
join key last left like limit match materialized natural no not nothing notnull null nulls of offset on or order others outer over
partition plan pragma preceding primary query raise range recursive references regexp reindex release rename replace restrict returning
right rollback row rows savepoint select set table temp temporary then ties to transaction trigger unbounded union unique update using
vacuum values view virtual when where window with without rowid true false
"""


def test_every_word_that_duckdb_or_sqlite_refuse_is_known() -> None:
    words = {row[0] for row in DUCKDB.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()} | set(SQLITE_WORDS.split())
    refused = refused_words(words, DUCKDB.execute, duckdb.Error) | refused_words(words, SQLITE.execute, sqlite3.Error)
    assert refused
    assert refused <= RESERVED


def test_every_word_that_postgresql_refuses_is_known(postgres_url: str) -> None:
    system_columns = set("ctid xmin xmax cmin cmax tableoid".split())
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        words = {row[0] for row in connection.execute("SELECT word FROM pg_get_keywords()")}
        refused = refused_words(words, lambda sql: connection.execute(sql.encode()), psycopg.Error)
        for name in system_columns:
            with pytest.raises(psycopg.errors.DuplicateColumn):
                connection.execute(f"CREATE TEMP TABLE t ({name} INTEGER)".encode())
    assert {"user", "order"} <= refused
    assert refused | system_columns <= RESERVED
