"""SQLite: its file read and written through ADBC, one transaction a transfer.

SQLite has five kinds of values, and a column takes any of them. What else a value is, the declared type of its column says:
``DECIMAL TEXT(38,10)`` is text to SQLite, so that no digit is lost, and a decimal to whoever reads the declaration.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import sql
from .adbc import Session, Source, schema_of
from .address import Address
from .base import (
    BATCH_ROWS,
    Column,
    ConnectionLost,
    Engine,
    Reading,
    Table,
    TransferFailed,
    TransferRefused,
    Writing,
    matching,
    not_kept,
    on_one_line,
)
from .faults import OTHER, fault
from .kinds import arrow_type, decimal, element
from .sqlite_replace import orphans_of, refuse_orphans, reshaped
from .sqlite_types import FLOATS, NATIVE, WHOLE, declared_kind, found_columns, sent
from .values import convert, refuse_not_finite, text_form

if TYPE_CHECKING:
    import pyarrow as pa

BUSY_MILLISECONDS = 60_000
STAGING, VIEW = "pdbt_rows", "pdbt_reading"
_AS_THEY_ARE = frozenset("VARCHAR BLOB".split())
# SQLite has one writer at a time: tables that arrive together wait here, and not for a lock that another one's end makes them lose.
_writers: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


class SQLite:
    """A SQLite file."""

    def __init__(self, address: Address) -> None:
        """Remember the file; it is opened when it is needed."""
        self.address = address
        self._session: Session | None = None

    def version(self) -> str:
        """Return product and version."""
        return f"SQLite {self._rows('SELECT sqlite_version()')[0][0]}"

    def tables(self, pattern: str) -> list[Table]:
        """Return the tables and views that fit a pattern."""
        select = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        return matching([Table("", str(name)) for (name,) in self._rows(select)], pattern.removeprefix("main."))

    def may_create(self) -> bool:
        """Whether the file may be written to."""
        return os.access(self.address.file, os.W_OK)

    def describe(self, reading: Reading) -> list[Column]:
        """Return the columns that are read: what is declared, if the values are that; else what the values are."""
        return found_columns(self._declared(reading), sql.relation(reading), self._rows)

    def estimate(self, reading: Reading) -> int | None:
        """Count the rows."""
        return int(self._rows(f"SELECT count(*) FROM {sql.relation(reading)}")[0][0])

    def read(self, reading: Reading, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        """Yield the rows. ADBC takes a column's type from the first row, so an example goes before the others."""
        names = [sql.quoted(column.name) for column in columns]
        examples = ", ".join(f"{_example(column.kind)} AS {name}" for column, name in zip(columns, names, strict=True))
        values = ", ".join(sent(column) for column in columns)
        select = f"SELECT {examples} UNION ALL SELECT {values} FROM {sql.relation(reading)}"
        options = {"adbc.sqlite.query.batch_rows": str(BATCH_ROWS)}
        with contextlib.closing(self._connect(transaction=False)) as session, session.stream(select, options) as batches:
            for number, batch in enumerate(batches):
                if batch.num_rows > (0 if number else 1):
                    yield convert(batch.slice(0 if number else 1), columns)

    def undivided(self, reading: Reading) -> str:
        """Return why one connection reads all of it."""
        return "SQLite is read by one connection"

    def prepare_to_write(self) -> None:
        """Need nothing: each reading and writing has a connection of its own."""

    def existing(self, table: Table) -> list[Column] | None:
        """Return the columns of a table."""
        if not self.address.file.exists():
            return None
        name = table.name.replace("'", "''")
        rows = self._rows(f"SELECT name, type, dflt_value IS NOT NULL, pk, max(pk) OVER () FROM pragma_table_info('{name}') ORDER BY cid")
        columns = []
        for column, native, has_default, key, keys in rows:
            numbered = bool(key) and keys == 1 and str(native).upper() == "INTEGER"  # the number of the row itself
            columns.append(Column(str(column), declared_kind(str(native)), str(native), bool(has_default) or numbered, numbered))
        return columns or None

    def stored(self, kind: str, *, key: bool = False) -> tuple[str, str] | None:
        """Return the column type for a kind; SQLite has no arrays."""
        if element(kind) is not None:
            return None
        if kind == "UBIGINT":
            return "DECIMAL TEXT(20,0)", "DECIMAL(20,0)"
        if decimal(kind) is not None:
            return kind.replace("DECIMAL", "DECIMAL TEXT"), kind
        return (NATIVE[kind], kind) if kind in NATIVE else None

    def create_statement(self, table: Table, columns: Sequence[Column], key: Sequence[str] = ()) -> str:
        """Return the DDL of a table."""
        return sql.create_table(f"CREATE TABLE {sql.quoted(table.name)}", columns, key)

    def alter_statements(self, writing: Writing) -> list[str]:
        """Return the DDL that adds columns; SQLite changes no type. Raises TransferRefused where one would have to be changed."""
        declared = {column.name: column.kind for column in self.existing(writing.table) or ()} if writing.widened else {}
        # A decimal is text, of as many digits as it has: the declaration need not grow with it.
        changed = [column.name for column in writing.widened if decimal(declared[column.name]) is None]
        if changed:
            names = ", ".join(changed)
            raise TransferRefused(
                f"SQLite cannot change the type of a column ({names}).",
                "Replace the table, or add --cast.",
                in_script=f"Cast {names} to what it was in the SELECT, or write -- mode: replace.",
            )
        return sql.alter_statements(sql.quoted(writing.table.name), replace(writing, widened=()))

    def missing_types(self, origin: Engine, columns: Sequence[Column]) -> list[str]:
        """Return the DDL of missing types: there are none that a table would not name itself."""
        return []

    def reshape_statements(self, writing: Writing) -> list[str]:
        """Return the DDL that makes a target anew with the columns that arrive."""
        return reshaped(self._rows, writing).statements

    def write(self, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        """Write all rows in one transaction, or none."""
        schema = schema_of([(column.name, _sent_type(column.kind)) for column in writing.columns])
        source = Source(schema, (_as_sent(batch, writing.columns, schema) for batch in batches))
        with _writers[self.address.file], contextlib.closing(self._connect(transaction=True)) as session, source.telling():
            self._write(session, writing, source)
            if writing.receipt is not None:
                session.execute(writing.receipt.create, *writing.receipt.statements())
            session.commit()
        return source.rows

    def close(self) -> None:
        """Close the file."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _write(self, session: Session, writing: Writing, source: Source) -> None:
        target = sql.quoted(writing.table.name)
        if writing.mode == "replace" and writing.exists:
            self._replace(session, writing, source)
            return
        if not writing.exists:
            session.execute(self.create_statement(writing.table, writing.columns, writing.key))
        else:
            session.execute(*self.alter_statements(writing))
        if writing.mode != "upsert":
            session.ingest(writing.table.name, source.reader)
            return
        self._stage(session, writing, source)
        sql.refuse_bad_keys(writing, **session.rows(sql.bad_keys_select(STAGING, writing.key))[0])
        session.execute(f"CREATE INDEX pdbt_rows_key ON {STAGING} ({sql.listed(writing.key)})")
        on = sql.same_key(writing.key, dict.fromkeys(writing.key, "{} COLLATE BINARY"))
        session.execute(*sql.merge_statements(target, STAGING, writing.columns, writing.key, on=on))
        session.execute(f"DROP TABLE {STAGING}")

    def _replace(self, session: Session, writing: Writing, source: Source) -> None:
        """Replace the rows of a table that stays, or of one that is made anew with what belongs to it."""
        orphans = orphans_of(session.rows, writing.table)
        if writing.same:
            session.execute(f"DELETE FROM {sql.quoted(writing.table.name)}")
        else:
            self._require_no_triggers(writing.table)
            anew = reshaped(self._rows, writing)
            try:
                session.execute(*anew.statements)
            except ConnectionLost:
                raise
            except TransferFailed as error:
                raise not_kept(writing.table, error) from error
        session.ingest(writing.table.name, source.reader)
        if not writing.same:
            session.execute(*anew.afterwards)
        refuse_orphans(session.rows, writing.table, orphans)

    def _require_no_triggers(self, table: Table) -> None:
        """Refuse to drop a table whose triggers would go with it."""
        name = table.name.replace("'", "''")
        if self._rows(f"SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{name}' COLLATE NOCASE"):
            raise TransferRefused(
                f"{table} has other columns, and triggers belong to it.",
                "Replace it with the columns that it has, or drop what belongs to it.",
            )

    def _stage(self, session: Session, writing: Writing, source: Source) -> None:
        """Put the rows into a table of the same transaction, which is gone at its end."""
        session.execute(f"DROP TABLE IF EXISTS {STAGING}", sql.create_table(f"CREATE TABLE {STAGING}", writing.columns))
        session.ingest(STAGING, source.reader)

    def _declared(self, reading: Reading) -> list[tuple[str, str]]:
        """Return names and declared types of what is read; SQLite tells those of a query through a view."""
        self._opened.execute(f"CREATE TEMP VIEW {VIEW} AS SELECT * FROM {sql.relation(reading)}")
        try:
            rows = self._rows(f"SELECT name, type FROM pragma_table_info('{VIEW}')")
        finally:
            self._opened.execute(f"DROP VIEW temp.{VIEW}")
        # An expression's whole numbers are INT to SQLite, however many bits they have; a column INT of a table has 32 to pdbt.
        whole = "INT" if reading.table is not None else "BIGINT"
        return [(str(name), whole if native == "INT" else str(native)) for name, native in rows]

    @property
    def _opened(self) -> Session:
        if self._session is None:
            self._session = self._connect(transaction=False)
        return self._session

    def _connect(self, *, transaction: bool) -> Session:
        """Connect, always through the same library: what one copy of SQLite locks, another one in this process does not see.

        A file that may be written to is opened so: else what a killed writer left could not be taken back, and nothing be read.
        """
        mode = "rwc" if transaction else "rw" if self.may_create() else "ro"
        session = Session("sqlite", f"{self.address.file.as_uri()}?mode={mode}", told=self._failure, transaction=transaction)
        session.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        return session

    def _rows(self, select: str) -> list[tuple[Any, ...]]:
        with self._opened.stream(select) as batches:
            columns = batches.read_all().columns
        return list(zip(*(column.to_pylist() for column in columns), strict=True))

    def _failure(self, error: Exception) -> Exception:
        said = re.sub(r"^[A-Z_]+: (\[SQLite\] )?([Ff]ailed to (execute|prepare|step)( query)?: )?", "", on_one_line(error)).rstrip(".")
        if "not a database" in said or "unable to open" in said:
            return fault(OTHER, self.address, said)
        if "locked" in said or "busy" in said:
            return ConnectionLost(f"{self.address.label}: another program is writing to it: {said}.", "Try again when it is done.")
        return TransferFailed(f"{self.address.label}: {said}.", "The target is as it was.")


def _sent_type(kind: str) -> pa.DataType:
    """Return the Arrow type in which SQLite is given values of a kind."""
    import pyarrow as pa

    if kind in WHOLE:
        return pa.int64()
    if kind in FLOATS:
        return pa.float64()
    return arrow_type(kind) if kind in _AS_THEY_ARE else pa.string()


def _as_sent(batch: pa.RecordBatch, columns: Sequence[Column], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    refuse_not_finite(batch, columns, "SQLite", infinite=False)
    arrays = [
        text_form(array, column.kind) if pa.types.is_string(field.type) and column.kind != "VARCHAR" else array.cast(field.type)
        for array, column, field in zip(batch.columns, columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _example(kind: str) -> str:
    """Return a value of the type in which a kind comes out of SQLite."""
    if kind in WHOLE:
        return "0"
    if kind in FLOATS:
        return "0.0"
    return "x''" if kind == "BLOB" else "''"
