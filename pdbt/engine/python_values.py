"""Values between tables and pandas: each arrives equal, or is refused by its column's name.

pandas has types that no database has (a Period is a number of months to Arrow), and its columns of objects hold whatever they are
given; a date is a moment to it.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .errors import BuildError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# pandas counts in doubles where an integer is missing; beyond this they no longer hold every integer.
_EXACT_IN_DOUBLE = 2**53
_MICROSECONDS_OF_A_DAY = 86_400_000_000
_CHANGE = "Convert the column in this table's code."


def as_frame(rows: pa.Table, label: str = "") -> pd.DataFrame:
    """Return a DataFrame with types that pandas computes with, where these hold every value.

    Dates become datetime64[s], by which `as_rows` knows them again. Decimals (DuckDB sums integers to some) become integers or doubles.
    Integers of which some are missing become doubles, as pandas has it, or Int64 where a double would alter one.

    Raises:
        BuildError: a time of day is finer than Python's, or 24:00:00.
    """
    import pandas as pd
    import pyarrow as pa

    named = list(zip(rows.column_names, rows.columns, strict=True))
    rows = pa.table([_for_pandas(column, f"{label}: column {name}") for name, column in named], names=rows.column_names)
    frame: pd.DataFrame = rows.to_pandas(date_as_object=False)
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if pa.types.is_integer(column.type) and column.null_count and _largest(column) > _EXACT_IN_DOUBLE:
            frame[name] = pd.array(column.to_pylist(), dtype="Int64" if pa.types.is_signed_integer(column.type) else "UInt64")
    return frame


def date_columns(rows: pa.Table) -> set[str]:
    """Return the names of the columns of a table that are dates."""
    import pyarrow as pa

    return {field.name for field in rows.schema if pa.types.is_date(field.type)}


def as_rows(frame: pd.DataFrame, label: str, dates: Collection[str] | None) -> pa.Table:
    """Return the rows of a DataFrame.

    Args:
        frame: the result of a Python table.
        label: the table's file, for errors.
        dates: the names of dates among the tables that it was made of; None leaves moments as they are, as batches of a stream need it,
            of which one may hold beginnings of days alone.

    Raises:
        BuildError: a column holds values that would be altered.
        pyarrow.ArrowException, TypeError, ValueError, OverflowError: Arrow has no type for a column.
    """
    import pyarrow as pa

    frame = frame.copy(deep=False)
    for place in range(frame.shape[1]):
        series = frame.iloc[:, place]
        plain = _plain(series, f"{label}: column {frame.columns[place]}")
        if plain is not series:
            frame.isetitem(place, plain.array)
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (UnicodeError, OverflowError) as error:  # which do not say of which column
        raise BuildError(f"{label}: {_unfit(frame, error)}", _CHANGE) from error
    if dates is None:
        return table
    columns = [_as_dates(column) if column.type == pa.timestamp("s") or name in dates else column for name, column in _named(table)]
    return pa.table(columns, names=table.column_names)


def _unfit(frame: pd.DataFrame, error: Exception) -> str:
    """Return what is wrong with the first column that Arrow does not take."""
    import pyarrow as pa

    for place, name in enumerate(frame.columns):
        try:
            pa.Array.from_pandas(frame.iloc[:, place])
        except (UnicodeError, OverflowError):
            return f"column {name} holds what no type of the database holds: {error}"
    return str(error)


def _named(table: pa.Table) -> list[tuple[str, pa.ChunkedArray]]:
    return list(zip(table.column_names, table.columns, strict=True))


# To pandas ----------------------------------------------------------------------------------------------------------------


def _for_pandas(column: pa.ChunkedArray, what: str) -> pa.ChunkedArray:
    """Return a column of a type that pandas computes with, unless that would alter a value."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_decimal(kind):
        return _without_decimals(column)
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(kind) and kind.unit in ("s", "ms"):  # seconds are what tells a date
        return column.cast(pa.timestamp("us", kind.tz))
    if pa.types.is_time64(kind):
        _require_times(column, what)
    return column


def _require_times(column: pa.ChunkedArray, what: str) -> None:
    """Refuse a time of day that Python's own would cut or turn round to midnight."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ticks = column.cast(pa.int64())
    per_microsecond = 1000 if column.type.unit == "ns" else 1
    if (pc.max(ticks).as_py() or 0) >= _MICROSECONDS_OF_A_DAY * per_microsecond:
        raise BuildError(f"{what} holds the time 24:00:00, which Python does not have.", "Convert it in the SQL of that table.")
    if per_microsecond > 1 and _finer(ticks):
        raise BuildError(f"{what} holds a time finer than Python's microseconds.", "Convert it in the SQL of that table.")


def _finer(nanoseconds: pa.ChunkedArray) -> bool:
    """Return True if one of these is not a whole number of microseconds."""
    import pyarrow.compute as pc

    whole = pc.multiply(pc.divide(nanoseconds, 1000), 1000)
    return bool(pc.any(pc.not_equal(whole, nanoseconds)).as_py())


def _without_decimals(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return decimals as integers or doubles, unless these would alter a value."""
    import pyarrow as pa

    scale = column.type.scale
    if scale == 0:
        return column.cast(pa.int64()) if _largest(column) < 2**63 else column
    return column.cast(pa.float64()) if _largest(column) * 10**scale <= _EXACT_IN_DOUBLE else column


def _largest(column: pa.ChunkedArray) -> Any:
    """Return the largest distance from 0 of a column of numbers; 0 if it has none."""
    import pyarrow.compute as pc

    ends = pc.min_max(column).as_py()
    return 0 if ends["min"] is None else max(abs(ends["min"]), abs(ends["max"]))


# From pandas --------------------------------------------------------------------------------------------------------------


def _plain(series: pd.Series[Any], what: str) -> pd.Series[Any]:
    """Return a column whose values Arrow takes as they are; what only pandas has becomes the text that pandas shows."""
    import numpy as np
    import pandas as pd

    kind = series.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return series if _plain(kind.categories.to_series(), what).dtype == kind.categories.dtype else _plain(series.astype(object), what)
    if isinstance(kind, pd.SparseDtype):
        dense: pd.Series[Any] = pd.Series(np.asarray(series.array), index=series.index)
        return dense
    if isinstance(kind, (pd.PeriodDtype, pd.IntervalDtype)):
        return _as_text(series)
    if kind == "timedelta64[ns]" and (series.dropna().astype("int64") % 1000 != 0).any():
        raise BuildError(f"{what} holds a duration finer than microseconds.", _CHANGE)
    return _plain_objects(series, what) if kind.kind == "O" and not pd.api.types.is_extension_array_dtype(kind) else series


def _plain_objects(series: pd.Series[Any], what: str) -> pd.Series[Any]:
    """Return a column of Python objects, if Arrow would take each of them whole."""
    import pandas as pd

    known = series.dropna()
    kinds = set(map(type, known))
    if kinds and all(issubclass(kind, (pd.Period, pd.Interval)) for kind in kinds):
        return _as_text(series)
    if (
        kinds
        and all(issubclass(kind, int) and kind is not bool for kind in kinds)
        and any(not -(2**63) <= value < 2**63 for value in known)
    ):
        return series.map(Decimal, na_action="ignore")
    moments = {kind for kind in kinds if issubclass(kind, datetime.datetime)}
    if moments and any(issubclass(kind, datetime.date) for kind in kinds - moments):
        raise BuildError(f"{what} holds dates and moments: the times of day would be lost.", _CHANGE)
    if moments and len({value.tzinfo is None for value in known if isinstance(value, datetime.datetime)}) > 1:
        raise BuildError(f"{what} holds moments with a time zone and without one.", _CHANGE)
    if any(isinstance(value, pd.Timestamp) and value.nanosecond for value in known if moments):
        raise BuildError(f"{what} holds moments finer than microseconds, as objects.", "Convert the column with pandas.to_datetime.")
    if datetime.time in kinds and any(value.tzinfo is not None for value in known if isinstance(value, datetime.time)):
        raise BuildError(f"{what} holds times of day with a time zone, which would be lost.", _CHANGE)
    if kinds & {set, frozenset}:
        raise BuildError(f"{what} holds sets, whose order changes from run to run.", "Convert them to sorted lists.")
    return series


def _as_text(series: pd.Series[Any]) -> pd.Series[Any]:
    missing = series.isna()
    return series.astype(object).map(str).mask(missing, None).astype("str")


def _as_dates(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return moments as dates, if each of them is the beginning of a day."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(column.type) or column.type.tz is not None:
        return column
    days = column.cast(pa.date32(), safe=False)
    same = pc.all(pc.equal(days.cast(column.type, safe=False), column)).as_py()
    return days if same is not False else column


def with_named_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Make columns of the index's named levels: what was grouped by is in them."""
    levels = [name for name in frame.index.names if name is not None and name not in frame.columns]
    return frame.reset_index(level=levels) if levels else frame
