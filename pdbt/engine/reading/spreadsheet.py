"""Spreadsheets as text: cells are written as a person would type them, so that they are read by the same rules as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from ..errors import MissingLibrary, SourceError


@dataclass(frozen=True)
class Sheet:
    """A sheet written as a CSV file.

    Attributes:
        path: the CSV file.
        row_lines: the physical line of the file at which each row of the sheet starts, from the sheet's first row.
        notes: sentences for a person.
    """

    path: Path
    row_lines: tuple[int, ...]
    notes: tuple[str, ...]


def write_csv(path: Path, target: Path) -> Sheet:
    """Write the first sheet that is not empty as CSV.

    Raises:
        SourceError: the file is no spreadsheet, or is protected by a password.
        MissingLibrary: python-calamine is not installed.
    """
    try:
        import python_calamine as calamine
    except ModuleNotFoundError as error:
        raise MissingLibrary("python-calamine", f"Reading {path.name}") from error
    try:
        with calamine.CalamineWorkbook.from_path(str(path)) as book:
            names = [sheet.name for sheet in book.sheets_metadata if sheet.typ == calamine.SheetTypeEnum.WorkSheet]
            sheets = ((name, book.get_sheet_by_name(name)) for name in names)
            name, sheet = next(((name, sheet) for name, sheet in sheets if sheet.total_height), (names[0] if names else "", None))
            rows = sheet.to_python(skip_empty_area=False) if sheet else []
    except (calamine.CalamineError, OSError) as error:
        reason = "it is protected by a password" if isinstance(error, calamine.PasswordError) else "it is damaged or no spreadsheet"
        raise SourceError(f"{path.name} cannot be read: {reason}.", "Save it again as .xlsx or .csv.", path=str(path)) from error
    row_lines = _write(_without_empty_columns(rows), target)
    others = [repr(other) for other in names if other != name]
    notes = (f"Sheet {name!r} read; not {', '.join(others)}.",) if others else ()
    return Sheet(target, row_lines, notes)


def _without_empty_columns(rows: Sequence[Sequence[object]]) -> Iterator[list[str]]:
    """Yield the rows as text without the columns to the left and right that are empty in all of them."""
    texts = [[cell_text(cell) for cell in row] for row in rows]
    used = [place for row in texts for place, text in enumerate(row) if text]
    first, last = min(used, default=0), max(used, default=0)
    for row in texts:
        yield row[first : last + 1]


def _write(rows: Iterable[list[str]], target: Path) -> tuple[int, ...]:
    line, lines = 1, []
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        for row in rows:
            lines.append(line)
            if any(row):
                writer.writerow(row)
            else:
                stream.write("\n")
            line += 1 + sum(text.count("\n") + text.replace("\r\n", "").count("\r") for text in row)
    return tuple(lines)


def cell_text(cell: object) -> str:
    """Write a cell as text: integers without ``.0``, dates and times as ISO 8601, true and false."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
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
