"""SQLite: one file for readers, another one for runs; sqlite3 runs the SQL, ADBC moves rows."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BuildError
from ..reading.model import Column
from .adbc import Adbc, AdbcError
from .arrow import Rows, batch_rows, plain_table, registered, streamed
from .base import UnusableStart
from .files import SMALL_FILE_BYTES, DatabaseFiles, patiently, worth_rewriting
from .names import quoted
from .reader import connect, refusals_told, told
from .sqlite_types import COLUMNS_AT_MOST, may_not_fit, read_expressions, stored

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SIDE_ENDINGS = ("-journal", "-wal", "-shm")
KEPT = "published"
EXPORTED = "pdbt rows of an export"
FOUND = "pdbt rows of a check"
BATCH_ROWS_OPTION = "adbc.sqlite.query.batch_rows"
COPY_ADVANTAGE = 2.0  # measured on 180 MB: copied in 0.2 s as a file, 0.3 s to drop a table of it, 0.7 s as a table
CACHE_KIBIBYTES = 65_536
# A rollback journal in memory lets a failed statement be undone; that nothing is waited for until the file is sealed is what
# makes it fast, and harmless: after a crash nobody uses it.
BUILDING = ("PRAGMA journal_mode = MEMORY", "PRAGMA synchronous = OFF", f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")


class SQLiteFile:
    """A published SQLite file, built anew beside itself."""

    dialect = "sqlite"

    def __init__(self, files: DatabaseFiles, lock_timeout: float) -> None:
        """Remember where the files lie and how many seconds to wait for another program; opens nothing."""
        self.name = files.label
        self._files = files
        self._lock_timeout = lock_timeout
        self._path = files.building
        self._sqlite: sqlite3.Connection | None = None
        self._reader: duckdb.DuckDBPyConnection | None = None
        self._ingest: Adbc | None = None

    @property
    def reader(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB in memory, opened when it is first needed."""
        if self._reader is None:
            self._reader = connect(self._files.temporary)
        return self._reader

    def published_token(self) -> str | None:
        """Identify the published file."""
        return self._files.token(self._files.published)

    def work_token(self) -> str | None:
        """Identify the sealed file."""
        return self._files.token(self._files.sealed)

    def open(self, start: str, keep: Sequence[str] = ()) -> None:
        """Open a work database that is empty, has the tables to `keep`, or is the one sealed; or what is published, to read it."""
        self.close()
        self._files.begin()
        try:
            if start == "reading":
                self._connect(self._files.published, "ro")
            elif start == "published" and keep:
                self._begin_with_published(keep)
            else:
                if start == "work":
                    self._files.begin_with_sealed()
                self._connect(self._files.building, "rwc")
        except BaseException:
            self.close()
            raise

    def load(self, table: str, select: str, columns: Sequence[Column]) -> int:
        """Replace the table by the rows of a DuckDB SELECT; returns rows. Raises DuckDB's own error."""
        if len(columns) > COLUMNS_AT_MOST:
            message = f"{table} has {len(columns):,} columns; SQLite takes {COLUMNS_AT_MOST:,} at most."
            raise BuildError(message, 'Set [database] type = "duckdb", or leave columns out.')
        kinds, casts = self._stored(select, columns)
        names = [quoted(column.name) for column in columns]
        shown = ", ".join(f"{cast} AS {name}" for cast, name in zip(casts, names, strict=True))
        with refusals_told(table):
            rows = Rows(self.reader, f"SELECT {shown} FROM (\n{select}\n)")
        declared = ", ".join(f"{name} {kind}" for name, kind in zip(names, kinds, strict=True))
        with self._told(table):
            self._connection.execute(f"DROP TABLE IF EXISTS {quoted(table)}")
            self._connection.execute(f"CREATE TABLE {quoted(table)} ({declared})")
        try:
            with refusals_told(table):
                return self._append(table, rows)
        except BaseException:
            self._connection.execute(f"DROP TABLE {quoted(table)}")
            raise

    def build(self, table: str, select: str) -> int:
        """Replace the table by the rows of a SELECT in SQLite's SQL; returns rows. Raises BuildError."""
        with self._told(table):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.execute(f"DROP TABLE IF EXISTS {quoted(table)}")
                self._connection.execute(f"CREATE TABLE {quoted(table)} AS\n{select}\n")
                rows = self._last_row("main", table)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        return rows

    def write(self, table: str, rows: pa.Table) -> int:
        """Replace the table by an Arrow table; returns rows."""
        with told(table), registered(self.reader, plain_table(table, rows)) as (select, columns):
            return self.load(table, select, columns)

    def read(self, table: str) -> pa.Table:
        """Return the whole table; a column of mixed values is of the type that holds them all."""
        with self._batches(table) as batches:
            return batches.read_all()

    def drop(self, table: str) -> None:
        """Remove the table if it is there."""
        with self._told(table):
            self._connection.execute(f"DROP TABLE IF EXISTS {quoted(table)}")

    def columns(self, table: str) -> list[Column]:
        """Return the table's columns with the types that SQLite declares; a computed column has none and is called ANY."""
        with self._told(table):
            found = self._connection.execute("SELECT name, type FROM pragma_table_info(?)", [table]).fetchall()
        if not found:
            raise BuildError(f"{table}: there is no such table in {self.name}.")
        return [Column(str(name), str(kind) or "ANY") for name, kind in found]

    def relation(self, table: str) -> str:
        """Return a table's name as SQL writes it."""
        return quoted(table)

    def query(self, select: str, limit: int) -> tuple[list[str], list[tuple[object, ...]], int]:
        """Run a SELECT: column names, the first `limit` rows, and how many there are. Raises BuildError."""
        with self._told(""):
            self._connection.execute(f"CREATE TEMP TABLE {quoted(FOUND)} AS\n{select}\n")
            try:
                count = self._last_row("temp", FOUND)
                found = self._connection.execute(f"SELECT * FROM {quoted(FOUND)} LIMIT {int(limit)}")
                return [str(column[0]) for column in found.description], found.fetchall(), count
            finally:
                self._connection.execute(f"DROP TABLE temp.{quoted(FOUND)}")

    def export(self, table: str, path: Path, file_format: str) -> int:
        """Write the table to a file; returns rows."""
        with self._batches(table) as batches, streamed(self.reader, EXPORTED, batches), told(f"The export of {table}"):
            from . import exports

            return exports.export(self.reader, table, quoted(EXPORTED), path, file_format)

    def external(self, name: str) -> bool:
        """Return False: a file holds only what its project made."""
        return False

    def seal(self) -> str:
        """Close the work database, make it durable and return its token."""
        if self._sqlite is None:
            raise BuildError("The work database is not open.")
        self._disconnect()
        return self._files.seal()

    def publish(self, changed: Sequence[str], dropped: Sequence[str]) -> None:
        """Put the sealed file in the published one's place."""
        with _no_writer(self._files, self._lock_timeout):
            self._files.publish(self._lock_timeout)

    def discard(self) -> None:
        """Remove the work database."""
        self._disconnect()
        self._files.discard()

    def close(self) -> None:
        """Close the work database; what was not sealed is removed."""
        was_open = self._sqlite is not None
        self._disconnect()
        if was_open:
            self._files.remove(self._files.building)

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._sqlite is None:
            raise BuildError("The work database is not open.")
        return self._sqlite

    def _connect(self, path: Path, mode: str) -> None:
        """Open a file: ``ro`` to read, ``rwc`` to build."""
        self._path = path
        with self._usable():
            self._sqlite = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None)
            self._sqlite.execute("SELECT count(*) FROM sqlite_master").fetchone()  # SQLite opens a file when it needs it
            for pragma in BUILDING if mode == "rwc" else ():
                self._sqlite.execute(pragma)

    def _disconnect(self) -> None:
        for connection in (self._ingest, self._sqlite, self._reader):
            if connection is not None:
                connection.close()
        self._ingest = self._sqlite = self._reader = None

    def _begin_with_published(self, keep: Sequence[str]) -> None:
        """Start with the kept tables: copied one by one when they are the smaller part of the file, else with the file."""
        published = self._files.published
        kept = {name.casefold() for name in keep}
        with _no_writer(self._files, self._lock_timeout):
            if published.exists() and published.stat().st_size > SMALL_FILE_BYTES and self._copied_tables(kept):
                return
            try:
                self._files.begin_with_copy()
            except BaseException:
                self._files.remove(self._files.building)  # half a copy on a full disk would keep it full
                raise
        self._connect(self._files.building, "rwc")
        for name in self._cells("main"):
            if name.casefold() not in kept:
                self.drop(name)

    def _copied_tables(self, kept: set[str]) -> bool:
        """Begin with new copies of the kept tables if that is cheaper, or the file is mostly free space; tells whether it did."""
        self._connect(self._files.building, "rwc")
        with self._usable():
            self._connection.execute(f"ATTACH ? AS {KEPT}", [f"{self._files.published.as_uri()}?mode=ro"])
            cells = self._cells(KEPT)
            kept_cells = sum(count for name, count in cells.items() if name.casefold() in kept)
            (free,) = self._connection.execute(f"PRAGMA {KEPT}.freelist_count").fetchone()
            (pages,) = self._connection.execute(f"PRAGMA {KEPT}.page_count").fetchone()
            worth = worth_rewriting(kept_cells, sum(cells.values()), free / max(1, pages), COPY_ADVANTAGE)
            for name in (name for name in cells if worth and name.casefold() in kept):
                (declared,) = self._connection.execute(f"SELECT sql FROM {KEPT}.sqlite_master WHERE name = ?", [name]).fetchone()
                self._connection.execute(declared)
                self._connection.execute(f"INSERT INTO main.{quoted(name)} SELECT * FROM {KEPT}.{quoted(name)}")
            self._connection.execute(f"DETACH {KEPT}")
        if not worth:
            self.close()
        return worth

    def _cells(self, schema: str) -> dict[str, int]:
        """Return rows times columns of each table, by the number of its last row."""
        names = self._connection.execute(f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table'").fetchall()
        return {str(name): len(self._column_names(schema, name)) * self._last_row(schema, name) for (name,) in names}

    def _column_names(self, schema: str, table: str) -> list[str]:
        return [str(name) for (name,) in self._connection.execute("SELECT name FROM pragma_table_info(?, ?)", [table, schema])]

    def _last_row(self, schema: str, table: str) -> int:
        """Return the number of a table's last row, which is how many it has when none was removed; looks at one row only."""
        taken = {name.casefold() for name in self._column_names(schema, table)}
        names = [name for name in ("rowid", "_rowid_", "oid") if name not in taken]
        counted = f"max({names[0]})" if names else "count(*)"
        (last,) = self._connection.execute(f"SELECT {counted} FROM {schema}.{quoted(table)}").fetchone()
        return int(last or 0)

    def _stored(self, select: str, columns: Sequence[Column]) -> tuple[list[str], list[str]]:
        """Return SQLite's types and DuckDB's casts; values that may be too long for a number are looked at first."""
        doubtful = {column.name: condition for column in columns if (condition := may_not_fit(column))}
        fits = dict.fromkeys((column.name for column in columns), True)
        if doubtful:
            conditions = ", ".join(f"coalesce(bool_or({condition}), false)" for condition in doubtful.values())
            (found,) = self.reader.execute(f"SELECT {conditions} FROM (\n{select}\n)").fetchall()
            fits.update((name, not beyond) for name, beyond in zip(doubtful, found, strict=True))
        pairs = [stored(column, fits[column.name]) for column in columns]
        return [kind for kind, _ in pairs], [cast for _, cast in pairs]

    def _append(self, table: str, rows: Rows) -> int:
        """Append Arrow batches through ADBC; returns rows."""
        try:
            if self._ingest is None:
                self._ingest = Adbc("sqlite", self._path.as_uri(), BUILDING)
            return self._ingest.append(table, rows)
        except AdbcError as error:
            raise BuildError(f"{table}: {_first_line(error)}") from error

    @contextlib.contextmanager
    def _batches(self, table: str) -> Iterator[pa.RecordBatchReader]:
        """Give the rows of a table as Arrow batches, in their order.

        ADBC takes a column's type from the first batch, so a row of examples goes before the others and is left out again.
        """
        import pyarrow

        self.columns(table)
        with self._told(table):
            expressions, examples = read_expressions(self._connection, table)
        select = f"SELECT {', '.join(examples)} UNION ALL SELECT {', '.join(expressions)} FROM {quoted(table)}"
        options = {BATCH_ROWS_OPTION: str(batch_rows(len(examples)))}
        try:
            with contextlib.closing(Adbc("sqlite", f"{self._path.as_uri()}?mode=ro")) as adbc, adbc.stream(select, options) as source:
                yield pyarrow.RecordBatchReader.from_batches(source.schema, _without_first_row(source))
        except AdbcError as error:
            raise BuildError(f"{table}: {_first_line(error)}") from error

    @contextlib.contextmanager
    def _told(self, table: str) -> Iterator[None]:
        """Turn SQLite's errors into sentences about a table."""
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise BuildError(f"{table}: {error}" if table else str(error)) from error

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        """Tell which file it is that SQLite cannot open."""
        try:
            yield
        except sqlite3.Error as error:
            raise UnusableStart(f"{self.name} cannot be opened by SQLite: {error}.", "Run with --full to build it anew.") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _without_first_row(source: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Give the batches of a stream without its very first row."""
    yield from (batch.slice(0 if number else 1) for number, batch in enumerate(source))


@contextlib.contextmanager
def _no_writer(files: DatabaseFiles, lock_timeout: float) -> Iterator[None]:
    """Keep other programs from writing to the published file; one that does already is waited for.

    Readers go on reading: the lock is the one that a writer takes before it needs the file for itself alone. What a foreign
    writer left in a journal, after a crash or in WAL mode, is brought home first.
    """
    if not files.published.exists():
        yield
        return
    connection = sqlite3.connect(files.published, timeout=0, isolation_level=None)

    def lock() -> None:
        try:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            if sys.platform != "win32":  # which would refuse to replace a file that is open, even here
                connection.execute("BEGIN IMMEDIATE")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            # Not a database, or not writable: nobody else can write to it either.

    try:
        patiently(lock, lock_timeout, sqlite3.OperationalError, lambda: f"{files.label} is being written to by another program.")
        if sys.platform == "win32":
            connection.close()
        yield
    finally:
        connection.close()
