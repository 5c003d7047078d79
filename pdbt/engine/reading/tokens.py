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
    strict_split = _strict_split(separation)
    quoted = QuotedRecords(source, separation, width, whole=whole)
    quote, escape = separation.quote, separation.escape
    while (line := take()) is not None:
        number = source.number
        text = line.rstrip("\r\n")
        if quote in text or escape in text:
            fields = strict_split(text)
            if fields is None:
                try:
                    fields, text = quoted.cut(line)
                except SampleEnds:
                    return
        else:
            fields = split(text)
            if len(fields) == 1 and (not text or text.isspace() or text == _END_OF_FILE):
                continue
        if width and len(fields) > width and not any(fields[width:]):
            del fields[width:]
        yield Record(number, tuple(fields), text)


def _simple_split(separation: Separation) -> Callable[[str], list[str]]:
    """Return what cuts a line without quotes."""
    delimiter = separation.delimiter
    if separation.trim:
        return lambda text: [field.strip(" ") for field in text.split(delimiter)]
    return lambda text: text.split(delimiter)


def _strict_split(separation: Separation) -> Callable[[str], list[str] | None]:
    """Return what cuts a line whose quotes are all proper, and gives None for any other line."""
    if separation.trim or separation.escape != separation.quote or len(separation.delimiter) != 1:
        return lambda text: None
    line = _OneLine()
    reader = csv.reader(line, delimiter=separation.delimiter, quotechar=separation.quote, strict=True)
    spaced = " " + separation.quote
    opens_after_space = re.compile(rf"(?:^|{re.escape(separation.delimiter)}){spaced}").search

    def split(text: str) -> list[str] | None:
        if spaced in text and opens_after_space(text):
            return None
        line.text = text
        try:
            return next(reader)
        except csv.Error:  # a misplaced or open quote, or a field beyond that module's limit
            return None

    return split


class _OneLine:
    """An iterator that ends after each line that it is given, so that one csv.reader serves all lines."""

    def __init__(self) -> None:
        self.text: str | None = None

    def __iter__(self) -> _OneLine:
        return self

    def __next__(self) -> str:
        text, self.text = self.text, None
        if text is None:
            raise StopIteration
        return text
