r"""Which delimiter, quote and escape a text file uses.

Candidates are read with the very tokeniser that will read the file and judged by how regular the rows come out (pattern) and how many cells look
like values (type), after G. J. J. van den Burg, A. Nazábal and C. Sutton, "Wrangling messy CSV files by detecting row and type patterns", Data
Mining and Knowledge Discovery 33 (2019). Different here: rows before the table do not count against a candidate, columns without any letter or
digit do (``a||b`` is not three columns), and "one column" is a candidate.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from .aligned import spacings
from .cells import Kind, kind
from .separation import NO_DELIMITER, Separation
from .tokens import Record, cut_records

SAMPLE_RECORDS = 150
_CELLS_JUDGED = 3000
_LINES_PROBED = 80
_LONGEST_DELIMITER = 5
_PADDED_SHARE = 0.9  # of the fields after the first, for spaces around them to be padding

_COMMON = ",;\t|"
_CONTROL = "\x01\x02\x1c\x1d\x1e\x1f"
_PRIORS = dict.fromkeys(_COMMON + _CONTROL, 1.0) | dict.fromkeys("^~¦§¬", 0.9) | dict.fromkeys("!#*&@", 0.5) | {":": 0.45}
_PRIOR_OF_SEVERAL = 0.95
_PRIOR_OF_PADDED = 0.7  # a delimiter always followed by a space, and not in the first line, is the punctuation of sentences
_PRIOR_OF_SPACING = {"runs": 0.6, "gaps": 0.75, "fixed": 0.8}
_ONE_COLUMN = 0.35
_ONE_COLUMN_OF_VALUES = 0.97
_LEAST_PRESENCE = 0.1  # of the lines probed, for a candidate to be tried at all

_PUNCTUATION_RUN = re.compile(r"[^\w \r\n\"'.\-+/\\()]{2,}")
_QUOTED = re.compile(r"\"[^\"]*\"")
_UNCLEAN = re.compile(r"[;|\t\x01\x02\x1c-\x1f^~¦]|,\S|^[,:<>\]#*&@!~]\S|^//|[<>\[^~|:]$|^\d+\s+\d|\S {2,}\S")
_CREDIT = {Kind.NUMBER: 1.0, Kind.DATE: 1.0, Kind.BOOLEAN: 1.0, Kind.EMPTY: 0.7}
_CREDIT_OF_TEXT = 0.9
_CREDIT_OF_UNCLEAN = 0.2


@dataclass(frozen=True)
class Reading:
    """A separation with the records that it gives.

    Attributes:
        separation: the candidate.
        records: the first records of the file.
        width: the number of fields that most records have.
        score: 0 to 1.
        perfect: nothing speaks against it.
    """

    separation: Separation
    records: list[Record]
    width: int
    score: float
    perfect: bool = False


def find_separation(lines: Sequence[str], *, whole: bool, delimiter: str | None = None) -> Reading:
    """Find how the fields of a file are separated.

    Args:
        lines: the first physical lines, with their ends.
        whole: they are all lines of the file.
        delimiter: the delimiter when a person has said it.
    """
    if delimiter is not None:
        if delimiter.isspace() and "\t" not in delimiter:
            candidates = [*spacings(lines), Separation(delimiter=delimiter)]
            return max((_judge(lines, each, whole=whole) for each in candidates), key=lambda reading: reading.score)
        return _judge(lines, _quoting(lines, delimiter), whole=whole, asked=True)
    probe = list(islice((line for line in lines if not line.isspace()), _LINES_PROBED))
    bare = [_QUOTED.sub("", line) for line in probe]
    best: Reading | None = None
    for single in _singles(bare, _COMMON) or _singles(probe, _COMMON):
        best = _better(best, _judge(lines, _quoting(lines, single), whole=whole))
    if best and best.perfect:
        return best
    for other in [*_singles(probe, (each for each in _PRIORS if each not in _COMMON)), *_several(probe)]:
        best = _better(best, _judge(lines, _quoting(lines, other), whole=whole))
    if best is None or not best.perfect:
        for spacing in spacings(probe):
            best = _better(best, _judge(lines, spacing, whole=whole))
    return _better(best, _one_column(lines, whole=whole))


def _better(best: Reading | None, other: Reading) -> Reading:
    return other if best is None or other.score > best.score else best


def _singles(probe: Sequence[str], characters: Iterable[str]) -> list[str]:
    """Return the single characters that occur in enough lines to be tried."""
    least = max(1.0, _LEAST_PRESENCE * len(probe))
    return [character for character in characters if sum(character in line for line in probe) >= least]


def _several(probe: Sequence[str]) -> list[str]:
    """Return the delimiters of several characters that could be: runs of punctuation, or parts of them, found in most lines."""
    presence: Counter[str] = Counter()
    for line in probe:
        found: set[str] = set()
        for run in _PUNCTUATION_RUN.findall(line.rstrip("\r\n")):
            found.update(run[at : at + size] for size in range(2, _LONGEST_DELIMITER + 1) for at in range(min(len(run) - size + 1, 8)))
        presence.update(found)
    likely = [each for each, lines in presence.most_common(12) if lines >= len(probe) / 2 and not set(each) <= {","}]
    padded = [f" {mark} " for mark in "|;:~^" if sum(f" {mark} " in line for line in probe) > len(probe) / 2]
    return likely + padded


def _quoting(lines: Sequence[str], delimiter: str) -> Separation:
    """Add to a delimiter the quote and the escape that its lines show."""
    text = "".join(lines[: 10 * SAMPLE_RECORDS])
    mark = re.escape(delimiter)
    quote = '"'
    if "'" in text:
        opening = len(re.findall(rf"(?:^|{mark}) *'", text, re.MULTILINE))
        closing = len(re.findall(rf"' *(?:{mark}|[\r\n]|\Z)", text))
        doubles = len(re.findall(rf'(?:^|{mark}) *"', text, re.MULTILINE)) if '"' in text else 0
        if min(opening, closing) > doubles and 2 * min(opening, closing) > max(opening, closing):
            quote = "'"
    escape = quote
    if "\\" in text and re.search(rf"\\{quote}(?!{quote}| *(?:{mark}|[\r\n]|\Z))", text):
        escape = "\\"
    return Separation(delimiter=delimiter, quote=quote, escape=escape)


def _one_column(lines: Sequence[str], *, whole: bool) -> Reading:
    """Judge the whole line as one field."""
    separation = _quoting(lines, NO_DELIMITER)
    records = list(islice(cut_records(lines, separation, whole=whole), SAMPLE_RECORDS))
    values = [record.fields[0] for record in records[1:]]
    looks = sum(kind(value) in (Kind.NUMBER, Kind.DATE, Kind.BOOLEAN) for value in values)
    score = _ONE_COLUMN_OF_VALUES if values and looks >= 0.8 * len(values) else _ONE_COLUMN
    return Reading(separation, records, 1, score)


def _judge(lines: Sequence[str], separation: Separation, *, whole: bool, asked: bool = False) -> Reading:
    """Read the sample with a candidate and score what comes out."""
    records = list(islice(cut_records(lines, separation, whole=whole), SAMPLE_RECORDS))
    plain_escape = separation.escape == separation.quote
    if plain_escape and not separation.spacing and any(f"\\{separation.delimiter}" in line for line in lines[:SAMPLE_RECORDS]):
        escaped = replace(separation, escape="\\")
        other = list(islice(cut_records(lines, escaped, whole=whole), SAMPLE_RECORDS))
        if _regularity(other)[1] > _regularity(records)[1]:
            separation, records = escaped, other
    width, share = _regularity(records)
    if share < 1.0 and width > 1 and not separation.spacing and any(separation.quote in record.text for record in records):
        records = list(islice(cut_records(lines, separation, width, whole=whole), SAMPLE_RECORDS))
        width, share = _regularity(records)
    if width < 2:
        return Reading(separation, records, max(width, 1), 1.0 if asked else 0.0)
    padded = not separation.spacing and _is_padded(records, separation, width)
    if padded:
        separation = replace(separation, trim=True)
        records = list(islice(cut_records(lines, separation, whole=whole), SAMPLE_RECORDS))
    start = next(index for index, record in enumerate(records) if len(record.fields) == width)
    table = [record.fields for record in records[start:] if len(record.fields) == width]
    rows = table[1:] or table
    rows = rows[: max(5, _CELLS_JUDGED // width)]
    credit = _credit(rows)
    bodiless = _void_columns(table, width)
    score = share**2 * ((len(records) - start) / len(records)) ** 0.5 * credit * (1 - bodiless) ** 2 * _prior(separation)
    if start > 0 and len(table) > 1 and not _first_row_differs(table):
        score *= _PRIOR_OF_PADDED * 0.5 if padded else 0.5
    elif padded and separation.delimiter in ",:":
        score *= _PRIOR_OF_PADDED if width == 2 else 1.0
    if separation.spacing == "runs" and not any(kind(cell) in (Kind.NUMBER, Kind.DATE) for cell in rows[-1]):
        score *= 0.4
    perfect = start == 0 and share == 1.0 and credit >= 0.85 and not bodiless and _clean_header(table[0]) and not separation.spacing
    return Reading(separation, records, width, score, perfect)


def _prior(separation: Separation) -> float:
    if separation.spacing:
        return _PRIOR_OF_SPACING[separation.spacing]
    return _PRIORS.get(separation.delimiter, _PRIOR_OF_SEVERAL)


def _regularity(records: Sequence[Record]) -> tuple[int, float]:
    """Return the width that most records from its first use on have, and the share of them that have it; width 0 when all have one field."""
    widths = [len(record.fields) for record in records]
    counts = Counter(width for width in widths if width > 1)
    if not counts:
        return 0, 0.0
    most = max(counts.values())
    width = max((each for each, count in counts.items() if count == most), key=lambda each: (widths[::-1].index(each) == 0, each))
    after = widths[widths.index(width) :]
    return width, after.count(width) / len(after)


def _credit(rows: Sequence[tuple[str, ...]]) -> float:
    """Return the mean credit of cells: 1 for a number or date, less for text, little for text that looks uncut."""
    cells = [cell for row in rows for cell in row]
    total = 0.0
    for cell in cells:
        look = kind(cell)
        if look is Kind.TEXT:
            total += _CREDIT_OF_UNCLEAN if _UNCLEAN.search(cell) or cell.count('"') % 2 else _CREDIT_OF_TEXT
        else:
            total += _CREDIT[look]
    return total / max(1, len(cells))


def _void_columns(table: Sequence[tuple[str, ...]], width: int) -> float:
    """Return the share of columns (but the last) that hold neither a letter nor a digit in any row."""
    void = sum(not any(any(map(str.isalnum, row[column])) for row in table) for column in range(width - 1))
    return void / width


def _clean_header(header: Sequence[str]) -> bool:
    names = [name.strip() for name in header]
    if names and not names[-1]:
        names.pop()
    return len(set(names)) == len(names) and all(name and (name[0].isalnum() or name[0] in "_#$%(") and not _UNCLEAN.search(name) for name in names)


def _first_row_differs(table: Sequence[tuple[str, ...]]) -> bool:
    """Say whether the first row looks like a header of the rows below."""
    return any(kind(name) is Kind.TEXT and kind(below) in (Kind.NUMBER, Kind.DATE) for name, below in zip(table[0], table[1], strict=True))


def _is_padded(records: Sequence[Record], separation: Separation, width: int) -> bool:
    """Say whether spaces stand around nearly every field, which makes them padding."""
    table = [record for record in records if len(record.fields) == width]
    fields = [field for record in table for field in record.fields[1:] if field]
    spaced = sum(field[0] == " " or field[-1] == " " for field in fields)
    if not spaced:
        return False
    spaced += sum(record.text.count(f"{separation.delimiter} {separation.quote}") for record in table)
    return spaced >= _PADDED_SHARE * len(fields)
