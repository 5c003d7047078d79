"""MySQL and MariaDB: read through PyMySQL with rows decoded as Arrow columns, written by LOAD DATA LOCAL from memory."""

from __future__ import annotations

import contextlib
import functools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pymysql

from ..engine.errors import PdbtError
from . import sql
from .address import Address
from .base import (
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
    not_kept,
    on_one_line,
    refuse_cascades,
)
from .faults import mysql_fault
from .kinds import UNKNOWN, decimal, element
from .mysql_catalog import COLLATIONS, COLUMNS, JSON_CHECKS, SCHEMA, TABLES
from .mysql_grants import allows_create
from .mysql_load import Load, execute, is_bytes, load_rows
from .mysql_replace import CASCADES, TIED, referred, reshaping
from .mysql_rows import row_batches
from .mysql_tls import MySQLConnection, tls_arguments
from .mysql_types import NATIVE, besides_type, described, kind_of
from .mysql_upsert import BYTEWISE, exchange_rows, merge, require_keys
from .values import convert

if TYPE_CHECKING:
    import pyarrow as pa

CONNECT_SECONDS = 10
LOCK_SECONDS = 60
CLEAR_SECONDS = 5  # until the server has noticed that a connection is gone
SLOW_WRITER_SECONDS = 3600  # how long the server waits for us to take rows
LONGEST_NAME = 64
KEY_CHARACTERS = 255
STAGING = "pdbt_rows"
MARK = "`"  # around names in a session that reads, whose double quotes are texts, as in a query of MySQL's
_LOST = frozenset({1040, 1053, 1205, 1213, 2002, 2003, 2006, 2013, 2055, 4031})
_READING = ("SET NAMES utf8mb4", "SET time_zone = '+00:00'", f"SET SESSION net_write_timeout = {SLOW_WRITER_SECONDS}")
_WRITING = (
    "SET NAMES utf8mb4",
    "SET time_zone = '+00:00'",
    "SET sql_mode = 'STRICT_ALL_TABLES,ANSI_QUOTES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'",
    f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}",
)
_ENGINE = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"


class MySQL:
    """An open connection to a database of MySQL or MariaDB."""

    def __init__(self, address: Address) -> None:
        """Connect. Raises ConnectionFault."""
        self.address = address
        self._connection = self._connect(_READING)
        self._is_mariadb = "mariadb" in str(self._one("SELECT version()")).casefold()

    def version(self) -> str:
        """Return product and version."""
        return f"{'MariaDB' if self._is_mariadb else 'MySQL'} {str(self._one('SELECT version()')).partition('-')[0]}"

    def tables(self, pattern: str) -> list[Table]:
        """Return the tables that fit a pattern; those of the connection's own database are written without it."""
        found = [Table("" if schema == self.address.database else str(schema), str(name)) for schema, name in self._rows(TABLES)]
        return matching(found, pattern.removeprefix(f"{self.address.database}."))

    def may_create(self) -> bool:
        """Whether the user may create tables in the connection's database."""
        grants = [str(row[0]) for row in self._rows("SHOW GRANTS")]
        return bool(self.address.database) and any(allows_create(grant, self.address.database) for grant in grants)

    def describe(self, reading: Reading) -> list[Column]:
        """Return the columns that are read."""
        if reading.table is not None:
            columns = self.existing(reading.table, generated=True)
            if columns is None:
                raise TransferFailed(f"{self.address.label}: there is no table {reading.table} that one may read.")
            return columns
        with self._told(), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {sql.relation(reading, MARK)} LIMIT 0")
            return [described(field) for field in cursor._result.fields]

    def estimate(self, reading: Reading) -> int | None:
        """Return the server's estimate for a table."""
        if reading.table is None or reading.where:
            return None
        select = f"SELECT table_rows FROM information_schema.tables WHERE table_schema = {SCHEMA} AND table_name = %s"
        found = self._rows(select, reading.table.schema, reading.table.name)
        return int(found[0][0]) if found and found[0][0] is not None else None

    def read(self, reading: Reading, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        expressions = ", ".join(_sent(column) for column in columns)
        select = f"SELECT {expressions} FROM {sql.relation(reading, MARK)}"
        connection = self._connect(_READING)
        try:
            with self._told():
                for batch in row_batches(connection, select, [is_bytes(column) for column in columns]):
                    yield convert(batch, columns)
        finally:
            connection._force_close()  # the rest of the answer is not waited for

    def undivided(self, reading: Reading) -> str:
        """Return why one connection reads all of it."""
        return "MySQL has no picture of a table that several connections share"

    def prepare_to_write(self) -> None:
        """Need nothing: each reading and writing has a connection of its own."""

    def existing(self, table: Table, *, generated: bool = False) -> list[Column] | None:
        """Return the columns of a table."""
        select = COLUMNS.replace("AND coalesce(generation_expression, '') = ''", "") if generated else COLUMNS
        rows = self._rows(select, table.schema, table.name)
        checked = {str(row[0]) for row in self._rows(JSON_CHECKS, table.schema, table.name)} if self._is_mariadb else set()
        columns = []
        for name, native, comment, counts, has_default, required in rows:
            kind = "JSON" if name in checked else "UUID" if (native, comment) == ("char(36)", "UUID") else kind_of(str(native))
            fills = bool(counts) or (bool(required) and kind == "TIMESTAMPTZ")  # which some servers fill with the moment
            columns.append(Column(str(name), kind, str(native), bool(counts or has_default), fills))
        return columns or None

    def stored(self, kind: str, *, key: bool = False) -> tuple[str, str] | None:
        """Return the column type for a kind; MySQL has no arrays."""
        if element(kind) is not None:
            return None
        if kind == "VARCHAR" and key:
            return f"varchar({KEY_CHARACTERS}) CHARACTER SET utf8mb4 COLLATE {self._collation}", kind
        if kind == "VARCHAR":
            return f"longtext CHARACTER SET utf8mb4 COLLATE {self._collation}", kind
        if kind == "UUID":
            # MariaDB's own type takes no UUID of another variant than RFC 4122's.
            return "char(36) CHARACTER SET ascii COLLATE ascii_bin COMMENT 'UUID'", kind
        if (parts := decimal(kind)) is not None:
            return (kind.replace("DECIMAL", "decimal"), kind) if parts[1] <= (38 if self._is_mariadb else 30) else None
        return (NATIVE[kind], kind) if kind in NATIVE else None

    def create_statement(self, table: Table, columns: Sequence[Column], key: Sequence[str] = ()) -> str:
        """Return the DDL of a table; a TIMESTAMP says that it may be NULL, or MySQL would fill it in."""
        empty = [replace(column, native=f"{column.native} NULL") if column.name not in key else column for column in columns]
        return f"{sql.create_table(f'CREATE TABLE {sql.table_name(table)}', empty, key)} {_ENGINE}"

    def alter_statements(self, writing: Writing) -> list[str]:
        """Return the DDL that adds and widens columns; MySQL forgets what a column was besides its type unless that is said again."""
        if writing.widened:
            created = self._created(writing.table)
            whole = tuple(replace(column, native=column.native + besides_type(created, column.name)) for column in writing.widened)
            writing = replace(writing, widened=whole)
        return sql.alter_statements(
            sql.table_name(writing.table), writing, "ADD COLUMN {name} {native} NULL", "MODIFY COLUMN {name} {native}"
        )

    def missing_types(self, origin: Engine, columns: Sequence[Column]) -> list[str]:
        """Return the DDL of missing types: there are none that a table would not name itself."""
        return []

    def reshape_statements(self, writing: Writing) -> list[str]:
        """Return the DDL that gives a copy of a target the columns that arrive."""
        target, new = (sql.table_name(table) for table in (writing.table, self._beside(writing.table, "new")))
        return [f"CREATE TABLE {new} LIKE {target}", *reshaping(new, writing, self._created(writing.table))]

    def write(self, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        """Write all rows, or none: a table that nobody knows is filled first, or it is one transaction."""
        connection = self._connect(_WRITING, loads=True)
        try:
            with self._told():
                self._lock(connection, writing.table)
                if writing.receipt is not None:
                    execute(connection, writing.receipt.create)  # now, for it would end the transaction
                # What is new is filled before it has its name: MySQL takes back no CREATE TABLE.
                mode = "replace" if writing.mode == "append" and not writing.exists else writing.mode
                write = {"replace": self._replace, "append": self._append, "upsert": self._upsert}[mode]
                rows = write(connection, writing, batches)
                self._commit(connection, writing)
            return rows
        finally:
            connection._force_close()  # which ends the transaction, whatever state it is in

    def close(self) -> None:
        """Close the connection."""
        self._connection._force_close()

    # Writing ----------------------------------------------------------------------------------------------------------

    def _replace(self, connection: Any, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        """Fill a table beside the target, then let the two change names at once."""
        staging = self._beside(writing.table, "new")
        target, new, old = map(sql.table_name, (writing.table, staging, self._beside(writing.table, "old")))
        tied = writing.exists and bool(self._one(TIED, *[writing.table.schema, writing.table.name] * 3))
        if tied:
            self._require_exchangeable(writing)
        execute(connection, f"DROP TABLE IF EXISTS {new}, {old}")
        try:
            self._make(connection, writing, staging)
            rows = load_rows(connection, Load(new, writing.columns), batches)
            self._leave_receipt(connection, writing)  # a receipt without its table, which a kill may leave, says nothing
            connection.commit()
            if tied:
                self._exchange_rows(connection, writing, staging)
            elif writing.exists:
                execute(connection, f"RENAME TABLE {target} TO {old}, {new} TO {target}")
            else:
                execute(connection, f"RENAME TABLE {new} TO {target}")
        except BaseException:
            connection._force_close()  # in the middle of a LOAD DATA it takes no other statement
            self._clear(writing.table, staging)
            raise
        with contextlib.suppress(pymysql.Error, OSError):
            execute(connection, f"DROP TABLE IF EXISTS {new}, {old}")
        return rows

    def _make(self, connection: Any, writing: Writing, staging: Table) -> None:
        """Make the table that is filled: a new one, or a copy of the target with the columns that arrive."""
        if not writing.exists:
            execute(connection, self.create_statement(staging, writing.columns, writing.key))
            return
        create, *reshape = self.reshape_statements(writing)
        execute(connection, create)
        try:
            for statement in reshape:
                execute(connection, statement)
        except pymysql.Error as error:
            if error.args and error.args[0] in _LOST:
                raise
            reason = TransferFailed(self.address.redact(first_line(error.args[-1] if error.args else error)))
            raise not_kept(writing.table, reason) from error

    def _created(self, table: Table) -> str:
        """Return what SHOW CREATE TABLE says."""
        return str(self._rows(f"SHOW CREATE TABLE {sql.table_name(table, MARK)}")[0][1])

    def _clear(self, target: Table, staging: Table) -> None:
        """Drop what a transfer has left that came to no end; one that has begun meanwhile does that itself."""
        with contextlib.suppress(PdbtError):
            if self._one("SELECT GET_LOCK(%s, %s)", self._beside(target, "lock").name, CLEAR_SECONDS):
                self._rows(f"DROP TABLE IF EXISTS {sql.table_name(staging, MARK)}")

    def _require_exchangeable(self, writing: Writing) -> None:
        """Refuse to replace the rows of a table that stays where that would not do, or do more."""
        target = writing.table
        refuse_cascades(target, [str(name) for (name,) in self._rows(CASCADES, target.schema, target.name)])
        self._require_transactions(target)
        if not writing.same:
            raise TransferRefused(
                f"{target} has other columns, and foreign keys or triggers belong to it.",
                "Replace it with the columns that it has, or drop what belongs to it.",
            )

    def _exchange_rows(self, connection: Any, writing: Writing, staging: Table) -> None:
        """Replace rows and keep the table."""
        exchange_rows(connection, writing, sql.table_name(staging), referred(self._rows, writing.table))
        connection.commit()

    def _append(self, connection: Any, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        self._prepare(connection, writing)
        rows = load_rows(connection, Load(sql.table_name(writing.table), writing.columns), batches)
        self._leave_receipt(connection, writing)
        return rows

    def _leave_receipt(self, connection: Any, writing: Writing) -> None:
        for statement in writing.receipt.statements() if writing.receipt is not None else ():
            execute(connection, statement)

    def _upsert(self, connection: Any, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        staging = sql.quoted(STAGING)
        lines = [f"{sql.quoted(column.name)} {column.native} NULL" for column in self._collated(writing)]
        execute(connection, f"CREATE TEMPORARY TABLE {staging} ({', '.join(lines)}, KEY ({sql.listed(writing.key)})) {_ENGINE}")
        rows = load_rows(connection, Load(staging, writing.columns), batches)
        require_keys(connection, writing, staging)
        connection.commit()
        self._prepare(connection, writing)
        merge(connection, writing, staging)
        return rows

    @functools.cached_property
    def _collation(self) -> str:
        """The collation of text columns that are made here."""
        return next((str(name) for (name,) in self._rows(BYTEWISE)), "utf8mb4_bin")

    def _collated(self, writing: Writing) -> list[Column]:
        """Return the columns with the collations of the target: keys that differ for the one must differ for the other."""
        found = dict(self._rows(COLLATIONS, writing.table.schema, writing.table.name))
        return [
            replace(column, native=f"{column.native} COLLATE {found[column.name]}") if column.name in found else column
            for column in writing.columns
        ]

    def _commit(self, connection: Any, writing: Writing) -> None:
        """Commit; when the answer is lost, appended rows may be there, and sending them again would double them."""
        try:
            connection.commit()
        except (pymysql.Error, OSError) as error:
            if writing.mode != "append":
                raise
            message = f"{self.address.label} did not answer whether it kept the rows appended to {writing.table}."
            raise TransferFailed(message, "Look whether they are there before you try again.") from error

    def _prepare(self, connection: Any, writing: Writing) -> None:
        """Make the target ready; MySQL ends a transaction with every change of a table, so this comes before the rows."""
        if not writing.exists:
            execute(connection, self.create_statement(writing.table, writing.columns, writing.key))
        else:
            self._require_transactions(writing.table)
        for statement in self.alter_statements(writing):
            execute(connection, statement)
        execute(connection, "START TRANSACTION")

    def _require_transactions(self, table: Table) -> None:
        select = f"SELECT engine FROM information_schema.tables WHERE table_schema = {SCHEMA} AND table_name = %s"
        engine = str(self._one(select, table.schema, table.name))
        if engine.casefold() != "innodb":
            raise TransferRefused(f"{table} is a table of the engine {engine}, which has no transactions.", "Make it one of InnoDB.")

    def _lock(self, connection: Any, table: Table) -> None:
        """Keep other transfers into the same table waiting."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK(%s, %s)", (self._beside(table, "lock").name, LOCK_SECONDS))
            if not cursor.fetchone()[0]:
                raise ConnectionLost(f"{self.address.label}: another transfer writes to {table}.", "Try again when it has ended.")

    def _beside(self, table: Table, ending: str) -> Table:
        """Return a name for a table of our own, the same each time for a target, so that what a kill left is found."""
        digest = f"{zlib.crc32(f'{table.schema}.{table.name}'.encode()):08x}"
        return Table(table.schema, f"{STAGING}_{digest}_{ending}"[:LONGEST_NAME])

    # Connections ------------------------------------------------------------------------------------------------------

    def _connect(self, settings: Sequence[str], *, loads: bool = False) -> Any:
        address = self.address
        try:
            connection = MySQLConnection(
                host=address.host,
                port=address.port or 0,
                user=address.user or None,
                password=address.password,
                database=address.database or None,
                charset="utf8mb4",
                connect_timeout=CONNECT_SECONDS,
                local_infile=loads,
                program_name="pdbt transfer",
                **tls_arguments(address),
            )
        except pymysql.Error as error:
            raise mysql_fault(address, error) from None
        except (OSError, RuntimeError, UnicodeError) as error:
            raise mysql_fault(address, error) from None
        connection._local_infile = False  # no file of this machine is sent, whatever the server asks for
        for statement in settings:
            execute(connection, statement)
        return connection

    def _one(self, select: str, *values: object) -> Any:
        return self._rows(select, *values)[0][0]

    def _rows(self, select: str, *values: object) -> list[tuple[Any, ...]]:
        with self._told(), self._connection.cursor() as cursor:
            cursor.execute(select, values or None)
            return list(cursor.fetchall())

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (pymysql.Error, OSError) as error:
            code, said = (error.args[0], error.args[1]) if len(error.args) > 1 else (0, error)
            reason = self.address.redact(on_one_line(said)).rstrip(".")
            if code in _LOST or isinstance(error, (OSError, pymysql.InterfaceError)):
                message = f"{self.address.label}: the connection was lost: {reason}."
                raise ConnectionLost(message, "The target is as it was; try again.") from error
            raise TransferFailed(f"{self.address.label}: {reason}.", "The target is as it was.") from error


def _sent(column: Column) -> str:
    """Return the expression that reads a column: a float with all its digits, bits as a number."""
    name = sql.quoted(column.name, MARK)
    if column.native.startswith("float"):
        return f"CAST({name} AS DOUBLE)"
    if column.native.startswith("bit"):
        return f"CAST({name} AS UNSIGNED)"
    return f"CAST({name} AS CHAR)" if column.kind == UNKNOWN else name
