"""What a text file looks like: found out from its first bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .encoding import decode, detect_encoding, read_head
from .model import ReadOptions
from .separation import Separation

SAMPLE_BYTES = 1 << 18


@dataclass(frozen=True)
class Dialect(Separation):
    r"""How a text file is to be read: a separation, and where the table is.

    Attributes:
        encoding: a name that `encoding.open_text` knows; ``utf-8`` with or without a mark.
        newline: ``\n``, ``\r\n`` or ``\r``; empty when lines end differently, or there is one line only.
        skip_lines: physical lines before the first header row.
        header_rows: 0 to 3.
        body_line: physical lines before the first row of data (preamble, header, blank lines between).
        names: the names of the columns, unique without regard to case, none empty.
        plain: DuckDB's read_csv with these settings, ``skip=body_line`` and ``header=false``, reads the same rows or raises.
        notes: sentences for a person about what was found out; none for an ordinary file.
    """

    encoding: str = "utf-8"
    newline: str = "\n"
    skip_lines: int = 0
    header_rows: int = 1
    body_line: int = 1
    names: tuple[str, ...] = ()
    plain: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sniffed:
    """A dialect with the rows it was found from.

    Attributes:
        dialect: how the file is to be read.
        rows: the first rows of data, as `records.read_records` would give their fields (ragged ones included).
        complete: `rows` are all the rows of the file.
    """

    dialect: Dialect
    rows: list[tuple[str, ...]] = field(default_factory=list)
    complete: bool = False


def sniff(path: Path, options: ReadOptions | None = None) -> Sniffed:
    """Find out how a text file is to be read, from its first bytes; what the options say is taken as said.

    Raises:
        SourceError: the file cannot be read as text, or an option names what is not there.
        OSError: the file cannot be opened.
    """
    options = options or ReadOptions()
    head = read_head(path, SAMPLE_BYTES)
    encoding = options.encoding or detect_encoding(head)
    lines = [line for line in decode(head, encoding).split("\n") if line]
    delimiter = options.delimiter or ","
    rows = [tuple(line.rstrip("\r").split(delimiter)) for line in lines]
    return Sniffed(Dialect(delimiter=delimiter, encoding=encoding, names=rows[0], plain=True), rows[1:], len(head) < SAMPLE_BYTES)
