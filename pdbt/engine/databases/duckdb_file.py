"""DuckDB: one file for readers, another one for runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BuildError
from ..reading.model import Column
from .duckdb_beginning import CATALOG, Beginning, no_writer
from .files import DatabaseFiles
from .names import quoted, text
from .reader import connect, count, finish, told

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SIDE_ENDINGS = (".wal",)
ROWS_OF_PYTHON = "pdbt rows of a Python table"
FOUND = "pdbt rows of a check"


class DuckDBFile:
    """A published DuckDB file, built anew beside itself."""

    dialect = "duckdb"

    def __init__(self, files: DatabaseFiles, lock_timeout: float) -> None:
        """Remember where the files lie and how many seconds to wait for another program; opens nothing."""
        self.name = files.label
        self._files = files
        self._lock_timeout = lock_timeout
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._shielded = ""

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
        project = str(self._files.project.resolve())
        if "," not in project:  # which would end it: files are then found from where the process runs alone
            self._connection.execute(f"SET file_search_path = {text(project)}")
        beginning = Beginning(self._connection, self._files, self._lock_timeout)
        try:
            if start == "reading":
                beginning.to_read()
            elif start == "work":
                beginning.with_sealed()
            elif start == "published" and keep:
                self._shielded = beginning.with_published(keep)
            else:
                self._shielded = beginning.empty()
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
        from .arrow import plain_table

        finish(self.reader).register(ROWS_OF_PYTHON, plain_table(table, rows))
        try:
            with told(table):
                return self._create(table, f"FROM {quoted(ROWS_OF_PYTHON)}")
        finally:
            self.reader.unregister(ROWS_OF_PYTHON)

    def read(self, table: str) -> pa.Table:
        """Return the whole table."""
        from .carried import carried, in_arrow

        shown = carried(self.columns(table), in_arrow)
        with told(table):
            return finish(self.reader).sql(f"SELECT {shown} FROM {quoted(table)}").to_arrow_table()

    def drop(self, table: str) -> None:
        """Remove the table if it is there."""
        with told(table):
            self.reader.execute(f"DROP TABLE IF EXISTS {quoted(table)}")

    def columns(self, table: str) -> list[Column]:
        """Return the table's columns with DuckDB's type names."""
        with told(table):
            described = self.reader.execute(f"DESCRIBE {quoted(table)}").fetchall()
        return [Column(str(name), str(kind)) for name, kind, *_ in described]

    def relation(self, table: str) -> str:
        """Return a table's name as SQL writes it."""
        return quoted(table)

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
        from . import exports

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
        if self._shielded and self._shielded == self.published_token():
            self._files.lengthen()
        return self._files.seal()

    def publish(self, changed: Sequence[str], dropped: Sequence[str]) -> None:
        """Put the sealed file in the published one's place."""
        with no_writer(self._files, self._lock_timeout):
            self._files.publish(self._lock_timeout)

    def discard(self) -> None:
        """Remove the work database."""
        self._disconnect()
        self._files.discard()

    def close(self) -> None:
        """Close the work database; what was not sealed is removed."""
        self._shielded = ""
        if self._connection is not None:
            self._disconnect()
            self._files.remove(self._files.building)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

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


def _fetched(column: Column) -> str:
    """Return the expression that fetches a column; DuckDB needs a library for times with a zone, which a project may not have."""
    return f"CAST({quoted(column.name)} AS VARCHAR)" if "WITH TIME ZONE" in column.type else quoted(column.name)
