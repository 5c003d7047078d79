"""Spreadsheets as text: cells are written as a person would type them, so that they are read by the same rules as a CSV file."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from ..csv_writer import CsvWriter
from ..errors import MissingLibrary, SourceError
from .sheet_errors import Cells, cell_name, error_cells

if TYPE_CHECKING:
    import python_calamine

LARGEST_SURE = 2**53  # the first whole number of a double that another one in the file may have become


@dataclass(frozen=True)
class Sheet:
    """The cells of a sheet as text.

    Attributes:
        name: of the sheet.
        rows: its rows from the first, without the columns to the left and right that are empty in all of them.
        first: the place of the first of these columns in the sheet.
        errors: the cells that hold an error, by row and column of the sheet; they are empty in `rows`.
        notes: sentences for a person.
    """

    name: str
    rows: list[list[str]]
    first: int
    errors: Cells
    notes: tuple[str, ...]

    def write_csv(self, target: Path, leave_out: Collection[int] = ()) -> tuple[int, ...]:
        """Write the sheet as CSV, some rows, counted from 0, as blank lines; return the line of the file at which each row starts."""
        line, lines = 1, []
        with target.open("w", encoding="utf-8", newline="") as stream:
            writer = CsvWriter(stream)
            for number, row in enumerate(self.rows):
                lines.append(line)
                if any(row) and number not in leave_out:
                    writer.write(row)
                    line += sum(text.count("\n") + text.replace("\r\n", "").count("\r") for text in row)
                else:
                    stream.write("\n")
                line += 1
        return tuple(lines)

    def error_in(self, row: int) -> str:
        """Return in words which cell of a row holds which error, the first of them."""
        column = min(column for at, column in self.errors if at == row)
        return f"has the error {self.errors[row, column]} in cell {cell_name(row, column)} of sheet {self.name!r}"

    def text_of(self, row: int) -> str:
        """Return a row as text, with its errors in their places."""
        cells = dict(enumerate(self.rows[row], start=self.first)) | {
            column: error for (at, column), error in self.errors.items() if at == row
        }
        return ",".join(cells[column] for column in sorted(cells))


def read_sheet(path: Path) -> Sheet:
    """Read the first sheet that is not empty, a visible one if there is one.

    Raises:
        SourceError: the file is not a spreadsheet, or is protected by a password.
        MissingLibrary: python-calamine is not installed.
    """
    try:
        import python_calamine as calamine
    except ModuleNotFoundError as error:
        raise MissingLibrary("python-calamine", f"Reading {path.name}") from error
    try:
        with calamine.CalamineWorkbook.from_path(str(path)) as book:
            all_sheets = book.sheets_metadata
            sheets = [sheet for sheet in all_sheets if sheet.typ == calamine.SheetTypeEnum.WorkSheet]
            sheets.sort(key=lambda sheet: sheet.visible != calamine.SheetVisibleEnum.Visible)
            opened = ((sheet, book.get_sheet_by_name(sheet.name)) for sheet in sheets)
            chosen, cells = next(((sheet, cells) for sheet, cells in opened if cells.total_height), (sheets[0] if sheets else None, None))
            rows = cells.to_python(skip_empty_area=False) if cells else []
        errors = error_cells(path, all_sheets.index(chosen)) if chosen and rows else {}
    except calamine.PasswordError as error:
        raise SourceError(f"{path.name} cannot be read: it is protected by a password.", _SAVE_AGAIN, path=str(path)) from error
    except (calamine.CalamineError, OSError, zipfile.BadZipFile, ParseError, struct.error, LookupError, ValueError) as error:
        raise SourceError(f"{path.name} cannot be read: it is damaged or not a spreadsheet.", _SAVE_AGAIN, path=str(path)) from error
    rows += [[]] * (max((row + 1 for row, _ in errors), default=0) - len(rows))
    first, texts = _without_empty_columns(rows)
    return Sheet(chosen.name if chosen else "", texts, first, errors, tuple(_notes(chosen, sheets)))


_SAVE_AGAIN = "Save it again as .xlsx or .csv."


def _notes(chosen: python_calamine.SheetMetadata | None, sheets: Sequence[python_calamine.SheetMetadata]) -> Iterator[str]:
    others = [sheet.name for sheet in sheets if chosen and sheet.name != chosen.name]
    if chosen and others:
        yield f"Sheet {chosen.name!r} read; not {', '.join(map(repr, others))}."
    if chosen and chosen.visible != type(chosen.visible).Visible:
        yield f"Sheet {chosen.name!r} is hidden."


def _without_empty_columns(rows: Sequence[Sequence[object]]) -> tuple[int, list[list[str]]]:
    """Return the place of the first column that is not empty in all rows, and the rows as text from it to the last such column."""
    texts = [[cell_text(cell) for cell in row] for row in rows]
    used = [place for row in texts for place, text in enumerate(row) if text]
    first, last = min(used, default=0), max(used, default=0)
    return first, [row[first : last + 1] for row in texts]


def cell_text(cell: object) -> str:
    """Write a cell as text: integers that only one number is read as without ``.0``, dates and times as ISO 8601, true and false."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < LARGEST_SURE else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(" ") if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return _duration(cell)
    return str(cell)


def _duration(duration: timedelta) -> str:
    """Write a duration as hours, minutes and seconds; below a day that is a time of day."""
    seconds, parts = divmod(round(duration.total_seconds() * 1_000_000), 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{parts:06}".rstrip("0") if parts else text
