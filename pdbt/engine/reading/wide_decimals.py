"""Decimals of more than 38 digits in Parquet files, which DuckDB would read as rounded DOUBLEs.

Arrow, pandas and Spark write them for a value of few digits, too, when only the type is wide. Such a file is written once more with
decimals of 38 digits; one that holds a longer number is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from ..errors import MissingLibrary, SourceError
from .casts import literal

if TYPE_CHECKING:
    import pyarrow as pa

DIGITS = 38
_BATCH_ROWS = 50_000


def files_with_wide_decimals(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> set[Path]:
    """Return those of some Parquet files that have a decimal of more than 38 digits; none if a file cannot be read."""
    listed = ", ".join(literal(str(path)) for path in paths)
    try:
        found = connection.execute(f"SELECT DISTINCT file_name FROM parquet_schema([{listed}]) WHERE precision > {DIGITS}").fetchall()
    except duckdb.Error:  # whatever reads the files says what is wrong with them
        return set()
    return {Path(str(name)) for (name,) in found}


def narrowed(path: Path, make_folder: Callable[[], Path]) -> Path:
    """Return a copy of a Parquet file, of the same name, whose decimals have at most 38 digits.

    Args:
        path: the file.
        make_folder: returns a new path for the folder of the copy.

    Raises:
        SourceError: it cannot be read, or holds a number that is longer; names the column.
        MissingLibrary: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ModuleNotFoundError:
        raise MissingLibrary("pyarrow", f"Reading the decimals of more than {DIGITS} digits in {path.name}") from None
    folder = make_folder()
    folder.mkdir()
    copy = folder / path.name
    try:
        with parquet.ParquetFile(path) as source:
            schema = pa.schema([field.with_type(_narrow(field.type)) for field in source.schema_arrow])
            with parquet.ParquetWriter(copy, schema) as target:
                for batch in source.iter_batches(_BATCH_ROWS):
                    target.write_table(pa.table([_cast(path, *pair) for pair in zip(batch.columns, schema, strict=True)], schema=schema))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path.name} cannot be read as Parquet: {str(error).partition(chr(10))[0]}.", path=str(path)) from error
    return copy


def _cast(path: Path, column: pa.Array, field: pa.Field) -> pa.Array:
    import pyarrow as pa

    try:
        return column if column.type == field.type else column.cast(field.type)
    except pa.ArrowInvalid as error:
        message = f"{path.name}: column {field.name} holds a number of more than {DIGITS} digits, which no type of the database holds."
        raise SourceError(message, "Write the column as text in this file.", path=str(path), column=field.name) from error


def _narrow(kind: pa.DataType) -> pa.DataType:
    """Return a type with every decimal in it, however deep, of at most 38 digits."""
    import pyarrow as pa

    if pa.types.is_decimal(kind) and kind.precision > DIGITS:
        return pa.decimal128(DIGITS, min(kind.scale, DIGITS))
    if pa.types.is_map(kind):
        return pa.map_(_narrow(kind.key_type), _narrow(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_narrow(field.type)) for field in kind])
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_narrow(kind.value_type), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(_narrow(kind.value_type))
    return pa.list_(_narrow(kind.value_type)) if pa.types.is_list(kind) else kind
