"""The first sheet of a workbook that is not empty is read by the rules for text files."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from pdbt.engine.errors import SourceError
from tests.reading.loading import load, write

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
    with pytest.raises(SourceError, match=r"^ORDERS: data/source/orders.xlsx cannot be read: it is damaged or no spreadsheet."):
        load(write(tmp_path, b"PK\x03\x04 no", "orders.xlsx"))
