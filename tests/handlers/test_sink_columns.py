"""Columns of the tables that batches are stored in: their names, their order, and types that only their database has."""

from __future__ import annotations

import datetime as dt
import itertools
import json

import pyarrow as pa

from pdbt.handlers import Batch, BatchRefused, TableSink
from tests.handlers.storing import DECIMAL, MORNING, as_sent, on_each_target, run_in, storing

LATER = {
    "integer": pa.array([7]),
    "decimal": pa.array([DECIMAL("1.25")]),
    "text": pa.array(["007"]),
    "truth": pa.array([True]),
    "moment": pa.array([MORNING], pa.timestamp("us", "UTC")),
    "bytes": pa.array([b"\x00\xff"]),
}


@on_each_target
def test_a_first_batch_whose_column_is_all_null_does_not_fix_a_type(target: str) -> None:
    """The type of the nulls: none, floats or dates."""
    empties = itertools.cycle([pa.nulls(2), pa.nulls(2, pa.float64()), pa.nulls(2, pa.date32())])
    for (name, later), empty in zip(LATER.items(), empties, strict=False):
        with storing(target, f"with_{name}", rests=False) as store:
            assert store({"id": [1, 2], "x": empty}) == 2
            assert store({"id": [3, 4], "x": empty}) == 2
            assert store({"id": [5], "x": later}) == 1, name
            assert isinstance(store({"id": [6], "x": pa.array([[1]])}), BatchRefused), name  # now it has a type
            assert store({"id": [7], "x": later}) == 1
            assert store({"id": [8], "x": pa.nulls(1)}) == 1
        sent = [None, None, None, None, *later.to_pylist(), *later.to_pylist(), None]
        found = [value for (value,) in run_in(target, f"SELECT x FROM with_{name} ORDER BY id")]
        assert [as_sent(value, wanted) for value, wanted in zip(found, sent, strict=True)] == sent, name
    assert run_in(target, "SELECT count(*) FROM pdbt_open_columns") == [(0,)]


@on_each_target
def test_columns_without_a_value_are_decided_by_others_too_and_one_by_one(target: str) -> None:
    with storing(target) as store, storing(target) as other:
        assert store({"a": pa.nulls(1), "b": pa.nulls(1, pa.int64()), "c": [1]}) == 1
        assert other({"a": pa.nulls(1), "b": pa.nulls(1), "c": [2]}) == 1
        assert other({"a": ["x"], "b": pa.nulls(1), "c": [3]}) == 1
        assert isinstance(store({"a": [1], "b": pa.nulls(1), "c": [4]}), BatchRefused)
        assert store({"b": [1.5], "c": [5]}, {"b": [2.5], "c": [6]}) == [1, 1]
        assert isinstance(other({"b": ["x"], "c": [7]}), BatchRefused)
    assert run_in(target, "SELECT a, b, c FROM stored ORDER BY c") == [
        (None, None, 1),
        (None, None, 2),
        ("x", None, 3),
        (None, 1.5, 5),
        (None, 2.5, 6),
    ]


@on_each_target
def test_the_type_of_an_empty_column_of_somebody_elses_table_stays(target: str) -> None:
    run_in(target, "CREATE TABLE stored (id BIGINT, x BIGINT)", "INSERT INTO stored VALUES (1, NULL)")
    with storing(target) as store:
        assert store({"id": [2], "x": pa.nulls(1)}) == 1
        assert isinstance(store({"id": [3], "x": [1.5]}), BatchRefused)
        assert store({"id": [4], "x": [5]}) == 1
    assert run_in(target, "SELECT x FROM stored ORDER BY id") == [(None,), (None,), (5,)]


@on_each_target
def test_columns_come_in_any_order_and_case_and_may_be_missing(target: str) -> None:
    with storing(target) as store:
        assert store({"a": [1], "B": ["x"]}) == 1
        assert store({"B": ["y"], "a": [2]}) == 1
        assert store({"b": ["z"], "A": [3]}) == 1
        assert store({"A": [4]}) == 1
        for bad, said in (
            ({"a": [5], "c": [1]}, "has no column c"),
            ({"a": [5], "A": [6]}, "two columns that are one: a and A"),
        ):
            error = store(bad)
            assert isinstance(error, BatchRefused)
            assert said in str(error)
    quote = "`" if target.startswith("mysql") else '"'
    assert run_in(target, f"SELECT a, {quote}B{quote} FROM stored ORDER BY a") == [(1, "x"), (2, "y"), (3, "z"), (4, None)]


@on_each_target
def test_a_table_that_another_program_changes_while_batches_come_is_looked_at_again(target: str) -> None:
    with storing(target) as store:
        assert store({"id": [1], "x": [1.5]}) == 1
        assert isinstance(store({"id": [2], "x": [1.5], "y": [1]}), BatchRefused)
        run_in(target, "ALTER TABLE stored ADD COLUMN y BIGINT")
        assert store({"id": [2], "x": [1.5], "y": [1]}) == 1
        run_in(target, "DROP TABLE stored", "CREATE TABLE stored (id BIGINT, x BIGINT)")
        error = store({"id": [3], "x": [2.5]})
        assert isinstance(error, BatchRefused), error
        assert "does not hold 2.5 (double)" in str(error)
        assert store({"id": [4], "x": [2.0]}) == 1
    assert run_in(target, "SELECT id, x FROM stored") == [(4, 2)]


@on_each_target
def test_a_new_table_has_a_column_for_each_of_the_batch(target: str) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    sink = TableSink(target, "stored")
    sink.setup()
    (error,) = sink.store([Batch("1", twice)])
    assert isinstance(error, BatchRefused)
    (same,) = sink.store([Batch("2", pa.table({"a": [1], "A": [2]}))])
    assert same == 1 if target.startswith("postgresql") else isinstance(same, BatchRefused)
    (unnamed,) = sink.store([Batch("3", pa.table({"": [1]}))])
    assert isinstance(unnamed, BatchRefused)
    sink.teardown()


OWN_TYPES: dict[str, list[tuple[str, pa.Array, pa.Array]]] = {
    "duckdb": [
        ("TINYINT", pa.array([127]), pa.array([128])),
        ("FLOAT", pa.array([0.5]), pa.array([0.1])),
        ("TIMESTAMP_S", pa.array([dt.datetime(2024, 5, 1, 1)]), pa.array([dt.datetime(2024, 5, 1, 1, 0, 0, 5)])),
        ("INTEGER[]", pa.array([[1, 2]]), pa.array([[1.5]])),
        ("STRUCT(a INTEGER)", pa.array([{"a": 1}]), pa.array([{"a": 1, "b": 2}])),
        ("ENUM('red')", pa.array(["red"]), pa.array(["RED"])),
        ("JSON", pa.array(['{"a": 1}']), pa.array(["{a"])),
        ("UUID", pa.array(["01234567-89ab-cdef-0123-456789abcdef"]), pa.array(["no"])),
        ("HUGEINT", pa.array([DECIMAL(10) ** 30]), pa.array([1.5])),
        ("TIME WITH TIME ZONE", pa.nulls(1), pa.array([dt.time(1)])),
    ],
    "mysql": [
        ("tinyint", pa.array([127]), pa.array([128])),
        ("boolean", pa.array([1]), pa.array([2])),
        ("float", pa.array([0.5]), pa.array([0.1])),
        ("double(7,2)", pa.array([1.25]), pa.array([1.255])),
        ("decimal(6,2)", pa.array([19.99]), pa.array([DECIMAL("1.255")])),
        ("varchar(3)", pa.array(["ab "]), pa.array(["abc "])),
        ("char(3)", pa.array(["ab"]), pa.array(["ab "])),
        ("binary(2)", pa.array([b"ab"]), pa.array([b"a"])),
        ("enum('red','it''s')", pa.array(["it's"]), pa.array(["RED"])),
        ("datetime", pa.array([dt.datetime(2024, 5, 1, 1)]), pa.array([dt.datetime(2024, 5, 1, 1, 0, 0, 5)])),
        ("time(3)", pa.array([dt.time(1, 2, 3, 4000)]), pa.array([dt.time(1, 2, 3, 4)])),
        ("timestamp NULL", pa.array([MORNING]), pa.array([dt.datetime(2040, 1, 1)])),
        ("year", pa.array([2024]), pa.array([24])),
        ("json", pa.array([[1]]), pa.array(["{a"])),
        ("set('a','b')", pa.nulls(1), pa.array(["b,a"])),
    ],
    "postgresql": [
        ("smallint", pa.array([127]), pa.array([70_000])),
        ("real", pa.array([0.5]), pa.array([0.1])),
        ("numeric", pa.array([0.1]), pa.array(["1"])),
        ("numeric(50,2)", pa.array([DECIMAL("1.25")]), pa.array([DECIMAL("1.255")])),
        ("varchar(3)", pa.array(["ab "]), pa.array(["abc "])),
        ("char(3)", pa.array(["abc"]), pa.array(["ab"])),
        ("timestamp(0)", pa.array([dt.datetime(2024, 5, 1, 1)]), pa.array([dt.datetime(2024, 5, 1, 1, 0, 0, 5)])),
        ("inet", pa.array(["10.0.0.1"]), pa.array(["10.0.0.1/32"])),
        ("name", pa.array(["x" * 63]), pa.array(["x" * 64])),
        ("interval", pa.array([dt.timedelta(1, 2, 3)]), pa.array(["1 day"])),
        ("jsonb", pa.array([{"a": 1}]), pa.array(["{a"])),
        ("json", pa.array([{"a": 1.5}]), pa.array([{"a": float("nan")}])),
        ("uuid", pa.array(["01234567-89ab-cdef-0123-456789abcdef"]), pa.array([7])),
    ],
    "sqlite": [
        ("INTEGER", pa.array([True]), pa.array(["1"])),
        ("REAL", pa.array([2]), pa.array([float("nan")])),
        ("FLOAT", pa.array([0.1]), pa.array(["0.1"])),
        ("DECIMAL(10,2)", pa.array([DECIMAL("19.99")]), pa.array([DECIMAL("12345678901234567.89")])),
        ("STRING", pa.array(["abc"]), pa.array(["007"])),
        ("NUMERIC", pa.array([2**63 - 1]), pa.array(["1e3"])),
        ("", pa.array(["007"]), pa.array([float("nan")])),
        ("VARCHAR(3)", pa.array(["abcd"]), pa.array([7])),
        ("JSON TEXT", pa.array([{"a": [1]}]), pa.array([{"a": b"x"}])),
    ],
}


@on_each_target
def test_types_of_the_databases_own_hold_what_they_hold(target: str) -> None:
    for number, (native, good, bad) in enumerate(OWN_TYPES[target.partition(":")[0]]):
        table = f"own_{number}"
        run_in(target, f"CREATE TABLE {table} (x {native})")
        with storing(target, table, rests=False) as store:
            assert store(good) == 1, native
            error = store(bad)
            assert isinstance(error, BatchRefused), (native, error)
            assert f"table {table}" in str(error)
        ((found,),) = run_in(target, f"SELECT x FROM {table}")
        (sent,) = good.to_pylist()
        if isinstance(sent, (list, dict)) and isinstance(found, str):
            found = json.loads(found)
        assert as_sent(str(found) if native in ("UUID", "uuid", "inet") else found, sent) == sent, native
