"""Layout of a table that batches are stored in: its columns, those that had no value yet, and batches arranged for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.databases.name_limits import too_long
from ..errors import BatchRefused
from .fitting import Misfit, TableColumn
from .stores import Store

if TYPE_CHECKING:
    import pyarrow as pa


class Layout:
    """The columns of a table.

    Attributes:
        columns: its columns.
        open: the names of those that the sink made for values that were all NULL: their type is not known before there is a value.
    """

    def __init__(self, store: Store, table: str, columns: Sequence[TableColumn], open_columns: frozenset[str] = frozenset()) -> None:
        """Keep the values."""
        self.columns = tuple(columns)
        self.open = open_columns
        self._store, self._table = store, table
        self._named = {column.name: column for column in columns}
        self._schema: pa.Schema | None = None
        self._order: list[TableColumn] = []

    def arranged(self, rows: pa.Table) -> pa.Table:
        """Return rows with the table's names, each column in a type in which its values are kept as they are.

        Raises:
            BatchRefused: the table lacks a column, or a value does not fit.
        """
        import pyarrow as pa

        if self._schema is None or not rows.schema.equals(self._schema):
            self._order = self._ordered(rows.column_names)
            self._schema = rows.schema
        arrays = [self._fitted(column, values) for column, values in zip(self._order, rows.columns, strict=True)]
        return pa.Table.from_arrays(arrays, names=[column.name for column in self._order])

    def needs_type(self, rows: pa.Table) -> bool:
        """Return True if there are values for a column whose type is not known yet."""
        return bool(self.open) and any(
            column.name in self.open and values.null_count < len(values)
            for column, values in zip(self._ordered(rows.column_names), rows.columns, strict=True)
        )

    def misfits(self, rows: pa.Table) -> list[tuple[str, pa.Field]]:
        """Return the open columns that rows have values for which do not fit, each with the field of the rows."""
        found = []
        for column, field, values in zip(self._ordered(rows.column_names), rows.schema, rows.columns, strict=True):
            if column.name in self.open:
                try:
                    column.fitted(values)
                except Misfit:
                    found.append((column.name, field))
        return found

    def valued(self, rows: pa.Table) -> set[str]:
        """Return the names of the open columns that rows have values for."""
        pairs = zip(self._ordered(rows.column_names), rows.columns, strict=True)
        return {column.name for column, values in pairs if column.name in self.open and values.null_count < len(values)}

    def _fitted(self, column: TableColumn, values: pa.ChunkedArray) -> pa.ChunkedArray:
        try:
            found = column.fitted(values)
        except Misfit as misfit:
            place = f"Column {column.name} of table {self._table} of {self._store.target.label}"
            raise BatchRefused(
                f"{place} is of type {column.native}, which does not hold {misfit}.",
                "Send values of that type, or give the table another one.",
            ) from None
        self._store.check_written(self._table, column, found)
        return found

    def _ordered(self, names: Sequence[str]) -> list[TableColumn]:
        """Return the table's column for each name: the one that is called so, or else the only one that differs in case."""
        folded: dict[str, list[TableColumn]] = {}
        for column in self.columns:
            folded.setdefault(column.name.lower(), []).append(column)
        order, unknown = [], []
        for name in names:
            alike = folded.get(name.lower(), [])
            if name in self._named:
                order.append(self._named[name])
            elif len(alike) == 1:
                order.append(alike[0])
            else:
                unknown.append(name)
        if unknown:
            raise BatchRefused(
                f"Table {self._table} of {self._store.target.label} has no column {', '.join(unknown)}.",
                f"Its columns are {', '.join(self._named)}.",
            )
        if len({column.name for column in order}) < len(order):
            raise _alike(names)
        return order


def check_names(table: str, product: str, names: Sequence[str]) -> None:
    """Refuse names that cannot be those of the columns of a new table, or file.

    Raises:
        BatchRefused: one is empty, or the database would cut it, or two are the same to the database.
    """
    for name in names:
        if not name:
            raise BatchRefused("A column of the batch has no name.", "Name each column.")
        if said := too_long(product, "column", name):
            raise BatchRefused(f"Table {table}: {said}", "Give it a shorter name in a step before.")
    same = names if product == "PostgreSQL" else [name.lower() for name in names]
    if len(set(same)) < len(names):
        raise _alike(names)


def _alike(names: Sequence[str]) -> BatchRefused:
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            return BatchRefused(f"The batch has two columns that are one: {seen[name.lower()]} and {name}.", "Send one of them.")
        seen[name.lower()] = name
    return BatchRefused(f"The batch has a column twice: {', '.join(names)}.", "Send one of them.")
