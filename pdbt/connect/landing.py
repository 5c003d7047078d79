"""scripts/source: what a query or a Python script brings from outside, kept as a Parquet file that a run then imports.

The file is all that is remembered: the highest value of the cursor is read from it, and it is replaced by a rename once the new rows
are merged into it. So a killed fetch leaves what was there, and a run that fails later fetches nothing twice.
"""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.errors import PdbtError
from ..engine.settings import load_settings
from .base import Column, ConnectionLost, Reading, TransferFailed, TransferRefused, first_line
from .connections import resolve
from .engines import open_engine
from .execution import retried
from .kinds import UNKNOWN, arrow_type
from .landed import highest, is_of, is_same, marked, merge, require_columns, require_schema, thin_out
from .many import single_statement
from .scripts import batches_of
from .source_script import Script, read_script
from .sql import quoted
from .values import with_uuid_texts

if TYPE_CHECKING:
    import pyarrow as pa

_DAY_SECONDS = 86_400


def land(project: Path, path: Path, landed: Path, full: bool) -> tuple[int, bool]:
    """Fetch what a script brings; return how many rows came, and whether the file is another one now.

    Args:
        project: the project's folder.
        path: the script.
        landed: the Parquet file.
        full: fetch all rows, also where newer ones would do.

    Raises:
        PdbtError: the script says something wrong, or its connection failed; the file is as it was.
    """
    script = read_script(project, path)
    landed.parent.mkdir(parents=True, exist_ok=True)
    fresh, merged = landed.with_suffix(".fetched"), landed.with_suffix(".merged")
    try:
        fresh.unlink(missing_ok=True)  # a killed run may have left one
        known = is_of(landed, script)
        since = highest(script, landed) if known and script.cursor and not full else None
        if path.suffix.lower() == ".py":
            rows = _write(script, batches_of(path, script.label, since), fresh)
        else:
            rows = _queried(project, script, since, fresh)
        if not fresh.exists() and since is not None:  # an API without news gives a list without rows, which has no columns
            return 0, False
        if not fresh.exists():
            raise PdbtError(f"{script.label} yields nothing, not even a frame without rows.", "Yield at least one, with its columns.")
        require_columns(script, fresh)
        if known:
            require_schema(script, landed, fresh, full=full)
        return rows, _kept(script, landed, fresh, merged, is_all=since is None)
    finally:
        fresh.unlink(missing_ok=True)
        merged.unlink(missing_ok=True)


def _kept(script: Script, landed: Path, fresh: Path, merged: Path, *, is_all: bool) -> bool:
    """Make the file out of what has come, all rows or newer ones; return whether it is another one now."""
    if not is_all:
        changed = merge(script, landed, fresh, merged)
        if changed:
            merged.replace(landed)
        return changed
    made = merged if script.cursor and thin_out(script, fresh, merged) else fresh
    if landed.exists() and is_same(made, landed):
        return False
    made.replace(landed)
    return True


def _queried(project: Path, script: Script, since: object | None, fresh: Path) -> int:
    try:
        return retried(lambda: _fetch(project, script, since, fresh))[0]
    except ConnectionLost:
        raise
    except TransferFailed as error:  # there is no target whose state could be told
        raise TransferFailed(f"{script.label}: {error.message}", "Mend the query.") from error


def _fetch(project: Path, script: Script, since: object | None, fresh: Path) -> int:
    """Send the query, for newer rows only where that is enough; write what comes."""
    address = resolve(script.connection, load_settings(project))
    mark = "`" if address.driver.name == "MySQL" else '"'
    cursor = quoted(script.cursor, mark)
    where = "" if since is None else f"{cursor} >= {_literal(_earlier(since, script))} OR {cursor} IS NULL"
    with open_engine(address) as engine:
        reading = Reading(select=single_statement(script.text, address), where=where)
        columns = engine.describe(reading)
        for column in columns:
            if column.kind == UNKNOWN:
                raise TransferRefused(
                    f"{script.label}: column {column.name} is of type {column.native}, which does not travel.",
                    "Cast it to text in the query.",
                )
        return _write(script, _plain(engine.read(reading, columns), columns), fresh, columns)


def _earlier(since: object, script: Script) -> object:
    if isinstance(since, datetime.datetime):
        return since - datetime.timedelta(seconds=script.lookback)
    if isinstance(since, datetime.date):  # which has no hours: what is less than a day is one
        return since - datetime.timedelta(days=math.ceil(script.lookback / _DAY_SECONDS))
    return since - script.lookback if isinstance(since, (int, float, decimal.Decimal)) else since


def _literal(value: object) -> str:
    """Write a value as the SQL of all four databases reads it."""
    if isinstance(value, datetime.datetime):
        zone = "+00:00" if value.tzinfo is not None else ""
        return f"'{value.replace(tzinfo=None).isoformat(' ')}{zone}'"
    return str(value) if isinstance(value, (int, float, decimal.Decimal)) else "'" + str(value).replace("'", "''") + "'"


def _plain(batches: Iterator[pa.RecordBatch], columns: list[Column]) -> Iterator[pa.RecordBatch]:
    """Yield batches with UUIDs as text: what a run imports has no type for them in all databases."""
    import pyarrow as pa

    for batch in batches:
        arrays = with_uuid_texts(batch, columns)
        yield pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])


def _write(script: Script, batches: Iterator[pa.RecordBatch], fresh: Path, columns: list[Column] | None = None) -> int:
    """Write batches as they come; return the rows. Without a batch, and without columns, there is no file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = None
    if columns is not None:
        kinds = [pa.string() if column.kind == "UUID" else arrow_type(column.kind) for column in columns]
        schema = pa.schema([pa.field(column.name, kind) for column, kind in zip(columns, kinds, strict=True)])
    rows, writer = 0, None
    try:
        for batch in batches:
            if writer is None:
                writer = pq.ParquetWriter(fresh, marked(schema or batch.schema, script))
            try:
                writer.write_batch(batch.cast(writer.schema) if batch.schema != writer.schema else batch)
            except (pa.ArrowInvalid, ValueError) as error:
                raise PdbtError(f"{script.label}: {first_line(error)}", "All that it yields must have the same columns.") from None
            rows += batch.num_rows
        if writer is None and schema is not None:
            writer = pq.ParquetWriter(fresh, marked(schema, script))
    finally:
        if writer is not None:
            writer.close()
    return rows
