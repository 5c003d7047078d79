"""What a text file looks like: found out from its first bytes."""

from __future__ import annotations

import io
import re
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from os import SEEK_END
from pathlib import Path

from ..errors import SourceError
from .delimiter import find_separation
from .encoding import MIXED, UTF_8, WIDE, decode, detect_encoding, is_binary, known_name, read_head
from .formats import COMPRESSED
from .header import Layout, find_layout
from .judgement import SAMPLE_RECORDS, Reading
from .mixture import has_fault
from .model import ReadOptions
from .preamble import next_line
from .quotes import LONGEST_FIELD
from .separation import Separation
from .tokens import cut_records

SAMPLE_BYTES = 1 << 18
LONGEST_SAMPLE = 1 << 24  # bytes read at most to see a few records of a very wide file
ROWS_OFFERED = 1000
_FEWEST_LINES = 8
_LAST_BYTES = 1 << 16  # of a file, read to see its last line
_LONGEST_DUCKDB_DELIMITER = 4  # bytes


@dataclass(frozen=True)
class Dialect(Separation):
    r"""How a text file is to be read: a separation, and where the table is.

    Attributes:
        encoding: a name that `encoding.open_text` knows; ``utf-8`` with or without a mark.
        encoding_said: the encoding was said, not found.
        newline: ``\n``, ``\r\n`` or ``\r``; empty when lines end differently.
        skip_lines: physical lines before the first header row.
        header_rows: 0 to 3.
        body_line: physical lines before the first row of data (preamble, header, blank lines between).
        names: the names of the columns, unique without regard to case, none empty.
        plain: DuckDB's read_csv with these settings, ``skip=body_line`` and ``header=false``, reads the same rows or raises.
        notes: sentences for a person about what was found out; none for an ordinary file.
    """

    encoding: str = UTF_8
    encoding_said: bool = False
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
        rows: the first rows of data, as `records.read_records` gives their fields (ragged ones included).
        complete: `rows` are all the rows of the file.
    """

    dialect: Dialect
    rows: list[tuple[str, ...]] = field(default_factory=list)
    complete: bool = False


def sniff(path: Path, options: ReadOptions | None = None) -> Sniffed:
    """Find out how a text file is to be read, from its first bytes; what the options say is taken as said.

    Raises:
        SourceError: the file is not text, or not of the encoding that the options say.
        OSError: the file cannot be opened.
    """
    options = options or ReadOptions()
    lines, encoding, whole = _sample(path, options.encoding, SAMPLE_BYTES)
    reading = find_separation(lines, whole=whole, delimiter=options.delimiter)
    if not whole and _ends_in_quotes(reading, len(lines)):
        lines, encoding, whole = _sample(path, options.encoding, SAMPLE_BYTES + 2 * LONGEST_FIELD)
        reading = find_separation(lines, whole=whole, delimiter=options.delimiter)
    layout = find_layout(reading.records, reading.width, options.header)
    dialect = Dialect(
        **asdict(reading.separation),
        encoding=encoding,
        encoding_said=bool(options.encoding),
        newline=_newline(lines),
        skip_lines=layout.skip_lines,
        header_rows=layout.header_rows,
        body_line=layout.body_line,
        names=layout.names,
        notes=(*_notes(encoding, options, layout), *reading.notes),
    )
    if any(map(has_fault, layout.names)):
        reason = fault_reason(dialect)
        raise SourceError(f"{path.name}: its header {reason}.", "Write it in one encoding, or set encoding.", path=str(path))
    body = cut_records(lines[layout.body_line :], dialect, len(layout.names), whole=whole)
    rows = [record.fields for record in islice(body, ROWS_OFFERED + 1) if not has_fault(record.text)]
    complete = whole and len(rows) <= ROWS_OFFERED
    plain = _is_plain(dialect, lines) and not _ends_in_blank_row(lines if whole else _last_lines(path), dialect.delimiter)
    return Sniffed(replace(dialect, plain=plain), rows[:ROWS_OFFERED], complete)


def fault_reason(dialect: Dialect) -> str:
    """Return in words what is wrong with a row that has faults."""
    if dialect.encoding == MIXED:
        return "holds bytes of two encodings, UTF-8 and Windows-1252"
    return f"holds bytes that are not {dialect.encoding}"


def _ends_in_quotes(reading: Reading, lines: int) -> bool:
    """Say whether few records were seen because a quote opened that the sample does not close."""
    return len(reading.records) < SAMPLE_RECORDS and (not reading.records or next_line(reading.records[-1]) <= lines)


def _sample(path: Path, said: str | None, size: int) -> tuple[list[str], str, bool]:
    """Return the first whole lines of a file, its encoding, and whether they are all of it."""
    wanted = size
    named = _known_encoding(path, said) if said else None
    while True:
        head = read_head(path, size)
        whole = len(head) < size
        if not said and is_binary(head):
            raise SourceError(
                f"{path.name} is not a text file.", "Give it the ending of its kind, or leave it out of the source folder.", path=str(path)
            )
        encoding = named or detect_encoding(head, complete=whole)
        lines = _lines(path, head, encoding, whole=whole)
        if size > wanted and len(lines) > _FEWEST_LINES:
            return lines[:_FEWEST_LINES], encoding, False
        if whole or len(lines) >= _FEWEST_LINES or size >= LONGEST_SAMPLE:
            return lines, encoding, whole
        size *= 8


def _known_encoding(path: Path, said: str) -> str:
    try:
        return known_name(said)
    except LookupError:
        hint = "Set encoding to one such as utf-8 or windows-1252."
        raise SourceError(f"{path.name}: there is no encoding {said!r}.", hint, path=str(path)) from None


def _lines(path: Path, head: bytes, encoding: str, *, whole: bool) -> list[str]:
    text = decode(head, encoding, complete=whole)
    if encoding in WIDE and has_fault(text):
        raise SourceError(f"{path.name} is not {encoding}.", "Leave encoding out, or set another one.", path=str(path))
    lines = list(io.StringIO(text, newline=""))
    if not whole and len(lines) > 1:
        lines.pop()
    return lines


def _newline(lines: list[str]) -> str:
    """Return how every line ends; empty when lines end differently."""
    text = "".join(lines)
    crlf = text.count("\r\n")
    counts = {"\r\n": crlf, "\n": text.count("\n") - crlf, "\r": text.count("\r") - crlf}
    found = [ending for ending, count in counts.items() if count]
    return found[0] if len(found) == 1 else "" if found else "\n"


def _notes(encoding: str, options: ReadOptions, layout: Layout) -> tuple[str, ...]:
    return layout.notes if encoding == UTF_8 or options.encoding else (encoding_note(encoding), *layout.notes)


def encoding_note(encoding: str) -> str:
    """Return the sentence that says which encoding was found."""
    return "Read as UTF-8, and as Windows-1252 in the lines that are not." if encoding == MIXED else f"Read as {encoding}."


def _is_plain(dialect: Dialect, lines: list[str]) -> bool:
    """Say whether DuckDB reads the file alike, as tests/reading/test_records.py shows."""
    ordinary = (
        dialect.encoding == UTF_8 and dialect.newline and not dialect.spacing and not dialect.trim and dialect.escape == dialect.quote
    )
    if not ordinary or len(dialect.names) < 2 or len(dialect.delimiter.encode()) > _LONGEST_DUCKDB_DELIMITER:
        return False
    skipped = lines[: dialect.body_line]
    return not any(dialect.quote in line for line in skipped) or _one_line_each(skipped, dialect)


def _last_lines(path: Path) -> list[str]:
    """Return the last lines of a file; none of a packed one, whose end is far away."""
    if path.suffix.lower() in COMPRESSED:
        return []
    with path.open("rb") as stream:
        stream.seek(0, SEEK_END)
        stream.seek(-min(stream.tell(), _LAST_BYTES), SEEK_END)
        return list(io.StringIO(stream.read().decode("utf-8", "replace"), newline=""))


def _ends_in_blank_row(lines: list[str], delimiter: str) -> bool:
    """Return True if the last line that is not blank has delimiters only, which DuckDB would read as a row."""
    last = next((line for line in reversed(lines) if line.strip("\r\n")), "")
    return delimiter in last and not last.replace(delimiter, "").strip()


def _one_line_each(lines: list[str], dialect: Dialect) -> bool:
    """Say whether every quote of the lines to skip is proper and closed on its line: DuckDB skips records, not lines."""
    mark, quote = re.escape(dialect.delimiter), dialect.quote
    field = rf"(?:{quote}(?:[^{quote}]|{quote}{quote})*{quote}|(?!{quote})(?:(?!{mark})[^{quote}\r\n])*)"
    proper = re.compile(rf"{field}(?:{mark}{field})*[\r\n]*")
    return all(quote not in line or proper.fullmatch(line) for line in lines)
