"""With on_error = "reject", rows and files that cannot be read are set aside with their place and reason, and the rest is loaded."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.reading.loading import column_file, load, write

MANY = 1500


def test_rows_with_the_wrong_number_of_fields_are_set_aside(tmp_path: Path) -> None:
    table = load(write(tmp_path, 'id,name\n1,a\n2,b,c\n\n"3","x\ny"\n4\n5,e\n'), on_error="reject")
    assert table.rows == [(1, "a"), (3, "x\ny"), (5, "e")]
    assert table.loaded.rejected == 2
    assert table.rejected == [
        {"file": "data/source/orders.csv", "line": "3", "column": "", "reason": "has 3 fields, 2 expected", "text": "2,b,c"},
        {"file": "data/source/orders.csv", "line": "7", "column": "", "reason": "has 1 field, 2 expected", "text": "4"},
    ]


def test_rare_misfits_are_set_aside_with_their_rows(tmp_path: Path) -> None:
    values = [*map(str, range(MANY)), "12,3O", *map(str, range(MANY)), "n.n."]
    table = load(column_file(tmp_path, values), on_error="reject")
    assert table.types["value"] == "BIGINT"
    assert table.loaded.rows == 2 * MANY
    assert [(row["line"], row["column"], row["reason"], row["text"]) for row in table.rejected] == [
        (str(MANY + 2), "value", '"12,3O" is not an integer (BIGINT)', f'{MANY + 1},"12,3O"'),
        (str(2 * MANY + 3), "value", '"n.n." is not an integer (BIGINT)', f"{2 * MANY + 2},n.n."),
    ]


def test_impossible_dates_are_set_aside(tmp_path: Path) -> None:
    table = load(column_file(tmp_path, ["13/02/2024", "01/03/2024"] * 50 + ["31/02/2024"]), on_error="reject")
    assert table.types["value"] == "DATE"
    assert [row["reason"] for row in table.rejected] == ['"31/02/2024" is not a date (DATE)']


def test_misfits_that_are_no_exceptions_make_the_column_text(tmp_path: Path) -> None:
    table = load(column_file(tmp_path, [*map(str, range(MANY)), *["n.n."] * (MANY // 25)]), on_error="reject")
    assert (table.types["value"], table.loaded.rejected) == ("VARCHAR", 0)


def test_a_few_values_have_no_exceptions(tmp_path: Path) -> None:
    table = load(column_file(tmp_path, [*map(str, range(20)), "n.n."]), on_error="reject")
    assert (table.types["value"], table.loaded.rejected) == ("VARCHAR", 0)


def test_a_code_among_the_exceptions_makes_the_column_text(tmp_path: Path) -> None:
    table = load(column_file(tmp_path, [*map(str, range(MANY)), "n.n.", "007"]), on_error="reject")
    assert (table.column("value")[-2:], table.loaded.rejected) == (["n.n.", "007"], 0)


def test_misfits_of_a_type_that_was_said_are_set_aside_however_many(tmp_path: Path) -> None:
    table = load(column_file(tmp_path, ["12", "x", "y", "NA", "", "13"]), on_error="reject", types={"value": "SMALLINT"})
    assert table.rows == [(1, 12), (4, None), (5, None), (6, 13)]
    assert [(row["line"], row["reason"]) for row in table.rejected] == [
        ("3", '"x" is not a number (SMALLINT)'),
        ("4", '"y" is not a number (SMALLINT)'),
    ]


def test_a_row_with_two_misfits_is_set_aside_once(tmp_path: Path) -> None:
    text = "a,b\n" + "1,1\n" * 100 + "x!,y!\n"
    table = load(write(tmp_path, text), on_error="reject")
    assert (table.loaded.rows, table.loaded.rejected) == (100, 1)
    assert table.rejected[0]["column"] == "a"


def test_nothing_set_aside_leaves_no_file(tmp_path: Path) -> None:
    table = load(write(tmp_path, "id,name\n1,a\n"), on_error="reject")
    assert (table.loaded.rejected, table.loaded.rejected_file) == (0, None)


def test_a_file_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "id,name\n1,a\n", "1.csv"),
        write(tmp_path, gzip.compress(b"id,name\n" + b"2,b\n" * 5000)[:-20], "2.csv.gz"),
        write(tmp_path, b"PAR1 no PAR1", "3.parquet"),
        write(tmp_path, '{"id": 4, "name": ', "4.json"),
        write(tmp_path, b"PK no sheet", "5.xlsx"),
        tmp_path / "6.csv",
        write(tmp_path, "id,name\n7,g\n", "7.csv"),
    ]
    table = load(files, on_error="reject")
    assert table.rows == [(1, "a"), (7, "g")]
    assert sorted(path for path, _ in table.loaded.unreadable) == files[1:6]
    assert table.loaded.rejected == 5
    assert {row["file"]: row["line"] for row in table.rejected} == {f"data/source/orders/{file.name}": "" for file in files[1:6]}
    reasons = {path.name: reason for path, reason in table.loaded.unreadable}
    assert reasons["6.csv"] == "data/source/orders/6.csv is not there any more."
    assert reasons["2.csv.gz"] == "data/source/orders/2.csv.gz cannot be unpacked: it is damaged or cut short."


def test_when_no_file_can_be_read_there_is_no_table(tmp_path: Path) -> None:
    table = load(write(tmp_path, b"junk", "orders.parquet"), on_error="reject")
    assert (table.loaded.columns, table.loaded.rows, table.loaded.rejected) == ((), 0, 1)
    assert len(table.loaded.unreadable) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = write(tmp_path, "id\n1\n")
    file.chmod(0)
    assert load(file, on_error="reject").loaded.unreadable[0][1] == "data/source/orders.csv cannot be opened: permission denied."
