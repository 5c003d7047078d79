"""The sink of a database table: a batch's id is stored with its rows in one transaction, so that no batch is stored twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...connect.base import on_one_line
from ...engine.databases.name_limits import too_long
from ...engine.errors import PdbtError, SettingsError
from ..errors import BatchRefused
from ..nodes import BaseSink, Batch
from .layout import Layout, check_names
from .stores import LEDGER, MARKS, Store, StoreFailed, plain, store_of
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
        self._layout: Layout | None = None
        self._version: object = None  # of the table when its layout was read

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
        self._layout = None

    def _transaction(self, given: Sequence[Batch]) -> Sequence[int]:
        store = self._store
        assert store is not None  # noqa: S101 - setup comes first
        batches = [Batch(_kept_id(batch.batch_id), plain(batch.table)) for batch in given]
        ledger = store.quoted(self._beside(LEDGER))
        store.begin()
        if self._layout is None:
            store.prepare_ledger(ledger)
        held = store.held(ledger, self.table, self.node, [batch.batch_id for batch in batches]) if batches else {}
        new = [batch for batch in batches if batch.batch_id not in held]
        groups = list(_of_same_columns(batch.table for batch in new))
        if self._layout is not None and store.version(self.table) != self._version:  # another program has changed it
            self._layout = None
        # First what changes the table, then rows: MySQL commits what came before a change.
        layout = self._prepared(store, groups) if groups else self._layout
        for rows in groups:
            assert layout is not None  # noqa: S101 - there are rows
            store.insert(self.table, layout.arranged(rows))
        if new:
            store.note(ledger, self.table, self.node, [(batch.batch_id, batch.table.num_rows) for batch in new])
        store.commit()
        self._layout = layout
        return [held.get(batch.batch_id, batch.table.num_rows) for batch in batches]

    def _prepared(self, store: Store, groups: Sequence[pa.Table]) -> Layout:
        """Return the layout of the table that takes these rows; make the table, and change columns that had no value yet."""
        if self._layout is not None and not any(map(self._layout.needs_type, groups)):
            return self._layout
        if self._layout is not None:  # others wait until it is decided
            store.prepare_ledger(store.quoted(self._beside(LEDGER)))
        columns = store.columns(self.table)
        marks = store.quoted(self._beside(MARKS))
        if not columns:
            self._create(store, groups[0], marks)
            columns = store.columns(self.table)
        open_columns = self._open_columns(store, marks)
        for rows in groups if open_columns else []:
            layout = Layout(store, self.table, columns, open_columns)
            decided = layout.valued(rows)
            for name, field in layout.misfits(rows):
                (found,) = store.execute(f"SELECT count({store.quoted_column(name)}) FROM {store.quoted(self.table)}")  # noqa: S608 - quoted
                if not found[0]:  # a value that another program put there keeps its type
                    store.change_type(self.table, field.with_name(name))
            for name in decided:
                store.execute(f"DELETE FROM {marks} WHERE table_name = ? AND column_name = ?", (self.table, name))  # noqa: S608 - quoted
            columns = store.columns(self.table) if decided else columns
            open_columns -= decided
        self._version = store.version(self.table)
        return Layout(store, self.table, columns, open_columns)

    def _create(self, store: Store, rows: pa.Table, marks: str) -> None:
        """Create the table with the columns of rows, and note those that have no value: what comes later decides their type."""
        import pyarrow as pa

        check_names(self.table, self.target.kind, rows.column_names)
        fields = [field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in rows.schema]
        store.create(self.table, pa.schema(fields))
        empty = [name for name, values in zip(rows.column_names, rows.columns, strict=True) if values.null_count == len(values)]
        if empty:
            store.prepare_marks(marks)
            for name in empty:
                store.execute(f"INSERT INTO {marks} VALUES (?, ?)", (self.table, name))  # noqa: S608 - quoted

    def _open_columns(self, store: Store, marks: str) -> frozenset[str]:
        if not store.columns(self._beside(MARKS)):
            return frozenset()
        found = store.execute(f"SELECT table_name, column_name FROM {marks}")  # noqa: S608 - quoted
        texts = ((_text(table), _text(column)) for table, column in found)
        return frozenset(column for table, column in texts if table == self.table)

    def _beside(self, name: str) -> str:
        """Return a table of the sink's own, in the schema of the table: who may write there may write to it."""
        schema, dot, _ = self.table.rpartition(".") if self.target.kind == "PostgreSQL" else ("", "", "")
        return f"{schema}{dot}{name}"

    def _told(self, error: Exception) -> Exception:
        """Return an error of a driver as one sentence, and whether the batch is at fault or the database."""
        if isinstance(error, PdbtError):
            return error
        assert self._store is not None  # noqa: S101 - setup comes first
        if reason := self._store.refused(error) or _about_values(error):
            said = self.target.redact(" ".join(reason.split())).rstrip(".")
            return BatchRefused(f"{self.target.label}, table {self.table}: {said}.", "The batch is not stored.")
        said = self.target.redact(on_one_line(error).rstrip(".") if str(error).strip() else type(error).__name__)
        return StoreFailed(f"{self.target.label}, table {self.table}: {said}.", "The batch is not stored.")


def _kept_id(batch_id: str) -> str:
    """Return the id that is kept; one that grew long on its way through many nodes ends in a hash of the whole."""
    if len(batch_id) <= _LONGEST_ID:
        return batch_id
    told = hashlib.sha256(batch_id.encode()).hexdigest()
    return f"{batch_id[: _LONGEST_ID - len(told)]}{told}"


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _about_values(error: Exception) -> str:
    """Return what Python or Arrow says of a value that cannot be sent; nothing for an error of another kind."""
    import pyarrow as pa

    return str(error) or type(error).__name__ if isinstance(error, (pa.ArrowException, ValueError, OverflowError)) else ""


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
