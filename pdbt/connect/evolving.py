"""A Parquet file that is written batch by batch, though a later batch may have columns or types that the first one had not.

An API leaves out what is empty, so that a page tells little of the columns of the next one. As long as batches fit what is there, they
are written to one file; one that does not begins another, and in the end all of them become one. A value is never changed: a whole
number becomes a fraction only where that holds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.errors import PdbtError
from .base import first_line
from .values import uuid_texts

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAX_DIGITS = 38
_INTEGER_DIGITS = 19
_UUID = "arrow.uuid"
_KNOWN_EXTENSIONS = (_UUID, "arrow.json")


class EvolvingParquet:
    """A Parquet file on its way."""

    def __init__(self, path: Path, label: str, metadata: dict[str, str], schema: pa.Schema | None = None) -> None:
        """Prepare to write.

        Args:
            path: the file, which is there once this is closed, if a batch came or the schema is known.
            label: the script, for error texts.
            metadata: what the file says of itself.
            schema: that of all batches, where it is known.
        """
        self.rows = 0
        self._path = path
        self._label = label
        self._metadata = metadata
        self._schema = schema
        self._writer: pq.ParquetWriter | None = None
        self._parts: list[Path] = []
        if schema is not None:
            self._begin(schema)

    def write(self, batch: pa.RecordBatch, *, optional: bool = False) -> None:
        """Append a batch.

        Args:
            batch: the rows.
            optional: whether they may lack columns of others, and have more; else the columns must be those of the first batch.

        Raises:
            PdbtError: a column is of two types that no third one holds unchanged, or the columns are others.
        """
        batch = self._plain(batch)
        if self._schema is None:
            self._begin(batch.schema)
        assert self._schema is not None  # noqa: S101 - it has begun
        if not optional and batch.schema.names != self._schema.names:
            names = ", ".join(self._schema.names), ", ".join(batch.schema.names)
            raise PdbtError(
                f"{self._label} yields the columns {names[0]}, then {names[1]}.", "All that it yields must have the same columns."
            )
        fitted = _fitted(batch, self._schema)
        if fitted is None:
            self._begin(self._united(batch))
            fitted = self._cast(batch, self._schema)
        assert self._writer is not None  # noqa: S101 - it has begun
        self._writer.write_batch(fitted)
        self.rows += batch.num_rows

    def close(self, *, keep: bool) -> None:
        """Make one file of what was written, where it is to be kept."""
        import pyarrow.parquet as pq

        if self._writer is not None:
            self._writer.close()
            self._writer = None
        try:
            if keep and self._schema is not None:
                final = self._marked(_without_nulls(self._schema))
                if len(self._parts) == 1 and final == self._schema:
                    self._parts[0].replace(self._path)
                    return
                with pq.ParquetWriter(self._path, final) as writer:
                    for part in self._parts:
                        with pq.ParquetFile(part) as read:
                            for batch in read.iter_batches():
                                writer.write_batch(self._cast(batch, final))
        finally:
            for part in self._parts:
                part.unlink(missing_ok=True)

    def _begin(self, schema: pa.Schema) -> None:
        """Begin a file for batches of a schema."""
        import pyarrow.parquet as pq

        if self._writer is not None:
            self._writer.close()
        self._schema = self._marked(schema)
        self._parts.append(self._path.with_name(f"{self._path.name}.{len(self._parts)}"))
        self._writer = pq.ParquetWriter(self._parts[-1], self._schema)

    def _marked(self, schema: pa.Schema) -> pa.Schema:
        return schema.with_metadata(self._metadata)

    def _united(self, batch: pa.RecordBatch) -> pa.Schema:
        """Return the columns of what is there and of a batch, each of a type that holds both."""
        import pyarrow as pa

        assert self._schema is not None  # noqa: S101 - it has begun
        fields = {field.name: field.type for field in self._schema}
        for field in batch.schema:
            was = fields.get(field.name, field.type)
            found = common_type(was, field.type)
            if found is None:
                raise self._differs(field.name, f"is {was} at first, and then {field.type}")
            fields[field.name] = found
        return pa.schema([pa.field(name, type_) for name, type_ in fields.items()])

    def _cast(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """Return a batch with the columns of a schema; refuse a value that would become another one."""
        import pyarrow as pa

        arrays = []
        for field in schema:
            place = batch.schema.get_field_index(field.name)
            try:
                array = pa.nulls(batch.num_rows, field.type) if place < 0 else batch.column(place).cast(field.type)
            except (pa.ArrowException, ValueError) as error:
                raise self._differs(field.name, f"holds values that are not of one type: {first_line(error)}") from None
            arrays.append(array)
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _plain(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch in types that a file keeps: dictionaries as their words, UUIDs as text; others are refused."""
        import pyarrow as pa

        arrays = []
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            found = array
            if isinstance(found, pa.ExtensionArray):
                known = getattr(found.type, "extension_name", "")
                if known not in _KNOWN_EXTENSIONS:
                    raise self._differs(name, f"is of type {found.type}, which no file keeps")
                found = uuid_texts(found.storage) if known == _UUID else found.storage
            if pa.types.is_dictionary(found.type):
                found = found.dictionary_decode()
            if pa.types.is_duration(found.type):
                raise self._differs(name, f"is of type {found.type}, which no file keeps")
            arrays.append(found)
        return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)

    def _differs(self, name: str, how: str) -> PdbtError:
        return PdbtError(f"{self._label}: column {name} {how}.", "Give each column one type in the script, as text or numbers.")


def common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return a type that may hold the values of two, each as it is; None when there is none."""
    import pyarrow as pa

    types = pa.types
    if one.equals(other) or types.is_null(other):
        return one
    if types.is_null(one):
        return other
    if types.is_struct(one) and types.is_struct(other):
        return _common_struct(one, other)
    if types.is_list(one) and types.is_list(other):
        inner = common_type(one.value_type, other.value_type)
        return None if inner is None else pa.list_(inner)
    if types.is_timestamp(one) and types.is_timestamp(other) and one.tz == other.tz:
        units = ("s", "ms", "us", "ns")
        return pa.timestamp(units[max(units.index(one.unit), units.index(other.unit))], one.tz)
    text = (types.is_string, types.is_large_string, types.is_string_view)
    if any(is_(one) for is_ in text) and any(is_(other) for is_ in text):
        return pa.large_string()
    return _common_number(one, other)


def _common_number(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    import pyarrow as pa

    kinds = [(pa.types.is_integer(type_), pa.types.is_floating(type_), pa.types.is_decimal(type_)) for type_ in (one, other)]
    if not all(any(kind) for kind in kinds):
        return None
    if all(kind[0] for kind in kinds):
        return pa.uint64() if pa.types.is_unsigned_integer(one) and pa.types.is_unsigned_integer(other) else pa.int64()
    if not any(kind[2] for kind in kinds):
        return pa.float64()
    if any(kind[1] for kind in kinds):  # a fraction of two is seldom one of ten
        return None
    parts = [(type_.precision - type_.scale, type_.scale) if pa.types.is_decimal(type_) else (_INTEGER_DIGITS, 0) for type_ in (one, other)]
    scale = max(part[1] for part in parts)
    digits = max(part[0] for part in parts) + scale
    return pa.decimal128(digits, scale) if digits <= MAX_DIGITS else None


def _common_struct(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    import pyarrow as pa

    fields = {field.name: field.type for field in one}
    for field in other:
        found = common_type(fields.get(field.name, field.type), field.type)
        if found is None:
            return None
        fields[field.name] = found
    return pa.struct([pa.field(name, type_) for name, type_ in fields.items()])


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch | None:
    """Return a batch in the types that are there, where these hold all of its values; None where they do not."""
    import pyarrow as pa

    if batch.schema.equals(schema):
        return pa.RecordBatch.from_arrays(batch.columns, schema=schema)
    if any(name not in schema.names for name in batch.schema.names):
        return None
    arrays = []
    for field in schema:
        place = batch.schema.get_field_index(field.name)
        array = pa.nulls(batch.num_rows, field.type) if place < 0 else batch.column(place)
        if not array.type.equals(field.type):
            if not _may_fit(array.type, field.type):
                return None
            try:
                array = array.cast(field.type)
            except (pa.ArrowException, ValueError):
                return None
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _may_fit(type_: pa.DataType, wanted: pa.DataType) -> bool:
    """Return True if a cast between two types refuses each value that it would change."""
    import pyarrow as pa

    types = pa.types
    if types.is_null(type_):
        return True
    if types.is_integer(type_):
        return bool(types.is_integer(wanted) or types.is_floating(wanted) or types.is_decimal(wanted))
    if types.is_floating(type_):
        return bool(types.is_integer(wanted) or (types.is_float64(wanted) and not types.is_float64(type_)))
    if types.is_decimal(type_):
        return bool(types.is_integer(wanted) or types.is_decimal(wanted))
    return bool(types.is_timestamp(type_) and types.is_timestamp(wanted) and type_.tz == wanted.tz)


def _without_nulls(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which a column without any value is text, for it must be something."""
    import pyarrow as pa

    fields = [pa.field(field.name, pa.string() if pa.types.is_null(field.type) else field.type) for field in schema]
    return pa.schema(fields)
