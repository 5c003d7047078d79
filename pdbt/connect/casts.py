"""`--cast column=type`: values made into what the person asked for, by DuckDB's rules; a value that does not fit ends the transfer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from .base import Column, TransferRefused, on_one_line
from .kinds import UNKNOWN, own
from .sql import quoted
from .values import convert

if TYPE_CHECKING:
    import pyarrow as pa


def casting(batches: Iterator[pa.RecordBatch], columns: Sequence[Column], casts: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """Yield batches whose cast columns, which come as text, are of the kind that the person named.

    Raises:
        TransferRefused: a value is not of that kind.
    """
    if not any(kind != "VARCHAR" for kind in casts.values()):
        yield from batches
        return
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    if any(own(column.kind) for column in columns):
        connection.execute("SET arrow_lossless_conversion = true")
    shown = ", ".join(_expression(column, casts) for column in columns)
    read = [
        Column(column.name, UNKNOWN if column.name in casts and column.kind == "UUID" else column.kind, column.native) for column in columns
    ]
    try:
        for batch in batches:
            connection.register("batch", batch)
            try:
                found = connection.sql(f"SELECT {shown} FROM batch").to_arrow_table()
            except duckdb.Error as error:
                raise TransferRefused(f"A cast failed: {on_one_line(error).rstrip('.')}.", "Choose another type with --cast.") from None
            for piece in found.combine_chunks().to_batches():
                yield convert(convert(piece, read), columns)
    finally:
        connection.close()


def _expression(column: Column, casts: Mapping[str, str]) -> str:
    name = quoted(column.name)
    if casts.get(column.name, "VARCHAR") == "VARCHAR":
        return name
    kind = casts[column.name]
    if kind in ("UUID", "JSON"):
        return f"CAST(CAST({name} AS {kind}) AS VARCHAR) AS {name}"
    return f"CAST({name} AS {kind}) AS {name}"
