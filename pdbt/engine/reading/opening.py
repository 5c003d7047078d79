"""The first look at a table's files: how each is read, and which are read together."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from ..errors import SettingsError, SourceError
from . import formats, spreadsheet, structured
from .dialect import Sniffed, sniff
from .spreadsheet import Sheet
from .structured import StructuredPart
from .task import ROW_HINT, UNREADABLE, ImportTask
from .text_files import TextFile, fit_width
from .text_part import TextPart
from .types import Evidence
from .wide_decimals import files_with_wide_decimals, narrowed

Part = TextPart | StructuredPart

_SAMPLED_ROWS = 250  # of one part, over all its files
_FEWEST_SAMPLED_ROWS = 20  # of each of its files
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_ ]*(?:\([0-9, ]+\))?(?:\[\])*")


def open_files(task: ImportTask) -> list[Part]:
    """Find out how each file of a table is read and put those that are alike into one part; a file that cannot be read is set aside.

    Raises:
        SourceError: a file cannot be read, and the import fails at the first fault.
        SettingsError: the options say a type that there is not, or name a column that is in no file.
    """
    _require_types(task)
    texts: dict[tuple[str, ...], list[tuple[TextFile, Sniffed]]] = {}
    others: dict[str, list[Path]] = {}
    for path in task.source.files:
        kind = structured.kind_of(path)
        if kind:
            others.setdefault(kind, []).append(path)
            continue
        try:
            file, sniffed = _open_text(task, path)
        except UNREADABLE as error:
            if isinstance(error, SourceError) and error.line is not None:
                raise
            task.give_up(path, error)
            continue
        task.note(file.label, sniffed.dialect.notes)
        texts.setdefault((file.dialect.delimiter, *file.dialect.names), []).append((file, sniffed))
    parts: list[Part] = [_text_part(task, files) for files in texts.values()]
    for kind, paths in others.items():
        parts.extend(_structured_parts(task, kind, paths))
    parts = _without_empty([part for part in parts if part.files])
    _require_columns(task, parts)
    return parts


def _open_text(task: ImportTask, path: Path) -> tuple[TextFile, Sniffed]:
    if formats.ending(path) not in formats.SPREADSHEET:
        sniffed = sniff(path, task.options)
        return TextFile(path, task.label(path), sniffed.dialect), sniffed
    sheet = spreadsheet.read_sheet(path)
    task.note(task.label(path), sheet.notes)
    target, said = task.temporary_file(), replace(task.options, delimiter=",", encoding="utf-8")
    row_lines = sheet.write_csv(target)
    sniffed = sniff(target, said)
    wrong = _rows_with_errors(task, path, sheet, row_lines, sniffed)
    if wrong:
        row_lines = sheet.write_csv(target, wrong)
        sniffed = sniff(target, said)
    return TextFile(target, task.label(path), sniffed.dialect, row_lines=row_lines), sniffed


def _rows_with_errors(task: ImportTask, path: Path, sheet: Sheet, row_lines: Sequence[int], sniffed: Sniffed) -> list[int]:
    """Reject the rows of a sheet's table that have error cells, and return them; or end the import with the first of them.

    Raises:
        SourceError: the import fails at the first fault, or an error is in the header.
    """
    rows = sorted({row for row, _ in sheet.errors if row_lines[row] > sniffed.dialect.skip_lines})
    for row in rows:
        why = sheet.error_in(row)
        if row_lines[row] <= sniffed.dialect.body_line:
            raise SourceError(f"{path.name}: its header {why}.", "Write a name there.", path=str(path))
        if task.fails:
            message = f"{task.source.name}: line {row + 1} of {task.label(path)} {why}."
            raise SourceError(message, ROW_HINT, path=str(path), line=row + 1, text=sheet.text_of(row))
        task.rejects.add(task.label(path), row + 1, "", why, sheet.text_of(row))
    return rows


def _text_part(task: ImportTask, files: Sequence[tuple[TextFile, Sniffed]]) -> TextPart:
    names = files[0][0].dialect.names
    semicolons = files[0][0].dialect.delimiter == ";"
    evidence = [Evidence(semicolons=semicolons) for _ in names]
    rows_each = max(_FEWEST_SAMPLED_ROWS, _SAMPLED_ROWS // len(files))
    for _, sniffed in files:
        rows = [row for row in (fit_width(row, len(names)) for row in sniffed.rows) if row]
        for column, values in zip(evidence, zip(*rows[:: len(rows) // rows_each + 1], strict=True), strict=False):
            column.add(values)
    said = {name.casefold(): type_name for name, type_name in task.options.types.items()}
    forced = {place: said[name.casefold()] for place, name in enumerate(names) if name.casefold() in said}
    ready = [file if file.dialect.plain else task.clean(file) for file, _ in files]
    empty = all(sniffed.complete and not sniffed.rows and not sniffed.dialect.header_rows for _, sniffed in files)
    small = all(sniffed.complete for _, sniffed in files)
    files_to_read = [file for file in ready if file]
    decimal, date_order = task.options.decimal, task.options.date_order
    return TextPart(names, files_to_read, evidence, decimal, date_order, forced, small=small, empty=empty)


def _without_empty(parts: list[Part]) -> list[Part]:
    """Leave out what has neither header nor rows, unless there is nothing else."""
    return [part for part in parts if not part.empty] or parts[:1]


def _structured_parts(task: ImportTask, kind: str, paths: Sequence[Path]) -> list[StructuredPart]:
    """Open files of one kind together; when that fails, each by itself to find those at fault."""
    if len(paths) > 1:
        with contextlib.suppress(*UNREADABLE):
            return [_told(task, _open_part(task, kind, paths))]
    readable = []
    for path in paths:
        try:
            part = _open_part(task, kind, [path])
        except UNREADABLE as error:
            task.give_up(path, error)
        else:
            readable.append(part)
    if len(readable) < 2:
        return [_told(task, part) for part in readable]
    together = [path for part in readable if not part.empty for path in part.files]
    return [_told(task, structured.open_part(task.connection, kind, together or [readable[0].files[0]]))]


def _open_part(task: ImportTask, kind: str, paths: Sequence[Path]) -> StructuredPart:
    """Open files of one kind; of Parquet files whose decimals DuckDB would read as doubles, copies with shorter ones."""
    part = structured.open_part(task.connection, kind, paths)
    if kind != "parquet" or not any("DOUBLE" in column_type for column_type in part.types):
        return part
    wide = files_with_wide_decimals(task.connection, paths)
    if not wide:
        return part
    copies = [narrowed(path, lambda: task.temporary_file().with_suffix("")) if path in wide else path for path in paths]
    return structured.open_part(task.connection, kind, copies)


def _told(task: ImportTask, part: StructuredPart) -> StructuredPart:
    if part.empty:
        task.note(task.label(part.files[0]), ("The file is empty.",))
    return part


def _require_types(task: ImportTask) -> None:
    for name, type_name in task.options.types.items():
        key = f"source.{task.source.name}.types.{name}"
        try:
            if not _TYPE.fullmatch(type_name):
                raise duckdb.ParserException(type_name)
            task.connection.execute(f"SELECT CAST(NULL AS {type_name})").fetchall()
        except duckdb.Error:
            hint = "Use one of DuckDB's types, such as VARCHAR, BIGINT, DOUBLE or DATE."
            raise SettingsError(f"{key} in pdbt.toml: there is no type {type_name!r}.", hint, key=key, received=type_name) from None


def _require_columns(task: ImportTask, parts: Sequence[Part]) -> None:
    names = {name.casefold(): name for part in parts for name in part.names}
    for name in task.options.types if parts else ():
        if name.casefold() not in names:
            key = f"source.{task.source.name}.types.{name}"
            message = f"{key} in pdbt.toml: {task.source.label} has no column {name!r}."
            hint = f"Its columns are {', '.join(list(names.values())[:20])}."
            raise SettingsError(message, hint, key=key, received=name, allowed=tuple(names.values()))
