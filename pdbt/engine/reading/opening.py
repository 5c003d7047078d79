"""The first look at a table's files: how each is read, and which are read together."""

from __future__ import annotations

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
from .structured_files import structured_parts
from .task import ROW_HINT, UNREADABLE, ImportTask
from .text_files import TextFile, fit_width
from .text_part import TextPart
from .types import Evidence

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
    _require_meaning(task)
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
        parts.extend(structured_parts(task, kind, paths))
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


_KINDS = {
    "delimiter": ("text",),
    "header": ("text", "sheet"),
    "encoding": ("text", "json"),
    "decimal": ("text", "sheet"),
    "date_order": ("text", "sheet"),
}
_CALLED = {"text": "text", "sheet": "a spreadsheet", "json": "JSON", "parquet": "Parquet"}


def _require_meaning(task: ImportTask) -> None:
    """Refuse a setting that is about none of the table's files; how numbers and dates are written is about columns whose type was said."""
    kinds = {_kind(path): None for path in task.source.files}
    for key, meant in _KINDS.items():
        received = getattr(task.options, key)
        if (
            received is None
            or not kinds
            or any(kind in meant for kind in kinds)
            or (key in ("decimal", "date_order") and task.options.types)
        ):
            continue
        name = f"source.{task.source.name}.{key}"
        message = f"{name} in pdbt.toml means nothing: {task.source.label} is {' and '.join(_CALLED[kind] for kind in kinds)}."
        hint = "Say the types of its columns with it." if key in ("decimal", "date_order") else "Take it out."
        raise SettingsError(message, hint, key=name, received=received)


def _kind(path: Path) -> str:
    return structured.kind_of(path) or ("sheet" if formats.ending(path) in formats.SPREADSHEET else "text")
