"""JSON and Parquet say themselves what their values are; nothing of them is lost."""

from __future__ import annotations

import datetime
import decimal
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from pdbt.engine.errors import SourceError
from tests.reading.loading import load, write


@pytest.mark.parametrize("text", ['[{"id": 1, "code": "007"}, {"id": 2, "code": null}]', '{"id": 1, "code": "007"}\n{"id": 2}\n'])
@pytest.mark.parametrize("name", ["orders.json", "orders.jsonl", "orders.ndjson.gz"])
def test_arrays_and_lines_of_json(tmp_path: Path, text: str, name: str) -> None:
    table = load(write(tmp_path, gzip.compress(text.encode()) if name.endswith(".gz") else text, name))
    assert table.types == {"id": "BIGINT", "code": "VARCHAR"}
    assert table.rows == [(1, "007"), (2, None)]


def test_the_last_of_many_objects_counts(tmp_path: Path) -> None:
    rows = [{"id": number} for number in range(30_000)]
    table = load(write(tmp_path, json.dumps([*rows, {"id": 0.5, "late": "x"}]), "orders.json"))
    assert table.types == {"id": "DOUBLE", "late": "VARCHAR"}
    assert table.rows[-1] == (0.5, "x")


def test_nested_values_are_kept(tmp_path: Path) -> None:
    text = '[{"a": {"x": 1, "day": "2024-01-05"}, "b": [1, 2]}, {"a": {"y": "z"}}]'
    table = load(write(tmp_path, text, "orders.json"))
    assert table.types == {"a": 'STRUCT(x BIGINT, "day" VARCHAR, y VARCHAR)', "b": "BIGINT[]"}
    assert table.rows == [({"x": 1, "day": "2024-01-05", "y": None}, [1, 2]), ({"x": None, "day": None, "y": "z"}, None)]


@pytest.mark.parametrize(
    ("values", "expected", "loaded"),
    [
        (["2024-01-05", None], "DATE", [datetime.date(2024, 1, 5), None]),
        (["2024-01-05T10:00:00", None], "TIMESTAMP", [datetime.datetime(2024, 1, 5, 10), None]),
        (["2024-01-05T10:00:00", "2024-01-05"], "VARCHAR", ["2024-01-05T10:00:00", "2024-01-05"]),
        (["2024-01-05T10:00:00Z"], "TIMESTAMP WITH TIME ZONE", ["2024-01-05 10:00:00.000000Z"]),
        (["2024-01-05T10:00:00.1234567"], "VARCHAR", ["2024-01-05T10:00:00.1234567"]),
        (["6F9619FF-8B86-D011-B42D-00C04FC964FF"], "VARCHAR", ["6F9619FF-8B86-D011-B42D-00C04FC964FF"]),
        (["12", "007"], "VARCHAR", ["12", "007"]),
        ([12345678901234567890, 0.5], "VARCHAR", ["12345678901234567890", "0.5"]),
        ([1e5, 0.5], "DOUBLE", [1e5, 0.5]),
        ([True, None], "BOOLEAN", [True, None]),
        ([1, "x"], "VARCHAR", ["1", "x"]),
    ],
)
def test_a_value_is_never_less_than_the_file_says(tmp_path: Path, values: Any, expected: Any, loaded: Any) -> None:
    table = load(write(tmp_path, json.dumps([{"v": value} for value in values]), "orders.json"))
    assert (table.types["v"], table.column("v")) == (expected, loaded)


def test_a_late_time_with_more_digits_than_a_timestamp_has(tmp_path: Path) -> None:
    lines = ['{"at": "2024-01-05T10:00:00"}'] * 2000 + ['{"at": "2024-01-05T10:00:00.123456789"}']
    table = load(write(tmp_path, "\n".join(lines), "orders.ndjson"))
    assert table.column("at")[-1] == "2024-01-05T10:00:00.123456789"


@pytest.mark.parametrize("text", ["", "[]", " \n"])
def test_empty_json_is_a_table_without_rows(tmp_path: Path, text: str) -> None:
    table = load(write(tmp_path, text, "orders.json"))
    assert (table.rows, table.loaded.notes) == ([], ("The file is empty.",))


def test_broken_json_is_told_with_its_place(tmp_path: Path) -> None:
    file = write(tmp_path, '{"id": 1}\n{"id": tru}\n{"id": 3}\n', "orders.ndjson")
    with pytest.raises(SourceError, match=r"^ORDERS: data/source/orders.ndjson is malformed JSON at byte \d+ in line \d+: "):
        load(file)


def test_an_object_of_more_than_16_mb(tmp_path: Path) -> None:
    text = json.dumps([{"id": 1, "text": "x" * 17_000_000}])
    assert len(load(write(tmp_path, text, "orders.json")).column("text")[0]) == 17_000_000


def test_parquet_is_read_as_it_is(tmp_path: Path) -> None:
    rows = pa.table({
        "i": pa.array([1, None], pa.int32()),
        "d": pa.array([decimal.Decimal("1.10"), None], pa.decimal128(10, 2)),
        "s": ["007", " "],
        "l": [[1], None],
    })  # fmt: skip
    pyarrow.parquet.write_table(rows, tmp_path / "orders.parquet")
    table = load(tmp_path / "orders.parquet")
    assert table.types == {"i": "INTEGER", "d": "DECIMAL(10,2)", "s": "VARCHAR", "l": "INTEGER[]"} or table.types["l"] == "BIGINT[]"
    assert table.rows == [(1, decimal.Decimal("1.10"), "007", [1]), (None, None, " ", None)]


@pytest.mark.parametrize("cut", [4, 100])
def test_broken_parquet_is_told(tmp_path: Path, cut: int) -> None:
    pyarrow.parquet.write_table(pa.table({"i": list(range(100))}), tmp_path / "whole.parquet")
    file = write(tmp_path, (tmp_path / "whole.parquet").read_bytes()[:-cut], "orders.parquet")
    with pytest.raises(SourceError, match=r"^ORDERS: data/source/orders.parquet cannot be read as Parquet: ") as caught:
        load(file)
    assert str(tmp_path) not in caught.value.message


def test_parquet_that_is_damaged_within_is_told(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"s": [f"text {number}" for number in range(5000)]}), tmp_path / "whole.parquet")
    whole = bytearray((tmp_path / "whole.parquet").read_bytes())
    whole[200:4000] = bytes(3800)
    with pytest.raises(SourceError, match=r"^ORDERS: data/source/orders.parquet cannot be read as Parquet: "):
        load(write(tmp_path, bytes(whole), "orders.parquet"))
