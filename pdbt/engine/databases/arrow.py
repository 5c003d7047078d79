"""Arrow tables and streams as the databases take them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import BuildError, MissingLibrary
from ..reading.model import Column
from .names import quoted
from .reader import finish

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_CELLS = 500_000  # of a stream; some tens of megabytes at most
BATCH_ROWS = 50_000
DECIMAL_DIGITS = 38
INTERRUPTED = "INTERRUPT Error"
_REGISTERED = "pdbt rows of a Python table"
_ERRORS = {
    "Conversion Error": "ConversionException",
    "Constraint Error": "ConstraintException",
    "IO Error": "IOException",
    INTERRUPTED: "InterruptException",
    "Invalid Input Error": "InvalidInputException",
    "Out of Memory Error": "OutOfMemoryException",
    "Out of Range Error": "OutOfRangeException",
}


class Rows:
    """The rows of a DuckDB SELECT as a stream of Arrow batches, in bounded memory.

    Attributes:
        batches: a pyarrow.RecordBatchReader, to be read once.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, select: str) -> None:
        """Start the query. Raises DuckDB's own error when it cannot even begin."""
        try:
            import pyarrow as pa
        except ImportError as error:
            raise MissingLibrary("pyarrow", "This type of database") from error
        relation = finish(connection).sql(select)
        source = relation.to_arrow_reader(batch_rows(len(relation.columns)))
        self._connection, self._select = connection, select
        self._failed: list[BaseException] = []
        self._failures = (OSError, pa.ArrowException)
        self.batches: pa.RecordBatchReader = pa.RecordBatchReader.from_batches(source.schema, _read(source, self._failed))

    def error(self) -> BaseException | None:
        """Return what went wrong while the batches were read, as if no Arrow and no driver had been between; None if nothing did."""
        failure = self._failed[-1] if self._failed else None
        if not isinstance(failure, self._failures):
            return failure
        said = str(failure)
        if said.startswith(INTERRUPTED):
            # DuckDB 1.5 may tell that the other threads were stopped instead of why: without Arrow, it tells why.
            return _raised_by(self._connection, f"SELECT bit_xor(hash(t)) FROM (\n{self._select}\n) t") or _as_raised(said)
        return _as_raised(said)


@contextlib.contextmanager
def registered(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[tuple[str, list[Column]]]:
    """Let DuckDB read an Arrow table; yields the SELECT that reads it, and its columns with DuckDB's types."""
    finish(connection).register(_REGISTERED, rows)
    try:
        described = connection.execute(f"DESCRIBE {quoted(_REGISTERED)}").fetchall()
        yield f"FROM {quoted(_REGISTERED)}", [Column(str(name), str(kind)) for name, kind, *_ in described]
    finally:
        connection.unregister(_REGISTERED)


@contextlib.contextmanager
def streamed(connection: duckdb.DuckDBPyConnection, name: str, batches: pa.RecordBatchReader) -> Iterator[None]:
    """Let DuckDB read a stream as a table, once.

    One thread reads it: more of them would only hold batches back to put them in order again (2.7 times the memory, measured on
    five million rows that were written as CSV, and no faster).
    """
    finish(connection).register(name, batches)
    connection.execute("SET threads = 1")
    try:
        yield
    finally:
        connection.execute("RESET threads")
        connection.unregister(name)


def _read(source: pa.RecordBatchReader, failed: list[BaseException]) -> Iterator[pa.RecordBatch]:
    """Yield the batches, and keep what goes wrong.

    No method of Rows: Arrow would hold it from where Python's collector cannot look, and a stream that is not read to its end
    would keep the connection for ever, of which DuckDB 2.0 prints pages when the process ends.
    """
    try:
        yield from source
    except BaseException as failure:  # Ctrl-C, too: a driver would tell it as an error of its own
        failed.append(failure)
        raise


def _as_raised(said: str) -> duckdb.Error:
    """Return the exception that DuckDB would have raised with these words."""
    import duckdb

    kind: type[duckdb.Error] = getattr(duckdb, _ERRORS.get(said.partition(": ")[0], "Error"))
    return kind(said)


def _raised_by(connection: duckdb.DuckDBPyConnection, statement: str) -> duckdb.Error | None:
    """Return the error of a statement."""
    import duckdb

    try:
        connection.execute(statement).fetchall()
    except duckdb.Error as error:
        return error
    return None


def batch_rows(columns: int) -> int:
    """Return how many rows a batch of so many columns holds."""
    return max(1, min(BATCH_ROWS, BATCH_CELLS // max(1, columns)))


def plain_table(table: str, rows: pa.Table) -> pa.Table:
    """Return an Arrow table with one usable name a column and no encodings that would become types of their own.

    A column of nothing but NULL becomes text, as it does in a source file; a dictionary (a pandas category) becomes its
    values; an empty column name becomes column_N. Raises BuildError when there are no columns or two of one name, and for a value
    that would be altered.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingLibrary("pyarrow", f"The Python table {table}") from error
    if rows.num_columns == 0:
        raise BuildError(f"{table} has no columns.", "Return a table with at least one column.")
    names = [name or f"column_{number}" for number, name in enumerate(rows.column_names, 1)]
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise BuildError(f"{table} has two columns named {name}.", "Give each column a name of its own.")
        seen.add(name.casefold())

    return pa.table([_plain(column, f"{table}: column {name}") for name, column in zip(names, rows.columns, strict=True)], names=names)


def _plain(column: pa.ChunkedArray, what: str) -> pa.ChunkedArray:
    """Return a column of a type that DuckDB knows."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type), what)
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name.startswith("pandas."):
        raise BuildError(f"{what} is a {kind.extension_name}, which no database has.", "Convert it to text.")
    if pa.types.is_decimal256(kind):
        try:
            return column.cast(pa.decimal128(DECIMAL_DIGITS, min(kind.scale, DECIMAL_DIGITS)))
        except pa.ArrowInvalid as error:
            raise BuildError(f"{what} holds a number of more than {DECIMAL_DIGITS} digits.", "Convert it to text.") from error
    if pa.types.is_duration(kind) and kind.unit == "ns":
        try:
            return column.cast(pa.duration("us"))
        except pa.ArrowInvalid as error:
            raise BuildError(f"{what} holds a duration finer than microseconds.", "Round it, or convert it to text.") from error
    return column
