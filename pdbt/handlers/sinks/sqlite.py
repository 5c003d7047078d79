"""Storing in SQLite: a file in WAL mode, which others read while it is written to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...connect.kinds import UNKNOWN, arrow_type
from ...connect.sqlite_types import declared_kind
from . import fitting, numbers
from .fitting import Misfit, TableColumn, as_json
from .stores import Store, StoreFailed, rows_of, word_for

if TYPE_CHECKING:
    import pyarrow as pa

BUSY_SECONDS = 60.0
_FRESH = "pdbt"
# What SQLite makes a number of in a column that is declared neither as text nor as bytes.
_LOOKS_LIKE_A_NUMBER = r"^[ \t\n\v\f\r]*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t\n\v\f\r]*$"
_INTEGERS = frozenset("BOOLEAN SMALLINT INTEGER BIGINT".split())
# SQLite has no type for these: a truth is an integer.
_TRUTHS = frozenset({"boolean", "number"})
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

    def columns(self, table: str) -> list[TableColumn]:
        """Return a table's columns."""
        return [_column(str(name), str(native)) for name, native in self.execute("SELECT name, type FROM pragma_table_info(?)", (table,))]

    def version(self, table: str) -> object:
        """Return the number that SQLite counts up with each change of any table."""
        return self.execute("PRAGMA schema_version")

    def create(self, table: str, schema: pa.Schema) -> None:
        """Create a table."""
        lines = ", ".join(f"{self.quoted(field.name)} {word_for(field.type, _WORDS)}" for field in schema)
        self.execute(f"CREATE TABLE {self.quoted(table)} ({lines})")

    def change_type(self, table: str, field: pa.Field) -> None:
        """Make a column that has no value anew, at the end of the table: SQLite changes no type."""
        name, fresh = self.quoted(field.name), self.quoted(f"{field.name} {_FRESH}")
        for change in (f"ADD COLUMN {fresh} {word_for(field.type, _WORDS)}", f"DROP COLUMN {name}", f"RENAME COLUMN {fresh} TO {name}"):
            self.execute(f"ALTER TABLE {self.quoted(table)} {change}")

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows."""
        assert self._connection is not None  # noqa: S101 - begin comes first
        names = ", ".join(self.quoted(name) for name in rows.column_names)
        marks = ", ".join("?" for _ in rows.column_names)
        insert = f"INSERT INTO {self.quoted(table)} ({names}) VALUES ({marks})"  # noqa: S608
        self._connection.executemany(insert, rows_of(rows, _sent))

    def refused(self, error: Exception) -> str:
        """Return what a table refuses; a file that is locked, full or gone is not the batch's fault."""
        unknown = isinstance(error, (sqlite3.InterfaceError, sqlite3.ProgrammingError)) and "bind" in str(error)
        return str(error) if unknown or isinstance(error, (sqlite3.IntegrityError, sqlite3.DataError)) else ""


def _sent(kind: pa.DataType) -> Callable[[Any], Any] | None:
    import pyarrow as pa

    types = pa.types
    if types.is_timestamp(kind):
        return lambda value: (value.astimezone(UTC) if value.tzinfo else value).isoformat(sep=" ")
    if types.is_date(kind) or types.is_time(kind):
        return lambda value: value.isoformat()
    if types.is_decimal(kind):
        return lambda value: format(value, "f")  # never with an exponent
    if kind == pa.uint64():
        return str
    if types.is_nested(kind):
        return as_json
    return None


def _column(name: str, native: str) -> TableColumn:
    """Return a column by its declaration, which SQLite does not hold anything to."""
    kind = declared_kind(native)
    if kind == UNKNOWN:
        convert = _unchanged if not native.strip() or "BLOB" in native.upper() else _numeric
        return TableColumn(name, native or "no declared type", kind, None, (_times_within_years, fitting.no_nan), converts=convert)
    checks = fitting.column_checks(kind, fitting.no_nan)
    return TableColumn(name, native, kind, arrow_type(kind), checks, _TRUTHS if kind in _INTEGERS else frozenset())


def _times_within_years(values: pa.ChunkedArray) -> str:
    return fitting.within_years(values) if fitting.family(values.type) in ("date", "timestamp") else ""


def _unchanged(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values


def _numeric(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values for a column that makes numbers of texts which look like one; decimals go there as integers or floats."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types = pa.types
    if types.is_decimal(values.type):
        return numbers.exactly(values, pa.int64() if values.type.scale == 0 else pa.float64())
    if values.type == pa.uint64():
        return numbers.exactly(values, pa.int64())
    if fitting.family(values.type) == "text" and pc.any(pc.match_substring_regex(values, _LOOKS_LIKE_A_NUMBER)).as_py():
        raise Misfit(fitting.shown(values))
    return values
