"""scripts/source: what a query or a Python script brings from outside, kept as a Parquet file that a run then imports.

The file is all that is remembered: the highest value of the cursor is read from it, and it is replaced by a rename once the new rows
are merged into it. So a killed fetch leaves what was there, and a run that fails later fetches nothing twice.
"""

from __future__ import annotations

import datetime
import glob
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.errors import PdbtError
from ..engine.settings import load_settings
from .base import Column, ConnectionLost, Reading, TransferFailed, TransferRefused
from .connections import resolve
from .cursors import Cursor, condition, lies_in_future
from .engines import open_engine
from .evolving import EvolvingParquet
from .execution import retried
from .kinds import UNKNOWN, arrow_type
from .landed import Arrived, file_reader, highest, is_of, is_same, mark_of, merge, require_columns, require_schema, thin_out
from .many import single_statement
from .scripts import Yielded
from .source_script import Script, read_script
from .values import with_uuid_texts

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def land(project: Path, path: Path, landed: Path, full: bool, note: Callable[[str], None] | None = None) -> tuple[int, bool]:
    """Fetch what a script brings; return how many rows came, and whether the file is another one now.

    Args:
        project: the project's folder.
        path: the script.
        landed: the Parquet file.
        full: fetch all rows, also where newer ones would do.
        note: told what a person should know though nothing failed.

    Raises:
        PdbtError: the script says something wrong, or its connection failed; the file is as it was.
    """
    script = read_script(project, path)
    landed.parent.mkdir(parents=True, exist_ok=True)
    fresh, merged = landed.with_suffix(".fetched"), landed.with_suffix(".merged")
    try:
        _clear(fresh)  # a killed run may have left one
        with file_reader() as files:
            return _landed(project, script, _Files(files, landed, fresh, merged), full, note)
    finally:
        _clear(fresh)
        merged.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Files:
    """The files of a fetch.

    Attributes:
        reader: what reads and writes them.
        landed: the one that holds all that was brought.
        fresh: the rows that have come.
        merged: what takes the place of `landed`.
    """

    reader: duckdb.DuckDBPyConnection
    landed: Path
    fresh: Path
    merged: Path


def _landed(project: Path, script: Script, files: _Files, full: bool, note: Callable[[str], None] | None) -> tuple[int, bool]:
    """Fetch into the files; return how many rows came, and whether the landed file is another one now."""
    landed, fresh = files.landed, files.fresh
    known = is_of(landed, script)
    since = highest(files.reader, script, landed) if known and script.cursor and not full else None
    exact: Mapping[str, str] = {}
    if script.path.suffix.lower() == ".py":
        rows, optional = _yielded(script, since, fresh)
    else:
        (rows, exact), optional = _queried(project, script, since, fresh), False
    if not fresh.exists() and since is not None:  # an API without news gives a list without rows, which has no columns
        _note_future(script, files, note)
        return 0, False
    if not fresh.exists():
        raise PdbtError(f"{script.label} yields nothing, not even a frame without rows.", "Yield at least one, with its columns.")
    arrived = Arrived(fresh, is_all=since is None, optional=optional, exact=exact)
    require_columns(files.reader, script, arrived)
    if known:
        require_schema(files.reader, script, landed, arrived, full=full)
    changed = _kept(script, files, arrived)
    _note_future(script, files, note)
    return rows, changed


def _clear(fresh: Path) -> None:
    """Remove what has come, and the parts of which it is made."""
    for path in [fresh, *fresh.parent.glob(f"{glob.escape(fresh.name)}.*")]:
        path.unlink(missing_ok=True)


def _note_future(script: Script, files: _Files, note: Callable[[str], None] | None) -> None:
    """Tell of a highest cursor that no clock shows yet: rows that are written today come after it and are never fetched."""
    if note is None or not script.cursor:
        return
    found = highest(files.reader, script, files.landed)
    if found is not None and lies_in_future(found.value, datetime.datetime.now(datetime.UTC)):
        note(
            f"{script.label}: the highest {script.cursor} is {found.value}, which lies in the future: new rows with lower ones are not"
            " fetched. Fix that row at its origin, or leave it out in the script, then run with --full."
        )


def _kept(script: Script, files: _Files, arrived: Arrived) -> bool:
    """Make the file out of what has come, all rows or newer ones; return whether it is another one now."""
    fresh, landed, merged = files.fresh, files.landed, files.merged
    if not arrived.is_all:
        changed = merge(files.reader, script, landed, arrived, merged)
        if changed:
            merged.replace(landed)
        return changed
    made = merged if script.cursor and thin_out(files.reader, script, fresh, merged) else fresh
    if landed.exists() and is_same(made, landed):
        return False
    made.replace(landed)
    return True


def _yielded(script: Script, since: Cursor | None, fresh: Path) -> tuple[int, bool]:
    """Write what a Python script yields; return the rows, and whether they came as dicts, which lack what is empty."""
    batches = Yielded(script.path, script.label, None if since is None else since.value)
    written, done = EvolvingParquet(fresh, script.label, mark_of(script)), False
    try:
        for batch in batches:
            written.write(batch, optional=batches.as_dicts)
        done = True
    finally:
        written.close(keep=done)
    return written.rows, batches.as_dicts


def _queried(project: Path, script: Script, since: Cursor | None, fresh: Path) -> tuple[int, Mapping[str, str]]:
    """Write the rows of a query; return how many there are, and the least decimals of columns whose type sets no limit."""
    try:
        return retried(lambda: _fetch(project, script, since, fresh))[0]
    except ConnectionLost:
        raise
    except TransferRefused as refusal:
        raise refusal.of_script(script.label) from refusal
    except TransferFailed as error:  # there is no target whose state could be told
        raise TransferFailed(f"{script.label}: {error.message}", "Mend the query.") from error


def _fetch(project: Path, script: Script, since: Cursor | None, fresh: Path) -> tuple[int, Mapping[str, str]]:
    """Send the query, for newer rows only where that is enough; write what comes."""
    address = resolve(script.connection, load_settings(project))
    where = "" if since is None else condition(script, since, address.driver.name)
    with open_engine(address) as engine:
        reading = Reading(select=single_statement(script.text, address), where=where)
        columns = engine.describe(reading)
        for column in columns:
            if column.kind == UNKNOWN:
                raise TransferRefused(
                    f"{script.label}: column {column.name} is of type {column.native}, which does not travel.",
                    "Cast it to text in the query.",
                )
        rows = _write(script, engine.read(reading, columns), columns, fresh)
    return rows, {column.name: column.exact for column in columns if column.exact}


def _plain(batches: Iterator[pa.RecordBatch], columns: list[Column]) -> Iterator[pa.RecordBatch]:
    """Yield batches with UUIDs as text: what a run imports has no type for them in all databases."""
    import pyarrow as pa

    for batch in batches:
        arrays = with_uuid_texts(batch, columns)
        yield pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])


def _write(script: Script, batches: Iterator[pa.RecordBatch], columns: list[Column], fresh: Path) -> int:
    """Write the rows of a query as they come; return how many there are."""
    import pyarrow as pa

    kinds = [pa.string() if column.kind == "UUID" else arrow_type(column.kind) for column in columns]
    schema = pa.schema([pa.field(column.name, kind) for column, kind in zip(columns, kinds, strict=True)])
    written, done = EvolvingParquet(fresh, script.label, mark_of(script), schema), False
    try:
        for batch in _plain(batches, columns):
            written.write(batch)
        done = True
    finally:
        written.close(keep=done)
    return written.rows
