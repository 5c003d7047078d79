"""Values come out of a database as they went in."""

from __future__ import annotations

import contextlib
import csv
import datetime
import sqlite3
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdbt.engine.databases.names import quoted
from pdbt.engine.errors import BuildError
from pdbt.engine.reading.model import Column
from tests.databases.conftest import MakeSubject
from tests.databases.subjects import Subject, load

UTC = datetime.UTC

# Each value as DuckDB writes it, and as it is read from each database.
VALUES = {
    "least integer": ("(-9223372036854775808)::BIGINT", -(2**63)),
    "greatest integer": ("9223372036854775807::BIGINT", 2**63 - 1),
    "double": ("0.1::DOUBLE", 0.1),
    "smallest double": ("5e-324::DOUBLE", 5e-324),
    "greatest double": ("1.7976931348623157e308::DOUBLE", 1.7976931348623157e308),
    "infinity": ("'inf'::DOUBLE", float("inf")),
    "seventeen digits": ("0.30000000000000004::DOUBLE", 0.30000000000000004),
    "short float": ("0.1::FLOAT", 0.10000000149011612),
    "text": ("""'it''s "quoted", ' || chr(10) || 'in two lines'""", 'it\'s "quoted", \nin two lines'),
    "emoji": ("'naïve 🦆 日本'", "naïve 🦆 日本"),
    "empty text": ("''", ""),
    "NULL as text": ("'NULL'", "NULL"),
    "missing": ("NULL::VARCHAR", None),
    "missing number": ("NULL::BIGINT", None),
    "leading zeros": ("'007'", "007"),
    "yes": ("true", True),
    "date": ("DATE '1066-10-14'", datetime.date(1066, 10, 14)),
    "timestamp": ("TIMESTAMP '2024-02-29 23:59:59.999999'", datetime.datetime(2024, 2, 29, 23, 59, 59, 999999)),
    "old timestamp": ("TIMESTAMP '1815-06-18 11:30:00.000001'", datetime.datetime(1815, 6, 18, 11, 30, 0, 1)),
    "timestamp with zone": (
        "TIMESTAMPTZ '2024-02-29 23:59:59.999999+02:00'",
        datetime.datetime(2024, 2, 29, 21, 59, 59, 999999, tzinfo=UTC),
    ),
    "time": ("TIME '12:34:56.789012'", datetime.time(12, 34, 56, 789012)),
    "money": ("1234567.89::DECIMAL(12,2)", Decimal("1234567.89")),
    "long decimal": ("12345678901234567890.123456789::DECIMAL(38,9)", Decimal("12345678901234567890.123456789")),
    "short value of a long decimal": ("1.5::DECIMAL(38,9)", Decimal("1.500000000")),
    "unsigned": ("18446744073709551615::UBIGINT", 2**64 - 1),
    "small unsigned": ("5::UBIGINT", 5),
    "huge": ("99999999999999999999999999999999999999::HUGEINT", 10**38 - 1),
    "bytes": ("'\\x00\\xFF\\x80'::BLOB", b"\x00\xff\x80"),
    "uuid": ("'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::UUID::VARCHAR", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
    "list": ("[1, NULL, 3]", "[1,null,3]"),
    "structure": ("{'a': 1, 'b': ['x']}", '{"a":1,"b":["x"]}'),
}
# Where a database has no such type, or DuckDB's Arrow has another one.
READ_FROM: dict[str, dict[str, object]] = {
    "duckdb": {
        "huge": Decimal("99999999999999999999999999999999999999"),
        "list": [1, None, 3],
        "structure": {"a": 1, "b": ["x"]},
    },
    "sqlite": {
        "short float": 0.1,
        "yes": 1,
        "date": "1066-10-14",
        "timestamp": "2024-02-29 23:59:59.999999",
        "old timestamp": "1815-06-18 11:30:00.000001",
        "timestamp with zone": "2024-02-29 21:59:59.999999+00:00",
        "time": "12:34:56.789012",
        "money": 1234567.89,
        "long decimal": "12345678901234567890.123456789",
        "short value of a long decimal": 1.5,
        "unsigned": "18446744073709551615",
        "huge": "99999999999999999999999999999999999999",
    },
    "postgresql": {},
}


@pytest.mark.parametrize("steps", ["loaded", "loaded and built"])
def test_values_are_read_as_they_are(subject: Subject, steps: str) -> None:
    select = ", ".join(f"{written} AS {quoted(name)}" for name, (written, _) in VALUES.items())
    with subject.run() as database:
        load(database, "T", f"SELECT {select}")
        if steps == "loaded and built":
            database.build("U", "SELECT * FROM T")
        read = database.read("T" if steps == "loaded" else "U").to_pylist()
    assert read == [{name: expected for name, (_, expected) in VALUES.items()} | READ_FROM[subject.kind]]


def test_a_file_means_the_same_in_all_three(subject: Subject, tmp_path: Path) -> None:
    select = """SELECT 9007199254740993::BIGINT AS number, 0.1::DOUBLE AS ratio, 'x, "y"' AS text, DATE '2024-01-31' AS day,
                TIMESTAMP '2024-01-31 10:00:00.5' AS moment, NULL::VARCHAR AS nothing, '' AS empty"""
    with subject.run() as database:
        load(database, "T", select)
        database.export("T", tmp_path / "t.csv", "csv")
    assert (tmp_path / "t.csv").read_text() == (
        'number,ratio,text,day,moment,nothing,empty\n9007199254740993,0.1,"x, ""y""",2024-01-31,2024-01-31 10:00:00.5,,""\n'
    )


def test_reserved_words_and_odd_names_are_names_like_others(subject: Subject, tmp_path: Path) -> None:
    names = ["select", "a b", "Straße", 'with "quotes"', "100%", ":x", "order"]
    select = "SELECT " + ", ".join(f"{number} AS {quoted(name)}" for number, name in enumerate(names, 1))
    with subject.run() as database:
        load(database, "select", select)
        assert database.build("from table", 'SELECT "select" + "a b" AS "the sum", "100%", ":x" FROM "select"') == 1
        assert database.query('SELECT "the sum" FROM "from table"', 5)[1] == [(3,)]
        assert database.read("select").column_names == names
        assert database.export("from table", tmp_path / "x.csv", "csv") == 1
        database.seal()
        database.publish(["select", "from table"], [])
    assert (tmp_path / "x.csv").read_text() == "the sum,100%,:x\n3,5,6\n"
    assert subject.read('SELECT "a b" FROM "select"') == [(2,)]


def test_percent_and_colons_in_sql_are_left_alone(subject: Subject) -> None:
    select = "SELECT 'a%b :name %s %(x)s ?' AS v, CAST('1' AS integer) AS n WHERE 'abc' LIKE 'a%' AND '10:30' LIKE '%:%'"
    with subject.run() as database:
        assert database.build("T", select) == 1
        assert database.query(f"SELECT v FROM ({select}) AS t", 5)[1] == [("a%b :name %s %(x)s ?",)]


def test_unquoted_sql_finds_names_in_any_case(subject: Subject) -> None:
    with subject.run() as database:
        load(database, "ORDERS", 'SELECT 1 AS "OrderID", 2 AS "Amount"')
        database.build("Summary", "SELECT sum(AMOUNT) AS total FROM orders WHERE orderid = 1")
        assert database.query("SELECT Total FROM SUMMARY", 5)[1] == [(2,)]
        assert database.read("Summary").num_rows == 1
        database.seal()
        database.publish(["ORDERS", "Summary"], [])
    assert subject.read("SELECT OrderId FROM Orders") == [(1,)]


def test_rows_keep_the_order_of_the_file(subject: Subject) -> None:
    with subject.run() as database:
        load(database, "T", "SELECT (i * 7919) % 100003 AS v FROM range(120000) t(i)")
        values = database.read("T")["v"].to_pylist()
    assert values == [i * 7919 % 100003 for i in range(120000)]


def test_a_column_whose_first_rows_do_not_show_its_type_is_read(subject: Subject, tmp_path: Path) -> None:
    late = "CASE WHEN i >= 110000 THEN {} END"
    columns = ", ".join(f"{late.format(value)} AS {name}" for name, value in (("a", "i + 0.5::DOUBLE"), ("b", "'text'"), ("c", "i")))
    with subject.run() as database:
        load(database, "T", f"SELECT {columns} FROM range(110001) t(i)")
        assert database.read("T").slice(110000).to_pylist() == [{"a": 110000.5, "b": "text", "c": 110000}]
        assert database.export("T", tmp_path / "t.parquet", "parquet") == 110001


ANYTHING = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(ANYTHING, min_size=1, max_size=6))
def test_mixed_values_of_sqlite_lose_nothing_when_they_are_read(tmp_path_factory: pytest.TempPathFactory, values: list[object]) -> None:
    subject = Subject("sqlite", tmp_path_factory.mktemp("mixed"))
    subject.published.parent.mkdir()
    with contextlib.closing(sqlite3.connect(subject.published, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE T (v)")
        connection.executemany("INSERT INTO T VALUES (?)", [(value,) for value in values])
    with subject.run("reading") as database:
        column = database.read("T")["v"]
    restored = [_like(value, read) for value, read in zip(values, column.to_pylist(), strict=True)]
    assert restored == values


def _like(value: object, read: object) -> object:
    """Return what was read as the type of what was written: in a column of mixed types all are text, and numbers can be doubles."""
    if isinstance(value, float) and isinstance(read, str):
        return float(read)
    if isinstance(value, int) and isinstance(read, str | float):
        return int(read)
    return read


@pytest.mark.parametrize(("kind", "most"), [("sqlite", 2000), ("postgresql", 1600)])
def test_more_columns_than_the_database_takes_are_refused(make_subject: MakeSubject, kind: str, most: int) -> None:
    subject = make_subject(kind)
    columns = [Column(f"c{number}", "BIGINT") for number in range(5000)]
    select = "SELECT " + ", ".join(f"{number}::BIGINT AS c{number}" for number in range(5000))
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind]
    with subject.run() as database:
        with pytest.raises(BuildError, match=f"ORDERS has 5,000 columns; {name} takes {most:,} at most."):
            database.load("ORDERS", select, columns)
        with pytest.raises(BuildError):
            database.columns("ORDERS")


def test_duckdb_takes_5000_columns(make_subject: MakeSubject, tmp_path: Path) -> None:
    subject = make_subject("duckdb")
    with subject.run() as database:
        assert load(database, "ORDERS", "SELECT " + ", ".join(f"{number} AS c{number}" for number in range(5000))) == 1
        assert database.export("ORDERS", tmp_path / "wide.csv", "csv") == 1
    with (tmp_path / "wide.csv").open() as file:
        assert [len(row) for row in csv.reader(file)] == [5000, 5000]


def test_a_wide_sqlite_table_is_read(make_subject: MakeSubject) -> None:
    subject = make_subject("sqlite")
    with subject.run() as database:
        load(database, "T", "SELECT " + ", ".join(f"{number} AS c{number}" for number in range(2000)) + " FROM range(3)")
        assert database.read("T").shape == (3, 2000)


def test_the_machines_time_zone_changes_nothing(subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    monkeypatch.setenv("PGTZ", "America/New_York")
    with subject.run() as database:
        load(database, "T", "SELECT TIMESTAMPTZ '2024-01-31 23:30:00+00' AS v")
        database.export("T", tmp_path / "t.csv", "csv")
        assert database.query("SELECT v FROM T", 1)[1][0] != ()
    assert (tmp_path / "t.csv").read_text().startswith("v\n2024-01-31 23:30:00+00")


def test_duckdb_types_of_python_tables_are_kept(subject: Subject) -> None:
    rows = pa.table(
        {
            "day": pa.array([datetime.date(2024, 1, 31)]),
            "moment": pa.array([datetime.datetime(2024, 1, 31, 10, 0, 0, 1)], pa.timestamp("ns")),
            "price": pa.array([Decimal("1.25")], pa.decimal128(10, 2)),
            "count": pa.array([7], pa.uint64()),
        }
    )
    with subject.run() as database:
        database.write("T", rows)
        read = database.read("T").to_pylist()[0]
    if subject.kind == "sqlite":
        assert read == {"day": "2024-01-31", "moment": "2024-01-31 10:00:00.000001", "price": 1.25, "count": 7}
    else:
        assert read["day"] == datetime.date(2024, 1, 31)
        assert str(read["moment"]).startswith("2024-01-31 10:00:00.000001")
        assert read["price"] == Decimal("1.25")
        assert read["count"] == 7


def test_a_cast_of_a_csv_column_is_a_cast_of_its_value(subject: Subject, tmp_path: Path) -> None:
    (tmp_path / "days.csv").write_text("day,open,n\n2024-1-5,TRUE,007\n,,\n")
    columns = "{'day': 'DATE', 'open': 'BOOLEAN', 'n': 'INTEGER'}"
    with subject.run() as database:
        load(database, "T", f"SELECT * FROM read_csv('{tmp_path / 'days.csv'}', auto_detect = false, header = true, columns = {columns})")
        read = database.read("T").to_pylist()
    day, is_open = ("2024-01-05", 1) if subject.kind == "sqlite" else (datetime.date(2024, 1, 5), True)
    assert read == [{"day": day, "open": is_open, "n": 7}, {"day": None, "open": None, "n": None}]


def test_exact_sums_of_postgresql_are_exported_exactly(make_subject: MakeSubject, tmp_path: Path) -> None:
    subject = make_subject("postgresql")
    with subject.run() as database:
        load(database, "T", "SELECT 9223372036854775807::BIGINT AS big, i AS small, 0.10::DECIMAL(12,2) AS price FROM range(3) t(i)")
        sums = "sum(big) AS a, sum(small) AS b, sum(price) AS c, avg(small) AS d, NULL::numeric AS e, 'NaN'::numeric AS f"
        database.build("S", f"SELECT {sums} FROM T")
        database.export("S", tmp_path / "s.csv", "csv")
        database.export("S", tmp_path / "s.parquet", "parquet")
    assert (tmp_path / "s.csv").read_text() == "a,b,c,d,e,f\n27670116110564327421,3,0.30,1.00000000000000000000,,nan\n"
    types = [kind for _, kind, *_ in duckdb.execute(f"DESCRIBE FROM '{tmp_path / 's.parquet'}'").fetchall()]
    assert types == ["DECIMAL(20,0)", "BIGINT", "DECIMAL(3,2)", "DECIMAL(21,20)", "BIGINT", "DOUBLE"]


def test_postgresql_says_what_it_does_not_store(make_subject: MakeSubject) -> None:
    subject = make_subject("postgresql")
    with subject.run() as database, pytest.raises(BuildError, match="T: a text contains the character NUL"):
        load(database, "T", "SELECT 'a' || chr(0) || 'b' AS v")
