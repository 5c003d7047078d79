"""One connection through an ADBC driver whose statements are one transaction, until it is committed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..engine.databases.adbc import TARGET_SCHEMA, Adbc

if TYPE_CHECKING:
    import pyarrow as pa

_TEMPORARY = "adbc.ingest.temporary"


class Session(Adbc):
    """A connection whose statements are one transaction, where that is asked for."""

    @contextlib.contextmanager
    def stream(self, select: str, options: Mapping[str, str] | None = None) -> Iterator[pa.RecordBatchReader]:
        """Give the rows of a SELECT as a stream of Arrow batches; what ends it in the middle is told as what keeps it from beginning."""
        import pyarrow as pa

        try:
            with super().stream(select, options) as batches:
                yield batches
        except (OSError, pa.ArrowException) as error:  # Arrow's words for a driver's error, once rows have begun to come
            raise self._tell(error) from error

    def rows(self, select: str) -> list[dict[str, Any]]:
        """Return the few rows of a SELECT."""
        with self.stream(select) as batches:
            found: list[dict[str, Any]] = batches.read_all().to_pylist()
        return found

    def ingest(self, table: str, batches: pa.RecordBatchReader, *, schema: str = "", temporary: bool = False) -> int:
        """Append rows to a table that exists; return how many."""
        manager = self._manager
        options = {manager.INGEST_OPTION_TARGET_TABLE: table, manager.INGEST_OPTION_MODE: manager.INGEST_OPTION_MODE_APPEND}
        if schema:
            options[TARGET_SCHEMA] = schema
        if temporary:
            options[_TEMPORARY] = "true"
        with self._statement(options) as statement:
            statement.bind_stream(batches.__arrow_c_stream__())
            return int(statement.execute_update())

    def commit(self) -> None:
        """Make everything since the last commit lasting."""
        with self._told():
            self._connection.commit()


class Source:
    """A stream of batches for a driver, which remembers why it ended: a driver would tell that in words of its own."""

    def __init__(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """Prepare to read the batches once."""
        import pyarrow as pa

        self.failure: BaseException | None = None
        self.rows = 0
        self.reader = pa.RecordBatchReader.from_batches(schema, self._read(batches))

    def _read(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            for batch in batches:
                self.rows += batch.num_rows
                yield batch
        except BaseException as failure:  # Ctrl-C, too
            self.failure = failure
            raise

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Raise what ended the stream in place of what the driver made of it."""
        try:
            yield
        except Exception:  # whatever a driver makes of it: some raise errors of their own, others Arrow's
            if self.failure is not None:
                raise self.failure from None
            raise


def schema_of(columns: Sequence[tuple[str, pa.DataType]]) -> pa.Schema:
    """Return an Arrow schema."""
    import pyarrow as pa

    return pa.schema([pa.field(name, kind) for name, kind in columns])
