"""The sink of a folder: a file a batch, named after its id, so that a batch that comes again is the same file."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.databases.files import synchronise
from ...engine.databases.reader import sentence
from ...engine.errors import SettingsError
from ..errors import BatchRefused
from ..nodes import BaseSink, Batch
from .layout import check_names
from .stores import plain

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("parquet", "csv", "json")
_LONGEST = 80


class FileSink(BaseSink):
    """Writes each batch to a file of its own.

    A file is there as a whole or not at all: it is written under a temporary name, which begins with a dot, and then renamed.
    """

    def __init__(self, folder: str | Path, format: str = "parquet") -> None:
        """Keep the values.

        Args:
            folder: where the files are; made when it is not there.
            format: ``parquet``, ``csv`` or ``json`` (one object a line).

        Raises:
            SettingsError: there is no such format.
        """
        if format not in FORMATS:
            allowed = ", ".join(FORMATS)
            raise SettingsError(f"format is {format!r}.", f"Allowed: {allowed}.", key="format", received=format, allowed=FORMATS)
        self.folder = Path(folder).absolute()
        self.format = format

    def setup(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def store(self, batches: Sequence[Batch]) -> Sequence[int | Exception]:
        """Write those whose files are not there."""
        stored: list[int | Exception] = []
        for batch in batches:
            try:
                path = self.path_of(batch.batch_id)
                if not path.exists():
                    self._write(path, batch.table)
                stored.append(batch.table.num_rows)
            except Exception as error:  # one batch keeps no other out
                stored.append(_told(error, path))
        synchronise(self.folder)
        return stored

    def path_of(self, batch_id: str) -> Path:
        """Return the file of a batch: what can be read of its id and its node, and a hash that tells it from all others."""
        told = hashlib.sha256(f"{self.node}\0{batch_id}".encode()).hexdigest()[:16]
        return self.folder / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', batch_id)[:_LONGEST]}-{told}.{self.format}"

    def _write(self, path: Path, table: pa.Table) -> None:
        beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            self._fill(beside, table)
            synchronise(beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    def _fill(self, path: Path, table: pa.Table) -> None:
        if self.format == "parquet":
            import pyarrow.parquet as pq

            with path.open("wb") as file:
                pq.write_table(table, file)
            return
        import duckdb

        from ...engine.databases.carried import selected

        carry, options = _written(self.format)
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("SET TimeZone = 'UTC'")  # a file is the same wherever it is written
            connection.register("batch", _for_duckdb(table))
            _, select = selected(connection, "batch", carry)
            connection.execute(f"COPY ({select}) TO '{_literal(path)}' ({options})")


def _written(file_format: str) -> tuple[Callable[[str, str], str], str]:
    """Return how columns are written to a file, and DuckDB's options for it."""
    from ...engine.databases.carried import in_csv, in_json

    return {"csv": (in_csv, "FORMAT csv, HEADER"), "json": (in_json, "FORMAT json")}[file_format]


def _for_duckdb(table: pa.Table) -> pa.Table:
    """Return a batch that DuckDB reads as it is: it would rename the second of two columns, and cut what is finer than microseconds."""
    check_names("of the file", "", table.column_names)
    return plain(table, nanoseconds=True)


def _told(error: Exception, path: Path) -> Exception:
    """Return the refusal of a batch that its format does not hold; another error as it is."""
    import duckdb
    import pyarrow as pa

    of_values = (pa.ArrowException, duckdb.DataError, duckdb.NotSupportedError, duckdb.ProgrammingError)
    if not isinstance(error, of_values):
        return error
    return BatchRefused(f"{path}: {sentence(error)}.", "The batch is not stored.")


def _literal(path: Path) -> str:
    return str(path).replace("'", "''")
