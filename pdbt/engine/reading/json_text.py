"""JSON rewritten without loss where DuckDB would lose something: as lines of JSON that it reads as they were meant.

DuckDB makes a DOUBLE of a number whatever its digits, knows no two keys that differ only in case, and takes a byte order mark for text.
Numbers that a DOUBLE would change are written as texts, in all rows at their place; keys of a record get names of their own, as those
of a CSV file do; an object whose keys differ only in case is written as the JSON text that it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import SourceError
from .encoding import UTF_8, byte_order_mark, open_bytes, open_chunks, read_head, wide_without_mark
from .mixture import has_fault, readable
from .numbers import fits_double
from .records import Record

LINE_KEY = "\x1fline"
"""The key of a rewritten record that holds the line of the file on which it starts."""

_CHUNK = 1 << 20
_LARGEST = (1 << 64) - 1  # DuckDB reads integers up to here, and to SMALLEST, as they are
_SMALLEST = -(1 << 63)
_LONGEST_INTEGER = 30  # characters; longer ones are not looked at as numbers
_DIGITS = bytes.maketrans(b"123456789E+", b"000000000e-")
_EIGHTEEN = b"0" * 18  # digits that a DOUBLE may not keep
_EIGHTEEN_OR_MORE = re.compile(_EIGHTEEN + b"0*")
_SIXTEEN = b"0" * 16  # digits of an integer that a DOUBLE may not keep
_LONG_INTEGER = re.compile(b"(?<![.0])" + _SIXTEEN + b"(?!0*[.])")
_EXPONENT = b"0e"
_LARGE_EXPONENTS = (b"0e000", b"0e-000")
_LONG_NUMBER = re.compile(rb"""(?<![0-9.eE"+-])-?[0-9][0-9.]{14,}(?:[eE][+-]?[0-9]+)?(?=[\s,\]}]|$)""")
_SCALED_NUMBER = re.compile(rb"""(?<![0-9.eE"+-])-?[0-9][0-9.]*[eE][+-]?[0-9]{3,}(?=[\s,\]}]|$)""")
_LONGEST_WORD = 400  # characters of a number or a word that may be cut where the text read so far ends
_SPACES = re.compile(r"[ \t\r\n]*")

Place = tuple[str, ...]
"""The keys that lead to a value; ``[]`` for any element of a list."""
BadRecord = Callable[[Record, str], None]
"""Handler of a record that cannot be kept, with the reason in words."""


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object: its keys with their values, none left out."""


def is_marked(path: Path) -> bool:
    """Return True if a file is not in UTF-8 without a byte order mark, which is all that DuckDB reads."""
    head = read_head(path, 4096)
    return byte_order_mark(head) is not None or wide_without_mark(head) is not None


def has_long_numbers(path: Path, *, integers: bool) -> bool:
    """Return True if a file may hold numbers with more digits than a DOUBLE keeps; `integers` says that integers are made DOUBLEs too."""
    with open_bytes(path) as stream:
        before = b""
        while chunk := stream.read(_CHUNK):
            part = before + chunk
            if any(_is_lost(found[0].decode(), integers=integers) for found in _suspects(part, integers=integers)):
                return True
            before = part[-_LONGEST_WORD:]
    return False


def _suspects(part: bytes, *, integers: bool) -> Iterator[re.Match[bytes]]:
    """Yield the numbers that a DOUBLE may not hold; the quickest tests that show that there are none come first."""
    digits = part.translate(_DIGITS, b".")
    if _has_many_digits(part, digits) or (integers and _SIXTEEN in digits and _LONG_INTEGER.search(part.translate(_DIGITS))):
        yield from _LONG_NUMBER.finditer(part)
    if _has_large_exponents(digits):
        yield from _SCALED_NUMBER.finditer(part)


def _has_many_digits(part: bytes, digits: bytes) -> bool:
    """Return True if 18 digits stand together, zeros before them not counted; `digits` is the part as zeros and without points."""
    at = digits.find(_EIGHTEEN)
    bare = part.translate(None, b".") if at >= 0 else b""
    while at >= 0 and (run := _EIGHTEEN_OR_MORE.match(digits, at)):
        if len(bare[at : run.end()].lstrip(b"0")) >= len(_EIGHTEEN):
            return True
        at = digits.find(_EIGHTEEN, run.end())
    return False


def _has_large_exponents(digits: bytes) -> bool:
    """Return True if a number has an exponent of three digits or more: the few exponents are found first, which is the quicker way."""
    at = digits.find(_EXPONENT)
    while at >= 0:
        if digits.startswith(_LARGE_EXPONENTS, at):
            return True
        at = digits.find(_EXPONENT, at + len(_EXPONENT))
    return False


def _is_lost(number: str, *, integers: bool) -> bool:
    try:
        return not fits_double(number) and (integers or not number.lstrip("-").isdigit())
    except ValueError:  # 1.2.3 is in a text
        return False


@dataclass
class Rewritten:
    """A file of JSON as it was rewritten.

    Attributes:
        path: the lines of JSON.
        exact: the columns whose numbers are texts there.
    """

    path: Path
    exact: frozenset[str]


@dataclass
class _Numbers:
    """The numbers at one place: whether DuckDB would make DOUBLEs of them, and whether it would lose digits then."""

    doubles: bool = False
    lost: bool = False


@dataclass
class _Survey:
    """Survey of the records of a file, by place: numbers, and keys that differ only in case.

    Attributes:
        numbers: by place.
        kinds: by place, which kinds of other values there are.
        keys: by place, the keys of its objects by what they are without regard to case.
        names: the columns, by key.
        taken: these names without regard to case.
        maps: 0 or more: the numbers of an object at so many keys or more have one type, as DuckDB's maps have; None for none.
    """

    numbers: dict[Place, _Numbers] = field(default_factory=dict)
    kinds: dict[Place, set[type]] = field(default_factory=dict)
    keys: dict[Place, dict[str, set[str]]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    maps: int | None = None
    numbers_in_maps: dict[Place, _Numbers] = field(default_factory=dict)

    def look(self, value: Any, place: Place = ()) -> None:
        if value is not None:
            self.kinds.setdefault(place, set()).add(type(value))
        if isinstance(value, Number):
            self._look_at_number(value, place)
        elif isinstance(value, Pairs):
            known = self.keys.setdefault(place, {})
            for key, inner in value:
                known.setdefault(key.casefold(), set()).add(key)
                if not place:
                    self._name(key)
                self.look(inner, (*place, key))
        elif isinstance(value, list):
            for inner in value:
                self.look(inner, (*place, "[]"))

    def _look_at_number(self, number: Number, place: Place) -> None:
        numbers = self.numbers.setdefault(place, _Numbers())
        if number.lstrip("-").isdigit():
            numbers.doubles = numbers.doubles or len(number) > _LONGEST_INTEGER or not _SMALLEST <= int(number) <= _LARGEST
        else:
            numbers.doubles = True
        numbers.lost = numbers.lost or (number[-1].isdigit() and not fits_double(number))

    def _name(self, key: str) -> None:
        """Give a column a name of its own without regard to case: the later of two that are equal then is ``name_2``."""
        if key in self.names:
            return
        base = key or f"column_{len(self.names) + 1}"
        name, number = base, 2
        while name.casefold() in self.taken:
            name, number = f"{base}_{number}", number + 1
        self.names[key] = name
        self.taken.add(name.casefold())

    def close(self) -> None:
        """Take the numbers of what may be maps together, now that all are known."""
        for place, numbers in self.numbers.items() if self.maps is not None else ():
            for depth in range(self.maps or 0, len(place)):
                whole = self.numbers_in_maps.setdefault((*place[:depth], "{}"), _Numbers())
                whole.doubles, whole.lost = whole.doubles or numbers.doubles, whole.lost or numbers.lost

    def exact(self, place: Place) -> bool:
        depths = range(len(place)) if self.maps is None else range(self.maps, len(place))
        wholes = [self.numbers_in_maps.get((*place[:depth], "{}"), _Numbers()) for depth in depths]
        if any(whole.doubles and whole.lost for whole in wholes):
            return True
        numbers = self.numbers[place]
        return numbers.doubles and numbers.lost

    def is_text(self, place: Place) -> bool:
        """Return True if keys of the objects at a place differ only in case, and DuckDB would make columns of them."""
        if not place or not any(len(keys) > 1 for keys in self.keys[place].values()):
            return False
        return all(self.kinds[place[:depth]] == {Pairs} or self.kinds[place[:depth]] == {list} for depth in range(1, len(place) + 1))


def rewrite(path: Path, target: Path, encoding: str | None, bad: BadRecord, *, lines: bool = False, maps: int | None = None) -> Rewritten:
    """Write the records of a file as lines of JSON; memory is bounded.

    Args:
        path: the file.
        target: what is written.
        encoding: the file's, when it was said.
        bad: what to do with a record that has a key twice, or bytes that are not of the encoding.
        lines: each record gets its line, under LINE_KEY.
        maps: 0 when DuckDB takes a whole record for a map, whose numbers are of one type; 1 when it does so inside of records.

    Raises:
        SourceError: the file is malformed.
        OSError, EOFError, zlib.error: it cannot be unpacked to its end.
    """
    survey = _Survey(maps=maps)
    for _, value, _ in _records(path, encoding):
        survey.look(value)
    survey.close()
    with target.open("w", encoding="utf-8", newline="") as stream:
        for line, value, text in _records(path, encoding):
            reason = _fault(value, text)
            if reason:
                bad(Record(line, (), readable(text)), reason)
                continue
            if isinstance(value, Pairs) and lines:
                value.append((LINE_KEY, Number(line)))
            stream.write(_written(value, survey))
            stream.write("\n")
    exact = (
        survey.names[place[0]] for place in survey.numbers if survey.kinds[place] == {Number} and len(place) == 1 and survey.exact(place)
    )
    return Rewritten(target, frozenset(exact))


def _fault(value: Any, text: str) -> str:
    if has_fault(text):
        return "holds bytes that are not of its encoding"
    twice = _key_twice(value)
    return f"has the key {json.dumps(twice, ensure_ascii=False)} twice" if twice is not None else ""


def _key_twice(value: Any) -> str | None:
    if isinstance(value, Pairs):
        keys = [key for key, _ in value]
        if len(set(keys)) < len(keys):
            return next(key for place, key in enumerate(keys) if key in keys[:place])
        inner = [inner for _, inner in value]
    else:
        inner = value if isinstance(value, list) else []
    return next((twice for twice in map(_key_twice, inner) if twice is not None), None)


def _written(value: Any, survey: _Survey | None, place: Place = ()) -> str:
    """Write a value as JSON; without a survey as it was."""
    if isinstance(value, Number):
        known = place in survey.numbers if survey else False
        return json.dumps(str(value)) if survey and known and survey.exact(place) else str(value)
    if isinstance(value, Pairs):
        if survey and survey.is_text(place):
            return json.dumps(_written(value, None), ensure_ascii=True)
        names = survey.names if survey and not place else {}
        return "{" + ",".join(f"{json.dumps(names.get(key, key))}:{_written(inner, survey, (*place, key))}" for key, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(inner, survey, (*place, "[]")) for inner in value) + "]"
    return json.dumps(value)


def _records(path: Path, said: str | None) -> Iterator[tuple[int, Any, str]]:
    """Yield line, value and text of the records of a file: the elements of an array, or the values one after the other."""
    decoder = json.JSONDecoder(object_pairs_hook=Pairs, parse_float=Number, parse_int=Number, parse_constant=Number)
    with open_chunks(path, said or _encoding(path)) as chunks:
        text = _Text(path, chunks)
        in_array = text.skip("[")
        while not text.at_end():
            if in_array and text.skip("]"):
                if not text.at_end():
                    raise text.malformed("text after the array")
                return
            yield text.value(decoder)
            if in_array and not text.skip(",") and text.next() != "]":
                raise text.malformed("no comma between two values")
        if in_array:
            raise text.malformed("the array does not end")


def _encoding(path: Path) -> str:
    head = read_head(path, 4096)
    marked = byte_order_mark(head)
    return marked[1] if marked else wide_without_mark(head) or UTF_8


class _Text:
    """The text of a file, read as far as values need it."""

    def __init__(self, path: Path, chunks: Iterator[str]) -> None:
        self._path = path
        self._chunks = chunks
        self._buffer = ""
        self._place = self._counted = 0
        self._line = 1

    def _more(self, size: int = 1) -> bool:
        """Append at least `size` characters, and forget those that were read; return False at the end of the file."""
        parts = []
        while size > 0 and (chunk := next(self._chunks, "")):
            parts.append(chunk)
            size -= len(chunk)
        self.line()
        self._buffer = self._buffer[self._place :] + "".join(parts)
        self._place = self._counted = 0
        return bool(parts)

    def next(self) -> str:
        """Return the next character that is not white space, and stay before it; empty at the end."""
        while True:
            spaces = _SPACES.match(self._buffer, self._place)
            self._place = spaces.end() if spaces else self._place
            if self._place < len(self._buffer):
                return self._buffer[self._place]
            if not self._more():
                return ""

    def at_end(self) -> bool:
        return not self.next()

    def skip(self, mark: str) -> bool:
        """Step over a mark if it comes next."""
        if self.next() != mark:
            return False
        self._place += 1
        return True

    def line(self) -> int:
        """Return the line of what comes next."""
        self._line += self._buffer.count("\n", self._counted, self._place)
        self._counted = self._place
        return self._line

    def value(self, decoder: json.JSONDecoder) -> tuple[int, Any, str]:
        """Return line, value and text of the value that comes next."""
        while True:
            try:
                value, end = decoder.raw_decode(self._buffer, self._place)
            except RecursionError as error:
                raise self.malformed("too many levels") from error
            except json.JSONDecodeError as error:
                at_the_end = error.msg.startswith("Unterminated string") or error.pos >= len(self._buffer) - _LONGEST_WORD
                if not (at_the_end and self._more(len(self._buffer))):
                    raise self.malformed(error.msg.lower()) from error
                continue
            if end == len(self._buffer) and isinstance(value, Number) and self._more():
                continue  # more digits may follow
            line, text = self.line(), self._buffer[self._place : end]
            self._place = end
            return line, value, text

    def malformed(self, why: str) -> SourceError:
        return SourceError(f"{self._path.name} is malformed JSON at line {self.line()}: {why}.", path=str(self._path))
