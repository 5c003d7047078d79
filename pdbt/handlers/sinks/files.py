"""The sink of a folder: a file a batch, named after its id, so that a batch that comes again is the same file."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.databases.files import synchronise
from ...engine.errors import SettingsError
from ..nodes import BaseSink, Batch

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
                stored.append(error)
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

        with duckdb.connect(config={"threads": 1}) as connection:
            connection.register("batch", table)
            connection.execute(f"COPY batch TO '{_literal(path)}' ({_OPTIONS[self.format]})")


_OPTIONS = {"csv": "FORMAT csv, HEADER", "json": "FORMAT json"}


def _literal(path: Path) -> str:
    return str(path).replace("'", "''")
