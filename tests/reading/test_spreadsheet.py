"""The first sheet of a workbook that is not empty is read by the rules for text files."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from pdbt.engine.errors import SourceError
from tests.reading.loading import load, write
from tests.reading.workbooks import write_ods, write_xls, write_xlsb

Cells = list[list[Any]]


def workbook(folder: Path, sheets: dict[str, Cells], name: str = "orders.xlsx", row: int = 0, column: int = 0) -> Path:
    path = folder / name
    book = xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd hh:mm:ss"})
    for title, cells in sheets.items():
        sheet = book.add_worksheet(title)
        for number, values in enumerate(cells):
            for place, value in enumerate(values):
                if isinstance(value, str):
                    sheet.write_string(row + number, column + place, value)
                elif value is not None:
                    sheet.write(row + number, column + place, value)
    book.close()
    return path


def test_cells_are_read_by_the_same_rules(tmp_path: Path) -> None:
    cells: list[list[Any]] = [
        ["id", "code", "price", "day", "at", "paid", "note"],
        [1, "007", 12.5, datetime.datetime(2024, 1, 5), datetime.datetime(2024, 1, 5, 10, 30), True, "a\nb"],
        [2, "12", 3, datetime.datetime(2024, 2, 6), datetime.datetime(2024, 1, 6), False, 'say "x", y'],
        [12345678901, None, None, None, None, None, "Zo\u00eb"],
    ]
    table = load(workbook(tmp_path, {"Sheet1": cells}))
    assert table.types == {
        "id": "BIGINT", "code": "VARCHAR", "price": "DOUBLE", "day": "DATE", "at": "TIMESTAMP", "paid": "BOOLEAN", "note": "VARCHAR",
    }  # fmt: skip
    assert table.rows == [
        (1, "007", 12.5, datetime.date(2024, 1, 5), datetime.datetime(2024, 1, 5, 10, 30), True, "a\nb"),
        (2, "12", 3.0, datetime.date(2024, 2, 6), datetime.datetime(2024, 1, 6), False, 'say "x", y'),
        (12345678901, None, None, None, None, None, "Zo\u00eb"),
    ]
    assert table.loaded.notes == ()


def test_the_first_sheet_that_is_not_empty_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    table = load(workbook(tmp_path, {"Cover": [], "Data": [["id", "name"], [1, "a"]], "More": [["x"], [1]]}))
    assert table.rows == [(1, "a")]
    assert table.loaded.notes == ("Sheet 'Data' read; not 'Cover', 'More'.",)


def test_a_table_that_starts_below_and_to_the_right(tmp_path: Path) -> None:
    assert load(workbook(tmp_path, {"S": [["id", "name"], [1, "a"], [2, "b"]]}, row=3, column=2)).rows == [(1, "a"), (2, "b")]


def test_empty_rows_are_left_out_and_the_row_of_a_fault_is_the_sheet_s(tmp_path: Path) -> None:
    cells: Cells = [["id", "name"], [1, "a\nb"], [None, None], *[[number, "x"] for number in range(100)], ["n.n.", "y"]]
    file = workbook(tmp_path, {"S": cells})
    with pytest.raises(SourceError, match=r'ORDERS: line 104 of data/source/orders.xlsx, column id: "n.n." is not an integer'):
        load(file)
    table = load(file, on_error="reject")
    assert (table.loaded.rows, table.rejected[0]["line"]) == (101, "104")


def test_an_empty_workbook_is_a_table_without_rows(tmp_path: Path) -> None:
    table = load(workbook(tmp_path, {"S": []}))
    assert table.rows == []
    assert table.loaded.notes == ("The file is empty.",)


def test_a_file_that_is_no_workbook_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^ORDERS: data/source/orders.xlsx cannot be read: it is damaged or not a spreadsheet."):
        load(write(tmp_path, b"PK\x03\x04 no", "orders.xlsx"))


def formulas(folder: Path, results: dict[tuple[int, int], str], *, before: int = 0) -> Path:
    """Write a workbook with 3 columns and 60 rows below `before` other rows, some cells of which are formulas with a result."""
    path = folder / "orders.xlsx"
    book = xlsxwriter.Workbook(str(path))
    other = book.add_worksheet("Other")
    sheet = book.add_worksheet("Data")
    for row in range(61):
        for column, name in enumerate(["id", "price", "note"]):
            value = name if row == 0 else "x" if column == 2 else row
            if (before + row, column) in results:
                sheet.write_formula(before + row, column, "=1/0", None, results[before + row, column])
            elif isinstance(value, str):
                sheet.write_string(before + row, column, value)
            else:
                sheet.write_number(before + row, column, value)
    for row in range(before):
        sheet.write_formula(row, 0, "=A1", None, results.get((row, 0), "Report"))
    sheet.activate()
    other.hide()
    book.close()
    return path


@pytest.mark.parametrize(
    ("results", "line", "reason"),
    [
        ({(1, 1): "#DIV/0!"}, 2, "has the error #DIV/0! in cell B2 of sheet 'Data'"),
        ({(30, 2): "#N/A", (30, 0): "#REF!"}, 31, "has the error #REF! in cell A31 of sheet 'Data'"),
        ({(60, 2): "#VALUE!"}, 61, "has the error #VALUE! in cell C61 of sheet 'Data'"),
    ],
    ids=["first row", "two in a row", "last row"],
)
def test_an_error_cell_is_never_an_empty_one(tmp_path: Path, results: dict[tuple[int, int], str], line: int, reason: str) -> None:
    file = formulas(tmp_path, results)
    with pytest.raises(SourceError, match=rf"^ORDERS: line {line} of data/source/orders.xlsx {re.escape(reason)}\."):
        load(file)
    table = load(file, on_error="reject")
    assert [(row["line"], row["reason"]) for row in table.rejected] == [(str(line), reason)]
    assert table.column("id") == [number for number in range(1, 61) if number != line - 1]
    assert table.types == {"id": "BIGINT", "price": "BIGINT", "note": "VARCHAR"}


def test_an_error_before_the_table_does_not_matter_and_one_in_the_header_is_refused(tmp_path: Path) -> None:
    assert len(load(formulas(tmp_path, {(0, 0): "#NAME?"}, before=2)).rows) == 60
    with pytest.raises(SourceError, match=r"data/source/orders.xlsx: its header has the error #REF! in cell B1 of sheet 'Data'\."):
        load(formulas(tmp_path, {(0, 1): "#REF!"}))


@pytest.mark.parametrize("make", [write_ods, write_xls, write_xlsb])
def test_error_cells_of_other_formats(tmp_path: Path, make: Callable[[Path, Cells], Path]) -> None:
    file = make(
        tmp_path / f"orders.{make.__name__.removeprefix('write_')}", [["id", "v"], [1, "#DIV/0!"], [2, "#DIV/0!"], [3, 5.5], [4, 6]]
    )
    table = load(file, on_error="reject")
    assert table.rows == [(3, 5.5), (4, 6.0)]
    assert [(row["line"], row["text"]) for row in table.rejected] == [("2", "1,#DIV/0!"), ("3", "2,#DIV/0!")]
    with pytest.raises(SourceError, match=r"has the error #DIV/0! in cell B2 of sheet 'S'"):
        load(file)


def test_a_visible_sheet_is_read_before_a_hidden_one(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(str(tmp_path / "orders.xlsx"))
    hidden, veiled, shown = (book.add_worksheet(name) for name in ("Lists", "Secret", "Orders"))
    for number, sheet in enumerate((hidden, veiled, shown)):
        sheet.write_row(0, 0, ["id", "name"])
        sheet.write_row(1, 0, [number, "x"])
    hidden.hide()
    veiled.very_hidden()
    shown.activate()
    shown.set_first_sheet()
    book.close()
    table = load(tmp_path / "orders.xlsx")
    assert (table.rows, table.loaded.notes) == ([(2, "x")], ("Sheet 'Orders' read; not 'Lists', 'Secret'.",))


def test_a_hidden_sheet_is_read_when_all_others_are_empty_and_a_note_says_so(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(str(tmp_path / "orders.xlsx"))
    book.add_worksheet("Empty")
    hidden = book.add_worksheet("Data")
    hidden.hide()
    hidden.write_row(0, 0, ["id", "name"])
    hidden.write_row(1, 0, [1, "x"])
    book.close()
    table = load(tmp_path / "orders.xlsx")
    assert (table.rows, table.loaded.notes) == ([(1, "x")], ("Sheet 'Data' read; not 'Empty'.", "Sheet 'Data' is hidden."))


@pytest.mark.parametrize("whole", [10**15 - 1, 10**15, 10**15 + 1, -(10**15), 2**53 - 1, 1 - 2**53])
def test_a_whole_number_that_a_double_holds_is_an_integer(tmp_path: Path, whole: int) -> None:
    table = load(workbook(tmp_path, {"S": [["id"], [whole], [1]]}))
    assert (table.types, table.rows) == ({"id": "BIGINT"}, [(whole,), (1,)])


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**16, 10**18])
def test_a_number_beyond_what_a_double_tells_apart_is_not_an_integer(tmp_path: Path, number: int) -> None:
    path = workbook(tmp_path, {"S": [["id"], [number], [1]]})
    table = load(path)
    assert (table.types, table.rows) == ({"id": "DOUBLE"}, [(float(number),), (1.0,)])
    with pytest.raises(SourceError, match=r"is not an integer \(BIGINT\)"):
        load(path, types={"id": "BIGINT"})


@pytest.mark.parametrize("text", ["a\rb", "a\r", "\rb", "a\r\n\rb", "a\r,b", 'a"\r"b'])
def test_a_carriage_return_is_a_character_of_a_cell(tmp_path: Path, text: str) -> None:
    table = load(workbook(tmp_path, {"S": [["id", "t", "u"], [1, text, "x"], [2, "c", text], [3, None, "e"]]}))
    assert table.rows == [(1, text, "x"), (2, "c", text), (3, None, "e")]
