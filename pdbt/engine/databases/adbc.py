"""ADBC: Arrow batches into and out of SQLite and PostgreSQL.

The drivers are used through adbc_driver_manager itself: its DB-API module loads pandas and half of pyarrow, which takes longer
than a small project's whole run.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import MissingLibrary

if TYPE_CHECKING:
    import pyarrow as pa

    from .arrow import Rows

TARGET_SCHEMA = "adbc.ingest.target_db_schema"


class AdbcError(Exception):
    """Refusal of a driver, in its own words.

    Attributes:
        reason: what the server said, without the statement that the driver puts before it; empty when it says nothing.
    """

    def __init__(self, said: str, reason: str = "") -> None:
        """Keep the reason."""
        super().__init__(said)
        self.reason = reason


def server_reason(error: object) -> str:
    """Return what PostgreSQL said of an error of its driver, on one line; empty when the driver does not have it apart."""
    parts = {_text(key): _text(value) for key, value in getattr(error, "details", None) or ()}
    said = [parts.get(f"PG_DIAG_MESSAGE_{part}", "") for part in ("PRIMARY", "DETAIL")]
    return ". ".join(" ".join(part.split()).rstrip(".") for part in said if part)


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _as_it_is(error: Exception) -> Exception:
    return AdbcError(str(error), server_reason(error))


class Adbc:
    """One connection through ADBC; each statement is a transaction of its own, unless all until a commit are to be one."""

    def __init__(
        self,
        driver: str,
        url: str,
        settings: Sequence[str] = (),
        *,
        told: Callable[[Exception], Exception] = _as_it_is,
        transaction: bool = False,
    ) -> None:
        """Connect.

        Args:
            driver: ``sqlite`` or ``postgresql``.
            url: as that driver takes it.
            settings: statements to execute first.
            told: turns the driver's error into the one to raise.
            transaction: whether statements wait for a commit.

        Raises:
            AdbcError: the driver does not get through; or what `told` makes of it.
            MissingLibrary: the driver, or pyarrow, is not installed.
        """
        try:
            importlib.import_module("pyarrow")
            self._manager = importlib.import_module("adbc_driver_manager")
            module = importlib.import_module(f"adbc_driver_{driver}")
        except ImportError as error:
            raise MissingLibrary(f"adbc-driver-{driver} pyarrow", f"A database of type {driver}") from error
        self._tell = told
        with contextlib.ExitStack() as stack, self._told():
            database = stack.enter_context(module.connect(url))
            self._connection = stack.enter_context(self._manager.AdbcConnection(database))
            if transaction:
                self._connection.set_autocommit(False)
            self._opened = stack.pop_all()
        self.execute(*settings)

    def append(self, table: str, rows: Rows, schema: str | None = None) -> int:
        """Append the rows of a DuckDB SELECT to a table; returns how many.

        Raises:
            duckdb.Error: DuckDB's own, when it was the SELECT that failed.
            AdbcError: when it was the database.
        """
        manager = self._manager
        target = {manager.INGEST_OPTION_TARGET_TABLE: table, manager.INGEST_OPTION_MODE: manager.INGEST_OPTION_MODE_APPEND}
        if schema is not None:
            target[TARGET_SCHEMA] = schema
        with self._statement(target) as statement:
            statement.bind_stream(rows.batches.__arrow_c_stream__())
            try:
                return int(statement.execute_update())
            except manager.Error as error:
                if (cause := rows.error()) is not None:
                    raise cause from error
                raise

    @contextlib.contextmanager
    def stream(self, select: str, options: Mapping[str, str] | None = None) -> Iterator[pa.RecordBatchReader]:
        """Give the rows of a SELECT as a stream of Arrow batches. Raises AdbcError."""
        import pyarrow as pa

        with self._statement(options or {}) as statement:
            statement.set_sql_query(select)
            handle, _ = statement.execute_query()
            with pa.RecordBatchReader.from_stream(handle) as batches:
                yield batches

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self._opened.close()

    def execute(self, *statements: str) -> None:
        """Execute statements one by one."""
        for sql in statements:
            with self._statement({}) as statement:
                statement.set_sql_query(sql)
                statement.execute_update()

    @contextlib.contextmanager
    def _statement(self, options: Mapping[str, str]) -> Iterator[Any]:
        with self._told(), self._manager.AdbcStatement(self._connection) as statement:
            statement.set_options(**options)
            yield statement

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._manager.Error as error:
            raise self._tell(error) from error
