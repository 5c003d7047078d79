"""The tolerant reader: the rows of any text file, one by one, as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .dialect import Dialect
from .encoding import open_text


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


def read_records(path: Path, dialect: Dialect) -> Iterator[Record]:
    """Yield the rows of data of a file (no preamble, header or blank lines); memory is bounded.

    Raises:
        UnicodeDecodeError: the file is not of the dialect's encoding; see `encoding.confirm_encoding`.
    """
    with open_text(path, dialect.encoding) as lines:
        for number, line in enumerate(lines, start=1):
            text = line.rstrip("\r\n")
            if number > dialect.body_line and text:
                yield Record(number, tuple(text.split(dialect.delimiter)), text)
