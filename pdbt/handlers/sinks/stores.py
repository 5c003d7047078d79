"""What a kind of database must do for a sink, and what is the same for all of them."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...connect.base import on_one_line
from ...connect.values import uuid_texts
from ...engine.errors import BuildError
from ..errors import BatchRefused
from .fitting import TableColumn
from .targets import Target

if TYPE_CHECKING:
    import pyarrow as pa

# The table that says which batches a target holds, and the one that says which columns have had no value yet.
LEDGER, MARKS = "pdbt_batches", "pdbt_open_columns"
# The module and the class of each kind of target; its driver is loaded where it is used.
_HOMES = {
    "SQLite": ("sqlite", "SQLiteStore"),
    "DuckDB": ("duck", "DuckDBStore"),
    "PostgreSQL": ("postgresql", "PostgreSQLStore"),
    "MySQL": ("mysql", "MySQLStore"),
}
_LONGEST_DECIMAL128 = 38


class StoreFailed(BuildError):
    """A database that could not store a batch now; another time it may."""


class Store(ABC):
    """An open database that batches are stored in, one transaction after the other."""

    def __init__(self, target: Target) -> None:
        """Remember the database; `begin` opens it."""
        self.target = target

    @abstractmethod
    def begin(self) -> None:
        """Open the database if it is not open, and begin a transaction that holds off other writers. Raises StoreFailed."""

    @abstractmethod
    def commit(self) -> None:
        """End the transaction so that what it stored survives a crash."""

    @abstractmethod
    def close(self) -> None:
        """Undo what is not committed, and close the database; safe to call twice."""

    @abstractmethod
    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement whose parameters are written as question marks, and return its rows."""

    @abstractmethod
    def columns(self, table: str) -> list[TableColumn]:
        """Return a table's columns; none when there is no such table."""

    @abstractmethod
    def version(self, table: str) -> object:
        """Return what is another when a table's columns are: other programs may change it while batches come."""

    @abstractmethod
    def create(self, table: str, schema: pa.Schema) -> None:
        """Create a table with columns that hold these."""

    @abstractmethod
    def change_type(self, table: str, field: pa.Field) -> None:
        """Give a column that holds no value yet the type of a field."""

    @abstractmethod
    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows; their columns are named as the table's, and fit them."""

    @abstractmethod
    def refused(self, error: Exception) -> str:
        """Return why the database will never take a batch, if that is what an error of its driver says; else nothing."""

    def check_written(self, table: str, column: TableColumn, texts: pa.ChunkedArray) -> None:  # noqa: B027 - most change no text
        """Refuse texts that a type of the database's own would change. Raises BatchRefused."""

    def quoted(self, name: str) -> str:
        """Return a table's or column's name as its SQL writes it."""
        return '"' + name.replace('"', '""') + '"'

    def quoted_column(self, name: str) -> str:
        """Return a column's name as its SQL writes it."""
        return self.quoted(name)

    def rest(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of what keeps others out; the next transaction takes it again."""

    def prepare_ledger(self, ledger: str) -> None:
        """Create the table of batches if it is not there."""
        self.execute(
            f"CREATE TABLE IF NOT EXISTS {ledger} (table_name VARCHAR(190) NOT NULL, node VARCHAR(190) NOT NULL, "
            "batch_id VARCHAR(300) NOT NULL, stored_rows BIGINT NOT NULL, stored_at VARCHAR(40) NOT NULL, "
            "PRIMARY KEY (table_name, node, batch_id))"
        )

    def prepare_marks(self, marks: str) -> None:
        """Create the table of columns whose type is not known yet, if it is not there."""
        self.execute(f"CREATE TABLE IF NOT EXISTS {marks} (table_name VARCHAR(190) NOT NULL, column_name VARCHAR(190) NOT NULL)")

    def held(self, ledger: str, table: str, node: str, ids: Sequence[str]) -> dict[str, int]:
        """Return which of these batches the target holds, with how many rows each has."""
        marks = ", ".join("?" for _ in ids)
        select = f"SELECT batch_id, stored_rows FROM {ledger} WHERE table_name = ? AND node = ? AND batch_id IN ({marks})"  # noqa: S608
        return {str(batch_id): int(rows) for batch_id, rows in self.execute(select, (table, node, *ids))}

    def note(self, ledger: str, table: str, node: str, rows: Sequence[tuple[str, int]]) -> None:
        """Note that the target holds these batches."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        marks = ", ".join("(?, ?, ?, ?, ?)" for _ in rows)
        values = [value for batch_id, count in rows for value in (table, node, batch_id, count, now)]
        self.execute(f"INSERT INTO {ledger} VALUES {marks}", values)  # noqa: S608


def store_of(target: Target) -> Store:
    """Return what stores in a target; nothing is opened."""
    module, name = _HOMES[target.kind]
    store: Store = getattr(importlib.import_module(f".{module}", __package__), name)(target)
    return store


def plain(table: pa.Table, *, nanoseconds: bool = False) -> pa.Table:
    """Return a batch without encodings that databases do not know, and times in microseconds, those with a zone in UTC.

    Args:
        table: the batch.
        nanoseconds: leave timestamps without a zone as they are.

    Raises:
        BatchRefused: a column cannot be brought into that form without loss.
    """
    import pyarrow as pa

    kept = {kind for kind in table.schema.types if nanoseconds and pa.types.is_timestamp(kind) and kind.tz is None}
    kinds = [kind if kind in kept else _plain_type(kind) for kind in table.schema.types]
    _require_whole_microseconds(table)
    if kinds == table.schema.types:
        return table
    columns = []
    for name, kind, values in zip(table.column_names, kinds, table.columns, strict=True):
        try:
            columns.append(values if values.type == kind else _decoded(values).cast(kind))
        except pa.ArrowException as error:
            said = on_one_line(error).rstrip(".")
            raise BatchRefused(f"Column {name} cannot be stored as it is: {said}.", "Round it in a step before.") from None
    return pa.Table.from_arrays(columns, names=table.column_names)


def _require_whole_microseconds(table: pa.Table) -> None:
    """Refuse intervals of months, days and nanoseconds that are finer than any database's."""
    import pyarrow as pa

    for name, values in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_interval(values.type) and any(value is not None and value.nanoseconds % 1000 for value in values.to_pylist()):
            raise BatchRefused(f"Column {name} holds an interval finer than microseconds.", "Round it in a step before.")


def _plain_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if types.is_decimal(kind) and not types.is_decimal128(kind) and kind.precision <= _LONGEST_DECIMAL128:
        return pa.decimal128(kind.precision, kind.scale)
    if isinstance(kind, pa.BaseExtensionType):
        return pa.string() if _is_uuid(kind) else _plain_type(kind.storage_type)
    for is_it, wanted in (
        (types.is_time, pa.time64("us")),
        (types.is_date64, pa.date32()),
        (types.is_float16, pa.float32()),
        (types.is_duration, pa.duration("us")),
    ):
        if is_it(kind):
            return wanted
    return kind


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(values.type, pa.BaseExtensionType):
        is_uuid = _is_uuid(values.type)
        chunks = [uuid_texts(chunk.storage) if is_uuid else chunk.storage for chunk in values.chunks]
        values = pa.chunked_array(chunks, pa.string() if is_uuid else values.type.storage_type)
    return pc.run_end_decode(values) if pa.types.is_run_end_encoded(values.type) else values


def _is_uuid(kind: pa.DataType) -> bool:
    return bool(getattr(kind, "extension_name", "") == "arrow.uuid")


def word_for(kind: pa.DataType, words: dict[str, str]) -> str:
    """Return the type of a column that holds an Arrow type, by the words of a database."""
    import pyarrow as pa

    types = pa.types
    if types.is_boolean(kind):
        return words["boolean"]
    if types.is_integer(kind):
        return words["unsigned"] if kind == pa.uint64() else words["integer"]
    if types.is_floating(kind):
        return words["float"]
    if types.is_decimal(kind):
        return words["decimal"].format(precision=kind.precision, scale=kind.scale)
    if types.is_timestamp(kind):
        return words["timestamptz" if kind.tz else "timestamp"]
    for is_it, word in ((types.is_date, "date"), (types.is_time, "time"), (types.is_nested, "json")):
        if is_it(kind):
            return words[word]
    if any(is_it(kind) for is_it in (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)):
        return words["bytes"]
    if any(is_it(kind) for is_it in (types.is_string, types.is_large_string, types.is_string_view, types.is_null)):
        return words["text"]
    raise BatchRefused(f"A column of type {kind} cannot be stored.", "Make another type of it in a step before.")


def rows_of(table: pa.Table, convert: Callable[[pa.DataType], Callable[[Any], Any] | None]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a batch as tuples; `convert` says how the values of a type are sent, None for as they are."""
    columns = []
    for column in table.columns:
        values = column.to_pylist()
        change = convert(column.type)
        columns.append([None if value is None else change(value) for value in values] if change else values)
    yield from zip(*columns, strict=True)
