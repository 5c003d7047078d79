"""Tables into xlsx files, through XlsxWriter, a row at a time."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BuildError, MissingLibrary
from .carried import in_sheet, selected

if TYPE_CHECKING:
    import duckdb

SHEET_ROWS = 1_048_576  # the limits of the xlsx format
SHEET_COLUMNS = 16_384
CELL_CHARACTERS = 32_767
SHEET_NAME_CHARACTERS = 31
FIRST_YEAR = 1900
FIRST_DAY = datetime.date(1900, 1, 1)  # of which a sheet, given a time too, shows the time alone
FINEST_MICROSECONDS = 1_000  # of a sheet's times
NO_CHARACTERS = ("\ufffe", "\uffff")  # of XML
EXACT_INTEGER = 2**53 - 1  # a sheet's numbers are doubles, and the next one might have been 2**53 + 1
EXACT_DECIMAL = 10**15  # from here on programs show a number with an exponent
FETCH_ROWS = 1_000
OTHER_FORMATS = "Export it as csv or parquet."


def write_sheet(connection: duckdb.DuckDBPyConnection, table: str, relation: str, path: Path) -> int:
    """Write the rows of a relation as the one sheet of an xlsx file, with a header in bold; returns the number of rows."""
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingLibrary("xlsxwriter", f"The export of {table} as xlsx") from error
    columns, select = selected(connection, relation, in_sheet)
    names = [column.name for column in columns]
    if len(names) > SHEET_COLUMNS:
        raise BuildError(f"{table} has {len(names):,} columns; a sheet takes {SHEET_COLUMNS:,}.", OTHER_FORMATS)
    connection.execute(select)
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet(_sheet_name(table))
        formats = _formats(book)
        for number, name in enumerate(names):
            sheet.write_string(0, number, name, formats[str])
        rows = 0
        for rows, row in enumerate(_rows(connection), 1):
            if rows >= SHEET_ROWS:
                raise BuildError(f"{table} has more than {SHEET_ROWS - 1:,} rows, which no sheet takes.", OTHER_FORMATS)
            for number, value in enumerate(row):
                _write_cell(sheet, rows, number, _cell(value), formats, f"{table}: row {rows}, column {names[number]}")
    return rows


def _formats(book: Any) -> dict[type, Any]:
    """Return how values look, by their type; the one for text is the header's."""
    return {
        str: book.add_format({"bold": True}),
        datetime.datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        datetime.date: book.add_format({"num_format": "yyyy-mm-dd"}),
        datetime.time: book.add_format({"num_format": "hh:mm:ss"}),
    }


def _rows(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[object, ...]]:
    """Give the rows of the query that was just run, a batch at a time."""
    while batch := connection.fetchmany(FETCH_ROWS):
        yield from batch


def _cell(value: object) -> object:
    """Return a value as a sheet holds it: numbers that a double would change, dates before 1900 and finer times than its own, as text."""
    match value:
        case None | bool() | str():
            return value
        case datetime.time() | datetime.datetime() if value.microsecond % FINEST_MICROSECONDS:
            return str(value)
        case datetime.time():
            return value
        case int():
            return value if abs(value) <= EXACT_INTEGER else str(value)
        case float():
            return _Exact(value) if value - value == 0 else str(value)  # neither nan nor infinity
        case Decimal():
            return _Exact(value) if abs(value) < EXACT_DECIMAL and Decimal(repr(float(value))) == value else str(value)
        case datetime.datetime() if value.date() == FIRST_DAY:
            return str(value)
        case datetime.date() if value.year >= FIRST_YEAR:
            return value
        case _:
            return str(value)


class _Exact(float):
    """A number that XlsxWriter, which formats with 16 digits, writes with all that it has."""

    def __format__(self, _specification: str) -> str:
        """Return the shortest text that means the same double."""
        return repr(float(self))


def _write_cell(sheet: Any, row: int, column: int, cell: object, formats: dict[type, Any], place: str) -> None:
    """Write one cell with the call for its type, so that no text is taken for a formula, a link or a number."""
    match cell:
        case None:
            return
        case str() if len(cell) > CELL_CHARACTERS:
            raise BuildError(f"{place} has {len(cell):,} characters; a cell takes {CELL_CHARACTERS:,}.", OTHER_FORMATS)
        case str() if any(character in cell for character in NO_CHARACTERS):
            raise BuildError(f"{place} has a character that no sheet takes: U+FFFE or U+FFFF.", OTHER_FORMATS)
        case str():
            sheet.write_string(row, column, cell)
        case bool():
            sheet.write_boolean(row, column, cell)
        case int() | float():
            sheet.write_number(row, column, cell)
        case _:
            sheet.write_datetime(row, column, cell, formats[type(cell)])


def _sheet_name(table: str) -> str:
    """Return the table's name as the name of a sheet."""
    kept = "".join("_" if character in "[]:*?/\\'" else character for character in table)
    return kept[:SHEET_NAME_CHARACTERS]
