"""Any database that SQLAlchemy has a dialect for: read row by row into Arrow, written in one transaction.

Slower than the ends of its own that PostgreSQL, MySQL, SQLite and DuckDB have, and no less faithful: what a dialect is not known to
hold unchanged is refused.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import exc

from .address import Address
from .base import BATCH_ROWS, Column, ConnectionLost, Engine, Reading, Table, TransferFailed, TransferRefused, Writing, first_line, matching
from .faults import OTHER, PASSWORD, fault
from .generic_types import AS_BYTES, EMPTY_TEXT_IS_NULL, NATIVE, TRANSACTIONAL_DDL, WITHOUT_NAN, keeps_microseconds, kind_of, native_type
from .kinds import MAX_DIGITS, UNKNOWN, arrow_type, holds
from .sql import refuse_bad_keys, texts_of
from .values import converted, refuse_not_finite, refused, with_uuid_texts

if TYPE_CHECKING:
    import pyarrow as pa

STAGING = "pdbt_rows"
PREFIX = "sqlalchemy+"
_DRIVERS = {"mssql": "mssql+pymssql", "oracle": "oracle+oracledb"}
_LOOKED_AT = 10_000  # rows of a query, for the kinds of its columns


class Generic:
    """An open connection through SQLAlchemy."""

    def __init__(self, address: Address) -> None:
        """Connect. Raises ConnectionFault."""
        self.address = address
        scheme, _, rest = address.url.partition("://")
        scheme = scheme.removeprefix(PREFIX)
        try:
            self._engine = sqlalchemy.create_engine(f"{_DRIVERS.get(scheme, scheme)}://{rest}")
            self._connection = self._engine.connect()
        except (exc.SQLAlchemyError, ImportError, OSError) as error:
            said = first_line(getattr(error, "orig", None) or error)
            words = said.casefold()
            raise fault(PASSWORD if "login failed" in words or "ora-01017" in words else OTHER, address, said) from None
        self._coarse: set[str] = set()
        self._dialect = self._engine.dialect
        self._quote = self._dialect.identifier_preparer.quote

    def version(self) -> str:
        """Return product and version."""
        numbers = self._dialect.server_version_info or ()
        return f"{self._dialect.name} {'.'.join(map(str, numbers[:3]))}".strip()

    def tables(self, pattern: str) -> list[Table]:
        """Return the tables and views of the usual schema that fit a pattern."""
        with self._told():
            inspector = sqlalchemy.inspect(self._connection)
            names = sorted({*inspector.get_table_names(), *inspector.get_view_names()})
        return matching([Table("", name) for name in names], pattern)

    def may_create(self) -> bool:
        """Whether the user may create tables: nobody knows before it is tried, and a transfer will tell."""
        return self._dialect.name in NATIVE

    def describe(self, reading: Reading) -> list[Column]:
        """Return the columns that are read: as the database declares them, or, of a query, as its first rows are."""
        if reading.table is not None:
            columns = self.existing(reading.table)
            if columns is None:
                raise TransferFailed(f"{self.address.label}: there is no table {reading.table} that one may read.")
            return columns
        with self._told():
            result = self._connection.execute(sqlalchemy.text(_escaped(f"SELECT * FROM {self._relation(reading)}")))
            names, rows = list(result.keys()), result.fetchmany(_LOOKED_AT)
            result.close()
        return [Column(name, _kind_of_values([row[place] for row in rows]), "values of a query") for place, name in enumerate(names)]

    def estimate(self, reading: Reading) -> int | None:
        """Count the rows."""
        with self._told():
            found = self._connection.execute(sqlalchemy.text(_escaped(f"SELECT count(*) FROM {self._relation(reading)}"))).scalar()
        return None if found is None else int(found)

    def read(self, reading: Reading, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        import pyarrow as pa

        names = ", ".join(map(self._sent, columns))
        select = sqlalchemy.text(_escaped(f"SELECT {names} FROM {self._relation(reading)}"))
        with self._told(), self._engine.connect() as connection:
            result = connection.execution_options(stream_results=True, max_row_buffer=BATCH_ROWS).execute(select)
            for rows in result.partitions(BATCH_ROWS):
                arrays = [_array(list(values), column) for values, column in zip(zip(*rows, strict=True), columns, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])

    def undivided(self, reading: Reading) -> str:
        """Return why one connection reads all of it."""
        return "through SQLAlchemy a table is read by one connection"

    def prepare_to_write(self) -> None:
        """Need nothing: each reading and writing has a connection of its own."""

    def existing(self, table: Table) -> list[Column] | None:
        """Return the columns of a table or view."""
        with self._told():
            inspector = sqlalchemy.inspect(self._connection)
            inspector.clear_cache()
            try:
                found = inspector.get_columns(table.name, table.schema or None)
            except exc.NoSuchTableError:
                return None
        self._connection.rollback()
        name = self._dialect.name
        self._coarse = {str(one["name"]) for one in found if not keeps_microseconds(name, one["type"])}
        return [Column(str(one["name"]), kind_of(name, one["type"]), self._native(one["type"])) for one in found] or None

    def stored(self, kind: str, *, key: bool = False) -> tuple[str, str] | None:
        """Return the column type for a kind. Raises TransferRefused where no type of the dialect is known."""
        if self._dialect.name not in NATIVE:
            message = f"pdbt does not write to {self._dialect.name}: what its types hold unchanged is not known."
            raise TransferRefused(message, "It can be read from.")
        native = native_type("mariadb" if getattr(self._dialect, "is_mariadb", False) else self._dialect.name, kind, key=key)
        return (native, kind) if native is not None else None

    def create_statement(self, table: Table, columns: Sequence[Column], key: Sequence[str] = ()) -> str:
        """Return the DDL of a table."""
        lines = [f"{self._quote(column.name)} {column.native}{' NOT NULL' if column.name in key else ''}" for column in columns]
        if key:
            lines.append(f"PRIMARY KEY ({', '.join(map(self._quote, key))})")
        return f"CREATE TABLE {self._name(table)} (\n  " + ",\n  ".join(lines) + "\n)"

    def alter_statements(self, writing: Writing) -> list[str]:
        """Refuse to add or widen columns: how, and whether that could be taken back, is not known of every dialect."""
        if writing.added or writing.widened:
            names = ", ".join(column.name for column in (*writing.added, *writing.widened))
            raise TransferRefused(f"{writing.table} would have to be changed: {names}.", "Change it yourself, or replace the table.")
        return []

    def missing_types(self, origin: Engine, columns: Sequence[Column]) -> list[str]:
        """Return the DDL of missing types: there are none that a table would not name itself."""
        return []

    def reshape_statements(self, writing: Writing) -> list[str]:
        """Return the DDL that makes a target anew."""
        return [self.create_statement(writing.table, writing.columns, writing.key)]

    def write(self, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        """Write all rows in one transaction, or none."""
        there = self.existing(writing.table) if writing.exists else None
        coarse = next((column.name for column in writing.columns if there and column.name in self._coarse), None)
        same = there is not None and _fits(there, writing.columns) and coarse is None
        if coarse is not None and writing.mode != "replace":
            raise TransferRefused(f"Column {coarse} of {writing.table} keeps no microseconds.", "Give it a finer type.", column=coarse)
        writing = replace(writing, same=same)
        write = self._upsert if writing.mode == "upsert" else self._insert_into_target
        with self._told():
            return write(writing, batches)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._engine.dispose()

    # Writing ----------------------------------------------------------------------------------------------------------

    def _insert_into_target(self, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        create = self.create_statement(writing.table, writing.columns, writing.key)
        with self._made_beside(writing.table, create, wanted=not writing.exists), self._engine.begin() as connection:
            if writing.exists and writing.mode == "replace" and not writing.same:
                if self._dialect.name not in TRANSACTIONAL_DDL:
                    message = f"{writing.table} has other columns, and {self._dialect.name} cannot exchange a table in one transaction."
                    raise TransferRefused(message, "Drop it first, or replace it with the columns that it has.")
                self._execute(connection, f"DROP TABLE {self._name(writing.table)}", create)
            elif writing.exists and writing.mode == "replace":
                self._execute(connection, f"DELETE FROM {self._name(writing.table)}")
            return self._insert(connection, self._name(writing.table), writing.columns, batches)

    def _upsert(self, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        staging = Table(writing.table.schema, f"{STAGING}_{zlib.crc32(writing.table.name.encode()):08x}")
        create = self.create_statement(writing.table, writing.columns, writing.key)
        beside = self.create_statement(staging, writing.columns)
        keys = [self._quote(name) for name in writing.key]
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._made_beside(writing.table, create, wanted=not writing.exists))
            with self._engine.begin() as connection, contextlib.suppress(exc.SQLAlchemyError), connection.begin_nested():
                self._execute(connection, f"DROP TABLE {self._name(staging)}")  # what a killed transfer left
            stack.enter_context(self._made_beside(staging, beside, wanted=True))
            stack.callback(self._drop, staging)
            with self._engine.begin() as connection:
                rows = self._insert(connection, self._name(staging), writing.columns, batches)
                refuse_bad_keys(writing, *self._bad_keys(connection, writing, staging, keys))
                self._execute(connection, *self._merge(writing, staging, keys))
        return rows

    def _merge(self, writing: Writing, staging: Table, keys: Sequence[str]) -> list[str]:
        """Return UPDATE and INSERT in SQL that every dialect knows."""
        target, names = self._name(writing.table), [self._quote(column.name) for column in writing.columns]
        on = " AND ".join(f"s.{key} = {target}.{key}" for key in keys)
        if (shape := AS_BYTES.get(self._dialect.name)) is not None:
            texts = map(self._quote, texts_of(writing, shape))
            on = " AND ".join([on, *(f"{shape.format(f's.{text}')} = {shape.format(f'{target}.{text}')}" for text in texts)])
        source = f"{self._name(staging)} s"  # Oracle knows no AS here
        changed = [f"{name} = (SELECT s.{name} FROM {source} WHERE {on})" for name in names if name not in keys]
        update = f"UPDATE {target} SET {', '.join(changed)} WHERE EXISTS (SELECT 1 FROM {source} WHERE {on})"
        listed, given = ", ".join(names), ", ".join(f"s.{name}" for name in names)
        insert = f"INSERT INTO {target} ({listed}) SELECT {given} FROM {source} WHERE NOT EXISTS (SELECT 1 FROM {target} WHERE {on})"
        return [*([update] if changed else []), insert]

    def _bad_keys(self, connection: sqlalchemy.Connection, writing: Writing, staging: Table, keys: Sequence[str]) -> tuple[int, int]:
        shapes, name = texts_of(writing, AS_BYTES.get(self._dialect.name, "{}")), self._name(staging)
        listed = ", ".join(shapes.get(key, "{}").format(quoted) for key, quoted in zip(writing.key, keys, strict=True))
        nulls = " OR ".join(f"{key} IS NULL" for key in keys)
        twice = f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM {name} GROUP BY {listed} HAVING count(*) > 1) q"
        selects = (f"SELECT count(*) FROM {name} WHERE {nulls}", twice)
        first, second = (int(connection.execute(sqlalchemy.text(_escaped(select))).scalar() or 0) for select in selects)
        return first, second

    @contextlib.contextmanager
    def _made_beside(self, table: Table, create: str, *, wanted: bool) -> Iterator[None]:
        """Create a table before the transaction, where DDL would end it; drop it again when the rows fail."""
        if not wanted:
            yield
            return
        with self._engine.begin() as connection:
            self._execute(connection, create)
        try:
            yield
        except BaseException:
            self._drop(table)
            raise

    def _drop(self, table: Table) -> None:
        with contextlib.suppress(exc.SQLAlchemyError), self._engine.begin() as connection:
            self._execute(connection, f"DROP TABLE {self._name(table)}")

    def _insert(self, connection: sqlalchemy.Connection, target: str, columns: Sequence[Column], batches: Iterator[pa.RecordBatch]) -> int:
        names = ", ".join(self._quote(column.name) for column in columns)
        marks = ", ".join(f":c{place}" for place in range(len(columns)))
        insert = sqlalchemy.text(f"INSERT INTO {_escaped(target)} ({_escaped(names)}) VALUES ({marks})")
        count = 0
        for batch in batches:
            self._refuse(batch, columns)
            values = zip(*(array.to_pylist() for array in with_uuid_texts(batch, columns)), strict=True)
            if rows := [{f"c{place}": value for place, value in enumerate(row)} for row in values]:
                connection.execute(insert, rows)
            count += batch.num_rows
        return count

    def _refuse(self, batch: pa.RecordBatch, columns: Sequence[Column]) -> None:
        """Refuse values that the database would turn into others."""
        import pyarrow.compute as pc

        name = self._dialect.name
        if name in WITHOUT_NAN:
            refuse_not_finite(batch, columns, name, infinite=name != "sqlite")
        for array, column in zip(batch.columns, columns, strict=True):
            if name in EMPTY_TEXT_IS_NULL and column.kind == "VARCHAR" and pc.any(pc.equal(array, "")).as_py():
                raise refused(column, f"an empty text, which {name} keeps as NULL")

    # Names and errors -------------------------------------------------------------------------------------------------

    def _execute(self, connection: sqlalchemy.Connection, *statements: str) -> None:
        for statement in statements:
            connection.execute(sqlalchemy.text(_escaped(statement)))

    def _name(self, table: Table) -> str:
        return ".".join(self._quote(part) for part in (table.schema, table.name) if part)

    def _relation(self, reading: Reading) -> str:
        relation = self._name(reading.table) if reading.table is not None else f"(\n{reading.select}\n) q"
        return f"(SELECT * FROM {relation} WHERE {reading.where}\n) q" if reading.where else relation

    def _sent(self, column: Column) -> str:
        """Return the expression that reads a column: MySQL sends six digits of a float, unless it is made a double."""
        name = self._quote(column.name)
        return f"CAST({name} AS DOUBLE) AS {name}" if column.kind == "FLOAT" and self._dialect.name in ("mysql", "mariadb") else name

    def _native(self, type_: Any) -> str:
        try:
            return str(type_.compile(dialect=self._dialect)).lower()
        except exc.CompileError:  # a type of which SQLAlchemy knows nothing
            return "an unknown type"

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except exc.SQLAlchemyError as error:
            said = self.address.redact(first_line(getattr(error, "orig", None) or error)).rstrip(".")
            if getattr(error, "connection_invalidated", False):
                raise ConnectionLost(f"{self.address.label}: the connection was lost: {said}.", "The target is as it was.") from None
            raise TransferFailed(f"{self.address.label}: {said}.", "The target is as it was.") from None


def _fits(there: Sequence[Column], columns: Sequence[Column]) -> bool:
    """Whether a table has just these columns, in this order, each of a type that takes what arrives."""
    named = [column.name for column in there] == [column.name for column in columns]
    return named and all(holds(mine.kind, column.kind) for mine, column in zip(there, columns, strict=True))


def _escaped(statement: str) -> str:
    """Return SQL in which SQLAlchemy takes no colon for a parameter."""
    return statement.replace("\\", "\\\\").replace(":", "\\:") if ":" in statement else statement


def _array(values: list[Any], column: Column) -> pa.Array:
    """Return a driver's values as an Arrow column of the column's kind; each unchanged, or refused."""
    import pyarrow as pa

    # A float comes as one of 64 bits, and is only then made one of 32: Arrow would round it without a word.
    wanted = arrow_type({UNKNOWN: "VARCHAR", "FLOAT": "DOUBLE"}.get(column.kind, column.kind))
    if column.kind == "UUID":
        values = [str(value) if isinstance(value, uuid.UUID) else value for value in values]
        return converted(pa.array(values, pa.string()), column)
    if column.kind == "TIME":  # some drivers give the time since midnight
        values = [_time(value) for value in values]
    if column.kind == UNKNOWN or (column.kind == "VARCHAR" and any(not isinstance(value, (str, type(None))) for value in values)):
        values = [None if value is None else value if isinstance(value, str) else str(value) for value in values]
    unfit = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError)
    with contextlib.suppress(*unfit):  # what a driver has types of its own for, Arrow finds out, and it is cast
        return converted(pa.array(values, wanted), column)
    try:
        return converted(pa.array(values), column)
    except unfit as error:
        raise refused(column, str(error).splitlines()[0]) from None


def _time(value: Any) -> Any:
    if isinstance(value, datetime.timedelta) and datetime.timedelta(0) <= value < datetime.timedelta(days=1):
        return (datetime.datetime.min + value).time()
    return value


def _kind_of_values(values: Sequence[Any]) -> str:
    """Return the kind that all values have; the empty one when they have several, or are all NULL."""
    kinds = {_kind_of_value(value) for value in values if value is not None}
    if kinds and all(kind.startswith("DECIMAL") for kind in kinds):
        return f"DECIMAL({MAX_DIGITS},{max(int(kind[:-1].partition(',')[2]) for kind in kinds)})"
    return kinds.pop() if len(kinds) == 1 else UNKNOWN


def _kind_of_value(value: Any) -> str:
    if isinstance(value, decimal.Decimal):
        exponent = value.as_tuple().exponent
        return f"DECIMAL({MAX_DIGITS},{max(0, -exponent)})" if isinstance(exponent, int) else UNKNOWN
    if isinstance(value, datetime.datetime):
        return "TIMESTAMP" if value.tzinfo is None else "TIMESTAMPTZ"
    kinds = ((bool, "BOOLEAN"), (int, "BIGINT"), (float, "DOUBLE"), (str, "VARCHAR"), (bytes, "BLOB"), (datetime.date, "DATE"))
    more = ((datetime.time, "TIME"), (datetime.timedelta, "TIME"), (uuid.UUID, "UUID"))
    return next((kind for type_, kind in (*kinds, *more) if isinstance(value, type_)), UNKNOWN)
