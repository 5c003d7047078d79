"""Storing in DuckDB: the file is open only while batches come, since nobody else can open it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .stores import Store, StoreFailed

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# How long another program may have the file, and how often it is asked for meanwhile, in seconds.
BUSY_SECONDS = 60.0
_PAUSE_SECONDS = 0.02
# Where batches come without a pause it is closed all the same after so long, for so long: others have their turn.
_LONGEST_SECONDS = 5.0
_TURN_SECONDS = 0.05
_GIVEN = "pdbt_given_rows"


class DuckDBStore(Store):
    """A DuckDB file."""

    _connection: duckdb.DuckDBPyConnection | None = None
    _opened_at = 0.0
    _turn_until = 0.0

    def begin(self) -> None:
        """Open the file if it is not open, waiting for who else has it, and begin."""
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
                    said = str(error).splitlines()[0].rstrip(".")
                    raise StoreFailed(f"{self.target.label}: {said}.", "DuckDB lets one program have a file at a time.") from error
            time.sleep(_PAUSE_SECONDS)

    def commit(self) -> None:
        """End the transaction."""
        assert self._connection is not None  # noqa: S101 - begin comes first
        self._connection.commit()
        if time.monotonic() - self._opened_at > _LONGEST_SECONDS:
            self.close()
            self._turn_until = time.monotonic() + _TURN_SECONDS

    def close(self) -> None:
        """Undo what is not committed, and close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def rest(self) -> None:
        """Close the file, so that others can read it."""
        self.close()

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement."""
        assert self._connection is not None  # noqa: S101 - begin comes first
        return self._connection.execute(sql, list(values)).fetchall()

    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns."""
        select = (
            "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() AND table_name = ? ORDER BY column_index"
        )
        return [str(name) for (name,) in self.execute(select, (table,))]

    def create(self, table: str, schema: pa.Schema) -> None:
        """Create a table, of DuckDB's own types for these."""
        self._with(schema.empty_table(), f"CREATE TABLE {self.quoted(table)} AS SELECT * FROM {_GIVEN}")  # noqa: S608

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows."""
        self._with(rows, f"INSERT INTO {self.quoted(table)} BY NAME SELECT * FROM {_GIVEN}")  # noqa: S608

    def _with(self, rows: pa.Table, sql: str) -> None:
        assert self._connection is not None  # noqa: S101 - begin comes first
        self._connection.register(_GIVEN, rows)
        try:
            self._connection.execute(sql)
        finally:
            self._connection.unregister(_GIVEN)
