"""The sink of a database table: a batch's id is stored with its rows in one transaction, so that no batch is stored twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.databases.name_limits import too_long
from ...engine.errors import PdbtError, SettingsError
from ..errors import BatchRefused
from ..nodes import BaseSink, Batch
from .stores import LEDGER, Store, StoreFailed, plain, store_of
from .targets import find_target

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST_ID = 300


class TableSink(BaseSink):
    """Stores batches in a table, which is created with the columns of the first batch if it is not there.

    Batches that wait are stored together in one transaction. A batch that comes again, because its acknowledgement was lost or
    a worker was killed, is found in the table pdbt_batches of the same database and not stored again.
    """

    def __init__(self, target: str | Path, table: str, *, project: str | Path | None = None) -> None:
        """Find the target; nothing is opened.

        Args:
            target: a URL (sqlite:///file, duckdb:///file, postgresql://…, mysql://…); the path of a database file; the name of a
                connection of the project; or the folder of a project, for the database that its streams share.
            table: the table; in PostgreSQL also schema.table.
            project: the project whose connections are meant; by default that of the working folder.

        Raises:
            SettingsError: the target is none of these, or it would cut the table's name.
        """
        self.target = find_target(target, Path(project) if project is not None else None)
        self.table = table
        schema, _, name = table.partition(".") if self.target.kind == "PostgreSQL" and "." in table else ("", "", table)
        for what, part in (("schema", schema), ("table", name)):
            if said := too_long(self.target.kind, what, part):
                raise SettingsError(said, "Give it a shorter name.", key="table", received=table)
        self._store: Store | None = None
        self._columns: list[str] = []

    def setup(self) -> None:
        """Open the target, so that a wrong address stops the pipeline before a batch is given in."""
        self._store = store_of(self.target)
        self._transaction([])
        self.rest()

    def store(self, batches: Sequence[Batch]) -> Sequence[int | Exception]:
        """Store batches in one transaction; when that fails each in one of its own, so that one does not keep others out."""
        try:
            return self._transaction(batches)
        except Exception as error:
            self._forget()
            if isinstance(error, StoreFailed) or (isinstance(error, BatchRefused) and len(batches) == 1):
                return [error] * len(batches)
        # A single one, too: a server that was restarted has ended the connection, and another worker may have made the table.
        return [self._alone(batch) for batch in batches]

    def rest(self) -> None:
        """Let others have the target."""
        if self._store is not None:
            self._store.rest()

    def teardown(self) -> None:
        """Close the target."""
        if self._store is not None:
            self._store.close()

    def _alone(self, batch: Batch) -> int | Exception:
        try:
            (stored,) = self._transaction([batch])
        except Exception as error:
            self._forget()
            return self._told(error)
        return stored

    def _forget(self) -> None:
        """Undo what is not committed; the next transaction opens the target anew."""
        assert self._store is not None  # noqa: S101 - setup comes first
        self._store.close()
        self._columns = []

    def _transaction(self, given: Sequence[Batch]) -> Sequence[int]:
        store = self._store
        assert store is not None  # noqa: S101 - setup comes first
        batches = [Batch(_kept_id(batch.batch_id), plain(batch.table)) for batch in given]
        ledger = store.quoted(self._ledger)
        store.begin()
        if not self._columns:
            store.prepare_ledger(ledger)
        held = store.held(ledger, self.table, self.node, [batch.batch_id for batch in batches]) if batches else {}
        new = [batch for batch in batches if batch.batch_id not in held]
        for rows in _of_same_columns(batch.table for batch in new):
            self._insert(store, rows)
        if new:
            store.note(ledger, self.table, self.node, [(batch.batch_id, batch.table.num_rows) for batch in new])
        store.commit()
        return [held.get(batch.batch_id, batch.table.num_rows) for batch in batches]

    def _insert(self, store: Store, rows: pa.Table) -> None:
        columns = self._columns or store.columns(self.table)
        if not columns:
            self._require_names(rows.column_names)
            store.create(self.table, rows.schema)
            columns = rows.column_names
        known = {column.lower() for column in columns}
        unknown = [name for name in rows.column_names if name.lower() not in known]
        if unknown:
            raise BatchRefused(
                f"Table {self.table} of {self.target.label} has no column {', '.join(unknown)}.", f"Its columns are {', '.join(columns)}."
            )
        store.insert(self.table, rows)
        self._columns = columns

    def _require_names(self, names: Iterable[str]) -> None:
        """Refuse columns whose names the target would cut: the next batch would not find them."""
        said = next((said for name in names if (said := too_long(self.target.kind, "column", name))), "")
        if said:
            raise BatchRefused(f"Table {self.table}: {said}", "Give it a shorter name in a step before.")

    @property
    def _ledger(self) -> str:
        """The table of batches, in the schema of the table: who may write there may write to it."""
        schema, dot, _ = self.table.rpartition(".") if self.target.kind == "PostgreSQL" else ("", "", "")
        return f"{schema}{dot}{LEDGER}"

    def _told(self, error: Exception) -> Exception:
        """Return an error of a driver as one sentence."""
        if isinstance(error, PdbtError):
            return error
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = self.target.redact(lines[0].rstrip(".") if lines else type(error).__name__)
        return StoreFailed(f"{self.target.label}, table {self.table}: {said}.", "The batch is not stored.")


def _kept_id(batch_id: str) -> str:
    """Return the id that is kept; one that grew long on its way through many nodes ends in a hash of the whole."""
    if len(batch_id) <= _LONGEST_ID:
        return batch_id
    told = hashlib.sha256(batch_id.encode()).hexdigest()
    return f"{batch_id[: _LONGEST_ID - len(told)]}{told}"


def _of_same_columns(tables: Iterable[pa.Table]) -> Iterable[pa.Table]:
    """Put neighbours of the same columns together: many small inserts cost more than one."""
    import pyarrow as pa

    together: list[pa.Table] = []
    for table in tables:
        if together and not together[0].schema.equals(table.schema):
            yield pa.concat_tables(together)
            together = []
        together.append(table)
    if together:
        yield pa.concat_tables(together)
