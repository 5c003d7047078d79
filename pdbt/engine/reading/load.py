"""Loading one source table: find out how it is read, load it verified, and decide again with what did not fit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import duckdb

from ..errors import SourceError
from .casts import MISFIT, missing_setting, note_of, reason
from .model import Column, CreateTable, Loaded, ReadOptions, SourceTable
from .opening import Part, open_files
from .profile import MOST_HEADER_ROWS
from .records import read_records
from .rejects import Rejects
from .structured import StructuredPart
from .structured_files import repaired
from .task import ROW_HINT, ImportTask
from .text_files import BLANK_ROW, TextFile
from .text_part import TextPart
from .types import WHITE_SPACE, Reading
from .union import unite

_SAY_TYPES = "Say the types of its columns in pdbt.toml, and report this file, please: it should not happen."
_REFUSALS = (duckdb.DataError, duckdb.NotSupportedError, duckdb.ProgrammingError)
"""DuckDB's errors about what it is given to read, rather than about the disk, the memory or itself."""
_NOT_OF_A_FILE = (duckdb.InterruptException, duckdb.OutOfMemoryException, duckdb.InternalError, duckdb.FatalException)
"""DuckDB's errors that name no file at fault: after some of them its connection refuses every file."""
ATTEMPTS = 12  # a column that still does not fit by then is text


def load_table(
    source: SourceTable, options: ReadOptions, connection: duckdb.DuckDBPyConnection, create: CreateTable, scratch: Path
) -> Loaded:
    """Read the files of a source into a table.

    Args:
        source: the table and its files.
        options: what pdbt.toml says about it.
        connection: where DuckDB reads the files.
        create: makes the table from a SELECT; called until one SELECT comes to its end.
        scratch: a folder for temporary files, of which only the rejected rows are left.

    Raises:
        SourceError: a file or, unless rows are to be rejected, a row of it cannot be read.
        SettingsError: the options say a type that there is not, or name a column that is in no file.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    rejected = scratch / f"{source.name}.rejected.csv"
    with Rejects(rejected) as rejects, ImportTask(source, options, connection, scratch, rejects) as task:
        columns, rows = _load(task, open_files(task), create)
        return Loaded(columns, rows, rejects.count, rejects.file, task.notes(), tuple(task.unreadable))


def _load(task: ImportTask, parts: list[Part], create: CreateTable) -> tuple[tuple[Column, ...], int]:
    """Load until every value fits: each attempt knows more values, and what is read as text fits always."""
    as_text: set[str] = set()
    for attempt in range(ATTEMPTS):
        columns = _decide(parts, as_text)
        if not columns:
            return (), 0
        try:
            rows = _attempt(task, parts, columns, create, as_text, last=attempt >= ATTEMPTS - 3)
        except duckdb.Error as error:
            if isinstance(error, _NOT_OF_A_FILE) or not _make_readable(task, parts, error):
                raise
            parts = [part for part in parts if part.files]
            continue
        if rows is not None:
            return tuple(columns), rows
    raise SourceError(
        f"{task.source.name}: {task.source.label} cannot be read: its types do not settle.", _SAY_TYPES, path=task.source.label
    )


def _attempt(
    task: ImportTask, parts: Sequence[Part], columns: Sequence[Column], create: CreateTable, as_text: set[str], *, last: bool
) -> int | None:
    """Load with what is known by now; returns the number of rows, or None when values were learned that something must be decided by.

    Every step of it reads the files, so every step may meet the first row that DuckDB refuses.
    """
    texts = [part for part in parts if isinstance(part, TextPart)]
    uncounted = [part for part in texts if part.uncounted()]
    for part in uncounted:
        part.survey(task.connection)
    if uncounted:
        return None
    structured = [part for part in parts if isinstance(part, StructuredPart)]
    for part in texts:
        _set_apart(task, part)
    for other in structured if task.fails else ():
        _refuse_exceptions(task, other)
    try:
        rows = create(_select(parts, columns), columns)
    except duckdb.Error as error:
        if BLANK_ROW in str(error):
            _rewrite(task, texts, [file for part in texts for file in part.files if file.packed])
            return None
        if MISFIT not in str(error):
            raise
        known = [part.find_extraordinary(task.connection) for part in texts]
        known += [part.learn(task.connection) for part in structured]
        if not any(known):
            _learn(task, texts, as_text, last=last)
        return None
    for part in texts:
        _reject(task, part)
        for name, reading, evidence in zip(part.names, part.readings, part.evidence, strict=True) if part.files else ():
            task.note(part.files[0].label, tuple(filter(None, [note_of(reading, name, evidence.seen)])))
    for other in structured:
        _reject_records(task, other)
    return rows


def _decide(parts: Sequence[Part], as_text: set[str]) -> list[Column]:
    """Decide how each part is read and return the columns of the table that they make."""
    for part in parts:
        part.decide()
    columns = unite((part.columns() for part in parts), as_text)
    types = {column.name.casefold(): column.type for column in columns}
    for part in parts:
        part.adapt(types, as_text)
    return columns


def _select(parts: Sequence[Part], columns: Sequence[Column]) -> str:
    return "\nUNION ALL\n".join(select for part in parts for select in part.select(columns))


def _learn(task: ImportTask, parts: Sequence[TextPart], as_text: set[str], *, last: bool) -> None:
    """Find the values that did not fit; a column is text when they tell nothing that could be decided anew."""
    for part in parts:
        before = [decision.reading for decision in part.decisions]
        wrong = part.survey(task.connection)
        part.decide()
        for place in wrong:
            decision = part.decisions[place]
            nothing_new = decision.reading == before[place] and not decision.exceptions
            if (nothing_new or last) and not decision.reading.forced:
                as_text.add(part.names[place].casefold())


def _make_readable(task: ImportTask, parts: Sequence[Part], error: duckdb.Error) -> bool:
    """Rewrite the files that DuckDB refuses, or leave them out; returns whether there were any.

    Raises:
        SourceError: DuckDB refuses what by all we know it should read.
    """
    found = False
    for part in parts:
        if isinstance(part, StructuredPart):
            for path, fault in part.unreadable(task.connection):
                found = True
                if not repaired(task, part, path, fault):
                    task.give_up(part.originals.get(path, path), fault)
                    part.files.remove(path)
            continue
        for file in part.unreadable_by_duckdb(task.connection):
            part.replace_file(file, task.clean(file))
            found = True
    if found or not isinstance(error, _REFUSALS):
        return found
    texts = [part for part in parts if isinstance(part, TextPart)]
    # Together DuckDB refuses the files that are left, and each by itself it does not.
    if not _rewrite(task, texts, [file for part in texts for file in part.files if file.clean is None]):
        reason = str(error).partition("\n")[0].partition(": ")[2].rstrip(". ") or str(error)
        message = f"{task.source.name}: {task.source.label} cannot be read: {reason}."
        raise SourceError(message, _SAY_TYPES, path=task.source.label) from error
    return True


def _rewrite(task: ImportTask, parts: Sequence[TextPart], files: Collection[TextFile]) -> bool:
    """Rewrite text files that are read as they are; returns whether there were any."""
    for part in parts:
        for file in [file for file in part.files if any(file is other for other in files)]:
            part.replace_file(file, task.clean(file))
    return bool(files)


def _set_apart(task: ImportTask, part: TextPart) -> None:
    """Make the rows with exceptions addressable by line; or end the import with the first of them."""
    for file in part.with_exceptions(task.connection):
        if task.fails:
            raise _first_exception(task, part, file)
        if file.clean is None:
            part.replace_file(file, task.clean(file))


def _first_exception(task: ImportTask, part: TextPart, file: TextFile) -> SourceError:
    found = next(_exceptions(task, part, file), None)
    if found is None:  # the misfits are too many to be known by their text: only DuckDB finds them
        cleaned = task.clean(file) or file
        part.replace_file(file, cleaned)
        found = next(_exceptions(task, part, cleaned))
    line, place, value = found
    rows = file.dialect.header_rows
    may_be_header = line == file.dialect.body_line + 1 and 0 < rows < MOST_HEADER_ROWS
    hint = (
        f"{ROW_HINT} If it belongs to the header, set header = {rows + 1} under [source.{task.source.name}]." if may_be_header else ROW_HINT
    )
    return _misfit(task, file.label, str(file.path), file.row(line), part.names[place], part.readings[place], value, hint)


def _misfit(
    task: ImportTask, label: str, path: str, line: int | None, name: str, reading: Reading, value: str, hint: str = ROW_HINT
) -> SourceError:
    where = f"line {line} of {label}" if line is not None else label
    message = f"{task.source.name}: {where}, column {name}: {reason(reading, value)}."
    missing = missing_setting(reading)
    hint = f"Set {missing} under [source.{task.source.name}] in pdbt.toml." if missing else hint
    return SourceError(message, hint, path=path, line=line, column=name, text=value)


def _refuse_exceptions(task: ImportTask, part: StructuredPart) -> None:
    """End the import with the first record of a JSON or Parquet file that does not fit the types that were said."""
    for path in part.files:
        for line, place, value, _ in part.rows_with_exceptions(task.connection, path, limit=1):
            original = part.originals.get(path, path)
            raise _misfit(task, task.label(original), str(original), line, part.names[place], part.readings[place], value)


def _reject_records(task: ImportTask, part: StructuredPart) -> None:
    for path in part.files:
        label = task.label(part.originals.get(path, path))
        for line, place, value, text in part.rows_with_exceptions(task.connection, path):
            task.rejects.add(label, line, part.names[place], reason(part.readings[place], value), text)


def _exceptions(task: ImportTask, part: TextPart, file: TextFile) -> Iterator[tuple[int, int, str]]:
    """Yield line, column's place and value of the exceptions of a file, by line."""
    if file.clean:
        yield from part.rows_with_exceptions(task.connection, file)
        return
    misfits = {place: part.evidence[place].misfits.get(part.readings[place], set()) for place in part.exceptions()}
    for record in read_records(file.path, file.dialect):
        for place, values in misfits.items():
            if place < len(record.fields) and record.fields[place].strip(WHITE_SPACE) in values:
                yield record.line, place, record.fields[place]


def _reject(task: ImportTask, part: TextPart) -> None:
    """Write down the rows that the load left out, with their text as the file has it."""
    for file in part.with_exceptions(task.connection):
        found = {line: (place, value) for line, place, value in part.rows_with_exceptions(task.connection, file)}
        for record in read_records(file.path, file.dialect) if found else ():
            place, value = found.pop(record.line, (None, ""))
            if place is not None:
                why = reason(part.readings[place], value)
                task.rejects.add(file.label, file.row(record.line), part.names[place], why, record.text)
            if not found:
                break
