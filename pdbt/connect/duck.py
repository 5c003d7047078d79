"""DuckDB: its file read and written directly, one transaction a transfer."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import duckdb

from .adbc import Source, schema_of
from .address import Address
from .base import (
    BATCH_ROWS,
    Column,
    ConnectionLost,
    Reading,
    Table,
    TransferFailed,
    Writing,
    first_line,
    matching,
    merge_statements,
    quoted,
    refuse_bad_keys,
)
from .faults import OTHER, fault
from .kinds import MAX_DIGITS, UNKNOWN, arrow_type, decimal, element
from .values import convert, uuid_texts

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY_LIMIT = "200MB"  # of DuckDB's own buffers; what is beyond goes to its temporary folder
ROWS, STAGING = "pdbt rows on their way", "pdbt rows"
_UPDATE = "UPDATE {target} AS t SET {set} FROM {staging} AS s WHERE {on}"
_KINDS = {
    "TINYINT": "SMALLINT",
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "HUGEINT": f"DECIMAL({MAX_DIGITS},0)",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
}
_SAME = frozenset("BOOLEAN SMALLINT INTEGER BIGINT UBIGINT FLOAT DOUBLE VARCHAR BLOB DATE TIME TIMESTAMP UUID JSON".split())


class DuckDB:
    """A DuckDB file."""

    def __init__(self, address: Address) -> None:
        """Remember the file; it is opened when it is needed, for reading only as long as nothing is written."""
        self.address = address
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._writes = False

    def version(self) -> str:
        """Return product and version."""
        return f"DuckDB {self._reader.execute('SELECT version()').fetchall()[0][0]}"

    def tables(self, pattern: str) -> list[Table]:
        """Return the tables and views that fit a pattern."""
        select = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_database() ORDER BY 1, 2"
        found = [Table("" if schema == "main" else schema, name) for schema, name in self._reader.execute(select).fetchall()]
        return matching(found, pattern.removeprefix("main."))

    def may_create(self) -> bool:
        """Whether the file may be written to."""
        import os

        return self.address.path is not None and os.access(self.address.path, os.W_OK)

    def describe(self, reading: Reading) -> list[Column]:
        """Return the columns that are read."""
        with self._told():
            rows = self._reader.execute(f"DESCRIBE SELECT * FROM {_relation(reading)}").fetchall()
        return [Column(str(name), _kind(str(native)), str(native)) for name, native, *_ in rows]

    def estimate(self, reading: Reading) -> int | None:
        """Count the rows, which DuckDB does from its statistics for a table."""
        with self._told():
            return int(self._reader.execute(f"SELECT count(*) FROM {_relation(reading)}").fetchall()[0][0])

    def read(self, reading: Reading, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        expressions = ", ".join(_sent(column) for column in columns)
        with self._told(), contextlib.closing(self._reader.cursor()) as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            batches = cursor.sql(f"SELECT {expressions} FROM {_relation(reading)}").to_arrow_reader(BATCH_ROWS)
            for batch in batches:
                yield convert(batch, columns)

    def undivided(self, reading: Reading) -> str:
        """Return why one connection reads all of it."""
        return "DuckDB reads with all cores by itself"

    def prepare_to_write(self) -> None:
        """Open the file for both."""
        self._writer()

    def existing(self, table: Table) -> list[Column] | None:
        """Return the columns of a table."""
        if self.address.path is not None and not self.address.path.exists():
            return None
        try:
            rows = self._reader.execute(f"DESCRIBE {_name(table)}").fetchall()
        except duckdb.CatalogException:
            return None
        return [Column(str(name), _kind(str(native)), str(native)) for name, native, *_ in rows]

    def stored(self, kind: str, *, key: bool = False) -> tuple[str, str] | None:
        """Return the column type for a kind: DuckDB has them all."""
        return (kind, kind) if kind != UNKNOWN else None

    def create_statement(self, table: Table, columns: Sequence[Column], key: Sequence[str] = ()) -> str:
        """Return the DDL of a table."""
        lines = [f"{quoted(column.name)} {column.native}" for column in columns]
        if key:
            lines.append(f"PRIMARY KEY ({', '.join(map(quoted, key))})")
        return f"CREATE OR REPLACE TABLE {_name(table)} (\n  " + ",\n  ".join(lines) + "\n)"

    def write(self, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        """Write all rows in one transaction, or none."""
        import pyarrow as pa

        types = [pa.string() if column.kind == "UUID" else arrow_type(column.kind) for column in writing.columns]
        schema = schema_of([(column.name, kind) for column, kind in zip(writing.columns, types, strict=True)])
        source = Source(schema, (_as_sent(batch, writing.columns, schema) for batch in batches))
        connection = self._writer()
        with self._told(), source.telling():
            connection.execute("BEGIN")
            try:
                connection.register(ROWS, source.reader)
                self._write(connection, writing)
                connection.unregister(ROWS)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(duckdb.Error):
                    connection.execute("ROLLBACK")
                raise
        return source.rows

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self, connection: duckdb.DuckDBPyConnection, writing: Writing) -> None:
        target = _name(writing.table)
        names = ", ".join(quoted(column.name) for column in writing.columns)
        values = ", ".join(f"CAST({quoted(column.name)} AS {column.native})" for column in writing.columns)
        if writing.mode == "replace" or not writing.exists:
            connection.execute(self.create_statement(writing.table, writing.columns, writing.key))
        for column in writing.added if writing.exists and writing.mode != "replace" else ():
            connection.execute(f"ALTER TABLE {target} ADD COLUMN {quoted(column.name)} {column.native}")
        for column in writing.widened:
            connection.execute(f"ALTER TABLE {target} ALTER COLUMN {quoted(column.name)} TYPE {column.native}")
        if writing.mode != "upsert":
            connection.execute(f"INSERT INTO {target} ({names}) SELECT {values} FROM {quoted(ROWS)}")
            return
        staging = quoted(STAGING)
        shown = ", ".join(f"CAST({quoted(column.name)} AS {column.native}) AS {quoted(column.name)}" for column in writing.columns)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {staging} AS SELECT {shown} FROM {quoted(ROWS)}")
        keys = ", ".join(quoted(name) for name in writing.key)
        nulls = " OR ".join(f"{quoted(name)} IS NULL" for name in writing.key)
        check = f"SELECT count(*) FILTER (WHERE {nulls}), count(*) - count(DISTINCT ({keys})) FROM {staging}"
        refuse_bad_keys(writing, *connection.execute(check).fetchall()[0])
        for statement in merge_statements(target, staging, writing.columns, writing.key, _UPDATE):
            connection.execute(statement)
        connection.execute(f"DROP TABLE {staging}")

    @property
    def _reader(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = self._open(read_only=True)
        return self._connection

    def _writer(self) -> duckdb.DuckDBPyConnection:
        if self._connection is not None and not self._writes:
            self.close()
        if self._connection is None:
            self._connection, self._writes = self._open(read_only=False), True
        return self._connection

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        try:
            return duckdb.connect(str(self.address.path), read_only=read_only, config={"memory_limit": MEMORY_LIMIT})
        except duckdb.IOException as error:
            if "lock" in str(error).casefold():
                said = "another program has it open"
                raise ConnectionLost(f"{self.address.label}: {said}.", "Close it there, or wait until it is done.") from error
            raise fault(OTHER, self.address, first_line(error)) from None
        except duckdb.Error as error:
            raise fault(OTHER, self.address, first_line(error)) from None

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise TransferFailed(f"{self.address.label}: {first_line(error).rstrip('.')}.", "The target is as it was.") from error


def _as_sent(batch: pa.RecordBatch, columns: Sequence[Column], schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with UUIDs as text, which DuckDB casts."""
    import pyarrow as pa

    arrays = [uuid_texts(array) if column.kind == "UUID" else array for array, column in zip(batch.columns, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _kind(native: str) -> str:
    if native.endswith("[]"):
        inner = _kind(native.removesuffix("[]"))
        return f"{inner}[]" if inner and inner not in ("UUID", "JSON") else UNKNOWN
    if native in _SAME or decimal(native) is not None:
        return native
    return "VARCHAR" if native.startswith("ENUM") else _KINDS.get(native, UNKNOWN)


def _sent(column: Column) -> str:
    """Return the expression that reads a column."""
    name = quoted(column.name)
    if column.kind in (UNKNOWN, "UUID", "JSON", "VARCHAR"):
        nested = re.search(r"(\]|\))$|^(STRUCT|MAP|UNION)", column.native) and not column.native.startswith("ENUM")
        return f"CAST({f'to_json({name})' if nested else name} AS VARCHAR) AS {name}"
    if element(column.kind) is not None or column.native == column.kind:
        return name
    return f"CAST({name} AS {column.kind}) AS {name}"


def _name(table: Table) -> str:
    return f"{quoted(table.schema)}.{quoted(table.name)}" if table.schema else quoted(table.name)


def _relation(reading: Reading) -> str:
    relation = _name(reading.table) if reading.table is not None else f"(\n{reading.select}\n) AS q"
    return f"(SELECT * FROM {relation} WHERE {reading.where}) AS q" if reading.where else relation
