r"""How well a candidate separation explains the first lines of a file.

The candidate is read with the very tokeniser that will read the file and judged by how regular the rows come out (pattern) and by how many
cells look like values (type), after G. J. J. van den Burg, A. Nazábal and C. Sutton, "Wrangling messy CSV files by detecting row and type
patterns", Data Mining and Knowledge Discovery 33 (2019). Different here: lines before the table count little against a candidate, columns
without any letter or digit count much (``a||b`` is not three columns), and a header of clean names speaks for one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from .cells import Kind, kind, typed
from .preamble import adjacent
from .separation import NO_DELIMITER, Separation
from .tokens import Record, cut_records

SAMPLE_RECORDS = 150
_CELLS_JUDGED = 1500
_FEWEST_ROWS_JUDGED = 5
_PADDED_SHARE = 0.9  # of the fields after the first, for spaces around them to be padding
_VALUES_SHARE = 0.8  # of the lines, for a file to be one column of values

COMMON = ",;\t|"
ORDINARY = ",;\t|\x01\x02\x1c\x1d\x1e\x1f"
PRIORS = dict.fromkeys(ORDINARY, 1.0) | dict.fromkeys("^~¦§¬", 0.9) | dict.fromkeys("!#*&@", 0.5) | {":": 0.45}
_PRIOR_OF_SEVERAL = 0.95
_PRIOR_OF_SPACING = {"runs": 0.6, "gaps": 0.75, "fixed": 0.8}
_ONE_COLUMN = 0.35
_ONE_COLUMN_OF_VALUES = 0.97

_PUNCTUATION_OF_TEXT = 0.7  # a comma or colon always followed by a space, between two fields, is rather a sentence's
_PUNCTUATION_OF_TIMES = 0.6
_UNHEADED_REMAINDER = 0.5  # lines before the table that are neither told apart from it by types nor by a header
_WORDS_ONLY = 0.4  # rows cut at single spaces without a number or a date in them are rather sentences
_NAMED = 0.6  # the least score of a common delimiter that cuts a line into plain names
_UNIFORM = 0.4  # the least score of a common delimiter that cuts all lines into as many fields
_LINES_BEFORE_NAMES = 8
_FEWEST_NAMES = 3
_PERFECT_CREDIT = 0.85
_PERFECT_PRIOR = 0.9

_TIME = re.compile(r"(?<![\d:])[0-2]?\d:[0-5]\d(?::[0-5]\d)?(?![\d:])")
_UNCLEAN = re.compile(r"[;|\t\x01\x02\x1c-\x1f^~¦]|,\S|^[,:<>\]#*&@!~]\S|^//|[<>\[^~|:]$|^\d+\s+\d|\S {2,}\S")
_PLAIN_NAME = re.compile(r"[^\W\d][\w./#%()\-]*(?: [\w./#%()\-]+){0,3}")
_BRACKET = re.compile(r"\s*[\[{]")
_NOTES_OF_SPACING = {
    "runs": ("Read as columns separated by spaces.",),
    "gaps": ("Read as columns aligned by two spaces or more.",),
    "fixed": ("Read as columns of fixed width, aligned by spaces.",),
}
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
        notes: sentences for a person about how the lines are cut.
        regular: a common delimiter that cuts all lines alike, from the first that it cuts on.
    """

    separation: Separation
    records: list[Record]
    width: int
    score: float
    perfect: bool = False
    notes: tuple[str, ...] = ()
    regular: bool = False

    @property
    def splits_first_line(self) -> bool:
        """The first record has several fields, or as many as most."""
        return bool(self.records) and len(self.records[0].fields) >= min(self.width, 2)


def judge(lines: Sequence[str], separation: Separation, *, whole: bool) -> Reading:
    """Read a sample with a candidate and score what comes out.

    Args:
        lines: the first physical lines, with their ends.
        separation: the candidate.
        whole: the lines are all of the file.
    """
    separation, records, width, share = _read(lines, separation, whole=whole)
    if width < 2:
        return Reading(separation, records, 1, 0.0)
    start = next(index for index, record in enumerate(records) if len(record.fields) == width)
    table = [record.fields for record in records[start:] if len(record.fields) == width]
    rows = table[: max(_FEWEST_ROWS_JUDGED, _CELLS_JUDGED // width)]
    credit = _credit(rows)
    regular = separation.delimiter in COMMON and share == 1.0 and len(table) > 1
    uniform = regular and start == 0
    void = _void_columns(table, width, empty_too=not uniform)
    named = start == 0 and _has_clean_names(table[0])
    # Spaces cut most lines somehow: lines that they do not cut alike are rather rows that they do not explain than a preamble.
    unexplained = separation.spacing and start and adjacent(records[start - 1], records[start])
    covered = ((len(records) - start) / len(records)) ** (2 if unexplained else 0.5)
    score = (share if named else share**2) * covered * credit * (1 - void) ** 2
    prior = _prior(separation) * _doubt(separation, table, records[start - 1].fields if start else ())
    perfect = named and share == 1.0 and credit >= _PERFECT_CREDIT and not void and prior >= _PERFECT_PRIOR
    score = max(score * prior, _least_score(separation, records, uniform=uniform))
    if regular and start and all(map(_PLAIN_NAME.fullmatch, table[0])):
        score = max(score, _UNIFORM)  # lines of a title over names, and rows that are cut alike, however unclean their text
    notes = _NOTES_OF_SPACING.get(separation.spacing or "", ())
    return Reading(separation, records, width, score, perfect, notes, regular and score >= _UNIFORM)


def judge_one_column(lines: Sequence[str], separation: Separation, *, whole: bool, values_win: bool) -> Reading:
    """Judge the whole line as one field.

    Args:
        lines: the first physical lines, with their ends.
        separation: one without a delimiter.
        whole: the lines are all of the file.
        values_win: lines that are values as a whole (``12:30:00``, ``1 234,56``) speak against cutting them.
    """
    records = _sampled(lines, separation, 0, whole=whole)
    values = [record.fields[0] for record in records[1:]]
    valued = values_win and values and sum(map(typed, values)) >= _VALUES_SHARE * len(values)
    return Reading(separation, records, 1, _ONE_COLUMN_OF_VALUES if valued else _ONE_COLUMN)


def _read(lines: Sequence[str], separation: Separation, *, whole: bool) -> tuple[Separation, list[Record], int, float]:
    """Read a sample, adding to the separation what only reading shows: escaped delimiters, the width that settles quotes, padding."""
    records = _sampled(lines, separation, 0, whole=whole)
    width, share = _regularity(records)
    if separation.spacing or (width < 2 and separation.delimiter == NO_DELIMITER):
        return separation, records, width, share
    if separation.escape != "\\" and any(f"\\{separation.delimiter}" in line for line in lines[:SAMPLE_RECORDS]):
        escaped = replace(separation, escape="\\")
        other = _sampled(lines, escaped, 0, whole=whole)
        if _most_alike(other) > _most_alike(records):
            separation, records, (width, share) = escaped, other, _regularity(other)
    if width > 1 and len({len(record.fields) for record in records}) > 1 and any(separation.quote in record.text for record in records):
        readings = [_sampled(lines, separation, each, whole=whole) for each in (width, len(records[0].fields))]
        records = max(readings, key=_most_alike)
        width, share = _regularity(records)
    if width > 1 and _is_padded(records, separation, width):
        separation = replace(separation, trim=True)
        records = _sampled(lines, separation, width, whole=whole)
        width, share = _regularity(records)
    return separation, records, width, share


def _sampled(lines: Sequence[str], separation: Separation, width: int, *, whole: bool) -> list[Record]:
    return list(islice(cut_records(lines, separation, width, whole=whole), SAMPLE_RECORDS))


def _prior(separation: Separation) -> float:
    if separation.spacing:
        return _PRIOR_OF_SPACING[separation.spacing]
    return PRIORS.get(separation.delimiter, _PRIOR_OF_SEVERAL)


def _doubt(separation: Separation, table: Sequence[tuple[str, ...]], above: Sequence[str]) -> float:
    """Return the factor by which a separation is doubted for looking like the punctuation of text.

    Args:
        separation: the candidate.
        table: the rows of the usual width.
        above: the fields of the row before the first of them, when there is one.
    """
    factor = 1.0
    if above and len(table) > 1 and not _first_row_differs(table) and not (len(above) > 1 and _has_clean_names(above)):
        factor *= _UNHEADED_REMAINDER
    if separation.trim and separation.delimiter in ",:" and len(table[0]) == 2:
        factor *= _PUNCTUATION_OF_TEXT
    if separation.delimiter == ":" and sum(bool(_TIME.search(":".join(row))) for row in table) > len(table) / 2:
        factor *= _PUNCTUATION_OF_TIMES
    if separation.spacing == "runs" and not any(kind(cell) in (Kind.NUMBER, Kind.DATE) for cell in table[-1]):
        factor *= _WORDS_ONLY
    return factor


def _most_alike(records: Sequence[Record]) -> int:
    """Return how many records have the same number of fields."""
    return max(Counter(len(record.fields) for record in records).values(), default=0)


def _regularity(records: Sequence[Record]) -> tuple[int, float]:
    """Return the width that most records have and the share that has it from its first use on; width 0 when all have one field."""
    widths = [len(record.fields) for record in records]
    counts = Counter(width for width in widths if width > 1)
    if not counts:
        return 0, 0.0
    most = max(counts.values())
    width = max((each for each, count in counts.items() if count == most), key=lambda each: (widths[-1] == each, each))
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


def _void_columns(table: Sequence[tuple[str, ...]], width: int, *, empty_too: bool) -> float:
    """Return the share of columns (but the last) that hold neither a letter nor a digit in any row; `empty_too`: those without anything."""
    void = 0
    for column in range(width - 1):
        cells = [row[column] for row in table]
        void += not any(any(map(str.isalnum, cell)) for cell in cells) and (empty_too or any(map(str.strip, cells)))
    return void / width


def _least_score(separation: Separation, records: Sequence[Record], *, uniform: bool) -> float:
    """Return what a common delimiter scores, however ragged or unclean the rows, for names or for rows that it cuts all alike."""
    if separation.delimiter not in COMMON:
        return 0.0
    if (uniform or not separation.trim) and any(_is_header(record.fields) for record in records[:_LINES_BEFORE_NAMES]):
        return _NAMED
    return _UNIFORM if uniform and not any(_BRACKET.match(record.text) for record in records) else 0.0


def _is_header(fields: Sequence[str]) -> bool:
    """Return True if fields are plain names, of which text that is cut at commas has no three, or no two at the start of a file."""
    return len(fields) >= _FEWEST_NAMES and len(set(fields)) == len(fields) and all(map(_PLAIN_NAME.fullmatch, fields))


def _has_clean_names(header: Sequence[str]) -> bool:
    """Say whether a row could be a header: distinct, none empty but the last, no delimiters in them."""
    names = [name.strip() for name in header]
    if not names[-1]:
        names.pop()
    return len(set(names)) == len(names) and all(map(_is_clean_name, names))


def _is_clean_name(name: str) -> bool:
    return bool(name) and (name[0].isalnum() or name[0] in "_#$%(") and not _UNCLEAN.search(name)


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
