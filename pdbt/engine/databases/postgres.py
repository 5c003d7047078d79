"""PostgreSQL: a work schema for runs, published in one transaction; SQLAlchemy runs the SQL, ADBC moves rows."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from ..errors import BuildError, PdbtError
from ..reading.model import Column
from . import exports
from .adbc import Adbc
from .arrow import Rows, plain_table, registered, streamed
from .base import UnusableStart
from .files import WORK_FOLDER
from .names import quoted
from .postgres_cut_names import refuse_ambiguous
from .postgres_names import column_names, folded
from .postgres_publication import Publication, require_ours
from .postgres_registry import Registry
from .postgres_server import Server, columns_of
from .postgres_types import COLUMNS_AT_MOST, Digits, Read, digits_of, doubles_hold, is_open_numeric, read, stored
from .reader import connect, finish, refusals_told, told

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from sqlalchemy.engine import Connection, CursorResult

SENT = "pdbt rows sent"
FOUND = "pdbt_found"
ANALYZED_ROWS = 1_000  # from here on the planner should know what is in a table
NOTICE_A_KILLED_RUN = "SET client_connection_check_interval = '1s'"  # or its statement, and its lock, would live on until it ends
SESSION = ("SET TimeZone = 'UTC'", "SET statement_timeout = 0", "SET client_min_messages = warning")
COPYING = (*SESSION, "SET synchronize_seqscans = off", "SET max_parallel_workers_per_gather = 0")  # rows in the table's own order


class PostgreSQL:
    """Tables that readers see in one schema, built anew in another."""

    dialect = "postgresql"

    def __init__(self, url: str, project: Path, project_name: str, lock_timeout: float) -> None:
        """Remember whom to connect to and how many seconds to wait for other sessions; connects to nothing."""
        self._server = Server(url)
        self.name = self._server.label
        self._temporary = project / WORK_FOLDER / "tmp"
        self._project = project_name
        self._lock_timeout = lock_timeout
        self._connection: Connection | None = None
        self._project_registry: Registry | None = None
        self._search_path: list[str] = []
        self._locked = False
        self._reader: duckdb.DuckDBPyConnection | None = None
        self._copying: Adbc | None = None
        self._names: dict[str, str] = {}

    @property
    def reader(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB in memory, opened when it is first needed."""
        if self._reader is None:
            self._reader = connect(self._temporary)
        return self._reader

    def published_token(self) -> str | None:
        """Identify the last publication, if all its tables are still there."""
        with self._server.told(""):
            return self._registry.published_token()

    def work_token(self) -> str | None:
        """Identify the sealed work schema."""
        with self._server.told(""):
            return self._registry.work_token()

    def open(self, start: str, keep: Sequence[str] = ()) -> None:
        """Begin with an empty work schema, or go on with the sealed one; published tables are seen behind it, and need no copy."""
        self._hang_up()
        with self._server.told(f"The project {self._project}"):
            if start != "reading":
                self._lock()
                self._registry.enter()
                self._prepare_work(start)
            self._names = self._registry.tables()
            if start != "reading":
                self._search_path.insert(0, self._registry.work)
            self._run(self._set_search_path())

    def load(self, table: str, select: str, columns: Sequence[Column]) -> int:
        """Replace the table by the rows of a DuckDB SELECT; returns rows. Raises DuckDB's own error."""
        if len(columns) > COLUMNS_AT_MOST:
            message = f"{table} has {len(columns):,} columns; PostgreSQL takes {COLUMNS_AT_MOST:,} at most."
            raise BuildError(message, 'Set [database] type = "duckdb", or leave columns out.')
        names = [quoted(name) for name in column_names([column.name for column in columns])]
        pairs = [stored(column) for column in columns]
        casts = ", ".join(f"{cast} AS {name}" for (_, cast), name in zip(pairs, names, strict=True))
        with refusals_told(table):
            rows = Rows(self.reader, f"SELECT {casts} FROM (\n{select}\n)")
        declared = ", ".join(f"{name} {kind}" for (kind, _), name in zip(pairs, names, strict=True))
        target = self._new(table)
        with self._server.told(table):
            self._run(f"DROP TABLE IF EXISTS {target}")
            self._run(f"CREATE UNLOGGED TABLE {target} ({declared})")
            try:
                with refusals_told(table):
                    count = self._append(table, rows)
            except BaseException:
                self._hang_up_copying()  # an unfinished COPY would keep the table locked
                with contextlib.suppress(PdbtError), self._server.told(table):
                    self._run(f"DROP TABLE IF EXISTS {target}")
                raise
            self._analyze(target, count)
        return count

    def build(self, table: str, select: str) -> int:
        """Replace the table by the rows of a SELECT in PostgreSQL's SQL; returns rows. Raises BuildError."""
        target = self._new(table)
        self._refuse_ambiguous(table, select)
        with self._server.told(table, lines_before=1), self._transaction():
            self._run(f"DROP TABLE IF EXISTS {target}")
            rows = self._run(f"CREATE UNLOGGED TABLE {target} AS\n{select}\n").rowcount
        with self._server.told(table):
            self._analyze(target, rows)
        return rows

    def write(self, table: str, rows: pa.Table) -> int:
        """Replace the table by an Arrow table; returns rows."""
        with told(table), registered(self.reader, plain_table(table, rows)) as (select, columns):
            return self.load(table, select, columns)

    def read(self, table: str) -> pa.Table:
        """Return the whole table."""
        with self._rows(table) as relation:
            return finish(self.reader).sql(f"FROM {relation}").to_arrow_table()

    def drop(self, table: str) -> None:
        """Remove the table from the work schema if it is there."""
        with self._server.told(table):
            self._run(f"DROP TABLE IF EXISTS {quoted(self._registry.work)}.{quoted(folded(table))}")

    def columns(self, table: str) -> list[Column]:
        """Return the table's columns with PostgreSQL's type names."""
        with self._server.told(table):
            found = columns_of(self._sql, quoted(folded(table)))
        if not found:
            raise BuildError(f"{table}: there is no such table in {self.name}.")
        return [Column(name, kind) for name, kind in found]

    def relation(self, table: str) -> str:
        """Return a table's name as SQL writes it."""
        return quoted(folded(table))

    def query(self, select: str, limit: int) -> tuple[list[str], list[tuple[object, ...]], int]:
        """Run a SELECT: column names, the first `limit` rows, and how many there are. Raises BuildError."""
        self._refuse_ambiguous("", select)
        with self._server.told("", lines_before=1), self._transaction():
            self._run(f"DECLARE {FOUND} NO SCROLL CURSOR FOR\n{select}\n")
            found = self._run(f"FETCH {int(limit)} FROM {FOUND}")
            names, rows = list(found.keys()), [tuple(row) for row in found.fetchall()]
            others = self._run(f"MOVE ALL FROM {FOUND}").rowcount
            self._run(f"CLOSE {FOUND}")
        return names, rows, len(rows) + others

    def export(self, table: str, path: Path, file_format: str) -> int:
        """Write the table to a file; returns rows."""
        with self._rows(table) as relation, told(f"The export of {table}"):
            return exports.export(self.reader, table, relation, path, file_format)

    def external(self, name: str) -> bool:
        """Whether there is a table or view of this name (schema.name, too) that we may read and no project has published."""
        parts = [folded(part.strip('"')) for part in name.split(".")]
        select = """
            SELECT nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
            WHERE pg_class.oid = to_regclass(%s) AND relkind IN ('r', 'v', 'm', 'f', 'p') AND has_table_privilege(pg_class.oid, 'SELECT')
        """
        with self._server.told(name):
            schema = self._sql.exec_driver_sql(select, (".".join(map(quoted, parts)),)).scalar()
            return schema is not None and schema != self._registry.work and not self._registry.owners(parts[-1])

    def seal(self) -> str:
        """Mark the work schema as finished and return its token; the connection, and with it the lock, stays."""
        token = uuid.uuid4().hex
        self._hang_up_reading()
        with self._server.told("The work schema"):
            self._registry.seal(token)
        return token

    def publish(self, changed: Sequence[str], dropped: Sequence[str]) -> None:
        """Replace what readers see, in one transaction."""
        publication = Publication(self._sql, self._registry, self._lock_timeout)
        names = {folded(table): table for table in changed}
        with self._server.told("The publication"):
            publication.publish(names, [folded(table) for table in dropped if folded(table) not in names])
        publication.tidy(list(names))

    def discard(self) -> None:
        """Remove the work schema, unless another run is building in it."""
        with self._server.told("The work schema"):
            self._lock()
            self._run(f"DROP SCHEMA IF EXISTS {quoted(self._registry.work)} CASCADE")

    def close(self) -> None:
        """Close all connections; what was not sealed is removed by the next run."""
        self._hang_up()

    @property
    def _sql(self) -> Connection:
        """The connection that runs the SQL, opened when it is first needed."""
        if self._connection is None:
            connection = self._server.connect()
            self._connection = connection
            with self._server.told(""):
                for statement in (*SESSION, f"SET lock_timeout = {max(1, int(self._lock_timeout * 1000))}"):
                    connection.exec_driver_sql(statement)
                with contextlib.suppress(DBAPIError):  # PostgreSQL 13, and systems that cannot tell
                    connection.exec_driver_sql(NOTICE_A_KILLED_RUN)
                schemas = connection.exec_driver_sql("SELECT current_schemas(false)").scalar()
            if not schemas:
                self._hang_up()
                raise PdbtError(f"PostgreSQL at {self.name} has no schema to publish to.", "Create the schema public, or set search_path.")
            self._search_path = [str(schema) for schema in schemas]
            self._project_registry = Registry(connection, self._project, self._search_path[0])
        return self._connection

    @property
    def _registry(self) -> Registry:
        """What the database knows of the project."""
        if self._project_registry is None or self._connection is None:
            _ = self._sql
        if self._project_registry is None:
            raise BuildError(f"PostgreSQL at {self.name} is not connected.")
        return self._project_registry

    def _run(self, statement: str) -> CursorResult[Any]:
        return self._sql.exec_driver_sql(statement)

    def _set_search_path(self) -> str:
        return f"SET search_path = {', '.join(map(quoted, self._search_path))}"

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run("BEGIN")
        try:
            yield
        except BaseException:
            with contextlib.suppress(PdbtError), self._server.told(""):
                self._run("ROLLBACK")
            raise
        self._run("COMMIT")

    def _lock(self) -> None:
        if not self._locked:
            self._registry.lock(self._lock_timeout)
            self._locked = True

    def _prepare_work(self, start: str) -> None:
        work = quoted(self._registry.work)
        if start != "work":
            self._run(f"DROP SCHEMA IF EXISTS {work} CASCADE")
            self._run(f"CREATE SCHEMA {work}")
        elif self._registry.work_token() is None:
            raise UnusableStart(f"PostgreSQL at {self.name} has no finished work of {self._project} to go on with.")
        self._registry.unseal()

    def _new(self, table: str) -> str:
        """Return the table's place in the work schema, unless its name means something else already."""
        name = folded(table)
        known = self._names.get(name, table)
        if known.casefold() != table.casefold():
            raise BuildError(f"PostgreSQL shortens {known} and {table} to the same name.", "Rename one of them.")
        with self._server.told(table):
            require_ours(self._sql, self._registry, name, self._registry.tables())
        self._names[name] = table
        return f"{quoted(self._registry.work)}.{quoted(name)}"

    def _refuse_ambiguous(self, subject: str, select: str) -> None:
        """Refuse SQL with a name that PostgreSQL cuts and that several columns then have. Raises BuildError."""
        with self._server.told(subject):
            refuse_ambiguous(select, lambda query, values: self._sql.exec_driver_sql(query, tuple(values)).fetchall())

    def _append(self, table: str, rows: Rows) -> int:
        """Append Arrow batches through ADBC's COPY; returns rows."""
        with self._server.copied(table):
            return self._adbc.append(folded(table), rows, self._registry.work)

    def _analyze(self, target: str, rows: int) -> None:
        if rows >= ANALYZED_ROWS:
            self._run(f"ANALYZE {target}")

    @property
    def _adbc(self) -> Adbc:
        """The connection that moves rows, opened when it is first needed."""
        if self._copying is None:
            self._copying = self._server.adbc((*COPYING, self._set_search_path()))
        return self._copying

    @contextlib.contextmanager
    def _rows(self, table: str) -> Iterator[str]:
        """Give a relation of `reader` that streams the rows of a table, in their order."""
        columns = [self._how_to_read(table, column) for column in self.columns(table)]
        sent = ", ".join(column.sent for column in columns)
        taken = ", ".join(column.taken for column in columns)
        select = f"SELECT {sent} FROM {quoted(folded(table))}"
        with self._server.copied(table), self._adbc.stream(select) as batches, streamed(self.reader, SENT, batches):
            yield f"(SELECT {taken} FROM {quoted(SENT)})"

    def _how_to_read(self, table: str, column: Column) -> Read:
        """Return how to read a column; of a numeric without precision the values are looked at."""
        if not is_open_numeric(column.type):
            return read(column.name, column.type)
        with self._server.told(table):
            digits = Digits(*self._run(f"SELECT {digits_of(column.name)} FROM {quoted(folded(table))}").one())
            if not digits.in_a_decimal():
                digits = replace(digits, in_doubles=self._run(f"SELECT {doubles_hold(column.name)} FROM {quoted(folded(table))}").scalar())
        return read(column.name, column.type, digits)

    def _hang_up_copying(self) -> None:
        if self._copying is not None:
            self._copying.close()
        self._copying = None

    def _hang_up_reading(self) -> None:
        self._hang_up_copying()
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def _hang_up(self) -> None:
        self._hang_up_reading()
        if self._connection is not None:
            self._connection.close()
            self._connection.engine.dispose()
        self._connection = self._project_registry = None
        self._locked = False
