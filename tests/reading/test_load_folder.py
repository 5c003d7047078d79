"""A folder of files is one table: columns united by name, types by what holds the values of all."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from pdbt.engine.errors import SourceError
from tests.reading.loading import load, write


def test_columns_are_united_by_name_in_the_order_of_their_first_appearance(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "id,name\n1,a\n", "1.csv"),
        write(tmp_path, "NAME;extra;ID\nb;2024-01-05;2,5\n", "2.csv"),
        write(tmp_path, '[{"id": 3, "other": true}]', "3.json"),
    ]
    table = load(files)
    assert table.types == {"id": "DOUBLE", "name": "VARCHAR", "extra": "DATE", "other": "BOOLEAN"}
    assert table.rows == [(1.0, "a", None, None), (2.5, "b", datetime.date(2024, 1, 5), None), (3.0, None, None, True)]


@pytest.mark.parametrize(
    ("first", "second", "expected", "values"),
    [
        ("1", "2.5", "DOUBLE", [1.0, 2.5]),
        ("1", "007", "VARCHAR", ["1", "007"]),
        ("1", "x", "VARCHAR", ["1", "x"]),
        ("1.50", "x", "VARCHAR", ["1.50", "x"]),
        ("1", "", "BIGINT", [1, None]),
        ("NA", "1", "BIGINT", [None, 1]),
        ("NA", "x", "VARCHAR", ["NA", "x"]),
        ("2024-01-05", "2024-01-05 10:00", "TIMESTAMP", [datetime.datetime(2024, 1, 5), datetime.datetime(2024, 1, 5, 10)]),
        ("2024-01-05", "13/01/2024", "DATE", [datetime.date(2024, 1, 5), datetime.date(2024, 1, 13)]),
        ("2024-01-05", "1", "VARCHAR", ["2024-01-05", "1"]),
        ("1234567890123456789", "0.5", "VARCHAR", ["1234567890123456789", "0.5"]),
        ("12", "0.12345678901234567890123", "DECIMAL(38,23)", None),
    ],
)
def test_types_hold_the_values_of_all_files(tmp_path: Path, first: Any, second: Any, expected: Any, values: Any) -> None:
    files = [write(tmp_path, f'k,v\na,"{first}"\n', "1.csv"), write(tmp_path, f'k;v\na;"{second}"\n', "2.csv")]
    table = load(files)
    assert table.types["v"] == expected
    assert values is None or table.column("v") == values


def test_the_last_of_many_files_counts(tmp_path: Path) -> None:
    files = [write(tmp_path, f"id,code\n{number},{number}\n", f"{number:03}.csv") for number in range(1, 200)]
    assert load(files).types == {"id": "BIGINT", "code": "BIGINT"}
    table = load([*files, write(tmp_path, "id,code\n200,0200\n", "200.csv")])
    assert table.types == {"id": "BIGINT", "code": "VARCHAR"}
    assert table.column("id") == list(range(1, 201))


def test_a_broken_file_among_many_is_the_only_one_read_row_by_row(tmp_path: Path) -> None:
    files = [write(tmp_path, f"id,name\n{number},x\n", f"{number:02}.csv") for number in range(20)]
    files[7] = write(tmp_path, "id,name\n7,x\n7,y,z\n" + "7,x\n" * 2000, "07.csv")
    table = load(files, on_error="reject")
    assert (table.loaded.rows, table.column("id")[:8]) == (19 + 2001, list(range(8)))
    assert [(row["file"], row["line"]) for row in table.rejected] == [("data/source/orders/07.csv", "3")]
    with pytest.raises(SourceError, match=r"ORDERS: line 3 of data/source/orders/07.csv has 3 fields, 2 expected."):
        load(files)


def test_a_misfit_is_told_with_its_file(tmp_path: Path) -> None:
    rows = "".join(f"{number}\n" for number in range(60))
    files = [write(tmp_path, "id\n" + rows, "1.csv"), write(tmp_path, "id\n" + rows + "n.n.\n", "2.csv")]
    with pytest.raises(SourceError, match=r'ORDERS: line 62 of data/source/orders/2.csv, column id: "n.n." is not an integer'):
        load(files)
    assert load(files, on_error="reject").rejected[0]["file"] == "data/source/orders/2.csv"


def test_notes_say_of_which_files_they_are_true(tmp_path: Path) -> None:
    files = [write(tmp_path, "id,n\n1,\u00e9\n", f"{number}.csv", "windows-1252") for number in range(3)]
    assert load(files).loaded.notes == ("data/source/orders/0.csv and 2 more: Read as windows-1252.",)


def test_an_empty_file_adds_nothing_to_the_others(tmp_path: Path) -> None:
    files = [write(tmp_path, "", "0.csv"), write(tmp_path, "id,name\n1,a\n", "1.csv"), write(tmp_path, "[]", "2.json")]
    table = load(files)
    assert (table.types, table.rows) == ({"id": "BIGINT", "name": "VARCHAR"}, [(1, "a")])
    assert table.loaded.notes == ("data/source/orders/0.csv and 1 more: The file is empty.",)


def test_a_column_of_json_without_values_has_no_say_in_its_type(tmp_path: Path) -> None:
    file = write(tmp_path, '[{"a":null,"b":1}]', "1.json")
    assert load(file).types == {"a": "VARCHAR", "b": "BIGINT"}
    table = load([file, write(tmp_path, "a,b\n5,6\n", "2.csv")])
    assert (table.types, sorted(table.rows, key=str)) == ({"a": "BIGINT", "b": "BIGINT"}, [(5, 6), (None, 1)])
