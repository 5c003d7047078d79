"""What a kind of database must do for a sink, and what is the same for all of them."""

from __future__ import annotations

import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...engine.errors import BuildError
from ..errors import BatchRefused
from .targets import Target

if TYPE_CHECKING:
    import pyarrow as pa

# The table that says which batches a target holds.
LEDGER = "pdbt_batches"
# The module and the class of each kind of target; its driver is loaded where it is used.
_HOMES = {
    "SQLite": ("sqlite", "SQLiteStore"),
    "DuckDB": ("duck", "DuckDBStore"),
    "PostgreSQL": ("postgresql", "PostgreSQLStore"),
    "MySQL": ("mysql", "MySQLStore"),
}


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
    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns; none when there is no such table."""

    @abstractmethod
    def create(self, table: str, schema: pa.Schema) -> None:
        """Create a table with columns that hold these."""

    @abstractmethod
    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert rows; they name columns that the table has."""

    def quoted(self, name: str) -> str:
        """Return a table's or column's name as its SQL writes it."""
        return '"' + name.replace('"', '""') + '"'

    def rest(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of what keeps others out; the next transaction takes it again."""

    def prepare_ledger(self, ledger: str) -> None:
        """Create the table of batches if it is not there."""
        self.execute(
            f"CREATE TABLE IF NOT EXISTS {ledger} (table_name VARCHAR(190) NOT NULL, node VARCHAR(190) NOT NULL, "
            "batch_id VARCHAR(300) NOT NULL, stored_rows BIGINT NOT NULL, stored_at VARCHAR(40) NOT NULL, "
            "PRIMARY KEY (table_name, node, batch_id))"
        )

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


def plain(table: pa.Table) -> pa.Table:
    """Return a batch without encodings that databases do not know, and times in microseconds.

    Raises:
        BatchRefused: a column cannot be brought into that form without loss.
    """
    import pyarrow as pa

    fields = []
    for column in table.schema:
        kind = column.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", kind.tz)
        elif pa.types.is_time(kind):
            kind = pa.time64("us")
        fields.append(pa.field(column.name, kind))
    schema = pa.schema(fields)
    if schema.equals(table.schema):
        return table
    try:
        return table.cast(schema)
    except pa.ArrowInvalid as error:
        raise BatchRefused(f"A value cannot be stored as it is: {error}.", "Round it in a step before.") from None


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


def as_json(value: object) -> str:
    """Return a list or a struct as JSON; dates and decimals in it as text."""
    return json.dumps(value, ensure_ascii=False, default=str)
