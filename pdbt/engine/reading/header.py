"""Where the table starts in a file, which rows are its header, and what its columns are called.

A header is told by types: its cells cannot be values of the typed columns below. Without typed columns a first row is a header unless its
values come again below in the same column, or it has empty or repeated cells where the rows have none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .cells import Kind, kind
from .names import column_names
from .preamble import COMMENT, MOST_LINES, adjacent, next_line, table_start
from .profile import MOST_HEADER_ROWS, evidence, is_placeholder, is_typed, is_value, is_year, profile, profile_below, reads_as_header
from .tokens import Record
from .units import is_unit

_FEWEST_ROWS_WITH_NAMES = 2  # of data, one field wider than the header, for that field to be the rows' names
_ROWS_WITH_NAMES = 0.9  # of the rows, that are one field wider than the header, for the same
_MOST_SPARE_NAMES = 2  # that a header right above the rows has for columns which they lack
_LIKE_THE_HEADER = 0.1  # of the rows, that have the fields of a header of another width than most, for it to be one
_FEWEST_ROWS_AGAINST = 5  # full rows of text, for an empty or repeated cell above them to be no name
_FEW_ROWS = 0.1  # of a table's rows
_FEWEST_NAMES = 2  # cells that cannot be values, for a second row to be one of names

_NUMBER_SIGN = re.compile(r"\s*#\s*(?!of\b)(?=[^\W\d])")
_RULER = re.compile(r"[\s\-=+|:*,;]*(--|==)[\s\-=+|:*,;]*")
_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[^\W\d_]+")
_SHAPE_LENGTH = 10


@dataclass(frozen=True)
class Layout:
    """Where the parts of a file are.

    Attributes:
        skip_lines: physical lines before the first header row.
        header_rows: 0 to 3.
        body_line: physical lines before the first row of data.
        names: the columns.
        notes: sentences about what a person may want to know.
    """

    skip_lines: int
    header_rows: int
    body_line: int
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _Table:
    """The records of a sample from the start of the table on, with what is known of them."""

    records: list[Record]
    width: int
    before: list[Record] = field(default_factory=list)

    def rows(self) -> list[tuple[str, ...]]:
        return [record.fields for record in self.records]

    def raise_to(self, index: int) -> None:
        """Begin the table with one of the rows before it."""
        self.records[:0] = self.before[index:]
        del self.before[index:]

    def drop(self, count: int) -> None:
        """Move the first rows to those before the table."""
        self.before.extend(self.records[:count])
        del self.records[:count]


def find_layout(records: Sequence[Record], width: int, header: bool | int | None = None) -> Layout:
    """Find the table, its header rows and its names.

    Args:
        records: the first records of the file.
        width: the number of fields that most of them have.
        header: whether there is a header, or how many rows it has, when a person has said it.
    """
    records = [record for index, record in enumerate(records) if index > MOST_LINES or not _RULER.fullmatch(record.text)]
    if not records:
        return Layout(0, 0, 0, ("column_1",), ("The file is empty.",))
    start = table_start(records, width)
    table = _Table(list(records[start:]), width, list(records[:start]))
    if _ends_in_delimiter(table):
        table.width -= 1
    commented = _commented_header(table)
    if header is None:
        above = _header_above(table)
        rows = _header_rows(table, sure=commented is not None or above is not None)
        if rows == 0 and above is not None and above < len(table.before):
            table.raise_to(above)
            rows = 1
        elif rows == 0 and commented:
            table.records.insert(0, commented)
            rows = 1
        else:
            rows = _take_groups_above(table, rows)
    elif header is True:
        rows = max(1, _header_rows(table))
    else:
        rows = min(int(header), len(table.records))
    return _layout(table, rows)


def _layout(table: _Table, rows: int) -> Layout:
    records = table.records
    head = [list(record.fields) for record in records[:rows]]
    if head:
        head[0][0] = _without_mark(head[0][0], table, rows)
    named_rows = rows == 1 and _has_row_names(table)
    if named_rows:
        head = [["", *head[0]]]  # R's write.table leaves the name of the row names out
    elif rows == 1 and len(head[0]) < table.width:
        table.width = len(head[0])
    elif head and len(head[-1]) > table.width and any(cell.strip() for cell in head[-1][table.width :]):
        table.width = len(head[-1])
    names = column_names(head, table.width)
    body_line = records[rows].line - 1 if rows < len(records) else next_line(records[-1]) - 1
    skip_lines = records[0].line - 1 if rows else body_line
    notes = [*_notes(table, rows, skip_lines, names), *[_ROW_NAMES] * named_rows]
    if 0 < rows < MOST_HEADER_ROWS and _fits_nowhere(table, rows):
        notes.append(_UNFIT_ROW.format(rows + 1))
    return Layout(skip_lines, rows, body_line, names, tuple(notes))


_UNFIT_ROW = "The first row below the header fits none of its columns of numbers and dates. If it belongs to the header, set header = {}."
_ROW_NAMES = "The header names every column but the first, whose row names are column_1."


def _without_mark(name: str, table: _Table, rows: int) -> str:
    """Return the first name without a comment's mark before it; a number sign that the rows have too, or that means a number, is kept."""
    if any(record.fields[0].lstrip().startswith("#") for record in table.records[rows:]):
        return name
    if any(COMMENT.match(record.text) for record in table.before):
        return COMMENT.sub("", name, count=1).strip() or name
    return _NUMBER_SIGN.sub("", name, count=1)


def _has_row_names(table: _Table) -> bool:
    """Return True if the rows have one field more than the header, and not because text was cut at its commas."""
    rows = [record.fields for record in table.records[1:]]
    wider = [row for row in rows if len(row) == len(table.records[0].fields) + 1 == table.width]
    if len(rows) < _FEWEST_ROWS_WITH_NAMES or len(wider) < _ROWS_WITH_NAMES * len(rows):
        return False
    return not any(all(row[column].startswith(" ") for row in wider) for column in range(1, table.width))


def _fits_nowhere(table: _Table, rows: int) -> bool:
    """Return True if the first row has text in several columns of numbers and dates, and a value in none."""
    below = [record.fields for record in table.records[rows:] if len(record.fields) == table.width]
    if len(below) < 2 or table.records[rows].fields != below[0] or any(map(is_value, below[0])):
        return False
    against, for_it = evidence(below[0], profile(below[1:], table.width))
    return against >= _FEWEST_NAMES and not for_it


def _notes(table: _Table, rows: int, skip_lines: int, names: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if table.before and skip_lines:
        notes.append(f"{skip_lines} line{'s' * (skip_lines > 1)} before the table skipped.")
    if rows == 0:
        notes.append("No header: columns are named column_1" + (f" to column_{len(names)}." if len(names) > 1 else "."))
    elif rows > 1:
        notes.append(f"{rows} header rows joined.")
    return tuple(notes)


def _ends_in_delimiter(table: _Table) -> bool:
    """Say whether the last field is only what follows a delimiter at the end of each line."""
    full = [record.fields for record in table.records if len(record.fields) == table.width]
    return table.width > 1 and all(not fields[-1].strip() for fields in full)


def _header_rows(table: _Table, *, sure: bool = False) -> int:
    """Return how many rows at the top of a table are its header, moving rows that are not even that to `table.before`.

    Args:
        table: what stands from the first row that could be the table's.
        sure: only types tell a header: there is another row that would do.
    """
    rows = table.rows()
    if len(rows) == 1:
        typed = [is_typed(kind(cell)) for cell in rows[0] if cell.strip()]
        return int(not sure and not (typed and all(typed)))
    columns = profile_below(rows, table.width)
    if not any(map(is_typed, columns)):
        return int(not sure and _is_text_header(rows, table.width))
    table.drop(_rows_of_another_block(table.records, columns))
    rows = table.rows()
    leading = _leading_header_rows(rows, columns)
    if leading == 0:
        return int(_names_a_series(rows, columns))
    above = _rows_of_preamble(rows[:leading])
    table.drop(above)
    return _joined_rows(table.records[: leading - above], columns)


def _rows_of_another_block(records: Sequence[Record], columns: Sequence[Kind]) -> int:
    """Count the rows over a blank line that has a header right below it: a block of keys and values that happens to be as wide."""
    for index in range(2, min(len(records) - 1, MOST_LINES // 4)):
        if not adjacent(records[index - 1], records[index]) and reads_as_header(records[index].fields, columns):
            block = [record.fields for record in records[:index]]
            keys = any(evidence(row, columns)[0] and any(map(is_value, row)) for row in block)
            if keys and not any(_is_row(row, columns) for row in block):
                return index
    return 0


def _is_row(row: Sequence[str], columns: Sequence[Kind]) -> bool:
    against, for_it = evidence(row, columns)
    return for_it > against


def _leading_header_rows(rows: Sequence[Sequence[str]], columns: Sequence[Kind]) -> int:
    """Count the rows at the top with more cells that cannot be values than can; a row without evidence counts when one follows it."""
    leading = 0
    for index, row in enumerate(rows[: MOST_LINES // 4]):
        against, for_it = evidence(row, columns)
        if for_it >= against and (for_it or index > MOST_HEADER_ROWS):
            break
        if leading and len(row) != len(columns):
            break  # a row that is too short or too long is data, however little fits in it
        if against > for_it:
            leading = index + 1
    return leading if leading < len(rows) else 1


def _rows_of_preamble(rows: Sequence[Sequence[str]]) -> int:
    """Count the rows over the header that happen to have its width: those that hold values."""
    above = 0
    while above < len(rows) - 1 and any(map(is_value, rows[above])):
        above += 1
    return above


def _joined_rows(records: Sequence[Record], columns: Sequence[Kind]) -> int:
    """Return how many of the candidate rows make up the header.

    A row below the first holds units, or stands under groups; any other is a row of data that does not fit, and must not vanish there.
    """
    count = 1
    for upper, record in pairwise(records[:MOST_HEADER_ROWS]):
        against, for_it = evidence(record.fields, columns)
        cells = [cell for cell in record.fields if cell.strip()]
        if for_it or not against or not adjacent(upper, record) or any(map(is_value, cells)):
            break
        if not all(map(is_unit, cells)):
            names = against >= _FEWEST_NAMES and not any(map(is_placeholder, cells))
            if not (names and _is_under_groups(records[0].fields, record.fields, columns)):
                break
        count += 1
    return count


def _is_under_groups(groups: Sequence[str], row: Sequence[str], columns: Sequence[Kind]) -> bool:
    """Return True if the first row names groups of columns: each has a typed column or more to its right without a name of its own.

    A typed column outside all groups has its name in one of the two rows only. A header that merely lacks a name has other columns.
    """
    grouped: set[int] = set()
    for column in range(1, min(len(groups), len(columns))):
        upper, left = groups[column].strip(), groups[column - 1].strip()
        follows = (not upper and (left or column - 1 in grouped)) or (upper and upper == left)
        if follows and is_typed(columns[column]) and is_typed(columns[column - 1]):
            grouped |= {column - 1, column}
    alone = [column for column, usual in enumerate(columns) if is_typed(usual) and column not in grouped]
    return bool(grouped) and not any(groups[column].strip() and row[column].strip() for column in alone)


def _names_a_series(rows: Sequence[Sequence[str]], profile: Sequence[Kind]) -> bool:
    """Say whether the first row's numbers are names: years, or 1, 2, 3 …, over values that are neither, beside cells that are text."""
    columns = [column for column, usual in enumerate(profile) if column < len(rows[0]) and kind(rows[0][column]) is Kind.NUMBER]
    if not columns or any(is_typed(kind(cell)) for column, cell in enumerate(rows[0]) if column not in columns):
        return False
    if len(rows[0]) == 1:
        return False  # one number is no series: taken for a name, the first value of a column would be lost
    names = [rows[0][column].strip() for column in columns]
    if not all(name.isdecimal() for name in names):
        return False
    numbers = [int(name) for name in names]
    if any(_is_like_all(rows, column) for column in range(len(rows[0])) if column not in columns):
        return False
    below = [[row[column] for column in columns] for row in rows[1:] if len(row) == len(rows[0])]
    if len(set(numbers)) < len(numbers) or not below:
        return False
    if all(map(is_year, names)):
        years = sum(is_year(cell) for row in below for cell in row)
        return years < 0.5 * len(below) * len(columns)
    return len(numbers) > 2 and _steps_by_one(numbers) and not any(_counts_on(row) for row in below[:3])


def _is_like_all(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Return True if the first cell of a column of text is one of the others', or has digits and the shape of all of them."""
    first = rows[0][column].strip()
    others = [row[column].strip() for row in rows[1:] if len(row) == len(rows[0])]
    shapes = {_shape(other) for other in others}
    return bool(first) and (first in others or (_DIGITS.search(first) is not None and shapes == {_shape(first)}))


def _steps_by_one(numbers: Sequence[int]) -> bool:
    return all(abs(right - left) == 1 for left, right in pairwise(numbers)) and numbers == sorted(numbers)


def _counts_on(cells: Sequence[str]) -> bool:
    return all(cell.strip().isdecimal() for cell in cells) and _steps_by_one([int(cell) for cell in cells])


def _is_text_header(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Say whether the first row of a table of text is a header; it is, unless something speaks against it."""
    first = [cell.strip() for cell in rows[0]]
    body = [[cell.strip() for cell in row] for row in rows[1:] if len(row) == width]
    others = [row for row in body if row != first or width == 1]  # a header may be repeated
    if body and not others:
        return False  # all rows are the same
    if width == 1 and all(len(_DIGITS.findall(row[0])) > 2 for row in (first, *body)):
        return False  # numbers in a text, as in the lines below it
    enough = len(body) >= _FEWEST_ROWS_AGAINST
    for column, name in enumerate(first[:width]):
        values = [row[column] for row in others]
        if name in values if name else enough and all(values):
            return False
        if is_typed(kind(name)) and values and not _names_a_series(rows, [Kind.TEXT] * width):
            return False
        if len(values) > 1 and _DIGITS.search(name) and {_shape(value) for value in values} == {_shape(name)}:
            return False
    repeated = len(set(first)) < len(first)
    return not (repeated and enough and sum(len(set(row)) < len(row) for row in body) < _FEW_ROWS * len(body))


def _shape(text: str) -> str:
    """Return the kinds of characters that a text starts with: codes and log lines of one sort have one shape."""
    return _LETTERS.sub("a", _DIGITS.sub("9", text))[:_SHAPE_LENGTH]


def _commented_header(table: _Table) -> Record | None:
    """Return the nearest line of the comment right above the table that has a name for every column, without its mark."""
    below = table.records[0]
    for record in reversed(table.before):
        if not (COMMENT.match(record.text) and adjacent(record, below)):
            return None
        fields = list(record.fields)
        bare = COMMENT.sub("", fields[0], count=1).strip()
        if bare:
            fields[0] = bare
        elif len(fields) > table.width or len(table.before) > 1:
            del fields[0]
        if len(fields) == table.width > 1 and all(fields) and not any(is_typed(kind(cell)) for cell in fields):
            return record._replace(fields=tuple(fields))
        below = record
    return None


def _header_above(table: _Table) -> int | None:
    """Return which of the lines before the table is a header of another width than most rows have.

    It stands right above them with about as many names; or some rows below it have just its width, and those between are too long or short.
    """
    if not table.before:
        return None
    named = [_names_of(record) for record in table.before]
    rows = Counter(len(record.fields) for record in (*table.before, *table.records))
    for index, names in enumerate(named):
        if len(names) > 1 and rows[len(names)] - 1 >= max(1, _LIKE_THE_HEADER * len(table.records)):
            return index
    last = len(named) - 1
    near = table.width - 1 <= len(named[last]) <= table.width + _MOST_SPARE_NAMES and adjacent(table.before[last], table.records[0])
    several = len(named[last]) > 1 or all(record.text.startswith('"') for record in (table.before[last], *table.records))
    return last if near and several else None


def _names_of(record: Record) -> list[str]:
    """Return the names that a line has, none when it is no header: a comment, or with a gap, a value or a name twice."""
    cells = [cell.strip() for cell in record.fields]
    names = cells[: max((index for index, cell in enumerate(cells, start=1) if cell), default=0)]
    plain = all(names) and len(set(names)) == len(names) and not COMMENT.match(record.text)
    sentence = any(cell.startswith(" ") for cell in record.fields[1:])
    return names if plain and not sentence and not any(is_typed(kind(name)) or is_placeholder(name) for name in names) else []


def _take_groups_above(table: _Table, rows: int) -> int:
    """Add to the header a row of groups directly above it that was cut short; return the number of header rows."""
    if not table.before or not 0 < rows < MOST_HEADER_ROWS or not adjacent(table.before[-1], table.records[0]):
        return rows
    above = table.before[-1]
    cells = [cell.strip() for cell in above.fields]
    groups = 2 <= len(cells) < table.width and "" in cells and any(cells[1:]) and not COMMENT.match(above.text)
    if not groups or any(map(is_value, cells)):
        return rows
    table.raise_to(len(table.before) - 1)
    return rows + 1
