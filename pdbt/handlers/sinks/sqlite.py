"""Storing in SQLite: a file in WAL mode, which others read while it is written to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .stores import Store, StoreFailed, as_json, rows_of, word_for

if TYPE_CHECKING:
    import pyarrow as pa

BUSY_SECONDS = 60.0
# The declarations by which transfers know what a column's values are.
_WORDS = {
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "unsigned": "DECIMAL TEXT(20,0)",
    "float": "DOUBLE",
    "decimal": "DECIMAL TEXT({precision},{scale})",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "date": "DATE",
    "time": "TIME TEXT",
    "json": "JSON TEXT",
    "bytes": "BLOB",
    "text": "TEXT",
}


class SQLiteStore(Store):
    """A SQLite file."""

    _connection: sqlite3.Connection | None = None

    def begin(self) -> None:
        """Open the file if it is not open, and begin to write."""
        try:
            if self._connection is None:
                Path(self.target.path).parent.mkdir(parents=True, exist_ok=True)
                # Threads take turns: a sink may be torn down by another one than set it up.
                self._connection = sqlite3.connect(self.target.path, BUSY_SECONDS, isolation_level=None, check_same_thread=False)
                self._connection.execute("PRAGMA journal_mode = WAL")
                # What is committed is on the disk before it is acknowledged.
                self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("BEGIN IMMEDIATE")
        except (sqlite3.Error, OSError) as error:
            raise StoreFailed(f"{self.target.label}: {error}.", "Is another program writing to it?") from error

    def commit(self) -> None:
        """End the transaction."""
        self.execute("COMMIT")

    def close(self) -> None:
        """Undo what is not committed, and close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement."""
        assert self._connection is not None  # noqa: S101 - begin comes first
        return self._connection.execute(sql, values).fetchall()

    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns."""
        return [str(name) for (name,) in self.execute("SELECT name FROM pragma_table_info(?)", (table,))]

    def create(self, table: str, schema: pa.Schema) -> None:
        """Create a table."""
        lines = ", ".join(f"{self.quoted(field.name)} {word_for(field.type, _WORDS)}" for field in schema)
        self.execute(f"CREATE TABLE {self.quoted(table)} ({lines})")

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows."""
        assert self._connection is not None  # noqa: S101 - begin comes first
        names = ", ".join(self.quoted(name) for name in rows.column_names)
        marks = ", ".join("?" for _ in rows.column_names)
        insert = f"INSERT INTO {self.quoted(table)} ({names}) VALUES ({marks})"  # noqa: S608
        self._connection.executemany(insert, rows_of(rows, _sent))


def _sent(kind: pa.DataType) -> Callable[[Any], Any] | None:
    import pyarrow as pa

    types = pa.types
    if types.is_timestamp(kind):
        return lambda value: (value.astimezone(UTC) if value.tzinfo else value).isoformat(sep=" ")
    if types.is_date(kind) or types.is_time(kind):
        return lambda value: value.isoformat()
    if types.is_decimal(kind) or kind == pa.uint64():
        return str
    if types.is_nested(kind):
        return as_json
    return None
