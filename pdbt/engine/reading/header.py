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
from .tokens import Record

MOST_HEADER_ROWS = 3
_MOST_LINES_BEFORE = 60  # records looked at for the start of the table
_TYPED_SHARE = 0.8  # of a column's values, for the column to be typed
_CELLS_PROFILED = 20_000
_FEWEST_ROWS_WITH_NAMES = 2  # of data, all one field wider than the header, for that field to be the rows' names
_FEWEST_ROWS_AGAINST = 5  # full rows of text, for an empty or repeated cell above them to be no name
_FEW_ROWS = 0.1  # of a table's rows
_FEWEST_NAMES = 2  # cells that cannot be values, for a second row to be one of names
_FIRST_YEAR, _LAST_YEAR = 1800, 2200

_COMMENT = re.compile(r"\s*\"?(#|//|%|--)")
_KEY = re.compile(r"\s*[^\W\d][\w /()-]{0,40}:(\s|$)")
_RULER = re.compile(r"[\s\-=+|:*,;]*(--|==)[\s\-=+|:*,;]*")
_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[^\W\d_]+")
_SHAPE_LENGTH = 10
# (5.00) is a negative amount as accountants write it, and no unit.
_UNIT = re.compile(r"\s*([(\[](?![\d\s.,+-]*[)\]]\s*$).*[)\]]|%|[a-zA-Zµ°€$£]{1,3}(/[a-zA-Z]{1,3})?)\s*")


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
    records = [record for index, record in enumerate(records) if index > _MOST_LINES_BEFORE or not _RULER.fullmatch(record.text)]
    if not records:
        return Layout(0, 0, 0, ("column_1",), ("The file is empty.",))
    start = _table_start(records, width)
    table = _Table(list(records[start:]), width, list(records[:start]))
    if _ends_in_delimiter(table):
        table.width -= 1
    commented = _commented_header(table)
    if header is None:
        rows = _take_rows_above(table, _header_rows(table, sure=commented is not None))
        if rows == 0 and commented:
            table.records.insert(0, commented)
            rows = 1
    elif header is True:
        rows = max(1, _header_rows(table))
    else:
        rows = min(int(header), len(table.records))
    return _layout(table, rows)


def _layout(table: _Table, rows: int) -> Layout:
    records = table.records
    head = [list(record.fields) for record in records[:rows]]
    if rows == 1 and len(head[0]) == table.width - 1 and len(records) > _FEWEST_ROWS_WITH_NAMES:
        head = [["", *head[0]]]  # R's write.table leaves the name of the row names out
    elif rows == 1 and len(head[0]) < table.width:
        table.width = len(head[0])
    elif head and len(head[-1]) > table.width and any(cell.strip() for cell in head[-1][table.width :]):
        table.width = len(head[-1])
    names = column_names(head, table.width)
    body_line = records[rows].line - 1 if rows < len(records) else next_line(records[-1]) - 1
    skip_lines = records[0].line - 1 if rows else body_line
    return Layout(skip_lines, rows, body_line, names, _notes(table, rows, skip_lines, names))


def _notes(table: _Table, rows: int, skip_lines: int, names: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if table.before and skip_lines:
        notes.append(f"{skip_lines} line{'s' * (skip_lines > 1)} before the table skipped.")
    if rows == 0:
        notes.append("No header: columns are named column_1" + (f" to column_{len(names)}." if len(names) > 1 else "."))
    elif rows > 1:
        notes.append(f"{rows} header rows joined.")
    return tuple(notes)


def next_line(record: Record) -> int:
    """Return the physical line after a record."""
    return record.line + 1 + record.text.count("\n") + record.text.replace("\r\n", "").count("\r")


def _adjacent(upper: Record, lower: Record) -> bool:
    return next_line(upper) == lower.line


def _table_start(records: Sequence[Record], width: int) -> int:
    """Return the index of the record where the table starts: as few as possible of its like before it, and of others after it.

    Of equally good ones the first is taken, or, when what stands first is surely not of the table, the last.
    """
    outside = _outside(records, width)
    best, fewest = 0, float("inf")
    inside_before = 0
    others_after = sum(outside)
    for index, other in enumerate(outside):
        if not other:
            misplaced = inside_before + others_after
            if misplaced < fewest or (misplaced == fewest and outside[0]):
                best, fewest = index, misplaced
            inside_before += 1
        else:
            others_after -= 1
    return best


def _outside(records: Sequence[Record], width: int) -> list[bool]:
    """Say of each leading record whether it cannot be of the table: it has another width, or, before the first that can, other signs."""
    leading = records[:_MOST_LINES_BEFORE]
    later = records[len(leading) // 2 :]
    signs = [sign for sign in (_is_comment, _is_title, _is_key) if sum(sign(record, width) for record in later) <= 0.1 * len(later)]
    outside: list[bool] = []
    for record in leading:
        before_table = all(outside)
        outside.append(len(record.fields) != width or (before_table and any(sign(record, width) for sign in signs)))
    return outside


def _is_comment(record: Record, width: int) -> bool:
    return bool(_COMMENT.match(record.text))


def _is_title(record: Record, width: int) -> bool:
    return width > 1 and not any(cell.strip() for cell in record.fields[1:])


def _is_key(record: Record, width: int) -> bool:
    return width > 1 and bool(_KEY.match(record.fields[0])) and not any(_KEY.match(cell) for cell in record.fields[1:])


def _ends_in_delimiter(table: _Table) -> bool:
    """Say whether the last field is only what follows a delimiter at the end of each line."""
    full = [record.fields for record in table.records if len(record.fields) == table.width]
    return table.width > 1 and all(not fields[-1].strip() for fields in full)


def _profile(rows: Sequence[Sequence[str]], width: int) -> list[Kind]:
    """Return what most values of each column look like: TEXT unless nearly all agree, EMPTY when there are none."""
    profile: list[Kind] = []
    rows = rows[: max(20, _CELLS_PROFILED // max(1, width))]
    for column in range(width):
        counts = Counter(kind(row[column]) for row in rows if column < len(row))
        counts.pop(Kind.EMPTY, None)
        usual, count = counts.most_common(1)[0] if counts else (Kind.EMPTY, 0)
        profile.append(usual if not counts or count >= _TYPED_SHARE * counts.total() else Kind.TEXT)
    return profile


def _is_typed(look: Kind) -> bool:
    return look not in (Kind.TEXT, Kind.EMPTY)


def _evidence(row: Sequence[str], profile: Sequence[Kind]) -> tuple[int, int]:
    """Return how many cells of a row cannot be values of their typed columns, and how many can; a year may be a name or a value."""
    against = for_it = 0
    for cell, usual in zip(row, profile, strict=False):
        look = kind(cell)
        if _is_typed(usual) and look is not Kind.EMPTY and not _is_year(cell):
            against += look is not usual
            for_it += look is usual
    return against, for_it


def _header_rows(table: _Table, *, sure: bool = False) -> int:
    """Return how many rows at the top of a table are its header, moving rows that are not even that to `table.before`.

    Args:
        table: what stands from the first row that could be the table's.
        sure: only types tell a header: there is another row that would do.
    """
    rows = table.rows()
    if len(rows) == 1:
        typed = [_is_typed(kind(cell)) for cell in rows[0] if cell.strip()]
        return 0 if typed and all(typed) else 1
    tail = rows[min(MOST_HEADER_ROWS, len(rows) - 1) :]
    profile = _profile([row for row in tail if len(row) == table.width] or tail, table.width)
    if not any(map(_is_typed, profile)):
        return int(not sure and _is_text_header(rows, table.width))
    table.drop(_rows_of_another_block(table.records, profile))
    rows = table.rows()
    leading = _leading_header_rows(rows, profile)
    if leading == 0:
        return int(_names_a_series(rows, profile))
    above = _last_blank_line(table.records[:leading])
    if above or leading > MOST_HEADER_ROWS:
        above = max(above, leading - MOST_HEADER_ROWS)
    above = max(above, _rows_of_preamble(rows[:leading], above))
    table.drop(above)
    return _joined_rows(rows[above:leading], profile)


def _rows_of_another_block(records: Sequence[Record], profile: Sequence[Kind]) -> int:
    """Count the rows over a blank line that has a header right below it: a block of keys and values that happens to be as wide."""
    for index in range(2, min(len(records) - 1, _MOST_LINES_BEFORE // 4)):
        if not _adjacent(records[index - 1], records[index]):
            against, for_it = _evidence(records[index].fields, profile)
            if against and not for_it and any(_evidence(record.fields, profile)[0] for record in records[1:index]):
                return index
    return 0


def _leading_header_rows(rows: Sequence[Sequence[str]], profile: Sequence[Kind]) -> int:
    """Count the rows at the top with more cells that cannot be values than can; a row without evidence counts when one follows it."""
    leading = 0
    for index, row in enumerate(rows[: _MOST_LINES_BEFORE // 4]):
        against, for_it = _evidence(row, profile)
        if for_it >= against and (for_it or index > MOST_HEADER_ROWS):
            break
        if against > for_it:
            leading = index + 1
    return leading if leading < len(rows) else 1


def _last_blank_line(records: Sequence[Record]) -> int:
    """Return the index of the record after the last blank line between records; 0 when they follow each other."""
    return max((index for index in range(1, len(records)) if not _adjacent(records[index - 1], records[index])), default=0)


def _rows_of_preamble(rows: Sequence[Sequence[str]], above: int) -> int:
    """Count the rows over the header that happen to have its width: those that hold values."""
    while above < len(rows) - 1 and any(_is_typed(kind(cell)) and not _is_year(cell) for cell in rows[above]):
        above += 1
    return above


def _joined_rows(rows: Sequence[Sequence[str]], profile: Sequence[Kind]) -> int:
    """Return how many of the candidate rows make up the header.

    A row below the first holds units, or stands under groups, or has a name of its own in every column; another is a row of data that does
    not fit, which must not vanish in the names.
    """
    count = 1
    grouped = _has_merged_cells(rows[0])
    for row in rows[1:]:
        against, for_it = _evidence(row, profile)
        cells = [cell for cell in row if cell.strip()]
        if for_it or any(_is_typed(kind(cell)) and not _is_year(cell) for cell in cells):
            break
        units = all(_UNIT.fullmatch(cell) for cell in cells)
        if not units and (against < _FEWEST_NAMES or not (grouped or not _has_merged_cells(row))):
            break
        count += 1
    return count


def _has_merged_cells(row: Sequence[str]) -> bool:
    """Say whether a row has empty or repeated cells, as a row of groups has."""
    cells = [cell.strip() for cell in row]
    return len(set(cells)) < len(cells) or "" in cells


def _is_year(cell: str) -> bool:
    text = cell.strip()
    return text.isdecimal() and len(text) == 4 and _FIRST_YEAR <= int(text) <= _LAST_YEAR


def _names_a_series(rows: Sequence[Sequence[str]], profile: Sequence[Kind]) -> bool:
    """Say whether the first row's numbers are names: years, or 1, 2, 3 …, over values that are neither, beside cells that are text."""
    columns = [column for column, usual in enumerate(profile) if column < len(rows[0]) and kind(rows[0][column]) is Kind.NUMBER]
    if not columns or any(_is_typed(kind(cell)) for column, cell in enumerate(rows[0]) if column not in columns):
        return False
    if len(rows[0]) == 1:
        return False  # one number is no series: taken for a name, the first value of a column would be lost
    names = [rows[0][column].strip() for column in columns]
    if not all(name.isdecimal() for name in names):
        return False
    numbers = [int(name) for name in names]
    below = [[row[column] for column in columns] for row in rows[1:] if len(row) == len(rows[0])]
    if len(set(numbers)) < len(numbers) or not below:
        return False
    if all(map(_is_year, names)):
        years = sum(_is_year(cell) for row in below for cell in row)
        return years < 0.5 * len(below) * len(columns)
    return len(numbers) > 2 and _steps_by_one(numbers) and not any(_counts_on(row) for row in below[:3])


def _steps_by_one(numbers: Sequence[int]) -> bool:
    return all(abs(right - left) == 1 for left, right in pairwise(numbers)) and numbers == sorted(numbers)


def _counts_on(cells: Sequence[str]) -> bool:
    return all(cell.strip().isdecimal() for cell in cells) and _steps_by_one([int(cell) for cell in cells])


def _is_text_header(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Say whether the first row of a table of text is a header; it is, unless something speaks against it."""
    first = [cell.strip() for cell in rows[0]]
    body = [[cell.strip() for cell in row] for row in rows[1:] if len(row) == width]
    others = [row for row in body if row != first or width == 1]  # a header may be repeated
    enough = len(body) >= _FEWEST_ROWS_AGAINST
    for column, name in enumerate(first[:width]):
        values = [row[column] for row in others]
        if name in values if name else enough and all(values):
            return False
        if _is_typed(kind(name)) and values and not _names_a_series(rows, [Kind.TEXT] * width):
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
        if not (_COMMENT.match(record.text) and _adjacent(record, below)):
            return None
        fields = list(record.fields)
        bare = _COMMENT.sub("", fields[0], count=1).strip()
        if bare:
            fields[0] = bare
        elif len(fields) > table.width or len(table.before) > 1:
            del fields[0]
        if len(fields) == table.width > 1 and all(fields) and not any(_is_typed(kind(cell)) for cell in fields):
            return record._replace(fields=tuple(fields))
        below = record
    return None


def _take_rows_above(table: _Table, rows: int) -> int:
    """Add to the header a row directly above it that has another width or looks like a comment; return the number of header rows."""
    if not table.before or not _adjacent(table.before[-1], table.records[0]):
        return rows
    above = table.before[-1]
    if _COMMENT.match(above.text):
        return rows
    cells = [cell.strip() for cell in above.fields]
    named = cells[: max((index for index, cell in enumerate(cells, start=1) if cell), default=0)]
    full = len(named) > 1 and all(named) and len(set(named)) == len(named)
    if rows == 0 and full and table.width - 1 <= len(named) <= table.width + 2 and not any(_is_typed(kind(cell)) for cell in named):
        taken = True
    else:
        groups = 2 <= len(cells) < table.width and "" in cells and any(cells[1:])
        taken = 0 < rows < MOST_HEADER_ROWS and groups and not any(_is_typed(kind(cell)) and not _is_year(cell) for cell in cells)
    if taken:
        table.records.insert(0, table.before.pop())
    return rows + taken
