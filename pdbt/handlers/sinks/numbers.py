"""Numbers of one type made into another one, each the same number or refused."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ...connect.kinds import UNKNOWN

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_DIGITS = 76  # that an Arrow decimal has


@functools.lru_cache(1024)
def kind_of(kind: pa.DataType) -> str:
    """Return the kind of a type of numbers, as transfers call it."""
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})" if 0 <= kind.scale <= kind.precision else UNKNOWN
    kinds = {
        pa.int8(): "SMALLINT",
        pa.uint8(): "SMALLINT",
        pa.int16(): "SMALLINT",
        pa.uint16(): "INTEGER",
        pa.int32(): "INTEGER",
        pa.uint32(): "BIGINT",
        pa.int64(): "BIGINT",
        pa.uint64(): "UBIGINT",
        pa.float16(): "FLOAT",
        pa.float32(): "FLOAT",
        pa.float64(): "DOUBLE",
    }
    return kinds.get(kind, UNKNOWN)


def exactly(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """Return numbers in a type that may not hold all of them: what comes back from it is the number that was given.

    Raises:
        ValueError: a number would become another one.
    """
    import pyarrow as pa

    given, types = values.type, pa.types
    if types.is_decimal(wanted):
        return _decimals(values, wanted)
    if types.is_floating(wanted):
        # By its digits: Arrow itself makes 19.990000000000002 of the decimal 19.99. It refuses integers of more than 53 bits.
        wide = (values.cast(pa.string()) if types.is_decimal(given) else values).cast(pa.float64())
        found = wide.cast(wanted)
        return _required(found, _same_floats(found.cast(pa.float64()), wide) if types.is_floating(given) else _same_digits(found, values))
    return values.cast(wanted)  # to integers, Arrow itself refuses fractions and what is out of range


def _decimals(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa

    if pa.types.is_integer(values.type):
        values = values.cast(pa.decimal256(_MOST_DIGITS, 0))
    elif pa.types.is_floating(values.type):
        floats = values.cast(pa.float64())
        found = floats.cast(pa.string()).cast(wanted)  # by the fewest digits that are this number
        return _required(found, _same_floats(found.cast(pa.string()).cast(pa.float64()), floats))  # Arrow makes 0 of 1e-311
    found = values.cast(wanted)
    return _required(found, found.cast(values.type).equals(values))  # Arrow lets digits run over that 128 bits do not hold


def _same_floats(found: pa.ChunkedArray, wanted: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    same = pc.or_(pc.equal(found, wanted), pc.and_(pc.is_nan(found), pc.is_nan(wanted)))
    return pc.all(same).as_py() is not False


def _same_digits(found: pa.ChunkedArray, values: pa.ChunkedArray) -> bool:
    """Return True if the digits of floats are those of the integers or decimals that they came from."""
    import pyarrow as pa

    if pa.types.is_integer(values.type):
        return bool(found.cast(pa.float64()).cast(values.type).equals(values))
    return bool(_decimals(found, values.type).equals(values))


def _required(found: pa.ChunkedArray, holds: bool) -> pa.ChunkedArray:
    if not holds:
        raise ValueError("not the same number")
    return found
