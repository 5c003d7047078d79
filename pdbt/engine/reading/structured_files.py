"""The first look at a table's JSON and Parquet files: which are read together, and which are rewritten before."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import SettingsError, SourceError
from .json_text import has_long_numbers, is_marked, rewrite
from .records import Record
from .structured import StructuredPart, is_nested, open_part
from .task import ROW_HINT, UNREADABLE, ImportTask
from .wide_decimals import files_with_wide_decimals, narrowed

_MADE_UNIQUE = re.compile("(.*)_[0-9]+", re.DOTALL)
_DUPLICATE_NAME, _DUPLICATE_KEY = "Duplicate name", "duplicate key"  # of DuckDB's errors
_LOSES_DIGITS = re.compile(r"\b(?:DOUBLE|JSON)\b")
_MAP_OF_DOUBLES = re.compile(r"\bMAP\(.*\bDOUBLE\b", re.DOTALL)
_QUOTED = re.compile('"(?:[^"]|"")*"')


def structured_parts(task: ImportTask, kind: str, paths: Sequence[Path]) -> list[StructuredPart]:
    """Open files of one kind together; when that fails, or would lose something, each by itself.

    Raises:
        SourceError: a file or a record cannot be read, and the import fails at the first fault.
        SettingsError: a type was said of a column that holds objects or lists.
    """
    as_they_are = kind == "parquet" or not (task.options.types or task.options.encoding)
    if len(paths) > 1 and as_they_are:
        with contextlib.suppress(*UNREADABLE):
            part = _open(task, StructuredPart(kind, list(paths), task.options))
            if not _loses(part):
                return [part]
    readable = []
    for path in paths:
        try:
            readable.append(_open_one(task, kind, path, as_it_is=as_they_are))
        except UNREADABLE as error:
            if isinstance(error, SourceError) and error.text:  # of a record, and told as it is to be
                raise
            task.give_up(path, error)
    return _together(task, readable)


def _open(task: ImportTask, part: StructuredPart) -> StructuredPart:
    open_part(task.connection, part)
    if part.kind == "parquet" and not part.originals and any("DOUBLE" in found for found in part.found):
        wide = files_with_wide_decimals(task.connection, part.files)
        if wide:  # DuckDB would read their decimals as doubles: copies of them have shorter ones
            copies = [narrowed(path, lambda: task.temporary_file().with_suffix("")) if path in wide else path for path in part.files]
            originals = {copy: path for copy, path in zip(copies, part.files, strict=True) if copy != path}
            part = open_part(task.connection, StructuredPart(part.kind, copies, part.options, originals))
    for place, type_name in part.forced.items():
        if is_nested(part.found[place]) and type_name.upper() not in ("VARCHAR", "TEXT"):
            key = f"source.{task.source.name}.types.{part.names[place]}"
            message = f"{key} in pdbt.toml is {type_name}: the column holds objects or lists, which can only be VARCHAR."
            raise SettingsError(message, "Take it out, and cast what is inside them in SQL.", key=key, received=type_name)
    if part.empty:
        task.note(task.label(part.originals.get(part.files[0], part.files[0])), ("The file is empty.",))
    return part


def _open_one(task: ImportTask, kind: str, path: Path, *, as_it_is: bool) -> StructuredPart:
    if kind == "parquet":
        return _open(task, StructuredPart(kind, [path], task.options))
    if not as_it_is or is_marked(path):
        return _open_rewritten(task, path)
    try:
        part = _open(task, StructuredPart(kind, [path], task.options))
    except SourceError as error:
        if _DUPLICATE_NAME not in error.message and _DUPLICATE_KEY not in error.message:
            raise
        return _open_rewritten(task, path)
    return _open_rewritten(task, path) if _loses(part) else part


def _loses(part: StructuredPart) -> bool:
    """Return True if DuckDB would lose values whose keys differ only in case, or digits of numbers in files that were not rewritten."""
    if part.kind != "json" or part.empty:
        return False
    names = {name.casefold() for name in part.names}
    if any((made := _MADE_UNIQUE.fullmatch(name)) and made[1].casefold() in names for name in part.names):
        return not part.originals or len(part.files) > 1
    doubles = [kind for kind in part.found if _LOSES_DIGITS.search(_QUOTED.sub("", kind))]
    nested = any(is_nested(kind) for kind in doubles)
    files = [path for path in part.files if path not in part.originals] if doubles else []
    return any(is_marked(path) or has_long_numbers(path, integers=nested) for path in files)


def _open_rewritten(task: ImportTask, path: Path) -> StructuredPart:
    mark = task.rejects.mark()
    target, exact = rewritten(task, path)
    part = _open(task, StructuredPart("json", [target], task.options, {target: path}, exact))
    if any(_MAP_OF_DOUBLES.search(_QUOTED.sub("", kind)) for kind in part.found) and has_long_numbers(target, integers=True):
        task.rejects.rewind(mark)
        whole = part.names == ("json",) and part.found[0].startswith("MAP")
        target, exact = rewritten(task, path, maps=0 if whole else 1)
        return _open(task, StructuredPart("json", [target], task.options, {target: path}, exact))
    return part


def rewritten(task: ImportTask, path: Path, maps: int | None = None) -> tuple[Path, frozenset[str]]:
    """Rewrite a file of JSON, rejecting records that cannot be kept; return the new file and the columns whose numbers are texts there.

    Raises:
        SourceError: the file is malformed; or a record cannot be kept, and the import fails at the first fault.
    """
    label = task.label(path)

    def bad(record: Record, reason: str) -> None:
        if task.fails:
            message = f"{task.source.name}: line {record.line} of {label} {reason}."
            raise SourceError(message, ROW_HINT, path=str(path), line=record.line, text=record.text)
        task.rejects.add(label, record.line, "", reason, record.text)

    made = rewrite(path, task.temporary_file(), task.options.encoding, bad, lines=bool(task.options.types), maps=maps)
    return made.path, frozenset(name.casefold() for name in made.exact)


def repaired(task: ImportTask, part: StructuredPart, path: Path, fault: SourceError) -> bool:
    """Rewrite a file that DuckDB refuses for a record with a key twice, in the part; return False when that is not the reason."""
    if part.kind != "json" or path in part.originals or _DUPLICATE_KEY not in fault.message:
        return False
    target, _ = rewritten(task, path)
    part.files[part.files.index(path)] = target
    part.originals[target] = path
    return True


def _together(task: ImportTask, parts: list[StructuredPart]) -> list[StructuredPart]:
    """Unite parts whose files can be read together, empty ones left out unless there is nothing else."""
    parts = [part for part in parts if not part.empty] or parts[:1]
    if len(parts) < 2:
        return parts
    files = [path for part in parts for path in part.files]
    originals = {target: path for part in parts for target, path in part.originals.items()}
    exact = frozenset().union(*(part.exact for part in parts))
    with contextlib.suppress(*UNREADABLE):
        part = _open(task, StructuredPart(parts[0].kind, files, task.options, originals, exact))
        if not _loses(part):
            return [part]
    return parts
