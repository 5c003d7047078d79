"""Limits of a target's columns within their kind: texts up to a length, times without fractions, small numbers, certain words.

A database cuts, rounds or pads some of what does not fit without a word. So each batch for a table that is there is looked at first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from .base import Column, Table, TransferRefused

if TYPE_CHECKING:
    import pyarrow as pa

Check = Callable[["pa.Array"], str]
_MICROSECONDS = 6
_POSTGRESQL_TEXT = re.compile(r"character( varying)?\((\d+)\)")
_PRECISION = re.compile(r"(?:time|timestamp)\((\d)\) with(?:out)? time zone")
_MYSQL = re.compile(r"([a-z0-9]+)(?:\((\d+)\))?")
_BYTES = {"tinytext": 255, "text": 65_535, "mediumtext": 16_777_215, "tinyblob": 255, "blob": 65_535, "mediumblob": 16_777_215}
_RANGES = {
    "tinyint": (-128, 127),
    "tinyint unsigned": (0, 255),
    "smallint unsigned": (0, 65_535),
    "mediumint": (-8_388_608, 8_388_607),
    "mediumint unsigned": (0, 16_777_215),
    "int unsigned": (0, 4_294_967_295),
    "TINYINT": (-128, 127),
    "UTINYINT": (0, 255),
    "USMALLINT": (0, 65_535),
    "UINTEGER": (0, 4_294_967_295),
}
_DUCKDB_DIGITS = {"TIMESTAMP_S": 0, "TIMESTAMP_MS": 3}
_WITHOUT_LIMITS = ("BOOLEAN", "UUID", "JSON")  # whatever the type is called that has them
_WIDTH = re.compile(r"^((?:tiny|small|medium)?int)\(\d+\)")  # in which MariaDB shows a number; it says nothing of its size
_WORDS = re.compile(r"'((?:[^']|'')*)'")


class DoesNotFit(TransferRefused):
    """A value that its kind allows, and the column of a target that is there does not hold."""


def limited(
    batches: Iterator[pa.RecordBatch], table: Table, columns: Sequence[Column], product: str, origins: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield batches as they are, each looked at.

    Args:
        batches: the rows.
        table: the target.
        columns: its columns that they are for.
        product: whose table it is.
        origins: the types of the columns that the rows come from, where these are of the same product: what comes from a type fits it.

    Raises:
        DoesNotFit: the column would keep another value, or none; names it.
        TransferRefused: the database would put a value of its own in the place of NULL.
    """
    pairs = enumerate(zip(columns, origins, strict=True))
    looks = [(place, column, check_of(column, product)) for place, (column, origin) in pairs if column.native != origin]
    checks = [(place, column, check) for place, column, check in looks if check is not None]
    fills = [(place, column) for place, column in enumerate(columns) if column.fills_null]
    for batch in batches:
        for place, column, check in checks:
            if reason := check(batch.column(place)):
                raise DoesNotFit(
                    f"Column {column.name} ({column.native} in {table}) holds {reason}.",
                    f"Give that column a type that takes it, or send it as another one: --cast {column.name}=TYPE",
                    column=column.name,
                    kind=column.kind,
                    in_script=f"Give that column a type that takes it, or cast {column.name} to another type in the SELECT.",
                )
        for place, column in fills:
            if batch.column(place).null_count:
                raise TransferRefused(
                    f"Column {column.name} holds NULL, for which {table} would put a value of its own.",
                    "Leave these rows out with --where, or the column with --query.",
                    column=column.name,
                    kind=column.kind,
                    in_script="Leave these rows or the column out of the SELECT.",
                )
        yield batch


def check_of(column: Column, product: str) -> Check | None:
    """Return what looks at the values for a column of a target: it returns what does not fit, in words; None if all do."""
    if column.kind in _WITHOUT_LIMITS:
        return None
    if column.native.endswith("[]"):
        inner = check_of(Column(column.name, column.kind.removesuffix("[]"), column.native.removesuffix("[]")), product)
        return None if inner is None else lambda array: inner(array.flatten())
    plain = _WIDTH.sub(r"\1", column.native)
    if plain in _RANGES:
        return _within(*_RANGES[plain])
    if column.native in _DUCKDB_DIGITS:
        return _digits(_DUCKDB_DIGITS[column.native])
    if column.native.startswith(("enum(", "ENUM(")):
        return _words([word.replace("''", "'") for word in _WORDS.findall(column.native)])
    if product == "PostgreSQL":
        return _of_postgresql(column.native)
    return _of_mysql(column.native) if product == "MySQL" else None


def _of_postgresql(native: str) -> Check | None:
    if (found := _POSTGRESQL_TEXT.fullmatch(native)) is not None:
        return _characters(int(found[2])) if found[1] else _filled_up(int(found[2]))
    if (found := _PRECISION.fullmatch(native)) is not None:
        return _digits(int(found[1]))
    return _bytes({"name": 63, '"char"': 1}[native]) if native in ("name", '"char"') else None


def _of_mysql(native: str) -> Check | None:
    found = _MYSQL.match(native)
    word, number = (found[1], int(found[2]) if found[2] else None) if found else ("", None)
    if word in ("datetime", "time", "timestamp"):
        return None if number == _MICROSECONDS else _digits(number or 0)
    if word in _BYTES:
        return _bytes(_BYTES[word])
    if word == "varchar" and number is not None:
        return _characters(number)
    if word == "char" and number is not None:
        return _without_blank_ends(number)
    if word in ("binary", "varbinary") and number is not None:
        return _bytes(number) if word == "varbinary" else _exactly(number)
    if word == "bit":
        return _within(0, 2 ** (number or 1) - 1)
    if word == "year":
        return _within(1901, 2155)
    # It rounds to some decimals, or writes what it is given in another way.
    odd = word in ("set", "inet4", "inet6") or (word in ("float", "double") and "(" in native)
    return _nothing(f"values that {word} may write in another way") if odd else None


def _characters(most: int) -> Check:
    def check(array: pa.Array) -> str:
        import pyarrow.compute as pc

        if (pc.max(pc.binary_length(array)).as_py() or 0) <= most:
            return ""
        return f"a text of more than {most:,} characters" if pc.max(pc.utf8_length(array)).as_py() > most else ""

    return check


def _filled_up(length: int) -> Check:
    """Return the check for PostgreSQL's character, which has spaces up to its length, and compares without them."""
    longest = _characters(length)

    def check(array: pa.Array) -> str:
        import pyarrow.compute as pc

        blank = pc.and_(pc.ends_with(array, " "), pc.less(pc.utf8_length(array), length))
        if pc.any(blank).as_py():
            return "a text that ends with a space, which the target's character does not tell from one without"
        return longest(array)

    return check


def _without_blank_ends(most: int) -> Check:
    longest = _characters(most)

    def check(array: pa.Array) -> str:
        import pyarrow.compute as pc

        blank = pc.any(pc.ends_with(array, " ")).as_py()
        return "a text that ends with a space, which the target's char does not keep" if blank else longest(array)

    return check


def _exactly(length: int) -> Check:
    def check(array: pa.Array) -> str:
        import pyarrow.compute as pc

        other = pc.any(pc.not_equal(pc.binary_length(array), length)).as_py()
        return f"bytes that are not {length:,}, which the target's binary fills up with zeros" if other else ""

    return check


def _bytes(most: int) -> Check:
    def check(array: pa.Array) -> str:
        import pyarrow.compute as pc

        return f"a value of more than {most:,} bytes" if (pc.max(pc.binary_length(array)).as_py() or 0) > most else ""

    return check


def _digits(most: int) -> Check:
    def check(array: pa.Array) -> str:
        import pyarrow as pa
        import pyarrow.compute as pc

        numbers, unit = array.cast(pa.int64()), 10 ** (_MICROSECONDS - most)
        rest = pc.subtract(numbers, pc.multiply(pc.divide(numbers, unit), unit))
        return "fractions of seconds" if pc.any(pc.not_equal(rest, 0)).as_py() else ""

    return check


def _within(least: int, most: int) -> Check:
    def check(array: pa.Array) -> str:
        import pyarrow.compute as pc

        ends = pc.min_max(array).as_py()
        if ends["min"] is None or (ends["min"] >= least and ends["max"] <= most):
            return ""
        return f"the number {ends['min'] if ends['min'] < least else ends['max']}"

    return check


def _words(words: Sequence[str]) -> Check:
    def check(array: pa.Array) -> str:
        import pyarrow as pa
        import pyarrow.compute as pc

        known = array.drop_null()
        other = known.filter(pc.invert(pc.is_in(known, pa.array(words, known.type))))
        return f"the word {other[0].as_py()!r}" if len(other) else ""

    return check


def _nothing(reason: str) -> Check:
    return lambda array: reason if array.null_count < len(array) else ""
