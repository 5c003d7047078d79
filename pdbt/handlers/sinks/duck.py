"""Storing in DuckDB: the file is open only while batches come, since nobody else can open it meanwhile."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...connect.base import on_one_line
from ...connect.kinds import UNKNOWN
from . import fitting
from .fitting import TableColumn
from .stores import Store, StoreFailed

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from .targets import Target

# How long another program may have the file, and how often it is asked for meanwhile, in seconds.
BUSY_SECONDS = 60.0
_PAUSE_SECONDS = 0.02
# Where batches come without a pause it is closed all the same after so long, for so long: others have their turn.
_LONGEST_SECONDS = 5.0
_TURN_SECONDS = 0.05
_GIVEN = "pdbt_given_rows"
# Arrow has no types for these, and DuckDB gives them as others.
_NOT_AS_THEY_ARE = frozenset({"BIT", "BIGNUM", "TIME WITH TIME ZONE"})


class _File:
    """A file as the threads of this program share it: one has it for a transaction, since DuckDB refuses what two change at once."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.commits = 0


_files: dict[str, _File] = {}  # by real path; one for each file that sinks of this program store in


class DuckDBStore(Store):
    """A DuckDB file."""

    _connection: duckdb.DuckDBPyConnection | None = None
    _has_turn = False
    _commits = 0
    _opened_at = 0.0
    _turn_until = 0.0

    def __init__(self, target: Target) -> None:
        """Remember the file, which other threads of this program may store in."""
        super().__init__(target)
        self._file = _files.setdefault(os.path.realpath(target.path), _File())

    def begin(self) -> None:
        """Open the file if it is not open, waiting for who else has it, and begin."""
        if not self._file.turn.acquire(timeout=BUSY_SECONDS):
            said = f"another sink of this program has been storing in it for {BUSY_SECONDS:.0f} seconds"
            raise StoreFailed(f"{self.target.label}: {said}.", "Give it smaller batches.")
        self._has_turn = True
        if self._connection is None:
            time.sleep(max(0.0, self._turn_until - time.monotonic()))
            self._connection = self._opened()
            self._opened_at = time.monotonic()
        self._connection.begin()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        Path(self.target.path).parent.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                # One thread: a batch is small, and the processors are the handlers'.
                return duckdb.connect(self.target.path, config={"threads": 1})
            except duckdb.IOException as error:
                if "lock" not in str(error) or time.monotonic() > until:
                    said = on_one_line(error).rstrip(".")
                    raise StoreFailed(f"{self.target.label}: {said}.", "DuckDB lets one program have a file at a time.") from error
            time.sleep(_PAUSE_SECONDS)

    def commit(self) -> None:
        """End the transaction."""
        assert self._connection is not None  # noqa: S101 - begin comes first
        self._connection.commit()
        self._commits += 1
        self._file.commits += 1
        self._end_turn()
        if time.monotonic() - self._opened_at > _LONGEST_SECONDS:
            self.close()
            self._turn_until = time.monotonic() + _TURN_SECONDS

    def close(self) -> None:
        """Undo what is not committed, and close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._end_turn()

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._file.turn.release()

    def rest(self) -> None:
        """Close the file, so that others can read it."""
        self.close()

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement."""
        assert self._connection is not None  # noqa: S101 - begin comes first
        return self._connection.execute(sql, list(values)).fetchall()

    def columns(self, table: str) -> list[TableColumn]:
        """Return a table's columns, of the Arrow types in which DuckDB gives their values."""
        from ...connect.duck import kind_of

        assert self._connection is not None  # noqa: S101 - begin comes first
        select = (
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = current_schema() AND lower(table_name) = lower(?) "
            "ORDER BY column_index"
        )
        found = self.execute(select, (table,))
        if not found:
            return []
        schema = self._connection.sql(f"SELECT * FROM {self.quoted(table)} LIMIT 0").to_arrow_table().schema  # noqa: S608
        return [
            _column(str(name), str(native), kind_of(str(native)), kind) for (name, native), kind in zip(found, schema.types, strict=True)
        ]

    def version(self, table: str) -> object:
        """Return when the file was opened, as no other program changes it while it is, and what others of this program stored."""
        return self._opened_at, self._file.commits - self._commits

    def create(self, table: str, schema: pa.Schema) -> None:
        """Create a table, of DuckDB's own types for these."""
        self._with(schema.empty_table(), f"CREATE TABLE {self.quoted(table)} AS SELECT * FROM {_GIVEN}")  # noqa: S608

    def change_type(self, table: str, field: pa.Field) -> None:
        """Change the type of a column without values."""
        import pyarrow as pa

        ((_, native, *_),) = self._with(pa.schema([field]).empty_table(), f"DESCRIBE SELECT * FROM {_GIVEN}")  # noqa: S608
        name = self.quoted(field.name)
        self.execute(f"ALTER TABLE {self.quoted(table)} ALTER COLUMN {name} SET DATA TYPE {native} USING CAST(NULL AS {native})")

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows."""
        names = ", ".join(map(self.quoted, rows.column_names))
        self._with(rows, f"INSERT INTO {self.quoted(table)} ({names}) SELECT {names} FROM {_GIVEN}")  # noqa: S608

    def refused(self, error: Exception) -> str:
        """Return what DuckDB refuses of values and constraints."""
        import duckdb

        of_values = (duckdb.DataError, duckdb.IntegrityError, duckdb.NotSupportedError, duckdb.ProgrammingError, duckdb.DependencyException)
        return on_one_line(error) if isinstance(error, of_values) else ""

    def _with(self, rows: pa.Table, sql: str) -> list[tuple[Any, ...]]:
        import duckdb

        assert self._connection is not None  # noqa: S101 - begin comes first
        self._connection.register(_GIVEN, rows)
        try:
            found: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        except BaseException:
            # What failed has aborted the transaction, and DuckDB would say so here instead of why; the caller closes the file.
            with contextlib.suppress(duckdb.Error):
                self._connection.unregister(_GIVEN)
            raise
        self._connection.unregister(_GIVEN)
        return found


def _column(name: str, native: str, kind: str, type_: pa.DataType) -> TableColumn:
    import pyarrow as pa

    if pa.types.is_dictionary(type_):
        type_ = type_.value_type  # an ENUM, which takes its own words only
    if native in _NOT_AS_THEY_ARE:
        return TableColumn(name, native, UNKNOWN, None)
    checks = fitting.column_checks(kind if kind != UNKNOWN or not pa.types.is_timestamp(type_) else "TIMESTAMP")
    return TableColumn(name, native, kind, type_, checks)
