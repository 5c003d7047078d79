"""With on_error = "reject", rows and files that cannot be read are set aside with their place and reason, and the rest is loaded."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from pdbt.engine.errors import SourceError
from pdbt.engine.reading import load_table
from pdbt.engine.reading.model import Column, ReadOptions, SourceTable
from tests.reading.loading import column_file, connect, load, write

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


STRAY_AND_RAGGED = "id,n,name,pop\n1,x,B,67\n2,3,F,q,extra\n3,22,G,83\n"
ALL_AT_ONCE = 'id;n;x\n1;2;"a\n2;3;b;c\n3;x;c\n' + "4;5;d\n" * 100
LATE = "id,n,name,pop\n" + "".join(f"{number},{number},B,67\n" for number in range(30_000))


@pytest.mark.parametrize(
    ("text", "rows", "rejected"),
    [
        (STRAY_AND_RAGGED, 2, [("3", "has 5 fields, 4 expected")]),
        (LATE + "2,zz,F,5\n2,3,F,q,extra\n", 30_000, [("30003", "has 5 fields, 4 expected"), ("30002", '"zz" is not an integer (BIGINT)')]),
        (LATE + '2,zz,F,5\n2,3,"F,9\n', 30_001, [("30002", '"zz" is not an integer (BIGINT)')]),
        (LATE + '2,"3,F,5\n2,3\n', 30_000, [("30003", "has 2 fields, 4 expected"), ("30002", '""3" is not an integer (BIGINT)')]),
        (ALL_AT_ONCE, 101, [("3", "has 4 fields, 3 expected"), ("4", '"x" is not an integer (BIGINT)')]),
    ],
    ids=["both in a small file", "both late in a large file", "a quote never closes", "a quote opens and a row is short", "all of them"],
)
def test_a_row_of_the_wrong_width_together_with_a_stray_value(
    tmp_path: Path, text: str, rows: int, rejected: list[tuple[str, str]]
) -> None:
    table = load(write(tmp_path, text), on_error="reject")
    assert table.loaded.rows == rows
    assert [(row["line"], row["reason"]) for row in table.rejected] == rejected
    with pytest.raises(SourceError, match=rf"^ORDERS: line {rejected[0][0]} of data/source/orders.csv(,| has \d fields?, \d expected)"):
        load(write(tmp_path, text))


def test_a_fault_that_is_met_while_misfits_are_counted_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^ORDERS: line 3 of data/source/orders.csv has 5 fields, 4 expected\.") as caught:
        load(write(tmp_path, STRAY_AND_RAGGED))
    assert caught.value.hint == 'Set on_error = "reject" to put such rows in data/rejected.'


def test_a_refusal_that_no_file_explains_is_a_sentence(tmp_path: Path) -> None:
    """A table that DuckDB cannot make of files that it reads one by one ends in a sentence, and in no error of DuckDB's own."""
    file = write(tmp_path, "id,name\n1,a\n")
    source = SourceTable("ORDERS", (file,), "data/source/orders.csv")

    def create(select: str, columns: Sequence[Column]) -> int:
        raise duckdb.InvalidInputException("Invalid Input Error: such a thing is not read.\n  with details")

    with pytest.raises(SourceError, match=r"^ORDERS: data/source/orders.csv cannot be read: such a thing is not read\. Say the types"):
        load_table(source, ReadOptions(), connect(), create, tmp_path / "scratch")


def test_an_error_that_is_not_of_a_file_passes_as_it_is(tmp_path: Path) -> None:
    source = SourceTable("ORDERS", (write(tmp_path, "id,name\n1,a\n"),), "data/source/orders.csv")

    def create(select: str, columns: Sequence[Column]) -> int:
        raise duckdb.IOException("IO Error: No space left on device")

    with pytest.raises(duckdb.IOException, match="No space left"):
        load_table(source, ReadOptions(on_error="reject"), connect(), create, tmp_path / "scratch")
