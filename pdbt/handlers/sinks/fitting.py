"""Columns of a table that batches are stored in, and what of a batch fits into them: each value arrives equal, or is refused."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...connect.kinds import UNKNOWN, holds
from ...connect.values import uuid_bytes, uuid_texts
from . import numbers

if TYPE_CHECKING:
    import pyarrow as pa

# Returns what of some values does not fit, in half a sentence; empty when all do.
Check = Callable[["pa.ChunkedArray"], str]
_SHOWN = 60
_MICROSECONDS_A_DAY = 86_400_000_000
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, counted from 1970-01-01


class Misfit(ValueError):
    """A value that a column does not hold unchanged; the message says which, and why."""


@dataclass(frozen=True)
class TableColumn:
    """A column of a table.

    Attributes:
        name: its name.
        native: its type in the words of its database.
        kind: the kind of its values, as transfers call it; unknown for a type that no other database has.
        type: the Arrow type of its values; None where there is none.
        checks: what the type does not say of its values: a length, a number of decimals, no NaN.
        takes: other families of values that its database keeps in such a column unchanged.
        converts: brings values of any type into the column, instead of the usual way.
    """

    name: str
    native: str
    kind: str
    type: pa.DataType | None
    checks: tuple[Check, ...] = ()
    takes: frozenset[str] = frozenset()
    converts: Callable[[pa.ChunkedArray], pa.ChunkedArray] | None = None

    def fitted(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return values in a type in which the database keeps them as they are.

        Raises:
            Misfit: a value does not fit.
        """
        import pyarrow as pa

        if values.null_count == len(values):
            return values
        try:
            found = self.converts(values) if self.converts is not None else self._converted(values)
        except (pa.ArrowException, ValueError, OverflowError) as error:
            if len(values) > 1:  # the half that fails names the value
                middle = len(values) // 2
                self.fitted(values.slice(0, middle))
                self.fitted(values.slice(middle))
            raise error if isinstance(error, Misfit) else Misfit(shown(values)) from None
        for check in self.checks:
            if wrong := check(found):
                raise Misfit(wrong)
        return found

    def _converted(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        given = family(values.type)
        if self.kind == "UUID":
            return _uuids(values)
        if self.kind == "JSON":
            return _json(values)
        wanted = family(self.type) if self.type is not None else ""
        if given == wanted == "number":
            fits = holds(numbers.kind_of(self.type), numbers.kind_of(values.type))
            return values if fits else numbers.exactly(values, self.type)
        if given == wanted == "timestamp":
            return values.cast(self.type)  # one without a zone is UTC, in each database
        if given == wanted == "nested":
            return values if values.type == self.type else _same(values.cast(self.type), values)
        if given == wanted and given in ("date", "time", "duration") and values.type != self.type:
            return _same(values.cast(self.type), values)
        if {given, wanted} == {"boolean", "number"} and given in self.takes:
            return _truths(values) if wanted == "boolean" else values
        if given != wanted and given not in self.takes:
            raise Misfit(shown(values))
        return values


@functools.lru_cache(1024)
def family(kind: pa.DataType | None) -> str:
    """Return the family of a type: values of one family may be equal, whatever their types."""
    import pyarrow as pa

    types = pa.types
    known = {
        "null": (types.is_null,),
        "boolean": (types.is_boolean,),
        "number": (types.is_integer, types.is_floating, types.is_decimal),
        "text": (types.is_string, types.is_large_string, types.is_string_view),
        "bytes": (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view),
        "date": (types.is_date,),
        "time": (types.is_time,),
        "timestamp": (types.is_timestamp,),
        "nested": (types.is_nested,),
        "duration": (types.is_duration, types.is_interval),
    }
    return next((name for name, tests in known.items() if kind is not None and any(test(kind) for test in tests)), "other")


def shown(values: pa.ChunkedArray) -> str:
    """Return the first of some values, with its type, as a person reads it."""
    value = next((item for item in values if item.is_valid), None)
    text = repr(value.as_py()) if family(values.type) in ("text", "bytes") and value is not None else str(value)
    return f"{text if len(text) <= _SHOWN else text[:_SHOWN] + '…'} ({values.type})"


def _same(found: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return what became of values, if they can be had back from it."""
    if not found.cast(values.type).equals(values):
        raise Misfit(shown(values))
    return found


def _truths(values: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pc.all(pc.or_(pc.equal(values, pa.scalar(0, values.type)), pc.equal(values, pa.scalar(1, values.type)))).as_py():
        raise Misfit(shown(values))
    return values.cast(pa.bool_())


def _uuids(values: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    if family(values.type) == "text":
        values = pa.chunked_array([uuid_bytes(chunk.cast(pa.string())) for chunk in values.chunks], pa.binary(16))
    if values.type != pa.binary(16):
        raise Misfit(shown(values))
    return pa.chunked_array([uuid_texts(chunk) for chunk in values.chunks], pa.string())


def _json(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values as the text of JSON; text must be JSON already."""
    import pyarrow as pa

    if family(values.type) == "nested":
        return pa.chunked_array([pa.array([as_json(value) for value in values.to_pylist()], pa.string())])
    if family(values.type) != "text":
        raise Misfit(shown(values))
    for value in values.to_pylist():
        if value is not None:
            json.loads(value, parse_constant=_no_constant)
    return values


def as_json(value: object) -> str | None:
    """Return a list or a struct as JSON; dates and decimals in it as text.

    Raises:
        ValueError: it holds what JSON does not: NaN, an infinity, bytes.
    """
    return None if value is None else json.dumps(value, ensure_ascii=False, default=_json_text, allow_nan=False)


def _json_text(value: object) -> str:
    if isinstance(value, bytes):
        raise ValueError("bytes are not JSON")
    return str(value)


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not JSON")


# Checks ---------------------------------------------------------------------------------------------------------------


def within_years(values: pa.ChunkedArray) -> str:
    """Refuse dates before the year 1 or after 9999, which not every database and no Python holds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_null(kind):
        return ""
    numbers_of = values.cast(pa.int32()).cast(pa.int64()) if pa.types.is_date(kind) else values.cast(pa.int64())
    a_second = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0}[kind.unit] if pa.types.is_timestamp(kind) else _MICROSECONDS_A_DAY
    if not a_second:
        return ""  # nanoseconds reach from 1677 to 2262
    a_day = _MICROSECONDS_A_DAY // a_second
    least, most = (pc.min_max(numbers_of)[name].as_py() for name in ("min", "max"))
    outside = least is not None and (least < _FIRST_DAY * a_day or most >= (_LAST_DAY + 1) * a_day)
    return "a date outside of the years 1 to 9999" if outside else ""


def no_nan(values: pa.ChunkedArray) -> str:
    """Refuse NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return "NaN" if pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py() else ""


def finite(values: pa.ChunkedArray) -> str:
    """Refuse NaN and the infinities."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return "NaN or an infinity" if pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values)).as_py() else ""


def at_most(characters: int) -> Check:
    """Return the check of a text's length: databases cut spaces at the end off instead of refusing them."""

    def check(values: pa.ChunkedArray) -> str:
        import pyarrow.compute as pc

        if family(values.type) != "text" or (pc.max(pc.utf8_length(values)).as_py() or 0) <= characters:
            return ""
        return f"a text of more than {characters} characters"

    return check


def of_length(length: int) -> Check:
    """Return the check of a text's or of bytes' length where the database fills up what is shorter."""

    def check(values: pa.ChunkedArray) -> str:
        import pyarrow.compute as pc

        lengths = {"text": pc.utf8_length, "bytes": pc.binary_length}.get(family(values.type))
        same = lengths is None or pc.all(pc.equal(lengths(values), length)).as_py() is not False
        return "" if same else f"a value whose length is not {length}"

    return check


def no_spaces_at_the_end(values: pa.ChunkedArray) -> str:
    """Refuse texts that end in a space, for a column that drops it."""
    import pyarrow.compute as pc

    ends = family(values.type) == "text" and pc.any(pc.ends_with(values, " ")).as_py()
    return "a text with spaces at its end" if ends else ""


def one_of(words: Sequence[str]) -> Check:
    """Return the check of a column that takes some words only, and would take one in another case for one of them."""

    def check(values: pa.ChunkedArray) -> str:
        found = [value for value in values.unique().to_pylist() if value is not None and value not in words]
        return repr(found[0]) if found else ""

    return check


def decimals(count: int) -> Check:
    """Return the check of a time's fraction of a second where the database rounds what is finer."""

    def check(values: pa.ChunkedArray) -> str:
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_null(values.type):
            return ""
        numbers_of, unit = values.cast(pa.int64()), 10 ** (6 - count)
        whole = pc.all(pc.equal(pc.multiply(pc.divide(numbers_of, unit), unit), numbers_of)).as_py()
        return "" if whole is not False else f"a time with more than {count} digits of its second's fraction"

    return check


def between(least: int, most: int) -> Check:
    """Return the check of a number's range where the database makes another number of what is outside."""

    def check(values: pa.ChunkedArray) -> str:
        import pyarrow.compute as pc

        found = pc.min_max(values)
        outside = found["min"].as_py() is not None and (found["min"].as_py() < least or found["max"].as_py() > most)
        return f"a number outside of {least} to {most}" if outside else ""

    return check


def as_decimal(digits: int, scale: int) -> Check:
    """Return the check of a float's digits where the database rounds it to some."""

    def check(values: pa.ChunkedArray) -> str:
        import pyarrow as pa

        try:
            numbers.exactly(values, pa.decimal256(digits, scale))
        except ValueError:  # as Arrow's own are
            return f"a number with more than {digits - scale} digits before its point or {scale} behind it"
        return ""

    return check


def column_checks(kind: str, not_finite: Check | None = None) -> tuple[Check, ...]:
    """Return the checks that a column of a kind has in each database; `not_finite` is that of numbers with a point."""
    if kind in ("DATE", "TIMESTAMP", "TIMESTAMPTZ"):
        return (within_years,)
    return (not_finite,) if not_finite is not None and kind in ("FLOAT", "DOUBLE", UNKNOWN) else ()
