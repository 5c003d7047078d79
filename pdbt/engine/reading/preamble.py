"""Lines before a table: titles, comments, keys with their values; and the record where the table itself starts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .cells import Kind
from .profile import evidence, is_placeholder, is_typed, is_value, profile_below, reads_as_header
from .tokens import Record

MOST_LINES = 60  # records looked at for the start of the table
_FEW = 0.1  # of the later records, that may have a sign of lines before a table
_MOST = 0.5  # of the rows, whose cells begin with a space, for that to be how the file is written

COMMENT = re.compile(r"\s*\"?(#|//|%|--)")
_REMARK = re.compile(r"\s*\"?(?:#|//|%|--)\s")
_KEY = re.compile(r"\s*[^\W\d][\w /()-]{0,40}:(\s|$)")


def table_start(records: Sequence[Record], width: int) -> int:
    """Return the index of the record where the table starts.

    That is the first record that has the table's width and reads as a header, with the rows of groups right above it, unless a row of data
    comes before it; then, or where no record reads as a header, the first of the table's width.
    """
    if _is_plain(records, width):
        return 0
    columns = profile_below([record.fields for record in records], width)
    outside = _outside(records, width, columns)
    inside = [index for index, other in enumerate(outside) if not other]
    header = _first_header(records, inside, columns)
    if header is None:
        return inside[0] if inside else 0
    start = header
    while (
        start and not (outside[start - 1] or _is_sentence(records[start - 1], records)) and _is_group_row(*records[start - 1 : start + 1])
    ):
        start -= 1
    return start


def _is_plain(records: Sequence[Record], width: int) -> bool:
    """Return True if nothing suggests that a line stands before the table, which spares wide tables a look at their cells."""
    for record in records[:MOST_LINES]:
        if len(record.fields) != width or _is_comment(record, width) or _is_title(record, width) or _is_key(record, width):
            return False
    return not _is_sentence(records[0], records)


def next_line(record: Record) -> int:
    """Return the physical line after a record."""
    return record.line + 1 + record.text.count("\n") + record.text.replace("\r\n", "").count("\r")


def adjacent(upper: Record, lower: Record) -> bool:
    """Return True if no line stands between two records."""
    return next_line(upper) == lower.line


def _first_header(records: Sequence[Record], inside: Sequence[int], columns: Sequence[Kind]) -> int | None:
    """Return the first record that reads as a header before any row of data; a sentence cut at its commas only where nothing else does."""
    sentence = None
    for index in inside:
        against, for_it = evidence(records[index].fields, columns)
        if reads_as_header(records[index].fields, columns):
            if not _is_sentence(records[index], records):
                return index
            sentence = index if sentence is None else sentence
        elif for_it > against:
            break
    return sentence


def _is_group_row(record: Record, below: Record) -> bool:
    return adjacent(record, below) and not any(map(is_value, record.fields))


def _outside(records: Sequence[Record], width: int, columns: Sequence[Kind]) -> list[bool]:
    """Say of each leading record whether it cannot be of the table: it has another width, or, before the first that can, other signs."""
    leading = records[:MOST_LINES]
    later = records[len(leading) // 2 :]
    signs = [sign for sign in (_is_comment, _is_title, _is_key) if sum(sign(record, width) for record in later) <= _FEW * len(later)]
    if _is_title in signs and any(map(is_typed, columns)) and not any(reads_as_header(record.fields, columns) for record in leading):
        signs.remove(_is_title)  # over rows without a header, a row whose other cells are empty is no title
    outside: list[bool] = []
    for index, record in enumerate(leading):
        signed = all(outside) and any(sign(record, width) for sign in signs if sign is not _is_comment)
        if not signed and all(outside) and _is_comment in signs and _is_comment(record, width):
            signed = not _belongs_to_table(records, index, width, columns)
        outside.append(len(record.fields) != width or signed)
    return outside


def _belongs_to_table(records: Sequence[Record], index: int, width: int, columns: Sequence[Kind]) -> bool:
    """Return True if a record that begins like a comment has the table's width and is its header or its first row."""
    record, below = records[index], next(iter(records[index + 1 :]), None)
    if width < 2 or len(record.fields) != width or below is None or _is_comment(below, width) or _is_sentence(record, records):
        return False
    if _REMARK.match(record.text) and reads_as_header(below.fields, columns):
        return False
    named = not any(is_value(cell) or is_placeholder(cell) for cell in record.fields)
    return named or reads_as_header(record.fields, columns) or not reads_as_header(below.fields, columns)


def _is_sentence(record: Record, records: Sequence[Record]) -> bool:
    """Return True if the cells after the first begin with a space, which those of other records do not: text cut at its commas."""
    width = len(record.fields)
    if not any(cell.startswith(" ") and cell.strip() for cell in record.fields[1:]):
        return False
    rows = [other.fields for other in records if len(other.fields) == width and other is not record]
    return sum(any(cell.startswith(" ") for cell in row[1:]) for row in rows) <= _MOST * len(rows)


def _is_comment(record: Record, width: int) -> bool:
    return bool(COMMENT.match(record.text))


def _is_title(record: Record, width: int) -> bool:
    return width > 1 and not "".join(record.fields[1:]).strip()


def _is_key(record: Record, width: int) -> bool:
    first = record.fields[0]
    return width > 1 and ":" in first and bool(_KEY.match(first)) and not any(_KEY.match(cell) for cell in record.fields[1:])
