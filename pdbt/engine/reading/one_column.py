"""Files of one column: a header over text that delimiters and spaces only seem to cut, telephone numbers, codes, sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from .preamble import adjacent, table_start
from .profile import evidence, is_typed, profile, profile_below, reads_as_header
from .tokens import Record

_WORD = re.compile(r"\"?[^\W\d][\w\-./#%]{0,60}\"?")
_WORDS = re.compile(r"\"?[^\W\d][\w\-/%()]*(?: [\w\-/%()]+){1,4}\"?")
_PHONE = re.compile(r"(?:\+|00|0(?=\d)|\()[\d ()/.\-]{5,}\d(?:\s*(?:x|ext\.?)\s*\d+)?")
_CODE = re.compile(r"\d{3} \d{3} \d{4}|\d{4}(?: \d{4}){3}|[A-Z]{2}\d{2}(?: [A-Z\d]{1,4}){3,}")
_ADDRESS = re.compile(r"[^\s@,;|]+@[^\s@,;|]+\.[^\s@,;|]+")
_DIGIT = re.compile(r"\d")
_PAIRS = re.compile(r"99+(?: 99+)+")
_LEADING_ZERO = re.compile(r"\b0\d")
_CODES = 0.8  # of the lines, for a file to be one column of them
_REGULAR = 0.8  # of the rows, that have the same number of fields
_WIDE_ROWS = 0.5  # the same, of rows of three fields or more
_NARROW = 2  # fields of a row that text with a delimiter in it often has
_FEWEST_ROWS = 2  # of so few fields
_TYPED = 0.5  # of the columns, above which lines without a header are cut at spaces
_WIDE_GAPS = 0.5  # of the lines, that have two spaces or more at a gap, for it to part columns of text
_SHOWN = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "pipes"}


def is_headed_column(records: Sequence[Record], width: int) -> bool:
    """Return True if the first line is the header of one column, and the delimiter that cuts the lines below it part of their text.

    It is one clean word right above the rows, or a few words above rows that are not cut alike; a title stands above a table with a header.
    """
    if len(records) < 2 or len(records[0].fields) > 1 or not adjacent(records[0], records[1]):
        return False
    first, body = records[0].text.strip(), records[1:]
    rows = [record.fields for record in body]
    if all(len(row) == width == 2 and not row[1].strip() for row in rows) or all(record.text.startswith('"') for record in records):
        return False  # each line ends in a delimiter; or R's header over names of rows
    if _has_header(body, width):
        return False
    start = next((index for index, row in enumerate(rows) if len(row) == width), 0)
    regular = sum(len(row) == width for row in rows[start:]) >= _REGULAR * len(rows[start:])
    if regular and start and not adjacent(body[start - 1], body[start]):
        return False  # lines of a title, a blank line, and a table of text
    if _WORD.fullmatch(first):
        return True
    spaced = all(cell.startswith(" ") for row in rows for cell in row[1:])
    return _WORDS.fullmatch(first) is not None and (not regular or (spaced and not start))


def _has_header(records: Sequence[Record], width: int) -> bool:
    """Return True if the first line that is cut like most reads as a header over the others, which are too many or too wide for chance."""
    filled = (index for index, record in enumerate(records) if len(record.fields) == width and any(map(str.strip, record.fields[1:])))
    first = next(filled, 0)
    names = records[first].fields
    below = records[first + 1 :]
    rows = [record.fields for record in below if len(record.fields) == width]
    few = len(rows) < _FEWEST_ROWS or len(rows) < _REGULAR * len(below) if width == _NARROW else len(rows) <= _WIDE_ROWS * len(below)
    distinct = len(names) == width == len(set(names))
    return distinct and bool(rows) and not few and reads_as_header(names, profile(rows, width))


def is_json(records: Sequence[Record]) -> bool:
    """Return True if each line is an object or an array of JSON."""
    return all(record.text[:1] in "{[" for record in records) and all(map(_is_json, (record.text for record in records)))


def are_addresses(records: Sequence[Record]) -> bool:
    """Return True if each line is an e-mail address."""
    return all(_ADDRESS.fullmatch(record.text.strip()) for record in records)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def is_aligned(records: Sequence[Record], width: int) -> bool:
    """Return True if spaces cut lines into columns and not text into words.

    Args:
        records: the lines as the spaces cut them.
        width: the number of fields of most.
    """
    lines = [record.text for record in records]
    if _are_codes(lines) or _are_codes(lines[1:]):
        return False
    start = table_start(records, width)
    table = [record.fields for record in records[start:] if len(record.fields) == width]
    if len(table) < 2:
        return False
    apart = start == 0 or not adjacent(records[start - 1], records[start])
    columns = profile_below(table, width)
    against, for_it = evidence(table[0], columns)
    if for_it > against:
        typed = sum(map(is_typed, profile(table, width)))
        return apart and typed > _TYPED * width and all(len(record.fields) == width for record in records[start:])
    if any(map(is_typed, columns)):
        return _is_header(table[0])
    return apart and _is_header(table[0]) and all(_gap_is_wide(records[start:], column, width) for column in range(width - 1))


def _is_header(cells: Sequence[str]) -> bool:
    """Return True if every column but the first, which may hold the names of rows, has a name."""
    return all(cell.strip() for cell in cells[1:])


def _gap_is_wide(records: Sequence[Record], column: int, width: int) -> bool:
    """Return True if many lines have several spaces between a field and the next."""
    wide = 0
    for record in records:
        if len(record.fields) == width:
            end = f"{record.fields[column]}  " if record.fields[column] else "  "
            wide += end in record.text
    return wide >= _WIDE_GAPS * len(records)


def _are_codes(lines: Sequence[str]) -> bool:
    """Return True if lines are telephone numbers or other codes that are written with spaces."""
    texts = [line.strip() for line in lines]
    codes = sum(_PHONE.fullmatch(text) is not None or _CODE.fullmatch(text) is not None for text in texts)
    if codes and codes >= _CODES * len(texts):
        return True
    shapes = {_DIGIT.sub("9", text) for text in texts}
    return len(shapes) == 1 and _PAIRS.fullmatch(shapes.pop()) is not None and any(map(_LEADING_ZERO.search, texts))


def note_of_column(delimiter: str) -> str:
    """Return what a person should know of lines that are read whole although a delimiter cuts them."""
    return f"Read as one column whose text holds {_SHOWN.get(delimiter, repr(delimiter))}. If they separate columns, set delimiter."
