"""DuckDB: its file read and written directly, one transaction a transfer."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import duckdb

from ..engine.lexer import DUCKDB, tokens
from . import sql
from .adbc import Source, schema_of
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
    first_line,
    matching,
    on_one_line,
)
from .ddl import changed, generated, mentions
from .faults import OTHER, fault
from .kinds import MAX_DIGITS, UNKNOWN, arrow_type, decimal, element, own
from .values import convert, refused, with_uuid_texts

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY_LIMIT = "200MB"  # of DuckDB's own buffers; what is beyond goes to its temporary folder
ROWS, STAGING = "pdbt rows on their way", "pdbt rows"
LOSSLESS = "SET arrow_lossless_conversion = true"  # or bits, zones of times and great numbers reach Arrow as something else
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
# Connections of one process share a file's database, which DuckDB gives to the second one before it is whole.
_opening = threading.Lock()


class DuckDB:
    """A DuckDB file."""

    def __init__(self, address: Address) -> None:
        """Remember the file; it is opened when it is needed, for reading only as long as nothing is written."""
        self.address = address
        self._open: duckdb.DuckDBPyConnection | None = None
        self._writes = False

    def version(self) -> str:
        """Return product and version."""
        return f"DuckDB {self._rows('SELECT version()')[0][0]}"

    def tables(self, pattern: str) -> list[Table]:
        """Return the tables and views that fit a pattern."""
        select = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_database() ORDER BY 1, 2"
        found = [Table("" if schema == "main" else schema, name) for schema, name in self._rows(select)]
        return matching(found, pattern.removeprefix("main."))

    def may_create(self) -> bool:
        """Whether the file may be written to."""
        return os.access(self.address.file, os.W_OK)

    def describe(self, reading: Reading) -> list[Column]:
        """Return the columns that are read."""
        rows = self._rows(f"DESCRIBE SELECT * FROM {sql.relation(reading)}")
        return [Column(str(name), kind_of(str(native)), str(native)) for name, native, *_ in rows]

    def estimate(self, reading: Reading) -> int | None:
        """Count the rows, which DuckDB does from its statistics for a table."""
        return int(self._rows(f"SELECT count(*) FROM {sql.relation(reading)}")[0][0])

    def read(self, reading: Reading, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        self._refuse_long_intervals(reading, columns)
        expressions = ", ".join(_sent(column) for column in columns)
        with self._told(), contextlib.closing(self._connection.cursor()) as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            if any(own(column.kind) for column in columns):
                cursor.execute(LOSSLESS)
            batches = cursor.sql(f"SELECT {expressions} FROM {sql.relation(reading)}").to_arrow_reader(BATCH_ROWS)
            for batch in batches:
                yield convert(batch, columns)

    def _refuse_long_intervals(self, reading: Reading, columns: Sequence[Column]) -> None:
        """Refuse intervals of so many hours that Arrow, which counts them in nanoseconds, would hold others."""
        for column in columns:
            if "INTERVAL" not in (own(column.kind) or ""):
                continue
            long = f"regexp_matches(CAST({sql.quoted(column.name)} AS VARCHAR), '[0-9]{{7,}}:')"
            if self._rows(f"SELECT 1 FROM {sql.relation(reading)} WHERE {long} LIMIT 1"):
                raise refused(column, "an interval of a million hours or more")

    def undivided(self, reading: Reading) -> str:
        """Return why one connection reads all of it."""
        return "DuckDB reads with all cores by itself"

    def prepare_to_write(self) -> None:
        """Open the file for both from now on: one process cannot have it open in two ways, and other transfers may be at it."""
        if not self._writes:
            self.close()
            self._writes = True

    def existing(self, table: Table) -> list[Column] | None:
        """Return the columns of a table."""
        if not self.address.file.exists():
            return None
        try:
            rows = self._connection.execute(f"DESCRIBE {sql.table_name(table)}").fetchall()
        except duckdb.CatalogException:
            return None
        computed = generated(self._created(table), DUCKDB) if rows else set()
        return [
            Column(str(name), kind_of(str(native)), str(native), default is not None)
            for name, native, _, _, default, *_ in rows
            if str(name) not in computed
        ]

    def stored(self, kind: str, *, key: bool = False) -> tuple[str, str] | None:
        """Return the column type for a kind: DuckDB has them all."""
        return (kind, kind) if kind != UNKNOWN else None

    def create_statement(self, table: Table, columns: Sequence[Column], key: Sequence[str] = ()) -> str:
        """Return the DDL of a table."""
        return sql.create_table(f"CREATE OR REPLACE TABLE {sql.table_name(table)}", columns, key)

    def alter_statements(self, writing: Writing) -> list[str]:
        """Return the DDL that adds and widens columns."""
        return sql.alter_statements(sql.table_name(writing.table), writing)

    def missing_types(self, origin: Engine, columns: Sequence[Column]) -> list[str]:
        """Return the DDL of missing types: there are none that a table would not name itself."""
        return []

    def reshape_statements(self, writing: Writing) -> list[str]:
        """Return the DDL that makes a target anew, with the columns that arrive."""
        retyped = {column.name: column.native for column in writing.widened}
        create = changed(self._created(writing.table), DUCKDB, retyped, writing.added, writing.dropped)
        indexes = [str(index) for (index,) in self._catalogue("duckdb_indexes", "sql", writing.table)]
        kept = [index for index in indexes if not mentions(list(tokens(index, DUCKDB)), writing.dropped)]
        return [create.replace("CREATE TABLE ", "CREATE OR REPLACE TABLE ", 1), *kept, *self._comments(writing)]

    def write(self, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        """Write all rows in one transaction, or none."""
        import pyarrow as pa

        types = [pa.string() if column.kind == "UUID" else arrow_type(column.kind) for column in writing.columns]
        schema = schema_of([(column.name, kind) for column, kind in zip(writing.columns, types, strict=True)])
        if any(own(column.kind) for column in writing.columns):
            schema, batches = _with_own_fields(schema, writing.columns, batches)
        source = Source(schema, (_as_sent(batch, writing.columns, schema) for batch in batches))
        self.prepare_to_write()
        connection = self._connection
        with self._told(), source.telling():
            connection.execute("BEGIN")
            try:
                if any(own(column.kind) for column in writing.columns):
                    connection.execute(LOSSLESS)
                connection.register(ROWS, source.reader)
                self._write(connection, writing)
                connection.unregister(ROWS)
                for statement in [writing.receipt.create, *writing.receipt.statements()] if writing.receipt is not None else []:
                    connection.execute(statement)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(duckdb.Error):
                    connection.execute("ROLLBACK")
                raise
        return source.rows

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            with _opening:
                self._open.close()
            self._open = None

    def _write(self, connection: duckdb.DuckDBPyConnection, writing: Writing) -> None:
        target, names = sql.table_name(writing.table), sql.listed(column.name for column in writing.columns)
        values = ", ".join(f"CAST({sql.quoted(column.name)} AS {column.native})" for column in writing.columns)
        is_new = writing.mode == "replace" or not writing.exists
        referred = self._referred(writing.table) if writing.mode == "replace" and writing.exists else ()
        if referred and not writing.same:
            raise TransferRefused(
                f"{writing.table} has other columns, and foreign keys of other tables refer to it.",
                "Replace it with the columns that it has, or drop what refers to it.",
            )
        keyed = sql.keyed(writing, referred)
        if keyed is not None:
            self._merge(connection, keyed, sql.DELETE_OTHERS)
            return
        create = [self.create_statement(writing.table, writing.columns, writing.key)]
        if writing.mode == "replace" and writing.exists:
            create = [f"DELETE FROM {target}"] if referred else self.reshape_statements(writing)
        for statement in create if is_new else self.alter_statements(writing):
            connection.execute(statement)
        if writing.mode == "upsert":
            self._merge(connection, writing)
        else:
            connection.execute(f"INSERT INTO {target} ({names}) SELECT {values} FROM {sql.quoted(ROWS)}")

    def _merge(self, connection: duckdb.DuckDBPyConnection, writing: Writing, before: str = "") -> None:
        """Bring the rows into the target by key, after another statement, as `sql.DELETE_OTHERS`."""
        target, staging = sql.table_name(writing.table), sql.quoted(STAGING)
        shown = ", ".join(f"CAST({sql.quoted(column.name)} AS {column.native}) AS {sql.quoted(column.name)}" for column in writing.columns)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {staging} AS SELECT {shown} FROM {sql.quoted(ROWS)}")
        sql.refuse_bad_keys(writing, *connection.execute(sql.bad_keys_select(staging, writing.key)).fetchall()[0])
        on = sql.same_key(writing.key, sql.texts_of(writing, '({} COLLATE "C")'))
        first, update = ([before.format(target=target, staging=staging, on=on)], _changed(writing)) if before else ([], sql.UPDATE)
        for statement in [*first, *sql.merge_statements(target, staging, writing.columns, writing.key, update, on=on)]:
            connection.execute(statement)
        connection.execute(f"DROP TABLE {staging}")

    def _created(self, table: Table) -> str:
        """Return the statement that makes a table as it was declared, with its keys and checks; the empty text for a view."""
        found = self._catalogue("duckdb_tables", "sql", table)
        return str(found[0][0]) if found else ""

    def _comments(self, writing: Writing) -> list[str]:
        """Return the statements that say again what was said of a table, its columns and indexes."""
        table, name = writing.table, sql.table_name(writing.table)
        tables = self._catalogue("duckdb_tables", "comment", table)
        columns = self._catalogue("duckdb_columns", "column_name, comment", table)
        indexes = self._catalogue("duckdb_indexes", "index_name, comment, sql", table)
        said = [("TABLE", name, comment) for (comment,) in tables]
        said += [("COLUMN", f"{name}.{sql.quoted(one)}", comment) for one, comment in columns if one not in writing.dropped]
        said += [
            ("INDEX", sql.table_name(Table(table.schema, one)), comment)
            for one, comment, created in indexes
            if not mentions(list(tokens(str(created), DUCKDB)), writing.dropped)
        ]
        texts = [(kind, one, str(comment).replace("'", "''")) for kind, one, comment in said if comment is not None]
        return [f"COMMENT ON {kind} {one} IS '{text}'" for kind, one, text in texts]

    def _referred(self, table: Table) -> tuple[str, ...]:
        """Return the columns by which rows of other tables refer to those of a table; DuckDB then lets no other one take its place."""
        name = table.name.replace("'", "''")
        select = (
            "SELECT referenced_column_names FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY'"
            f" AND database_name = current_database() AND lower(referenced_table) = lower('{name}')"
        )
        found = self._rows(f"{select} AND lower(table_name) <> lower('{name}') ORDER BY constraint_index LIMIT 1")
        return tuple(found[0][0]) if found else ()

    def _catalogue(self, function: str, columns: str, table: Table) -> list[tuple[Any, ...]]:
        """Return what DuckDB knows of a table."""
        name, schema = table.name.replace("'", "''"), (table.schema or "main").replace("'", "''")
        where = f"lower(schema_name) = lower('{schema}') AND lower(table_name) = lower('{name}') AND database_name = current_database()"
        return self._rows(f"SELECT {columns} FROM {function}() WHERE {where}")

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._open is None:
            self._open = self._connect()
        return self._open

    def _connect(self) -> duckdb.DuckDBPyConnection:
        try:
            with _opening:
                return duckdb.connect(str(self.address.file), read_only=not self._writes, config={"memory_limit": MEMORY_LIMIT})
        except duckdb.IOException as error:
            if "lock" in str(error).casefold():
                said = "another program has it open"
                raise ConnectionLost(f"{self.address.label}: {said}.", "Close it there, or wait until it is done.") from error
            raise fault(OTHER, self.address, first_line(error)) from None
        except duckdb.Error as error:
            raise fault(OTHER, self.address, first_line(error)) from None

    def _rows(self, select: str) -> list[tuple[Any, ...]]:
        with self._told():
            return self._connection.execute(select).fetchall()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (duckdb.Error, OSError, pa.ArrowException) as error:  # the latter two once rows have begun to come
            raise TransferFailed(f"{self.address.label}: {on_one_line(error).rstrip('.')}.", "The target is as it was.") from error


def _changed(writing: Writing) -> str:
    """Return the shape of an UPDATE of the rows that differ: DuckDB takes no update of an indexed column of a row that others refer to."""
    rest = [sql.quoted(column.name).replace("{", "{{").replace("}", "}}") for column in writing.columns if column.name not in writing.key]
    return f"{sql.UPDATE} AND ({' OR '.join(f't.{name} IS DISTINCT FROM s.{name}' for name in rest)})"


def _with_own_fields(
    schema: pa.Schema, columns: Sequence[Column], batches: Iterator[pa.RecordBatch]
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return a schema with the Arrow types of DuckDB's own as the first batch has them, and all batches."""
    first = next(batches, None)
    if first is None:
        return schema, iter(())
    for place, column in enumerate(columns):
        if own(column.kind) is not None:
            schema = schema.set(place, first.schema.field(place))
    return schema, itertools.chain([first], batches)


def _as_sent(batch: pa.RecordBatch, columns: Sequence[Column], schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with UUIDs as text, which DuckDB casts."""
    import pyarrow as pa

    return pa.RecordBatch.from_arrays(with_uuid_texts(batch, columns), schema=schema)


def kind_of(native: str) -> str:
    """Return the kind of a column's values, from its type in DuckDB's words."""
    if native.endswith("[]"):
        inner = kind_of(native.removesuffix("[]"))
        return f"{inner}[]" if inner and inner not in ("UUID", "JSON") else UNKNOWN
    if native in _SAME or decimal(native) is not None:
        return native
    return "VARCHAR" if native.startswith("ENUM") else _KINDS.get(native, UNKNOWN)


def _sent(column: Column) -> str:
    """Return the expression that reads a column."""
    name = sql.quoted(column.name)
    if own(column.kind) is not None:
        return name
    if column.kind in (UNKNOWN, "UUID", "JSON", "VARCHAR"):
        nested = re.search(r"(\]|\))$|^(STRUCT|MAP|UNION)", column.native) and not column.native.startswith("ENUM")
        return f"CAST({f'to_json({name})' if nested else name} AS VARCHAR) AS {name}"
    if element(column.kind) is not None or column.native == column.kind:
        return name
    return f"CAST({name} AS {column.kind}) AS {name}"
