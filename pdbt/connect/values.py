"""Arrow columns made into what a database sends or takes, each value unchanged or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from .base import Column, TransferRefused
from .kinds import UNKNOWN, arrow_type, decimal, element, own

if TYPE_CHECKING:
    import pyarrow as pa

UUID_BYTES = 16
_UUID_PARTS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))  # of its digits, between dashes
_MICROSECONDS_A_DAY = 86_400_000_000
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, counted from 1970-01-01
DATES_OUTSIDE = "a date outside of the years 1 to 9999"


def convert(batch: pa.RecordBatch, columns: Sequence[Column]) -> pa.RecordBatch:
    """Return a batch in the Arrow types of the kinds of its columns.

    Raises:
        TransferRefused: a value does not fit; names the column.
    """
    import pyarrow as pa

    arrays = [converted(array, column) for array, column in zip(batch.columns, columns, strict=True)]
    if not any(own(column.kind) for column in columns):
        return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])
    # What a product says besides of a type of its own stands at the field.
    fields = [
        pa.field(column.name, array.type, metadata=batch.schema.field(place).metadata if own(column.kind) else None)
        for place, (array, column) in enumerate(zip(arrays, columns, strict=True))
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def converted(array: pa.Array, column: Column) -> pa.Array:
    """Return a column in the Arrow type of its kind. Raises TransferRefused."""
    import pyarrow as pa

    if own(column.kind) is not None:
        return array
    wanted = arrow_type(column.kind if column.kind != UNKNOWN else "VARCHAR")
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    try:
        if array.type != wanted:
            array = _cast(array, wanted, column.kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise refused(column, _not_a_number(array, column.kind) or str(error).splitlines()[0]) from None
    check_range(array, column)
    return array


def _not_a_number(array: pa.Array, kind: str) -> str:
    """Return which values a decimal does not have that a numeric of PostgreSQL may be; the empty text when there are none."""
    import pyarrow as pa

    if decimal(kind) is None or not pa.types.is_string(array.type):
        return ""
    odd = next((value for value in array.to_pylist() if value in ("NaN", "Infinity", "-Infinity")), None)
    return f"{odd}, which {kind} has not" if odd else ""


def refused(column: Column, reason: str) -> TransferRefused:
    """Return the refusal of a column's value, with the setting that would allow it."""
    return TransferRefused(
        f"Column {column.name} ({column.native}) holds {reason}.",
        f"To send it as text: --cast {column.name}=VARCHAR",
        column=column.name,
        kind=column.kind,
        in_script=f"Cast {column.name} to text in the SELECT, or leave such rows out with WHERE.",
    )


def _cast(array: pa.Array, wanted: pa.DataType, kind: str) -> pa.Array:
    import pyarrow as pa

    if kind == "UUID":
        return uuid_bytes(array) if pa.types.is_string(array.type) else array.cast(wanted)
    if kind == "BOOLEAN" and pa.types.is_integer(array.type):
        return _booleans(array)
    if kind == "BOOLEAN" and pa.types.is_string(array.type):
        return _booleans(array.cast(pa.int64()))
    if kind == "TIMESTAMPTZ" and pa.types.is_string(array.type):
        return array.cast(pa.timestamp("us")).cast(pa.int64()).cast(wanted)
    if kind == "TIME" and pa.types.is_string(array.type):
        return _times(array)
    if kind == "FLOAT" and pa.types.is_string(array.type):
        array = array.cast(pa.float64())
    if element(kind) is not None and pa.types.is_list(array.type):
        inner = converted(array.values, Column("element", element(kind) or "", kind))
        return pa.ListArray.from_arrays(array.offsets, inner, mask=array.is_null()) if not array.offset else array.cast(wanted)
    if pa.types.is_floating(array.type) and (pa.types.is_floating(wanted) or pa.types.is_decimal(wanted)):
        return _narrowed(array, wanted, kind)
    return array.cast(wanted)


def _narrowed(array: pa.Array, wanted: pa.DataType, kind: str) -> pa.Array:
    """Return floats in a type that may hold fewer digits: Arrow rounds without a word, so each value must come back as it was."""
    import pyarrow as pa
    import pyarrow.compute as pc

    made = array.cast(wanted)
    if pa.types.is_decimal(wanted) or array.type.bit_width > wanted.bit_width:
        same = pc.or_(pc.equal(made.cast(array.type), array), pc.is_nan(array))
        if not pc.all(same, min_count=0).as_py():
            raise ValueError(f"a number that {kind} does not hold with all its digits")
    return made


def _times(array: pa.Array) -> pa.Array:
    """Read times of day as the times of one day: Arrow reads no times from text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.binary_join_element_wise("1970-01-01", array, " ").cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.time64("us"))


def _booleans(array: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.any(pc.invert(pc.is_in(array, pa.array([0, 1], array.type), skip_nulls=False)) if not array.null_count else _odd(array)).as_py():
        raise ValueError("a number that is neither 0 nor 1")
    return array.cast(pa.bool_())


def _odd(array: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.invert(pc.is_in(array.drop_null(), pa.array([0, 1], array.type)))


def check_range(array: pa.Array, column: Column) -> None:
    """Refuse dates and times that not every database holds: infinite ones, and years before 1 or after 9999."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.kind
    if kind not in ("DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ") or not len(array):
        return
    numbers = array.cast(pa.int32()).cast(pa.int64()) if kind == "DATE" else array.cast(pa.int64())
    least, most = (pc.min_max(numbers)[name].as_py() for name in ("min", "max"))
    if least is None:
        return
    unit = 1 if kind == "DATE" else _MICROSECONDS_A_DAY
    first, last = (0, 0) if kind == "TIME" else (_FIRST_DAY, _LAST_DAY)
    if least < first * unit or most >= (last + 1) * unit:
        raise refused(column, "a time outside of one day" if kind == "TIME" else DATES_OUTSIDE)


def refuse_not_finite(batch: pa.RecordBatch, columns: Sequence[Column], product: str, *, infinite: bool) -> None:
    """Refuse NaN, and infinities where these are not held either, for a database that would turn them into something else."""
    import pyarrow.compute as pc

    for array, column in zip(batch.columns, columns, strict=True):
        if column.kind not in ("FLOAT", "DOUBLE"):
            continue
        odd = pc.invert(pc.is_finite(array)) if infinite else pc.is_nan(array)
        if pc.any(odd).as_py():
            raise refused(column, f"NaN{' or an infinity' if infinite else ''}, which {product} has not")


# UUID -----------------------------------------------------------------------------------------------------------------


def uuid_bytes(texts: pa.Array) -> pa.Array:
    """Return UUIDs, given as text, as 16 bytes each. Raises ValueError for what is no UUID."""
    import pyarrow as pa

    known = texts.drop_null()
    joined = "".join(known.to_pylist()).replace("-", "")
    digits = bytes.fromhex(joined)
    if len(digits) != UUID_BYTES * len(known):
        raise ValueError("text that is no UUID")
    values = pa.FixedSizeBinaryArray.from_buffers(pa.binary(UUID_BYTES), len(known), [None, pa.py_buffer(digits)])
    return _spread(values, texts)


def uuid_texts(array: pa.Array) -> pa.Array:
    """Return UUIDs, given as 16 bytes each, as text in lower case."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = array.drop_null()
    digits = pa.py_buffer(b"".join(known.to_pylist()).hex().encode())
    plain = pa.FixedSizeBinaryArray.from_buffers(pa.binary(2 * UUID_BYTES), len(known), [None, digits]).cast(pa.string())
    parts = [pc.utf8_slice_codeunits(plain, start, stop) for start, stop in _UUID_PARTS]
    return _spread(pc.binary_join_element_wise(*parts, "-"), array)


def with_uuid_texts(batch: pa.RecordBatch, columns: Sequence[Column]) -> list[pa.Array]:
    """Return the columns of a batch, UUIDs as text."""
    return [uuid_texts(array) if column.kind == "UUID" else array for array, column in zip(batch.columns, columns, strict=True)]


def _spread(values: pa.Array, like: pa.Array) -> pa.Array:
    """Put values back between the NULLs of the array that they came from."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not like.null_count:
        return values
    places = pc.subtract(pc.cumulative_sum(pc.cast(like.is_valid(), pa.int64())), 1)
    return values.take(pc.if_else(like.is_valid(), places, pa.scalar(None, pa.int64())))


# Streams --------------------------------------------------------------------------------------------------------------


def mapped(batches: Iterator[pa.RecordBatch], function: Callable[[pa.RecordBatch], pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield each batch as a function makes it."""
    for batch in batches:
        yield function(batch)


def text_form(array: pa.Array, kind: str) -> pa.Array:
    """Return values as the text that SQLite keeps: ISO dates and times, decimals with all their digits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "UUID":
        return uuid_texts(array)
    if kind == "TIMESTAMPTZ":
        return pc.binary_join_element_wise(array.cast(pa.timestamp("us")).cast(pa.string()), "+00:00", "")
    if decimal(kind) is not None:
        return _decimal_texts(array)
    return array.cast(pa.string())


def _decimal_texts(array: pa.Array) -> pa.Array:
    """Return decimals as plain digits: Arrow would write small ones with an exponent."""
    import pyarrow as pa

    return pa.array([None if value is None else format(value, "f") for value in array.to_pylist()], pa.string())
