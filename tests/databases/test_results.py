"""What each method of a database does, for all three."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
from python_calamine import CalamineWorkbook

from pdbt.engine.databases import UnusableStart, open_database
from pdbt.engine.errors import BuildError, SettingsError
from pdbt.engine.reading.model import Column
from tests.databases.subjects import Subject, load

ORDERS = "SELECT i AS id, 'customer ' || (i % 3) AS customer, i * 1.5 AS amount FROM range(10) t(i)"


def test_a_source_is_loaded_transformed_and_published(subject: Subject) -> None:
    with subject.run() as database:
        assert load(database, "ORDERS", ORDERS) == 10
        assert database.build("SALES", "SELECT customer, count(*) AS orders FROM ORDERS GROUP BY customer ORDER BY customer") == 3
        database.seal()
        database.publish(["ORDERS", "SALES"], [])
    assert subject.read("SELECT customer, orders FROM SALES ORDER BY 1") == [("customer 0", 4), ("customer 1", 3), ("customer 2", 3)]
    assert subject.read("SELECT sum(amount) FROM ORDERS") == [(67.5,)]


def test_nothing_is_published_before_publish(subject: Subject) -> None:
    subject.publish(("SALES", "SELECT 1 AS a"))
    with subject.run() as database:
        database.build("SALES", "SELECT 2 AS a")
        assert subject.read("SELECT a FROM SALES") == [(1,)]
        database.seal()
        assert subject.read("SELECT a FROM SALES") == [(1,)]
        database.publish(["SALES"], [])
    assert subject.read("SELECT a FROM SALES") == [(2,)]


def test_the_token_of_what_was_sealed_is_the_token_of_what_is_published(subject: Subject) -> None:
    database = subject.database()
    assert (database.published_token(), database.work_token()) == (None, None)
    database.open("empty")
    assert database.work_token() is None
    database.build("SALES", "SELECT 1 AS a")
    token = database.seal()
    assert (database.published_token(), database.work_token()) == (None, token)
    database.publish(["SALES"], [])
    assert (database.published_token(), database.work_token()) == (token, None)
    database.close()
    assert (subject.database().published_token(), subject.database().work_token()) == (token, None)
    assert subject.publish(("SALES", "SELECT 1 AS a")) != token


def test_a_later_run_goes_on_with_what_was_sealed(subject: Subject) -> None:
    with subject.run() as database:
        database.build("SALES", "SELECT 1 AS a")
        token = database.seal()
    with subject.run("work") as database:
        assert database.work_token() is None  # it is being worked on
        database.build("SUMMARY", "SELECT a + 1 AS b FROM SALES")
        assert database.seal() != token
        database.publish(["SALES", "SUMMARY"], [])
    assert subject.read("SELECT b FROM SUMMARY") == [(2,)]


def test_work_that_was_not_sealed_is_not_gone_on_with(subject: Subject) -> None:
    with subject.run() as database:
        database.build("SALES", "SELECT 1 AS a")
    assert subject.database().work_token() is None
    with pytest.raises(UnusableStart, match="finished work"), subject.run("work"):
        pass


def test_discard_removes_the_work(subject: Subject) -> None:
    subject.publish(("SALES", "SELECT 1 AS a"))
    with subject.run() as database:
        database.build("SALES", "SELECT 2 AS a")
        database.seal()
    database = subject.database()
    database.discard()
    assert database.work_token() is None
    database.close()
    assert subject.read("SELECT a FROM SALES") == [(1,)]


def test_only_the_kept_tables_of_what_is_published_go_into_the_next_run(subject: Subject) -> None:
    subject.publish(("KEPT", "SELECT 1 AS a"), ("REBUILT", "SELECT 2 AS a"), ("GONE", "SELECT 3 AS a"))
    with subject.run("published", ["kept"]) as database:
        database.build("REBUILT", "SELECT a + 10 AS a FROM KEPT")
        database.seal()
        database.publish(["REBUILT"], ["GONE"])
    assert [name.upper() for name in subject.tables()] == ["KEPT", "REBUILT"]
    assert subject.read("SELECT * FROM KEPT, REBUILT") == [(1, 11)]


def test_what_is_published_can_be_read_without_a_copy(subject: Subject, tmp_path: Path) -> None:
    subject.publish(("SALES", "SELECT 1 AS a"))
    with subject.run("reading") as database:
        assert database.query("SELECT a FROM SALES", 5) == (["a"], [(1,)], 1)
        assert database.read("SALES").to_pylist() == [{"a": 1}]
        assert database.export("SALES", tmp_path / "sales.csv", "csv") == 1
    assert (tmp_path / "sales.csv").read_text() == "a\n1\n"


def test_a_table_is_replaced(subject: Subject) -> None:
    with subject.run() as database:
        assert load(database, "T", "SELECT 1 AS a") == 1
        assert load(database, "T", "SELECT 'x' AS b FROM range(2)") == 2
        assert [column.name for column in database.columns("T")] == ["b"]
        assert database.build("T", "SELECT 3 AS c") == 1
        assert [column.name for column in database.columns("T")] == ["c"]


def test_a_table_is_dropped(subject: Subject) -> None:
    with subject.run() as database:
        database.build("T", "SELECT 1 AS a")
        database.drop("T")
        database.drop("T")
        with pytest.raises(BuildError, match="T"):
            database.columns("T")


def test_columns_have_the_names_of_the_databases_own_types(subject: Subject) -> None:
    select = "SELECT 1::BIGINT AS a, 1.5::DOUBLE AS b, 'x' AS c, DATE '2024-01-02' AS d, true AS e"
    types = {
        "duckdb": ["BIGINT", "DOUBLE", "VARCHAR", "DATE", "BOOLEAN"],
        "sqlite": ["INTEGER", "REAL", "TEXT", "TEXT", "INTEGER"],
        "postgresql": ["bigint", "double precision", "text", "date", "boolean"],
    }
    with subject.run() as database:
        load(database, "T", select)
        assert [column.type for column in database.columns("T")] == types[subject.kind]


@pytest.mark.parametrize(
    "select", ["SELECT 1 AS a -- a comment", "SELECT 1 AS a;", "WITH w AS (SELECT 1 AS a) SELECT * FROM w", "VALUES (1)"]
)
def test_a_table_is_made_of_whatever_is_one_select(subject: Subject, select: str) -> None:
    with subject.run() as database:
        assert database.build("T", select) == 1
        assert database.query(select, 5)[1:] == ([(1,)], 1)


@pytest.mark.parametrize("select", ["SELECT 1 AS a; DROP TABLE T", "DROP TABLE T", "DELETE FROM T", ""])
def test_a_text_that_is_not_one_select_is_refused_and_does_nothing(subject: Subject, select: str) -> None:
    with subject.run() as database:
        database.build("T", "SELECT 1 AS a")
        with pytest.raises(BuildError):
            database.build("OTHER", select)
        with pytest.raises(BuildError):
            database.query(select, 5)
        assert database.query("SELECT a FROM T", 5)[1] == [(1,)]


def test_an_error_of_the_sql_is_one_sentence_that_names_the_table(subject: Subject) -> None:
    with subject.run() as database, pytest.raises(BuildError) as caught:
        database.build("SALES", "SELECT 1 AS a,\n  missing_column")
    assert caught.value.message.startswith("SALES: ")
    assert "missing_column" in caught.value.message
    assert "\n" not in caught.value.message
    if subject.kind != "sqlite":  # which does not tell where
        assert "(line 2)" in caught.value.message


def test_a_failed_build_leaves_the_table_as_it_was(subject: Subject) -> None:
    failing = "SELECT 10 / a AS b FROM T" if subject.kind == "postgresql" else "SELECT nothing FROM T"
    with subject.run() as database:
        database.build("T", "SELECT 0 AS a")
        with pytest.raises(BuildError):
            database.build("T", failing)
        assert database.query("SELECT a FROM T", 5)[1] == [(0,)]


def test_an_error_in_the_middle_of_a_load_is_duckdbs_own_and_leaves_no_table(subject: Subject) -> None:
    half = "SELECT CASE WHEN i = 150000 THEN error('line 7 is wrong') ELSE i END::BIGINT AS a FROM range(200000) t(i)"
    with subject.run() as database:
        with pytest.raises(duckdb.InvalidInputException, match="line 7 is wrong"):
            database.load("T", half, [Column("a", "BIGINT")])
        if subject.kind != "duckdb":
            with pytest.raises(BuildError):
                database.columns("T")
        assert load(database, "T", "SELECT 1 AS a") == 1
        with pytest.raises(duckdb.BinderException):
            database.load("T", "SELECT nothing", [Column("nothing", "BIGINT")])


def test_a_result_that_nobody_fetched_disturbs_nothing(subject: Subject, tmp_path: Path) -> None:
    with subject.run() as database:
        database.reader.execute("FROM range(100000)").fetchone()
        assert load(database, "T", "SELECT 1 AS a") == 1
        database.reader.execute("FROM range(100000)").fetchone()
        assert database.write("U", pa.table({"a": [1, 2]})) == 2
        database.reader.execute("FROM range(100000)").fetchone()
        assert database.read("U").num_rows == 2
        database.reader.execute("FROM range(100000)").fetchone()
        assert database.export("U", tmp_path / "u.csv", "csv") == 2
        database.reader.execute("FROM range(100000)").fetchone()
        assert database.seal()


def test_a_check_returns_its_first_rows_and_how_many_there_are(subject: Subject) -> None:
    with subject.run() as database:
        load(database, "ORDERS", ORDERS)
        names, rows, count = database.query("SELECT id, customer FROM ORDERS WHERE id >= 3 ORDER BY id -- wrong", 2)
        assert (names, rows, count) == (["id", "customer"], [(3, "customer 0"), (4, "customer 1")], 7)
        assert database.query("SELECT id FROM ORDERS WHERE id > 100", 5) == (["id"], [], 0)
        assert database.query("SELECT id, id FROM ORDERS LIMIT 1", 5)[1:] == ([(0, 0)], 1)


def test_a_python_table_is_written_and_read_back(subject: Subject) -> None:
    rows = pa.table(
        {
            "number": [1, 2],
            "text": pa.array(["x", None]).dictionary_encode(),
            "nothing": pa.nulls(2),
            "": [0.5, 1.5],
        }
    )
    with subject.run() as database:
        assert database.write("T", rows) == 2
        read = database.read("T")
        assert database.query("SELECT number FROM T WHERE text = 'x'", 5)[1] == [(1,)]
    assert read.column_names == ["number", "text", "nothing", "column_4"]
    assert read.to_pydict() == {"number": [1, 2], "text": ["x", None], "nothing": [None, None], "column_4": [0.5, 1.5]}


@pytest.mark.parametrize(
    ("rows", "said"),
    [(pa.table([[1], [2]], names=["a", "A"]), "two columns named A"), (pa.table({}), "no columns")],
)
def test_a_python_table_without_usable_columns_is_refused(subject: Subject, rows: pa.Table, said: str) -> None:
    with subject.run() as database, pytest.raises(BuildError, match=f"T has {said}"):
        database.write("T", rows)


def test_exports_hold_the_rows_in_their_order(subject: Subject, tmp_path: Path) -> None:
    expected = [(1, 'ä,"quoted"', 1.5), (3, "two\nlines", -0.25), (2, None, None)]
    values = """SELECT * FROM (VALUES (1::BIGINT, 'ä,"quoted"', 1.5::DOUBLE), (3, 'two' || chr(10) || 'lines', -0.25), (2, NULL, NULL))
                t(a, b, c)"""
    with subject.run() as database:
        load(database, "T", values)
        for file_format in ("csv", "json", "parquet", "xlsx"):
            assert database.export("T", tmp_path / f".t.{file_format}.next", file_format) == 3
    with (tmp_path / ".t.csv.next").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["a", "b", "c"], ["1", 'ä,"quoted"', "1.5"], ["3", "two\nlines", "-0.25"], ["2", "", ""]]
    assert [tuple(row.values()) for row in json.loads((tmp_path / ".t.json.next").read_text(encoding="utf-8"))] == expected
    assert [tuple(row.values()) for row in pyarrow.parquet.read_table(tmp_path / ".t.parquet.next").to_pylist()] == expected
    sheet = CalamineWorkbook.from_path(str(tmp_path / ".t.xlsx.next")).get_sheet_by_name("T").to_python()
    assert sheet == [["a", "b", "c"], [1.0, 'ä,"quoted"', 1.5], [3.0, "two\nlines", -0.25], [2.0, "", ""]]


def test_a_table_without_rows_is_exported_with_its_header(subject: Subject, tmp_path: Path) -> None:
    with subject.run() as database:
        load(database, "T", "SELECT 1 AS a, 'x' AS b WHERE false")
        for file_format in ("csv", "json", "parquet", "xlsx"):
            assert database.export("T", tmp_path / f"t.{file_format}", file_format) == 0
    assert (tmp_path / "t.csv").read_text() == "a,b\n"
    assert json.loads((tmp_path / "t.json").read_text()) == []


def test_closing_twice_is_no_error(subject: Subject) -> None:
    database = subject.database()
    database.close()
    database.open("empty")
    database.close()
    database.close()


def test_files_hold_no_tables_of_others(file_subject: Subject) -> None:
    assert file_subject.database().external("anything") is False


def test_an_unknown_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="duckdb, sqlite, commune"):
        open_database("oracle", project=tmp_path)
    with pytest.raises(SettingsError, match="url"):
        open_database("sqlite", project=tmp_path, url="postgresql://localhost/x")


def test_a_commune_without_url_is_a_sqlite_file(tmp_path: Path) -> None:
    database = open_database("commune", project=tmp_path)
    database.open("empty")
    database.build("T", "SELECT 1 AS a")
    database.seal()
    database.publish(["T"], [])
    assert database.dialect == "sqlite"
    assert (tmp_path / "db/database.db").read_bytes().startswith(b"SQLite format 3")
