"""Numbers that one side holds with more digits than the other one seems to: each arrives as it was, or is refused by name."""

from __future__ import annotations

import math
import sqlite3
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.connect import transfer
from pdbt.connect.base import Reading, TransferRefused
from pdbt.connect.connections import resolve_name
from pdbt.connect.engines import open_engine
from pdbt.connect.sqlite_types import found_columns
from pdbt.handlers import HandlerNode, PipelineExecutor, PipelineFailed, SqlSource
from tests.connect.databases import Place

DOUBLES = (0.1234567890123456, 1e300, -2.2250738585072014e-308, 16777217.0, 0.1)


@pytest.mark.parametrize("declared", ["FLOAT", "REAL", "FLOAT(24)", "FLOAT4", "FLOAT32", "NUMERIC", ""])
@pytest.mark.parametrize("end", ["postgresql", "mysql", "duckdb"])
def test_a_float_of_sqlite_arrives_with_all_its_digits(places: dict[str, Place], end: str, declared: str) -> None:
    values = ", ".join(f"({number}, {value!r})" for number, value in enumerate(DOUBLES))
    places["sqlite"].execute(f"CREATE TABLE o (id INTEGER, x {declared})", f"INSERT INTO o VALUES {values}")
    transfer(places["sqlite"].url, places[end].url, table="o", target="t")
    assert [float(x) for (x,) in places[end].execute("SELECT x FROM t ORDER BY id")] == [*DOUBLES]


def test_floats_of_32_bits_stay_such_by_way_of_sqlite(places: dict[str, Place], tmp_path: Path) -> None:
    greatest = struct.unpack("f", struct.pack("f", 3.4028234663852886e38))[0]
    places["duckdb"].execute(
        "CREATE TABLE o (x FLOAT)", f"INSERT INTO o VALUES (0.1), (1e-45), (NULL), ('inf'), (-{greatest!r}), (16777216)"
    )
    transfer(places["duckdb"].url, places["sqlite"].url, table="o", target="t")
    transfer(places["sqlite"].url, f"duckdb:///{tmp_path / 'back.duckdb'}", table="t")
    transfer(places["sqlite"].url, places["duckdb"].url, table="t", target="back")
    assert places["duckdb"].execute("SELECT typeof(x), x FROM back") == places["duckdb"].execute("SELECT typeof(x), x FROM o")


@pytest.mark.parametrize(
    ("values", "kinds", "looks"),
    [
        ("(1, 0.5, '1.25', 'a'), (NULL, NULL, NULL, NULL), (2, 0.25, '-7.00', x'')", ("INTEGER", "FLOAT", "DECIMAL(5,2)", ""), 1),
        ("(1, 0.1, '1.25', 'a')", ("INTEGER", "DOUBLE", "DECIMAL(5,2)", "VARCHAR"), 1),
        ("(3000000000, 1.5, '-.125', x'')", ("BIGINT", "FLOAT", "DECIMAL(6,3)", "BLOB"), 2),
        ("(1, 1.5, '+12345.6', 1.5), (1.5, 1.5, '7', 2)", ("DOUBLE", "FLOAT", "DECIMAL(7,2)", "DOUBLE"), 3),
        ("(NULL, NULL, NULL, NULL)", ("INTEGER", "FLOAT", "DECIMAL(5,2)", "VARCHAR"), 1),
    ],
)
def test_values_that_are_as_declared_are_looked_at_in_one_pass(values: str, kinds: tuple[str, ...], looks: int) -> None:
    declared = [("n", "INT"), ("x", "FLOAT32"), ("d", "DECIMAL TEXT(5,2)"), ("o", "")]
    asked = []
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE t ({', '.join(f'{name} {native}' for name, native in declared)})")
    connection.execute(f"INSERT INTO t VALUES {values}")

    def rows(select: str) -> list[tuple[object, ...]]:
        asked.append(select)
        return connection.execute(select).fetchall()

    found = found_columns(declared, "t", rows)
    connection.close()
    assert tuple(column.kind for column in found) == kinds
    assert len(asked) == looks


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20), st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_doubles_in_a_column_called_float32_are_read_as_they_are(tmp_path: Path, values: list[float], narrow: bool) -> None:
    path = tmp_path / "any.sqlite"
    path.unlink(missing_ok=True)
    kept = [struct.unpack("f", struct.pack("f", value))[0] if abs(value) < 3e38 else math.inf for value in values] if narrow else values
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE o (x FLOAT32)")
        connection.executemany("INSERT INTO o VALUES (?)", [(value,) for value in kept])
    connection.close()
    with open_engine(resolve_name(str(path), None)) as engine:
        reading = Reading(select="SELECT x FROM o")
        (column,) = engine.describe(reading)
        found = [value for batch in engine.read(reading, [column]) for value in batch.column(0).to_pylist()]
    assert found == kept
    assert not narrow or column.kind == "FLOAT"


@pytest.mark.parametrize("declared", ["NUMERIC", "DECIMAL(20,2)", "", "MONEY"])
@pytest.mark.parametrize("whole", [9007199254740993, 9223372036854775807, -9007199254740993])
def test_whole_numbers_that_a_double_would_round_are_refused_beside_fractions(places: dict[str, Place], declared: str, whole: int) -> None:
    places["sqlite"].execute(f"CREATE TABLE o (n {declared})", f"INSERT INTO o VALUES ({whole}), (1.5)")
    with pytest.raises(TransferRefused, match=r"^Column n is of type .*, with values of types integer and real, which DuckDB cannot hold"):
        transfer(places["sqlite"].url, places["duckdb"].url, table="o", target="t")
    transfer(places["sqlite"].url, places["duckdb"].url, table="o", target="t", casts={"n": "DECIMAL(25,5)"})
    assert places["duckdb"].execute("SELECT n::VARCHAR FROM t ORDER BY n = 1.5") == [(f"{whole}.00000",), ("1.50000",)]


@pytest.mark.parametrize("whole", [9007199254740992, 2**62, -(2**63), 7])
def test_whole_numbers_that_a_double_holds_arrive_beside_fractions(places: dict[str, Place], whole: int) -> None:
    places["sqlite"].execute("CREATE TABLE o (n NUMERIC)", f"INSERT INTO o VALUES ({whole}), (1.5)")
    transfer(places["sqlite"].url, places["duckdb"].url, table="o", target="t")
    assert [int(n) for (n,) in places["duckdb"].execute("SELECT n FROM t WHERE n <> 1.5")] == [whole]


def test_a_cast_to_text_keeps_all_digits_of_a_real(places: dict[str, Place]) -> None:
    places["sqlite"].execute("CREATE TABLE o (x)", "INSERT INTO o VALUES (0.1234567890123456), ('a'), (1e300), (0.1), (x'41')")
    transfer(places["sqlite"].url, places["duckdb"].url, table="o", target="t", casts={"x": "VARCHAR"})
    found = [text for (text,) in places["duckdb"].execute("SELECT x FROM t")]
    assert [float(found[0]), found[1], float(found[2]), found[3], found[4]] == [0.1234567890123456, "a", 1e300, "0.1", "A"]


@pytest.mark.parametrize(("declared", "value"), [("INT", 2**40), ("SMALLINT", 70_000), ("INT", -(2**63)), ("INT", 5)])
def test_a_whole_number_of_sqlite_arrives_though_its_declared_type_is_smaller_elsewhere(
    places: dict[str, Place], declared: str, value: int
) -> None:
    places["sqlite"].execute(f"CREATE TABLE o (n {declared})", f"INSERT INTO o VALUES ({value}), (1)")
    transfer(places["sqlite"].url, places["duckdb"].url, table="o", target="t")
    assert places["duckdb"].execute("SELECT n FROM t WHERE n <> 1") == [(value,)]


def test_a_stream_reads_the_numbers_of_sqlite_as_they_are(places: dict[str, Place]) -> None:
    places["sqlite"].execute("CREATE TABLE o (x FLOAT, n NUMERIC)", "INSERT INTO o VALUES (0.1234567890123456, 1.5), (1e300, 2)")
    url = places["sqlite"].url
    (rows,) = PipelineExecutor([HandlerNode("source", SqlSource(url, "SELECT * FROM o"))]).run_once()["source"]
    assert rows.to_pylist() == [{"x": 0.1234567890123456, "n": 1.5}, {"x": 1e300, "n": 2.0}]


def test_a_decimal_of_a_dialect_that_holds_more_digits_than_it_says_is_refused(places: dict[str, Place]) -> None:
    places["sqlite"].execute("CREATE TABLE o (n DECIMAL(10,2))", "INSERT INTO o VALUES (1.25), (1.2567)")
    with pytest.raises(TransferRefused, match=r"^Column n \(decimal\(10, 2\)\) holds a number that DECIMAL\(10,2\) does not hold with all"):
        transfer(f"sqlalchemy+{places['sqlite'].url}", places["duckdb"].url, table="o", target="t")


def test_a_stream_refuses_numbers_that_no_type_holds(places: dict[str, Place]) -> None:
    places["sqlite"].execute("CREATE TABLE o (n NUMERIC)", "INSERT INTO o VALUES (9007199254740993), (1.5)")
    with pytest.raises(PipelineFailed, match="column n is of type NUMERIC, with values of types integer and real, which no type of Arrow"):
        PipelineExecutor([HandlerNode("source", SqlSource(places["sqlite"].url, "SELECT * FROM o"))]).run_once()


def test_a_float_of_mysql_arrives_with_all_its_digits_through_sqlalchemy(places: dict[str, Place]) -> None:
    places["mysql"].execute("CREATE TABLE o (x float)", "INSERT INTO o VALUES (16777215), (0.12345679), (-1e-38)")
    url = places["mysql"].url.replace("mysql://", "sqlalchemy+mysql+pymysql://")
    transfer(url, places["duckdb"].url, table="o", target="t")
    assert (
        places["duckdb"].execute("SELECT x = 16777215 OR x = 0.12345679::FLOAT OR x = (-1e-38)::FLOAT, typeof(x) FROM t")
        == [(True, "FLOAT")] * 3
    )


def test_the_greatest_floats_arrive_in_mysql(places: dict[str, Place]) -> None:
    greatest = 3.4028234663852886e38
    places["duckdb"].execute("CREATE TABLE o (x FLOAT)", f"INSERT INTO o VALUES ({greatest!r}), (-{greatest!r}), (1.17549435e-38), (0.1)")
    transfer(places["duckdb"].url, places["mysql"].url, table="o", target="t")
    transfer(places["mysql"].url, places["duckdb"].url, table="t", target="back")
    assert places["duckdb"].execute("FROM back ORDER BY x") == places["duckdb"].execute("FROM o ORDER BY x")
    assert places["duckdb"].execute("SELECT max(x), min(x) FROM back") == [(greatest, -greatest)]
