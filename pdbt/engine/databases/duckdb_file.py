"""DuckDB: one file for readers, another one for runs."""

from __future__ import annotations

import contextlib
import errno
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BuildError
from ..reading.model import Column
from . import exports
from .arrow import plain_table
from .base import UnusableStart
from .files import SMALL_FILE_BYTES, DatabaseFiles, patiently, worth_rewriting
from .names import quoted, text
from .reader import connect, count, finish, sentence, told

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SIDE_ENDINGS = (".wal",)
CATALOG = "database"  # as a reader of db/database.duckdb sees it
KEPT = "published"
ROWS_OF_PYTHON = "pdbt rows of a Python table"
FOUND = "pdbt rows of a check"
COPY_ADVANTAGE = 40.0  # measured: 119 MB copied in 0.15 s as a file, in 5 to 6 s as a table


class DuckDBFile:
    """A published DuckDB file, built anew beside itself."""

    dialect = "duckdb"

    def __init__(self, files: DatabaseFiles, lock_timeout: float) -> None:
        """Remember where the files lie and how many seconds to wait for another program; opens nothing."""
        self.name = files.label
        self._files = files
        self._lock_timeout = lock_timeout
        self._connection: duckdb.DuckDBPyConnection | None = None

    @property
    def reader(self) -> duckdb.DuckDBPyConnection:
        """The connection to the work database."""
        if self._connection is None:
            raise BuildError("The work database is not open.")
        return self._connection

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
        self._connection = connect(self._files.temporary)
        try:
            if start == "reading":
                self._attach(self._files.published, "READ_ONLY")
            elif start == "published" and keep:
                self._begin_with_published(keep)
            else:
                if start == "work":
                    self._files.begin_with_sealed()
                self._attach_building()
        except BaseException:
            self.close()
            raise

    def load(self, table: str, select: str, columns: Sequence[Column]) -> int:
        """Replace the table by the rows of a DuckDB SELECT; returns rows. Raises DuckDB's own error."""
        return self._create(table, select)

    def build(self, table: str, select: str) -> int:
        """Replace the table by the rows of a SELECT; returns rows. Raises BuildError."""
        with told(table, lines_before=1):
            self._require_one_select(select)
            return self._create(table, select)

    def write(self, table: str, rows: pa.Table) -> int:
        """Replace the table by an Arrow table; returns rows."""
        finish(self.reader).register(ROWS_OF_PYTHON, plain_table(table, rows))
        try:
            with told(table):
                return self._create(table, f"FROM {quoted(ROWS_OF_PYTHON)}")
        finally:
            self.reader.unregister(ROWS_OF_PYTHON)

    def read(self, table: str) -> pa.Table:
        """Return the whole table."""
        with told(table):
            return finish(self.reader).sql(f"FROM {quoted(table)}").to_arrow_table()

    def drop(self, table: str) -> None:
        """Remove the table if it is there."""
        with told(table):
            self.reader.execute(f"DROP TABLE IF EXISTS {quoted(table)}")

    def columns(self, table: str) -> list[Column]:
        """Return the table's columns with DuckDB's type names."""
        with told(table):
            described = self.reader.execute(f"DESCRIBE {quoted(table)}").fetchall()
        return [Column(str(name), str(kind)) for name, kind, *_ in described]

    def query(self, select: str, limit: int) -> tuple[list[str], list[tuple[object, ...]], int]:
        """Run a SELECT: column names, the first `limit` rows, and how many there are. Raises BuildError."""
        with told("", lines_before=1):
            self._require_one_select(select)
            self.reader.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(FOUND)} AS\n{select}\n")
            try:
                columns = self.columns(FOUND)
                shown = ", ".join(_fetched(column) for column in columns)
                rows = self.reader.execute(f"SELECT {shown} FROM {quoted(FOUND)} LIMIT {int(limit)}").fetchall()
                return [column.name for column in columns], rows, self._count(FOUND)
            finally:
                self.reader.execute(f"DROP TABLE {quoted(FOUND)}")

    def export(self, table: str, path: Path, file_format: str) -> int:
        """Write the table to a file; returns rows."""
        with told(f"The export of {table}"):
            return exports.export(self.reader, table, quoted(table), path, file_format)

    def external(self, name: str) -> bool:
        """Return False: a file holds only what its project made."""
        return False

    def seal(self) -> str:
        """Checkpoint and close the work database, make it durable and return its token."""
        with told("The work database"):
            self.reader.execute("CHECKPOINT")
            self.reader.execute("USE memory")
            self.reader.execute(f"DETACH {quoted(CATALOG)}")
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
        if self._connection is not None:
            self._disconnect()
            self._files.remove(self._files.building)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _attach(self, path: Path, option: str) -> None:
        """Attach a file and make it the one that names mean."""
        with self._usable():
            self.reader.execute(f"ATTACH {text(path)} AS {quoted(CATALOG)} ({option})")
        self.reader.execute(f"USE {quoted(CATALOG)}")

    def _attach_building(self) -> None:
        """Attach the work database.

        It has no write-ahead log: until it is sealed nobody needs it after a crash, and a thousand small tables would wait for
        a thousand writes to the disk.
        """
        self._attach(self._files.building, "RECOVERY_MODE no_wal_writes")

    def _begin_with_published(self, keep: Sequence[str]) -> None:
        """Start with the kept tables: copied one by one when they are a small part of the file, else with the file."""
        published = self._files.published
        if published.exists() and published.stat().st_size > SMALL_FILE_BYTES and self._copied_tables(keep):
            return
        with _no_writer(self._files, self._lock_timeout):
            self._files.begin_with_copy()
        self._attach_building()
        kept = {name.casefold() for name in keep}
        others = [name for name in self._cells(CATALOG) if name.casefold() not in kept]
        for name in others:
            self.drop(name)
        if others:
            self.reader.execute("CHECKPOINT")  # what is built next takes the place of what was dropped

    def _copied_tables(self, keep: Sequence[str]) -> bool:
        """Begin with new copies of the kept tables if that is cheaper, or the file is mostly free space; tells whether it did."""
        with _no_writer(self._files, self._lock_timeout), self._usable():
            self.reader.execute(f"ATTACH {text(self._files.published)} AS {KEPT} (READ_ONLY)")
        try:
            kept = {name.casefold() for name in keep}
            cells = self._cells(KEPT)
            kept_cells = sum(count for name, count in cells.items() if name.casefold() in kept)
            if not worth_rewriting(kept_cells, sum(cells.values()), self._free_share(), COPY_ADVANTAGE):
                return False
            self._attach_building()
            with self._usable():
                for name in (name for name in cells if name.casefold() in kept):
                    self._create(name, f"FROM {KEPT}.main.{quoted(name)}")
        finally:
            self.reader.execute(f"DETACH {KEPT}")
        return True

    def _cells(self, catalog: str) -> dict[str, int]:
        """Return rows times columns of each table, as DuckDB remembers them."""
        known = "SELECT table_name, estimated_size * column_count FROM duckdb_tables() WHERE database_name = ? AND schema_name = 'main'"
        return {str(name): int(cells) for name, cells in self.reader.execute(known, [catalog]).fetchall()}

    def _free_share(self) -> float:
        """Return the part of the published file that holds nothing."""
        measured = "SELECT free_blocks, total_blocks FROM pragma_database_size() WHERE database_name = ?"
        ((free, total),) = self.reader.execute(measured, [KEPT]).fetchall()
        return free / total if total else 0.0

    def _create(self, table: str, select: str) -> int:
        """Create or replace a table; the number of rows comes with it, without another look at the data."""
        rows = count(self.reader, f"CREATE OR REPLACE TABLE {quoted(table)} AS\n{select}\n")
        return self._count(table) if rows is None else rows  # a PIVOT answers nothing

    def _count(self, table: str) -> int:
        return count(self.reader, f"SELECT count(*) FROM {quoted(table)}") or 0

    def _require_one_select(self, select: str) -> None:
        """Refuse what a table cannot be made of, before any of it is executed."""
        import duckdb

        kinds = [statement.type.name for statement in self.reader.extract_statements(select)]
        if kinds and kinds[0] == "CREATE" and "pivot" in select.casefold():  # DuckDB 1.5 reads a PIVOT as CREATE TYPE and SELECT
            kinds = kinds[1:]
        if len(kinds) != 1:
            raise duckdb.ParserException(f"There are {len(kinds)} statements; a table is one SELECT")
        if kinds[0] not in ("SELECT", "MULTI"):
            raise duckdb.ParserException(f"A table is a SELECT, not {kinds[0]}")

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        """Tell which file it is that DuckDB cannot open."""
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            said = sentence(error).replace(str(self._files.building), self._files.label)
            raise UnusableStart(
                f"{self._files.label} cannot be opened by DuckDB {duckdb.__version__}: {said}",
                "Run with --full to build it anew, or install the version of DuckDB that wrote it.",
            ) from error


def _fetched(column: Column) -> str:
    """Return the expression that fetches a column; DuckDB needs a library for times with a zone, which a project may not have."""
    return f"CAST({quoted(column.name)} AS VARCHAR)" if "WITH TIME ZONE" in column.type else quoted(column.name)


@contextlib.contextmanager
def _no_writer(files: DatabaseFiles, lock_timeout: float) -> Iterator[None]:
    """Keep other programs from writing to the published file; one that does already is waited for, then named.

    DuckDB locks its files with fcntl. Without this a writer of the old file would leave its log beside the new one.
    """
    if sys.platform == "win32" or not files.published.exists():  # Windows itself refuses to touch a file in use
        yield
        return
    import fcntl

    with files.published.open("rb") as file:

        def lock() -> None:
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    raise
                # A file system without locks: DuckDB cannot have locked the file either.

        patiently(lock, lock_timeout, OSError, lambda: f"{files.label} is open for writing in {_writer(files.published)}.")
        yield


def _writer(published: Path) -> str:
    """Name the process that writes to a DuckDB file, as DuckDB finds it out."""
    import duckdb

    try:
        duckdb.connect(str(published), read_only=True).close()
    except duckdb.Error as error:
        found = re.search(r"PID \d+", str(error))
        return f"another program ({found[0]})" if found else "another program"
    return "another program"
