"""JSON keeps every digit and every key, also where DuckDB would make a DOUBLE of a number or one column of two keys."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import SettingsError, SourceError
from pdbt.engine.reading.json_text import has_long_numbers
from tests.reading.loading import load, write


@pytest.mark.parametrize("name", ["orders.json", "orders.ndjson"])
@pytest.mark.parametrize(
    ("records", "columns", "rows"),
    [
        (['{"ID":1,"id":2}'], ["ID", "id_2"], [(1, 2)]),
        (['{"ID":1,"id":2,"Id":3}', '{"id":4}'], ["ID", "id_2", "Id_3"], [(1, 2, 3), (None, 4, None)]),
        (['{"a":"x"}', '{"A":5}'], ["a", "A_2"], [("x", None), (None, 5)]),
        (['{"v_1":1,"v":2,"V":3}'], ["v_1", "v", "V_2"], [(1, 2, 3)]),
        (['{"o":{"ID":1,"id":2}}'], ["o"], [('{"ID":1,"id":2}',)]),
        (['{"o":[{"ID":1,"id":2}]}', '{"o":[]}'], ["o"], [(['{"ID":1,"id":2}'],), ([],)]),
    ],
    ids=["two", "three", "in two records", "a number at the end", "in an object", "in a list"],
)
def test_keys_that_differ_in_case_are_columns_of_their_own(
    tmp_path: Path, name: str, records: list[str], columns: list[str], rows: list[Any]
) -> None:
    text = f"[{','.join(records)}]" if name.endswith(".json") else "\n".join(records)
    table = load(write(tmp_path, text, name))
    assert (list(table.types), table.rows) == (columns, rows)


def test_keys_that_differ_in_case_in_two_files_are_one_column(tmp_path: Path) -> None:
    files = [write(tmp_path, '[{"ID":1,"id":3}]', "1.json"), write(tmp_path, '[{"id":2}]', "2.json"), write(tmp_path, "id\n5\n", "3.csv")]
    assert set(load(files).rows) == {(1, 3), (2, None), (5, None)}
    files = [write(tmp_path, '[{"o":{"ID":1}}]', "4.json"), write(tmp_path, '[{"o":{"id":2}}]', "5.json")]
    assert load(files).rows == [('{"ID":1}',), ('{"id":2}',)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("text", ['[{"a":1,"b":"\u00e9"},\n {"a":2,"b":"x"}]', '{"a":1,"b":"\u00e9"}\n{"a":2,"b":"x"}\n'])
def test_json_with_a_mark_and_in_two_bytes(tmp_path: Path, encoding: str, text: str) -> None:
    assert load(write(tmp_path, text, "orders.json", encoding)).rows == [(1, "\u00e9"), (2, "x")]


@pytest.mark.parametrize(
    ("values", "expected", "loaded"),
    [
        (["0.1234567890123456789", "12345678901234567.89"], "DECIMAL(38,19)", None),
        (["9007199254740993", "0.5"], "DECIMAL(38,1)", [Decimal("9007199254740993"), Decimal("0.5")]),
        (["12345678901234567890123", "0.5"], "VARCHAR", ["12345678901234567890123", "0.5"]),
        (["18446744073709551615", "-1"], "HUGEINT", [18446744073709551615, -1]),
        (["1e400", "2"], "VARCHAR", ["1e400", "2"]),
        (["0.10000000000000000000001", '"12"'], "VARCHAR", ["0.10000000000000000000001", "12"]),
        (["0.12345678901234567", "-123.45678901234567"], "DOUBLE", [0.12345678901234567, -123.45678901234567]),
        (["[12345678901234567890123, 0.5]", "[]"], "VARCHAR[]", [["12345678901234567890123", "0.5"], []]),
        (['{"x":9007199254740993}', '{"x":0.5}'], "STRUCT(x VARCHAR)", [{"x": "9007199254740993"}, {"x": "0.5"}]),
        (['[{"x":[1e-400]}]', "null"], "STRUCT(x VARCHAR[])[]", [[{"x": ["1e-400"]}], None]),
        (['{"x":9007199254740993,"y":0.5}', "null"], "STRUCT(x BIGINT, y DOUBLE)", [{"x": 9007199254740993, "y": 0.5}, None]),
    ],
)
def test_every_digit_stays(tmp_path: Path, values: list[str], expected: str, loaded: list[Any] | None) -> None:
    table = load(write(tmp_path, "".join(f'{{"v":{value}}}\n' for value in values), "orders.ndjson"))
    assert table.types["v"] == expected
    assert table.column("v") == (loaded or [Decimal(value) for value in values])


def test_a_map_has_numbers_of_one_kind_and_keeps_their_digits(tmp_path: Path) -> None:
    first = ",".join(f'"k{number}":{9007199254740993 + number}' for number in range(300))
    second = ",".join(f'"j{number}":0.5' for number in range(300))
    table = load(write(tmp_path, f'{{"m":{{{first}}}}}\n{{"m":{{{second}}}}}\n', "orders.ndjson"))
    assert table.types == {"m": "MAP(VARCHAR, VARCHAR)"}
    assert [table.column("m")[0]["k7"], table.column("m")[1]["j7"]] == ["9007199254741000", "0.5"]


def test_a_record_with_a_key_twice_is_refused_or_rejected(tmp_path: Path) -> None:
    file = write(tmp_path, '{"a":1}\n{"a":1,"a":2}\n{"a":3}\n', "orders.ndjson")
    with pytest.raises(SourceError, match=r'^ORDERS: line 2 of data/source/orders.ndjson has the key "a" twice\.'):
        load(file)
    table = load(file, on_error="reject")
    assert (table.rows, [(row["line"], row["text"]) for row in table.rejected]) == ([(1,), (3,)], [("2", '{"a":1,"a":2}')])


@pytest.mark.parametrize(
    ("text", "integers", "expected"),
    [
        ('{"a":0.12345678901234567,"b":-0.012345678901234567,"c":12345678901234567}', False, False),
        ('{"a":"1234567890123456789.5","b":"2024.01.05.10.11.12.13.14"}', True, False),
        ('{"a":12345678901234567}', True, True),
        ('{"a": 1234567890.123456789}', False, True),
        ('{"a":[1,0.100000000000000000001]}', False, True),
        ('{"a":1e400}', False, True),
        ('{"a":1e-5}', True, False),
        pytest.param('{"a":1}' + " " * ((1 << 20) - 10) + '{"a":1234567890.123456789}', False, True, id="far below"),
    ],
)
def test_long_numbers_are_found(tmp_path: Path, text: str, integers: bool, expected: bool) -> None:
    assert has_long_numbers(write(tmp_path, text, "orders.json"), integers=integers) is expected


numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=19, min_value=-(10**18), max_value=10**18).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["9007199254740993", "0.5", "1e400", "-0.0", "1E5"]),
)
keys = st.sampled_from(["a", "A", "id", "ID", "Id", "v_1", "v"])
values = st.recursive(numbers, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)), max_leaves=6)


def written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{written(inner)}" for key, inner in value.items()) + "}"
    return "[" + ",".join(map(written, value)) + "]" if isinstance(value, list) else str(value)


def is_kept(loaded: Any, value: Any) -> bool:
    """Return True if a loaded value still says what the file said; an object or list may be its JSON text."""
    if isinstance(value, str):
        return Decimal(loaded.strip('"') if isinstance(loaded, str) else repr(loaded) if isinstance(loaded, float) else loaded) == Decimal(
            value
        )
    if isinstance(loaded, str):
        loaded = json.loads(loaded, parse_float=Decimal, parse_int=Decimal)
        loaded = json.loads(loaded, parse_float=Decimal, parse_int=Decimal) if isinstance(loaded, str) else loaded
    if isinstance(value, list):
        return len(loaded) == len(value) and all(map(is_kept, loaded, value))
    return all(is_kept(loaded[key], inner) for key, inner in value.items()) and all(loaded[key] is None for key in set(loaded) - set(value))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.dictionaries(keys, values, min_size=1, max_size=4), min_size=1, max_size=4))
def test_no_value_of_json_is_lost(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    table = load(write(tmp_path, "\n".join(map(written, records)), "orders.ndjson"))
    names: dict[str, str] = {}
    for key in (key for record in records for key in record):
        others = {name.casefold() for other, name in names.items() if other != key}
        made = [key, *(f"{key}_{number}" for number in range(2, 9))]
        names.setdefault(key, next(name for name in made if name.casefold() not in others))
    columns = {name.casefold(): place for place, name in enumerate(table.types)}
    assert len(table.rows) == len(records)
    for row, record in zip(table.rows, records, strict=True):
        for key, value in record.items():
            assert is_kept(row[columns[names[key].casefold()]], value), (key, value, row, table.types)


# Settings of JSON and Parquet tables --------------------------------------------------------------------------------------


def parquet(folder: Path) -> Path:
    rows = {
        "i": [1, 2, 3],
        "s": ["13/02/2024", "x", "05/06/2024"],
        "f": [1.5, 2.25, 1e20],
        "l": [[1], None, [2, 3]],
    }
    pyarrow.parquet.write_table(pa.table(rows), folder / "orders.parquet")
    return folder / "orders.parquet"


def test_types_of_json_are_those_that_were_said(tmp_path: Path) -> None:
    text = '[{"d":"05/06/2024","n":"1,5","z":7},\n{"d":"06/07/2024","n":"2","z":"x"}]'
    types = {"d": "DATE", "n": "DECIMAL(10,2)", "z": "VARCHAR"}
    file = write(tmp_path, text, "orders.json")
    table = load(file, types=types, date_order="DMY", decimal=",")
    assert table.types == types
    assert table.rows == [(datetime.date(2024, 6, 5), Decimal("1.50"), "7"), (datetime.date(2024, 7, 6), Decimal("2.00"), "x")]
    with pytest.raises(
        SourceError, match=r'^ORDERS: line 1 of data/source/orders.json, column d: "05/06/2024" may be day first or month first'
    ):
        load(file, types=types, decimal=",")
    table = load(file, types={"z": "BIGINT"}, on_error="reject")
    assert (table.column("z"), [(row["line"], row["column"], row["reason"]) for row in table.rejected]) == (
        [7],
        [("2", "z", '"x" is not an integer (BIGINT)')],
    )


def test_types_of_parquet_are_those_that_were_said(tmp_path: Path) -> None:
    file = parquet(tmp_path)
    table = load(file, types={"s": "DATE", "i": "VARCHAR", "l": "VARCHAR"}, on_error="reject")
    assert table.rows == [("1", datetime.date(2024, 2, 13), 1.5, "[1]"), ("3", datetime.date(2024, 6, 5), 1e20, "[2,3]")]
    assert [(row["line"], row["reason"]) for row in table.rejected] == [("2", '"x" is not a date (DATE)')]
    with pytest.raises(SourceError, match=r'^ORDERS: line 3 of data/source/orders.parquet, column f: "1e\+20" is not a number'):
        load(file, types={"f": "DECIMAL(12,2)"})
    with pytest.raises(SettingsError, match=r"source\.ORDERS\.types\.l in pdbt\.toml is BIGINT: the column holds objects or lists"):
        load(file, types={"l": "BIGINT"})


def test_parquet_that_is_damaged_within_is_told_also_when_types_were_said(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"s": [f"text {number}" for number in range(5000)]}), tmp_path / "whole.parquet")
    whole = bytearray((tmp_path / "whole.parquet").read_bytes())
    whole[200:4000] = bytes(3800)
    file = write(tmp_path, bytes(whole), "orders.parquet")
    with pytest.raises(SourceError, match=r"^ORDERS: data/source/orders.parquet cannot be read as Parquet: "):
        load(file, types={"s": "VARCHAR"})


@pytest.mark.parametrize(
    ("key", "value", "made", "called"),
    [
        ("delimiter", ";", "json", "JSON"),
        ("header", True, "json", "JSON"),
        ("decimal", ",", "json", "JSON"),
        ("date_order", "DMY", "json", "JSON"),
        ("delimiter", ";", "parquet", "Parquet"),
        ("encoding", "utf-8", "parquet", "Parquet"),
    ],
)
def test_a_setting_that_means_nothing_is_refused_by_name(tmp_path: Path, key: str, value: Any, made: str, called: str) -> None:
    file = parquet(tmp_path) if made == "parquet" else write(tmp_path, '[{"a":1}]', "orders.json")
    with pytest.raises(
        SettingsError, match=rf"^source\.ORDERS\.{key} in pdbt\.toml means nothing: data/source/orders\.{made} is {called}\."
    ):
        load(file, **{key: value})
    text = write(tmp_path, "a\n1\n", "also.csv")
    types = {"a": "BIGINT"} if key in ("decimal", "date_order") else {}
    assert load([file, text], types=types, **{key: value}).rows


def test_the_encoding_of_json_is_the_one_that_was_said(tmp_path: Path) -> None:
    file = write(tmp_path, '[{"a":"\u00e9"}]', "orders.json", "latin-1")
    assert load(file, encoding="latin-1").rows == [("\u00e9",)]
    with pytest.raises(SourceError, match=r"data/source/orders.json is malformed JSON"):
        load(file)
    table = load(write(tmp_path, b'{"a":"x"}\n{"a":"\xe9"}\n', "orders.ndjson"), encoding="utf-8", on_error="reject")
    assert (table.rows, [row["line"] for row in table.rejected]) == ([("x",)], ["2"])
