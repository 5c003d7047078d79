"""The tokeniser: lines of text to records, quick where lines are simple."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from .aligned import cutter
from .quotes import Lines, QuotedRecords, SampleEnds
from .separation import Separation

_END_OF_FILE = "\x1a"  # what DOS wrote at the end of text


class Record(NamedTuple):
    """One row of a text file.

    Attributes:
        line: the physical line on which it starts, from 1.
        fields: its fields, unquoted and unescaped; as many as the row has, which may differ from the number of columns.
        text: the row as written, without the end of its last line.
    """

    line: int
    fields: tuple[str, ...]
    text: str


def cut_records(lines: Iterable[str], separation: Separation, width: int = 0, *, line: int = 0, whole: bool = True) -> Iterator[Record]:
    """Cut lines into records; blank lines are left out.

    Args:
        lines: physical lines with their ends.
        separation: how fields are separated and quoted.
        width: the number of columns when known: it decides between readings of an awkward quote, and empty fields beyond it are dropped.
        line: how many physical lines stand before these.
        whole: the lines end where the file ends; otherwise a record whose quoted field runs off the end is left out.
    """
    if separation.spacing:
        return _aligned_records(lines, separation, width, line)
    return _delimited_records(Lines(lines, line), separation, width, whole=whole)


def _aligned_records(lines: Iterable[str], separation: Separation, width: int, before: int) -> Iterator[Record]:
    cut = cutter(separation, width)
    for number, line in enumerate(lines, start=before + 1):
        text = line.rstrip("\r\n")
        if text and not text.isspace():
            yield Record(number, tuple(cut(text)), text)


def _delimited_records(source: Lines, separation: Separation, width: int, *, whole: bool) -> Iterator[Record]:
    take = source.take
    split = _simple_split(separation)
    proper = ProperRecords(source, separation, width)
    quoted = QuotedRecords(source, separation, width, whole=whole)
    quote, escape = separation.quote, separation.escape
    blank = _BlankRows()
    while (line := take()) is not None:
        number = source.number
        text = line.rstrip("\r\n")
        if quote in text or (escape != quote and escape in text):
            try:
                fields, text = proper.cut(line) or quoted.cut(line)
            except SampleEnds:
                return
        else:
            fields = split(text)
            if len(fields) == 1 and (not text or text.isspace() or text == _END_OF_FILE):
                continue
            if not fields[0].strip() and not any(map(str.strip, fields)):
                blank.add(number, text)
                continue
        if blank.runs:
            for row in blank.taken():
                yield _record(row[0], split(row[1]), row[1], width)
        yield _record(number, fields, text, width)


def _record(number: int, fields: list[str], text: str, width: int) -> Record:
    if width and len(fields) > width and not any(fields[width:]):
        del fields[width:]
    return Record(number, tuple(fields), text)


class _BlankRows:
    """Rows of delimiters only, which are rows if another follows and blank lines at a file's end, where spreadsheets write any number."""

    def __init__(self) -> None:
        """Begin without any."""
        self.runs: list[tuple[int, int, str]] = []  # the first line of each run of equal ones, their number, their text

    def add(self, line: int, text: str) -> None:
        """Add the next one."""
        if self.runs:
            first, number, last = self.runs[-1]
            if text == last and line == first + number:
                self.runs[-1] = (first, number + 1, last)
                return
        self.runs.append((line, 1, text))

    def taken(self) -> Iterator[tuple[int, str]]:
        """Yield their lines and texts, and begin anew."""
        runs, self.runs = self.runs, []
        for first, number, text in runs:
            yield from ((line, text) for line in range(first, first + number))


def _simple_split(separation: Separation) -> Callable[[str], list[str]]:
    """Return what cuts a line without quotes."""
    delimiter = separation.delimiter
    if separation.trim:
        return lambda text: [field.strip(" ") for field in text.split(delimiter)]
    return lambda text: text.split(delimiter)


class ProperRecords:
    """Cuts records whose quotes are all proper, by the csv module; leaves all others to who is slower and more tolerant."""

    def __init__(self, source: Lines, separation: Separation, width: int) -> None:
        """Cut records from a source of lines; see `cut_records` for the rest."""
        self._source = source
        self._width = width
        self._served = not separation.trim and separation.escape == separation.quote and len(separation.delimiter) == 1
        self._space_and_quote = " " + separation.quote
        self._opens_after_space = re.compile(rf"(?:^|{re.escape(separation.delimiter)}) {separation.quote}").search
        self._first: str | None = None
        self._taken: list[str] = []
        self._reader = csv.reader(self, delimiter=separation.delimiter[0], quotechar=separation.quote, strict=True)

    def cut(self, line: str) -> tuple[list[str], str] | None:
        """Return the fields and the text of the record that starts with a line; None, and no further line taken, when it is not proper."""
        if not self._served or (self._space_and_quote in line and self._opens_after_space(line)):
            return None
        self._first = line
        self._taken = []
        try:
            fields = next(self._reader)
        except csv.Error:  # a misplaced quote, one that stays open, or a field beyond that module's limit
            self._source.put_back(self._taken)
            return None
        if not self._taken:
            return fields, line.rstrip("\r\n")
        if self._width and len(fields) != self._width:
            self._source.put_back(self._taken)
            return None
        return fields, "".join((line, *self._taken)).rstrip("\r\n")

    def __iter__(self) -> ProperRecords:
        """Be what the csv module reads lines from."""
        return self

    def __next__(self) -> str:
        """Give the csv module the record's first line, then, while a quote is open, the lines after it."""
        if self._first is not None:
            line, self._first = self._first, None
            return line
        following = self._source.take()
        if following is None:
            raise StopIteration
        self._taken.append(following)
        return following
