"""scripts/source: what a query or a Python script brings from outside, kept as a Parquet file that a run then imports.

The file is all that is remembered: the highest value of the cursor is read from it, and it is replaced by a rename once the new rows
are merged into it. So a killed fetch leaves what was there, and a run that fails later fetches nothing twice.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.errors import GraphError, PdbtError, SettingsError
from ..engine.headers import SOURCE_WORDS, names_of, read_header
from ..engine.settings import load_settings
from .base import Column, Reading, TransferRefused, first_line
from .connections import resolve
from .engines import open_engine
from .execution import retried
from .kinds import UNKNOWN, arrow_type
from .many import single_statement
from .scripts import batches_of
from .sql import quoted
from .values import uuid_texts

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MEMORY_LIMIT = "200MB"
_MADE_BY = "pdbt"
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_LOOKBACK = re.compile(r"(?P<number>\d+)(?:\s+(?P<unit>second|minute|hour|day|week)s?)?")


@dataclass(frozen=True)
class Script:
    """A script of scripts/source.

    Attributes:
        label: its path, as a person knows it.
        path: the file.
        text: its text.
        connection: where a query is sent; empty for Python.
        cursor: the column that tells newer rows from older ones; empty when all rows are fetched each time.
        key: the columns that identify a row.
        lookback: how far before the highest cursor rows are fetched again, in seconds or, for a number, in its units.
        frozen: whether other columns than before are refused.
    """

    label: str
    path: Path
    text: str
    connection: str
    cursor: str
    key: tuple[str, ...]
    lookback: int
    frozen: bool

    @property
    def digest(self) -> str:
        """What tells this text from another one, whose rows may be others."""
        return hashlib.sha256(self.text.encode()).hexdigest()


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
    script = _read_script(project, path)
    landed.parent.mkdir(parents=True, exist_ok=True)
    fresh, merged = landed.with_suffix(".fetched"), landed.with_suffix(".merged")
    try:
        since = None if full or not script.cursor else _highest(script, landed)
        if path.suffix.lower() == ".py":
            rows = _write(script, batches_of(path, script.label, since), fresh)
        else:
            rows, _ = retried(lambda: _fetch(project, script, since, fresh))
        if since is not None:
            if not _merge(script, landed, fresh, merged):
                return rows, False
            merged.replace(landed)
            return rows, True
        if landed.exists() and _same(fresh, landed):
            return rows, False
        fresh.replace(landed)
        return rows, True
    finally:
        fresh.unlink(missing_ok=True)
        merged.unlink(missing_ok=True)


def _read_script(project: Path, path: Path) -> Script:
    label = path.relative_to(project).as_posix()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise GraphError(f"{label} cannot be read.", "It must be UTF-8 text that you may read.") from None
    said = read_header(text, SOURCE_WORDS, label)
    if path.suffix.lower() == ".sql" and not said.get("connection"):
        raise GraphError(f"{label} line 1 names no connection.", "Write on its first line: -- connection: NAME")
    key, cursor = names_of(said.get("key", "")), said.get("cursor", "")
    if cursor and not key:
        raise GraphError(f"{label} has a cursor and no key.", "Write a line: -- key: id, the columns that identify a row.")
    if said.get("schema", "evolve") not in ("evolve", "freeze"):
        raise GraphError(f"{label}: schema is {said['schema']!r}.", "It is evolve or freeze.")
    lookback = _lookback(said, label)
    return Script(label, path, text, said.get("connection", ""), cursor, key, lookback, said.get("schema") == "freeze")


def _lookback(said: Mapping[str, str], label: str) -> int:
    text = said.get("lookback", "0")
    found = _LOOKBACK.fullmatch(text)
    if found is None:
        raise GraphError(f"{label}: lookback is {text!r}.", "Write a number and a unit, as 2 days, 6 hours, 30 minutes; or a number alone.")
    return int(found["number"]) * _UNITS.get(found["unit"] or "second", 1)


def _highest(script: Script, landed: Path) -> object | None:
    """Return the highest cursor of the rows that are there; None when they are not of this script, or there are none."""
    import pyarrow.parquet as pq

    if not landed.exists() or (pq.read_metadata(landed).metadata or {}).get(_MADE_BY.encode()) != script.digest.encode():
        return None
    column = pq.read_schema(landed).names
    if script.cursor not in column:
        return None
    with _duckdb() as connection:
        kind = f"typeof(max({quoted(script.cursor)}))"
        select = f"SELECT max({quoted(script.cursor)})::VARCHAR, {kind} FROM read_parquet({_text(landed)})"
        ((highest, declared),) = connection.execute(select).fetchall()
    return None if highest is None else _value(highest, declared)


def _value(text: str, declared: str) -> object:
    if declared == "TIMESTAMP WITH TIME ZONE":
        return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)
    if declared == "TIMESTAMP":
        return datetime.datetime.fromisoformat(text)
    if declared == "DATE":
        return datetime.date.fromisoformat(text)
    return int(text) if declared.endswith("INT") or declared == "INTEGER" else text


def _fetch(project: Path, script: Script, since: object | None, fresh: Path) -> int:
    """Send the query, for newer rows only where that is enough; write what comes."""
    address = resolve(script.connection, load_settings(project))
    mark = "`" if address.driver.name == "MySQL" else '"'
    cursor = quoted(script.cursor, mark)
    where = "" if since is None else f"{cursor} >= {_literal(_earlier(since, script))} OR {cursor} IS NULL"
    with open_engine(address) as engine:
        reading = Reading(select=single_statement(script.text), where=where)
        columns = engine.describe(reading)
        for column in columns:
            if column.kind == UNKNOWN:
                raise TransferRefused(
                    f"{script.label}: column {column.name} is of type {column.native}, which does not travel.",
                    "Cast it to text in the query.",
                )
        return _write(script, _plain(engine.read(reading, columns), columns), fresh, columns)


def _earlier(since: object, script: Script) -> object:
    if isinstance(since, datetime.date):  # a datetime is one, too
        return since - datetime.timedelta(seconds=script.lookback)
    return since - script.lookback if isinstance(since, int) else since


def _literal(value: object) -> str:
    """Write a value as the SQL of all four databases reads it."""
    if isinstance(value, datetime.datetime):
        zone = "+00:00" if value.tzinfo is not None else ""
        return f"'{value.replace(tzinfo=None).isoformat(' ')}{zone}'"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def _plain(batches: Iterator[pa.RecordBatch], columns: list[Column]) -> Iterator[pa.RecordBatch]:
    """Yield batches with UUIDs as text: what a run imports has no type for them in all databases."""
    import pyarrow as pa

    for batch in batches:
        arrays = [uuid_texts(array) if column.kind == "UUID" else array for array, column in zip(batch.columns, columns, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])


def _write(script: Script, batches: Iterator[pa.RecordBatch], fresh: Path, columns: list[Column] | None = None) -> int:
    """Write batches as they come; return the rows."""
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
                writer = pq.ParquetWriter(fresh, _marked(schema or batch.schema, script))
            try:
                writer.write_batch(batch.cast(writer.schema) if batch.schema != writer.schema else batch)
            except (pa.ArrowInvalid, ValueError) as error:
                raise PdbtError(f"{script.label}: {first_line(error)}", "All that it yields must have the same columns.") from None
            rows += batch.num_rows
        if writer is None:
            if schema is None:
                raise PdbtError(f"{script.label} yields nothing, not even a frame without rows.", "Yield at least one, with its columns.")
            writer = pq.ParquetWriter(fresh, _marked(schema, script))
    finally:
        if writer is not None:
            writer.close()
    return rows


def _marked(schema: pa.Schema, script: Script) -> pa.Schema:
    return schema.with_metadata({_MADE_BY: script.digest})


def _merge(script: Script, landed: Path, fresh: Path, merged: Path) -> bool:
    """Bring fetched rows into those that are there, by key; return whether that changes anything."""
    before, new = f"read_parquet({_text(landed)})", f"read_parquet({_text(fresh)})"
    keys = ", ".join(quoted(name) for name in script.key)
    with _duckdb() as connection:
        names = [[str(row[0]) for row in connection.execute(f"DESCRIBE FROM {table}").fetchall()] for table in (before, new)]
        missing = next((name for name in (*script.key, script.cursor) if name not in names[1]), None)
        if missing is not None:
            raise SettingsError(f"{script.label}: what it brings has no column {missing}.", f"It has: {', '.join(names[1])}.")
        if names[0] != names[1] and script.frozen:
            raise TransferRefused(
                f"{script.label}: its columns were {', '.join(names[0])}, and are {', '.join(names[1])}.", "Say -- schema: evolve."
            )
        if names[0] == names[1] and not connection.execute(f"SELECT 1 FROM (FROM {new} EXCEPT FROM {before}) LIMIT 1").fetchall():
            return False
        newest = f"SELECT * FROM {new} QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {quoted(script.cursor)} DESC) = 1"
        kept = f"SELECT * FROM {before} AS b WHERE NOT EXISTS (SELECT 1 FROM {new} AS n WHERE {_equal_keys(script)})"
        options = f"FORMAT parquet, KV_METADATA {{{_MADE_BY}: '{script.digest}'}}"
        connection.execute(f"COPY (({kept}) UNION ALL BY NAME ({newest})) TO {_text(merged)} ({options})")
    return True


def _equal_keys(script: Script) -> str:
    return " AND ".join(f"b.{quoted(name)} IS NOT DISTINCT FROM n.{quoted(name)}" for name in script.key)


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


def _duckdb() -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(config={"memory_limit": MEMORY_LIMIT})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _text(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"
