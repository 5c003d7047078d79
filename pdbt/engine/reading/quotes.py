"""Lines that hold quotes: where a quoted field ends when people's files misplace, forget or do not escape quotes."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

from .separation import Separation

LONGEST_FIELD = 1 << 20  # characters that a quoted field over several lines may have; beyond, its opening quote is text


class Lines:
    """Physical lines with their numbers, some of which can be put back."""

    def __init__(self, lines: Iterable[str], number: int = 0) -> None:
        """Wrap lines that keep their ends; `number` lines stand before them."""
        self._lines = iter(lines)
        self._returned: deque[str] = deque()
        self.number = number

    def take(self) -> str | None:
        """Return the next line; None at the end."""
        line = self._returned.popleft() if self._returned else next(self._lines, None)
        if line is not None:
            self.number += 1
        return line

    def put_back(self, lines: list[str]) -> None:
        """Give back the lines that were taken last, in their order."""
        self._returned.extendleft(reversed(lines))
        self.number -= len(lines)


class SampleEnds(Exception):
    """The lines end inside a quoted field, and the file goes on."""


class QuotedRecords:
    """Cuts records that hold quotes, taking further lines when a quoted field runs over a line's end.

    The proper reading (RFC 4180, with backslashes where the separation says so) comes first. Where the number of columns is known and that
    reading gives another number of fields, two more are tried: quotes inside a quoted field that balance (``"he said "hi", and left"``),
    and an opening quote that is text (``"5 inch pipe,10``). A record of several lines is cut anew only when that makes each of them a row.
    """

    def __init__(self, source: Lines, separation: Separation, width: int, *, whole: bool) -> None:
        """Cut records from a source of lines; see `tokens.cut_records` for the rest."""
        self._source = source
        self._delimiter = separation.delimiter
        self._quote = separation.quote
        self._trim = separation.trim
        self._width = width
        self._whole = whole
        self._backslash = separation.escape == "\\"
        quote, delimiter = re.escape(separation.quote), re.escape(separation.delimiter)
        self._escaped = re.compile(rf"\\([\\\r\n]|{quote}|{delimiter})")
        self._escaped_or_doubled = re.compile(rf"{self._escaped.pattern}|({quote}){quote}")

    def cut(self, line: str) -> tuple[list[str], str]:
        """Return the fields and the text of the record that starts with a line.

        Raises:
            SampleEnds: the lines end inside the record and are not the whole file.
        """
        fields, taken = self._read(line)
        if self._width and not self._fits(fields) and (not taken or self._swallowed_rows(fields, taken)):
            for other in self._other_readings(line, several_lines=bool(taken)):
                if self._fits(other):
                    self._source.put_back(taken)
                    return other, line.rstrip("\r\n")
        return fields, (line + "".join(taken)).rstrip("\r\n") if taken else line.rstrip("\r\n")

    def _fits(self, fields: list[str]) -> bool:
        return len(fields) >= self._width and not any(fields[self._width :])

    def _swallowed_rows(self, fields: list[str], taken: list[str]) -> bool:
        """Return True if a quote that nothing closed on its line has made one short record of lines that are rows by themselves."""
        return len(fields) < self._width and all(self._fits(self._read(line, one_line=True)[0]) for line in taken)

    def _other_readings(self, line: str, *, several_lines: bool) -> Iterable[list[str]]:
        yield self._read(line, one_line=True, balanced=True)[0]
        if several_lines:
            yield self._read(line, one_line=True)[0]

    def _read(self, line: str, *, one_line: bool = False, balanced: bool = False) -> tuple[list[str], list[str]]:
        """Return the fields of a record and the further lines that it took."""
        text = line.rstrip("\r\n")
        ending = line[len(text) :]
        taken: list[str] = []
        fields: list[str] = []
        position = 0
        while True:
            start = _after_spaces(text, position) if self._trim else position + text.startswith(" ", position)  # as DuckDB does
            value = None
            if text.startswith(self._quote, start):
                closing, stray = self._closing(text, start + 1, balanced=balanced)
                if closing >= 0:
                    value = self._unescape(text[start + 1 : closing])
                    position = closing + 1
                elif not stray and not one_line:
                    found = self._over_lines(text[start + 1 :] + ending, taken)
                    if found:
                        value, text, ending, position = found
            if value is None:
                value, position = self._unquoted(text, position)
            else:
                position = self._field_end(text, position)
            fields.append(value)
            if position >= len(text):
                return fields, taken
            position += len(self._delimiter)

    def _over_lines(self, first: str, taken: list[str]) -> tuple[str, str, str, int] | None:
        """Find the end of a quoted field on later lines.

        Returns:
            The value, the line on which it ends with that line's end, and the position after the closing quote; None when the field does
            not close properly, and no line is taken then.
        """
        parts = [first]
        size = len(first)
        here: list[str] = []
        while size <= LONGEST_FIELD and (line := self._source.take()) is not None:
            here.append(line)
            text = line.rstrip("\r\n")
            closing, stray = self._closing(text, 0)
            if stray:
                break
            if closing >= 0:
                parts.append(text[:closing])
                taken.extend(here)
                return self._unescape("".join(parts)), text, line[len(text) :], closing + 1
            parts.append(line)
            size += len(line)
        else:
            if not self._whole and size <= LONGEST_FIELD:
                raise SampleEnds
        self._source.put_back(here)
        return None

    def _closing(self, text: str, start: int, *, balanced: bool = False) -> tuple[int, bool]:
        """Find the quote that closes a field in a line.

        Returns:
            Its position, -1 when there is none; and whether quotes were met that neither close nor are escaped.
        """
        quote = self._quote
        stray = False
        inner = 0
        place = text.find(quote, start)
        while place >= 0:
            step = 1
            ends = self._ends(text, place + 1)
            if self._backslash and _is_escaped(text, place, start):
                pass
            elif text.startswith(quote, place + 1) and not (stray and self._ends(text, place + 2)):
                step = 2
            elif ends and not (inner and text.find(quote, place + 1) >= 0):
                return place, stray
            elif ends:
                inner -= 1
            else:
                stray = True
                if not balanced and place > start and text.endswith(self._delimiter, start, place):
                    return -1, stray  # it opens the next field, so the quote before was none
                if balanced:
                    opens = place == start or not text[place - 1].isalnum()
                    inner = inner + 1 if opens else max(0, inner - 1)
            place = text.find(quote, place + step)
        return -1, stray

    def _ends(self, text: str, position: int) -> bool:
        """Say whether a field may end here: at the line's end or a delimiter, spaces before it allowed."""
        if position >= len(text) or text.startswith(self._delimiter, position):
            return True
        if text[position] != " ":
            return False
        position = _after_spaces(text, position)
        return position >= len(text) or text.startswith(self._delimiter, position)

    def _field_end(self, text: str, position: int) -> int:
        return position if text.startswith(self._delimiter, position) else _after_spaces(text, position)

    def _unquoted(self, text: str, start: int) -> tuple[str, int]:
        """Return the field that starts at a position and the position where it ends."""
        end = text.find(self._delimiter, start)
        while self._backslash and end >= 0 and _is_escaped(text, end, start):
            end = text.find(self._delimiter, end + 1)
        end = len(text) if end < 0 else end
        value = text[start:end]
        if self._backslash:
            value = self._escaped.sub(r"\1", value)
        return value.strip(" ") if self._trim else value, end

    def _unescape(self, value: str) -> str:
        if self._backslash:
            return self._escaped_or_doubled.sub(r"\1\2", value)
        return value.replace(self._quote * 2, self._quote)


def _after_spaces(text: str, position: int) -> int:
    while text.startswith(" ", position):
        position += 1
    return position


def _is_escaped(text: str, position: int, start: int) -> bool:
    """Say whether an odd number of backslashes stands before a position, none of them before `start`."""
    first = position
    while first > start and text[first - 1] == "\\":
        first -= 1
    return (position - first) % 2 == 1
