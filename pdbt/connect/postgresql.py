"""PostgreSQL: read and written through ADBC, which speaks COPY's binary form; one transaction a transfer."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg

from ..engine.databases.postgres_sequences import Sequences
from . import sql
from .adbc import Session, Source, schema_of
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
    matching,
    not_kept,
    refuse_cascades,
)
from .divided import read_divided, why_undivided
from .faults import postgresql_fault
from .kinds import MAX_DIGITS, UNKNOWN, arrow_type, decimal, element, own
from .postgresql_reasons import reason_of
from .postgresql_replace import cascading, copied_indexes, referred, reshaping, stays, swap
from .postgresql_types import LOOSE, NATIVE, SENDER, enum_labels, kind_of, open_kind
from .values import convert, mapped, refused

if TYPE_CHECKING:
    import pyarrow as pa

CONNECT_SECONDS = 10
STAGING = "pdbt_rows"
_OPTIONS = {"adbc.postgresql.batch_size_hint_bytes": "4194304"}
_LOST = ("08", "57P", "40001", "40P01", "53300")  # connections lost, a server that stops, a deadlock, too many connections
_TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^(pg_|information_schema$)'
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AND NOT c.relispartition ORDER BY 1, 2
"""
_COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod), atthasdef OR attidentity <> '' FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""
_OVERRIDING = "OVERRIDING SYSTEM VALUE "  # a column that is GENERATED ALWAYS takes what arrives, too


class PostgreSQL:
    """An open connection to a PostgreSQL database."""

    def __init__(self, address: Address) -> None:
        """Connect. Raises ConnectionFault."""
        self.address = address
        # The drivers know one scheme; the password travels as it was given.
        self._url = re.sub(r"^[a-z]+(\+[a-z0-9]+)?://", "postgresql://", address.url)
        try:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_SECONDS)
        except psycopg.Error as error:
            raise postgresql_fault(address, str(error)) from None
        except UnicodeError:  # a host's name that cannot be one
            raise postgresql_fault(address, "failed to resolve host") from None

    def version(self) -> str:
        """Return product and version."""
        return f"PostgreSQL {self._one('SHOW server_version').split()[0]}"

    def tables(self, pattern: str) -> list[Table]:
        """Return the tables that the user may read and that fit a pattern."""
        return matching([Table(str(schema), str(name)) for schema, name in self._rows(_TABLES)], pattern)

    def may_create(self) -> bool:
        """Whether there is a schema in the search path in which the user may create tables."""
        return bool(self._one("SELECT coalesce(bool_or(has_schema_privilege(s, 'CREATE')), false) FROM unnest(current_schemas(false)) s"))

    def describe(self, reading: Reading) -> list[Column]:
        """Return the columns that are read."""
        with self._told():
            cursor = self._connection.execute(f"SELECT * FROM {sql.relation(reading)} LIMIT 0")
            described, result = cursor.description or [], cursor.pgresult
            assert result is not None  # noqa: S101 - a statement that did not fail has one
            types = [(column.type_code, result.fmod(number)) for number, column in enumerate(described)]
            natives = [self._one("SELECT format_type(%s, %s)", oid, modifier) for oid, modifier in types]
        columns = [
            Column(name, kind_of(native), native) for name, native in zip((column.name for column in described), natives, strict=True)
        ]
        return self._measured(reading, columns)

    def estimate(self, reading: Reading) -> int | None:
        """Return the planner's estimate."""
        (plan,) = self._rows(f"EXPLAIN (FORMAT JSON) SELECT * FROM {sql.relation(reading)}")
        return int(plan[0][0]["Plan"]["Plan Rows"])

    def read(self, reading: Reading, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        self._refuse_matrices(reading, columns)
        senders = {name: self._one(SENDER, name) for column in columns if (name := own(column.kind)) is not None}
        expressions = ", ".join(_sent(column, senders) for column in columns)
        select = f"SELECT {expressions} FROM {sql.relation(reading)}"
        if reading.table is not None and reading.parallel > 1 and not self.undivided(reading):
            yield from mapped(self._read_divided(reading.table, reading, expressions), lambda batch: convert(batch, columns))
            return
        with contextlib.closing(self._session(transaction=False)) as session:
            session.execute("SET TimeZone = 'UTC'")
            with session.stream(select, _OPTIONS) as batches:
                for batch in batches:
                    yield convert(batch, columns)

    def undivided(self, reading: Reading) -> str:
        """Return why one connection reads all of it; empty for a plain table."""
        if reading.table is None:
            return "the rows of a query have no pages that can be divided"
        with self._told():
            return why_undivided(self._connection, sql.table_name(reading.table))

    def _read_divided(self, table: Table, reading: Reading, expressions: str) -> Iterator[pa.RecordBatch]:
        name, also = sql.table_name(table), f" AND ({reading.where}\n)" if reading.where else ""

        def select(pages: str) -> str:
            return f"SELECT {expressions} FROM {name} WHERE {pages}{also}"

        with self._told():
            yield from read_divided(self._url, name, reading.parallel, lambda: self._session(transaction=True), select, _OPTIONS)

    def prepare_to_write(self) -> None:
        """Need nothing: each reading and writing has a connection of its own."""

    def existing(self, table: Table) -> list[Column] | None:
        """Return the columns of a table."""
        rows = self._rows(_COLUMNS, sql.table_name(table))
        return [Column(str(name), kind_of(native) or open_kind(native), str(native), bool(filled)) for name, native, filled in rows] or None

    def stored(self, kind: str, *, key: bool = False) -> tuple[str, str] | None:
        """Return the column type for a kind."""
        if (inner := element(kind)) is not None:
            found = self.stored(inner)
            return (f"{found[0]}[]", f"{found[1]}[]") if found and inner not in ("UUID", "JSON") and element(inner) is None else None
        if kind == "UBIGINT":
            return "numeric(20,0)", "DECIMAL(20,0)"
        if decimal(kind) is not None:
            return kind.replace("DECIMAL", "numeric"), kind
        return (NATIVE[kind], kind) if kind in NATIVE else None

    def create_statement(self, table: Table, columns: Sequence[Column], key: Sequence[str] = ()) -> str:
        """Return the DDL of a table."""
        return sql.create_table(f"CREATE TABLE {sql.table_name(table)}", columns, key)

    def alter_statements(self, writing: Writing) -> list[str]:
        """Return the DDL that adds and widens columns."""
        return sql.alter_statements(sql.table_name(writing.table), writing)

    def missing_types(self, origin: Engine, columns: Sequence[Column]) -> list[str]:
        """Return the DDL of the enums that these columns need and that this database lacks."""
        found = {}
        for column in columns:
            name = own(column.kind)
            if name is None or self._one("SELECT to_regtype(%s) IS NOT NULL", name):
                continue
            labels = enum_labels(origin._rows, name) if isinstance(origin, PostgreSQL) else []
            if not labels:
                raise TransferRefused(
                    f"Column {column.name} is of type {name}, which {self.address.label} does not have.",
                    f"Create that type there first, or send the column as text: --cast {column.name}=VARCHAR",
                    column=column.name,
                    in_script=f"Create that type there first, or cast {column.name} to text in the SELECT.",
                )
            found[name] = f"CREATE TYPE {name} AS ENUM ({', '.join(labels)})"
        return list(found.values())

    def reshape_statements(self, writing: Writing) -> list[str]:
        """Return the DDL that gives a target without rows other columns."""
        return reshaping(sql.table_name(writing.table), writing)

    def write(self, writing: Writing, batches: Iterator[pa.RecordBatch]) -> int:
        """Write all rows in one transaction, or none."""
        import pyarrow as pa

        jsonb = [column.native == "jsonb" for column in writing.columns]
        as_bytes = [column.native in ("jsonb", "uuid") or own(column.kind) is not None for column in writing.columns]
        types = [pa.binary() if raw else arrow_type(column.kind) for column, raw in zip(writing.columns, as_bytes, strict=True)]
        schema = schema_of([(column.name, kind) for column, kind in zip(writing.columns, types, strict=True)])
        sequences = Sequences(sql.table_name(writing.table), self._rows) if writing.exists else None

        def observed(batch: pa.RecordBatch) -> pa.RecordBatch:
            if sequences is not None:
                sequences.observe(zip(batch.schema.names, batch.columns, strict=True))
            return batch

        source = Source(schema, (_as_sent(batch, schema, jsonb) for batch in mapped(batches, observed)))
        with contextlib.closing(self._session(transaction=True)) as session, source.telling():
            session.execute("SET LOCAL lock_timeout = '60s'", "SET LOCAL client_min_messages = 'error'")
            session.execute(*writing.types)
            write = {"replace": self._replace, "append": self._append, "upsert": self._upsert}[writing.mode]
            write(session, writing, source)
            if sequences is not None:
                sequences.advance(lambda select: [tuple(row.values()) for row in session.rows(select)])
            if writing.receipt is not None:
                session.execute(writing.receipt.create, *writing.receipt.statements())
            self._commit(session)
        return source.rows

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    # Writing ----------------------------------------------------------------------------------------------------------

    def _replace(self, session: Session, writing: Writing, source: Source) -> None:
        """Fill a table beside the target, then put it in the target's place; readers wait for nothing but the swap."""
        target = writing.table
        if not writing.exists:
            session.execute(self.create_statement(target, writing.columns, writing.key))
            session.ingest(target.name, source.reader, schema=target.schema)
            return
        if stays(self._rows, target):
            self._exchange_rows(session, writing, source)
            return
        staging = Table(target.schema or self._schema_of(target), f"{STAGING}_{abs(hash(target.name)) % 10**8}")
        session.execute(f"CREATE TABLE {sql.table_name(staging)} (LIKE {sql.table_name(target)} INCLUDING ALL)")
        indexes = copied_indexes(session, target, staging)
        self._reshape(session, writing, staging)
        session.ingest(staging.name, source.reader, schema=staging.schema)
        swap(self._rows, session, target, staging, indexes)

    def _exchange_rows(self, session: Session, writing: Writing, source: Source) -> None:
        """Replace rows and keep the table, because more belongs to it than a new one would have."""
        target = writing.table
        refuse_cascades(target, cascading(self._rows, target))
        if writing.dropped:
            raise TransferRefused(
                f"{target} has other columns, and views, keys, triggers or a sequence belong to it.",
                "Replace it with the columns that it has, or drop what belongs to it.",
            )
        staging, names = self._staged(session, writing, source), sql.listed(column.name for column in writing.columns)
        keyed = sql.keyed(writing, referred(self._rows, target))
        if keyed is not None:
            self._merge(session, keyed, staging, sql.DELETE_OTHERS)
            return
        session.execute(f"DELETE FROM {sql.table_name(target)}")
        self._reshape(session, writing, target)
        session.execute(f"INSERT INTO {sql.table_name(target)} ({names}) {_OVERRIDING}SELECT {names} FROM {staging}")

    def _reshape(self, session: Session, writing: Writing, table: Table) -> None:
        """Give a table without rows the columns that arrive; refuse where a view, a default or a check does not go with them."""
        try:
            session.execute(*reshaping(sql.table_name(table), writing))
        except ConnectionLost:
            raise
        except TransferFailed as error:
            raise not_kept(writing.table, error) from error

    def _append(self, session: Session, writing: Writing, source: Source) -> None:
        self._prepare(session, writing)
        session.ingest(writing.table.name, source.reader, schema=writing.table.schema)

    def _upsert(self, session: Session, writing: Writing, source: Source) -> None:
        self._prepare(session, writing)
        self._merge(session, writing, self._staged(session, writing, source))

    def _merge(self, session: Session, writing: Writing, staging: str, before: str = "") -> None:
        """Bring staged rows into the target by key, after another statement, as `sql.DELETE_OTHERS`."""
        target, as_bytes = sql.table_name(writing.table), self._loose_keys(writing)
        sql.refuse_bad_keys(writing, **session.rows(sql.bad_keys_select(staging, writing.key, as_bytes))[0])
        session.execute(f"CREATE INDEX ON {staging} ({sql.listed(writing.key)})", f"ANALYZE {staging}")
        # Nobody else may add a row of the same key between the two statements; readers go on.
        session.execute(f"LOCK TABLE {target} IN SHARE ROW EXCLUSIVE MODE")
        on = sql.same_key(writing.key, as_bytes, indexed=False)
        first = [before.format(target=target, staging=staging, on=on)] if before else []
        session.execute(*first, *sql.merge_statements(target, staging, writing.columns, writing.key, overriding=_OVERRIDING, on=on))

    def _loose_keys(self, writing: Writing) -> dict[str, str]:
        """Return the expression by whose value a key compares by its bytes, of those that the target compares in another way."""
        loose = {str(name) for (name,) in self._rows(LOOSE, sql.table_name(writing.table))}
        return {name: '{}::text COLLATE "C"' for name in writing.key if name in loose}

    def _staged(self, session: Session, writing: Writing, source: Source) -> str:
        """Put the rows into a table of this transaction; return its name, quoted."""
        session.execute(sql.create_table(f"CREATE TEMPORARY TABLE {sql.quoted(STAGING)}", writing.columns) + " ON COMMIT DROP")
        session.ingest(STAGING, source.reader, temporary=True)
        return sql.quoted(STAGING)

    def _prepare(self, session: Session, writing: Writing) -> None:
        if not writing.exists:
            session.execute(self.create_statement(writing.table, writing.columns, writing.key))
        session.execute(*self.alter_statements(writing))

    def _commit(self, session: Session) -> None:
        """Commit; when the answer is lost, ask the server whether it did."""
        (row,) = session.rows("SELECT txid_current()::text AS id")
        try:
            session.commit()
        except ConnectionLost as lost:
            with contextlib.suppress(psycopg.Error), psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_SECONDS) as other:
                found = other.execute("SELECT txid_status(%s::bigint)", (row["id"],)).fetchone()
                status = found[0] if found is not None else None
                if status == "committed":
                    return
                if status == "aborted":
                    raise
            raise TransferFailed(f"{self.address.label} did not answer whether it kept the rows.", "Look at the target.") from lost

    # Reading ----------------------------------------------------------------------------------------------------------

    def _measured(self, reading: Reading, columns: Sequence[Column]) -> list[Column]:
        """Find out how many digits the columns hold that are numeric without a precision, as sum() and avg() are."""
        measured = list(columns)
        for number, column in enumerate(columns):
            if column.native != "numeric":
                continue
            name = sql.quoted(column.name)
            select = (
                f"SELECT max(length(trunc(abs({name}))::text)), max(scale({name})), bool_or({name}::text ~ '[A-Za-z]')"
                f" FROM {sql.relation(reading)}"
            )
            ((whole, scale, odd),) = self._rows(select)
            digits, decimals = (whole or 1) + (scale or 0), scale or 0
            if odd or digits > MAX_DIGITS:
                values = "NaN or an infinity" if odd else f"{digits} digits"
                measured[number] = Column(column.name, UNKNOWN, f"{column.native}, with values of {values}")
                continue
            exact = f"DECIMAL({digits},{decimals})"
            measured[number] = Column(column.name, f"DECIMAL({MAX_DIGITS},{decimals})", column.native, exact=exact)
        return measured

    def _refuse_matrices(self, reading: Reading, columns: Sequence[Column]) -> None:
        """Refuse arrays of arrays, and arrays that do not begin at 1: Arrow would be given them without their bounds."""
        for column in columns:
            if element(column.kind) is None:
                continue
            name = sql.quoted(column.name)
            odd = f"array_ndims({name}) > 1 OR array_lower({name}, 1) <> 1"
            found = self._rows(f"SELECT array_ndims({name}), array_lower({name}, 1) FROM {sql.relation(reading)} WHERE {odd} LIMIT 1")
            if found:
                first = f"an array whose first element has the number {found[0][1]} and not 1"
                raise refused(column, "arrays of arrays" if found[0][0] > 1 else first)

    def _schema_of(self, table: Table) -> str:
        select = "SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = to_regclass(%s)"
        return str(self._one(select, sql.table_name(table)))

    def _session(self, *, transaction: bool) -> Session:
        separator = "&" if "?" in self._url else "?"
        url = f"{self._url}{separator}connect_timeout={CONNECT_SECONDS}&application_name={quote('pdbt transfer')}"
        return Session("postgresql", url, told=self._failure, transaction=transaction)

    def _one(self, select: str, *values: object) -> Any:
        return self._rows(select, *values)[0][0]

    def _rows(self, select: str, *values: object) -> list[tuple[Any, ...]]:
        with self._told():
            return self._connection.execute(select, values or None).fetchall()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> Exception:
        """Return what a driver raised as a sentence."""
        said = self.address.redact(reason_of(error))
        state = getattr(error, "sqlstate", None) or ""
        if state.startswith(_LOST) or "server closed the connection" in str(error) or ("connection" in str(error).casefold() and not state):
            return ConnectionLost(
                f"{self.address.label}: the connection was lost: {said.rstrip('.')}.", "The target is as it was; try again."
            )
        return TransferFailed(f"{self.address.label}: {said.rstrip('.')}.", "The target is as it was.")


def _as_sent(batch: pa.RecordBatch, schema: pa.Schema, jsonb: Sequence[bool]) -> pa.RecordBatch:
    """Return a batch as COPY's binary form wants it: a UUID as bytes, jsonb with the number of its version before it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    arrays = [
        pc.binary_join_element_wise(b"\x01", array.cast(pa.binary()), b"") if versioned else array.cast(field.type)
        for array, field, versioned in zip(batch.columns, schema, jsonb, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _sent(column: Column, senders: Mapping[str, str]) -> str:
    """Return the expression that reads a column: a type of PostgreSQL's own as the bytes that another server takes for it."""
    name = sql.quoted(column.name)
    if (itself := own(column.kind)) is not None:
        return f"{senders[itself]}({name}) AS {name}"
    # The driver makes text of a numeric, digit by digit; the server does so in a third of the time.
    as_text = column.kind == UNKNOWN or column.native == "name" or decimal(column.kind) is not None
    return f"{name}::text AS {name}" if as_text else name
