"""replace, append, upsert; names that would break careless SQL; schemas that change; what is refused, with its sentence."""

from __future__ import annotations

import pytest

from pdbt.connect import transfer
from pdbt.connect.base import TransferFailed, TransferRefused
from tests.connect.databases import NAMES, Place, numbers

NASTY = ("select", "Robert'); DROP TABLE students;--", 'a"b`c', "größe 漢字", "Upper Case", "per%cent %s")


def make(place: Place, table: str, *rows: tuple[int, str | None]) -> None:
    values = ", ".join(f"({number}, {'NULL' if text is None else repr(text)})" for number, text in rows)
    place.execute(f"CREATE TABLE {table} (id BIGINT, name VARCHAR(100))", f"INSERT INTO {table} VALUES {values}")


def rows(place: Place, table: str) -> list[tuple[object, ...]]:
    return place.execute(f"SELECT * FROM {table} ORDER BY 1, 2")


@pytest.mark.parametrize("end", NAMES)
def test_replace_append_and_upsert_do_what_they_say(places: dict[str, Place], end: str) -> None:
    start, target = places["duckdb" if end == "sqlite" else "sqlite"], places[end]
    make(start, "old", (1, "a"), (2, None))
    make(start, "new", (2, "b"), (3, ""))
    transfer(start.url, target.url, table="old", target="t")
    assert rows(target, "t") == [(1, "a"), (2, None)]
    transfer(start.url, target.url, table="new", target="t", mode="append")
    assert sorted(rows(target, "t"), key=str) == [(1, "a"), (2, "b"), (2, None), (3, "")]
    transfer(start.url, target.url, table="old", target="t")
    transfer(start.url, target.url, table="new", target="t", mode="upsert", key=["id"])
    assert rows(target, "t") == [(1, "a"), (2, "b"), (3, "")]
    transfer(start.url, target.url, table="new", target="fresh", mode="upsert", key=["id"])
    transfer(start.url, target.url, table="new", target="fresh", mode="upsert", key=["id"])
    assert rows(target, "fresh") == [(2, "b"), (3, "")]


@pytest.mark.timeout(60)  # a look through the whole table for each row would take minutes
@pytest.mark.parametrize("end", NAMES)
def test_upsert_needs_no_index_on_the_key(places: dict[str, Place], end: str) -> None:
    start, target = places["duckdb" if end == "sqlite" else "sqlite"], places[end]
    start.execute(f"CREATE TABLE o AS SELECT i AS id, 'old' AS name FROM ({numbers(start, 100_000)}) r")
    transfer(start.url, target.url, table="o", target="t")
    start.execute("UPDATE o SET id = id + 50000, name = 'new'")
    transfer(start.url, target.url, table="o", target="t", mode="upsert", key=["id"])
    assert target.execute("SELECT name, count(*), min(id) FROM t GROUP BY name ORDER BY 1") == [
        ("new", 100_000, 50_000),
        ("old", 50_000, 0),
    ]


@pytest.mark.parametrize("end", NAMES)
def test_upsert_leaves_columns_alone_that_do_not_arrive(places: dict[str, Place], end: str) -> None:
    make(places["sqlite"], "origin", (1, "new"), (2, "two"))
    target = places[end]
    target.execute("CREATE TABLE t (kept INTEGER, name VARCHAR(100), id BIGINT PRIMARY KEY)", "INSERT INTO t VALUES (7, 'old', 1)")
    transfer(places["sqlite"].url, target.url, table="origin", target="t", mode="upsert", key=["id"])
    assert target.execute("SELECT id, name, kept FROM t ORDER BY id") == [(1, "new", 7), (2, "two", None)]


@pytest.mark.parametrize(("start", "end"), [*zip(NAMES, (*NAMES[1:], NAMES[0]), strict=True)])  # each as the origin and as the target
def test_names_that_would_break_careless_sql_work_and_harm_nothing(places: dict[str, Place], start: str, end: str) -> None:
    origin, target = places[start], places[end]

    def quoted(place: Place, name: str) -> str:
        return place.quote + name.replace(place.quote, place.quote * 2) + place.quote

    for name in NASTY:
        columns = ", ".join(f"{quoted(origin, column)} INTEGER" for column in NASTY)
        statement = f"CREATE TABLE {quoted(origin, name)} ({columns})", f"INSERT INTO {quoted(origin, name)} VALUES (1, 2, 3, 4, 5, 6)"
        origin.execute(*statement)
        for mode in ("replace", "append", "upsert"):
            transfer(
                origin.url,
                target.url,
                table=f'"{name.replace(chr(34), chr(34) * 2)}"',
                mode=mode,
                key=["select"] if mode == "upsert" else [],
            )
        shown = ", ".join(quoted(target, column) for column in NASTY)
        assert target.execute(f"SELECT {shown} FROM {quoted(target, name)}") == [(1, 2, 3, 4, 5, 6)] * 2


@pytest.mark.parametrize("end", NAMES)
def test_evolve_adds_a_column_and_freeze_refuses_it(places: dict[str, Place], end: str) -> None:
    start, target = places["sqlite" if end != "sqlite" else "duckdb"], places[end]
    make(target, "t", (1, "a"))
    start.execute("CREATE TABLE o (id BIGINT, name VARCHAR(100), age INTEGER)", "INSERT INTO o VALUES (2, 'b', 30)")
    with pytest.raises(TransferRefused, match=r"^t does not have a column age of type "):
        transfer(start.url, target.url, table="o", target="t", mode="append", schema="freeze")
    assert rows(target, "t") == [(1, "a")]
    transfer(start.url, target.url, table="o", target="t", mode="append")
    assert rows(target, "t") == [(1, "a", None), (2, "b", 30)]


@pytest.mark.parametrize("end", ["postgresql", "mysql", "duckdb"])
def test_evolve_widens_a_type_and_stops_at_another_one(places: dict[str, Place], end: str) -> None:
    start, target = places["duckdb" if end != "duckdb" else "postgresql"], places[end]
    target.execute("CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1)")
    start.execute("CREATE TABLE o (id BIGINT)", "INSERT INTO o VALUES (9223372036854775807)")
    transfer(start.url, target.url, table="o", target="t", mode="append")
    assert target.execute("SELECT id FROM t ORDER BY id") == [(1,), (9223372036854775807,)]
    start.execute("CREATE TABLE p AS SELECT 'x' AS id")
    with pytest.raises(
        TransferRefused, match=r"(?i)^t has id as bigint.*; what arrives is .*\. Send it as another type with --cast id=TYPE"
    ) as refused:
        transfer(start.url, target.url, table="p", target="t", mode="append")
    assert refused.value.column == "id"


@pytest.mark.parametrize(
    ("end", "select", "message"),
    [
        ("mysql", "SELECT 'NaN'::DOUBLE AS c", "Column c (double) holds NaN or an infinity, which MySQL has not."),
        ("mysql", "SELECT '-inf'::FLOAT AS c", "Column c (float) holds NaN or an infinity, which MySQL has not."),
        ("sqlite", "SELECT 'NaN'::DOUBLE AS c", "Column c (DOUBLE) holds NaN, which SQLite has not."),
        ("mysql", "SELECT [1] AS c", "Column c is of type INTEGER[], which MySQL cannot hold unchanged."),
        ("sqlite", "SELECT [1] AS c", "Column c is of type INTEGER[], which SQLite cannot hold unchanged."),
        ("sqlite", "SELECT INTERVAL 1 DAY AS c", "Column c is of type INTERVAL, which SQLite cannot hold unchanged."),
        ("postgresql", "SELECT {'a': 1} AS c", "Column c is of type STRUCT(a INTEGER), which PostgreSQL cannot hold unchanged."),
        ("mysql", "SELECT TIMESTAMPTZ '2300-01-01 00:00:00+00' AS c", "holds a time that MySQL's TIMESTAMP cannot hold (1970 to 2038)."),
        ("postgresql", "SELECT DATE 'infinity' AS c", "Column c (DATE) holds a date outside of the years 1 to 9999."),
    ],
)
def test_what_a_target_cannot_hold_is_refused_with_column_and_type(places: dict[str, Place], end: str, select: str, message: str) -> None:
    make(places[end], "t", (1, "a"))
    places["duckdb"].execute(f"CREATE TABLE o AS {select}")
    with pytest.raises(TransferRefused) as refused:
        transfer(places["duckdb"].url, places[end].url, table="o", target="t")
    assert message in refused.value.message
    assert "--cast c=" in refused.value.hint
    assert rows(places[end], "t") == [(1, "a")]


@pytest.mark.parametrize(
    ("select", "cast", "arrived"),
    [
        ("SELECT 'NaN'::DOUBLE AS c", "VARCHAR", "nan"),
        ("SELECT [1, 2] AS c", "JSON", "[1,2]"),
        ("SELECT INTERVAL 1 DAY AS c", "VARCHAR", "1 day"),
        ("SELECT '12' AS c", "bigint", 12),
    ],
)
def test_a_cast_allows_what_would_be_refused(places: dict[str, Place], select: str, cast: str, arrived: object) -> None:
    places["duckdb"].execute(f"CREATE TABLE o AS {select}")
    transfer(places["duckdb"].url, places["mysql"].url, table="o", target="t", casts={"c": cast})
    assert places["mysql"].execute("SELECT c FROM t") == [(arrived,)]


@pytest.mark.parametrize("end", NAMES)
@pytest.mark.parametrize(
    ("second", "message"),
    [
        ((1, "b"), "1 of the rows have a key id that another row has too. Take a key that is unique in the source."),
        ((None, "b"), "1 of the rows have no value in the key id. Leave them out with --where, or take another key."),
    ],
)
def test_rows_that_an_upsert_could_not_tell_apart_are_refused(
    places: dict[str, Place], end: str, second: tuple[int | None, str], message: str
) -> None:
    start = places["sqlite" if end != "sqlite" else "duckdb"]
    values = ", ".join(f"({'NULL' if number is None else number}, '{text}')" for number, text in ((1, "a"), second))
    start.execute("CREATE TABLE o (id BIGINT, name VARCHAR(10))", f"INSERT INTO o VALUES {values}")
    make(places[end], "t", (1, "old"))
    with pytest.raises(TransferRefused) as refused:
        transfer(start.url, places[end].url, table="o", target="t", mode="upsert", key=["id"])
    assert str(refused.value) == message
    assert rows(places[end], "t") == [(1, "old")]


@pytest.mark.parametrize("end", ["postgresql", "mysql", "sqlite"])
def test_a_row_that_breaks_a_rule_of_the_target_leaves_it_as_it_was(places: dict[str, Place], end: str) -> None:
    places[end].execute("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(100))", "INSERT INTO t VALUES (1999, 'there')")
    places["duckdb"].execute("CREATE TABLE o AS SELECT i::BIGINT AS id, 'x' AS name FROM range(2000) r(i)")
    with pytest.raises(TransferFailed):
        transfer(places["duckdb"].url, places[end].url, table="o", target="t", mode="append")
    assert rows(places[end], "t") == [(1999, "there")]


def test_a_view_on_the_target_goes_on_to_work(places: dict[str, Place]) -> None:
    target = places["postgresql"]
    make(target, "t", (1, "a"))
    target.execute("CREATE VIEW v AS SELECT * FROM t")
    make(target, "o", (5, "five"))
    transfer(target.url, target.url, table="o", target="t")
    assert rows(target, "t") == rows(target, "v") == [(5, "five")]


def test_a_query_with_a_condition_and_a_semicolon_is_read(places: dict[str, Place]) -> None:
    make(places["mysql"], "o", (1, "a"), (2, "b"))
    transfer(places["mysql"].url, places["duckdb"].url, query='SELECT id, "text" AS name FROM o;\n', where="id = 2", target="t")
    assert rows(places["duckdb"], "t") == [(2, "text")]


def test_rows_longer_than_a_packet_of_mysql_arrive(places: dict[str, Place]) -> None:
    length = 9_000_000  # of each of two values; a packet holds 16 MB
    long = f"repeat('é', {length // 2})"
    places["mysql"].execute(
        "CREATE TABLE o (id INT, t LONGTEXT, u LONGTEXT)",
        f"INSERT INTO o VALUES (1, 'a', 'b'), (2, {long}, {long}), (3, 'c', NULL), (4, '', {long})",
    )
    transfer(places["mysql"].url, places["sqlite"].url, table="o")
    sizes = places["sqlite"].execute("SELECT id, length(CAST(t AS BLOB)), length(CAST(u AS BLOB)) FROM o ORDER BY id")
    assert sizes == [(1, 1, 1), (2, length, length), (3, 1, None), (4, 0, length)]


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SELECT 1 AS x, ';' AS y; -- the end;", ";"),
        ("/* a; */ SELECT 1 AS x, 'b' AS y /* ; */ ;\n", "b"),
        ("SELECT 1 AS x, 'it''s;' AS y -- a", "it's;"),
    ],
)
@pytest.mark.parametrize("end", ["mysql", "postgresql", "sqlite", "duckdb"])
def test_a_query_may_end_in_a_semicolon_and_a_comment(places: dict[str, Place], end: str, query: str, value: str) -> None:
    target = places["duckdb" if end != "duckdb" else "sqlite"]
    places[end].execute("CREATE TABLE other (a INTEGER)")
    transfer(places[end].url, target.url, query=query, target="t")
    assert target.execute("SELECT y FROM t") == [(value,)]


@pytest.mark.parametrize("query", ["SELECT 1; SELECT 2", " -- nothing\n"])
def test_a_query_of_several_statements_or_of_none_is_refused(places: dict[str, Place], query: str) -> None:
    with pytest.raises(TransferRefused, match=r"^The query holds [02] statements; a transfer reads one SELECT\."):
        transfer(places["sqlite"].url, places["duckdb"].url, query=query, target="t")
