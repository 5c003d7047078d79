"""Files that are broken in every way that people's files are, made from a seed, with what is known to be in them.

Every row has a number of its own in its first field, so that each can be found again: in the table or among the rejected rows.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import xlsxwriter

NUMBER = re.compile("r[0-9]{7}")
HEADER = ("id", "name", "qty", "day", "note")
WORDS = "Ada Bob Café Dürer Eve Forlì Göteborg Ham Ibáñez Jo".split()


@dataclass(frozen=True)
class BrokenFile:
    """A file with what was done to it, and its rows.

    Attributes:
        path: the file.
        damage: what was done to it.
        numbers: all that are in it, each once.
        rows: how many rows they are in, when that is beyond dispute: no quote was misplaced.
        encoding: of a text file.
    """

    path: Path
    damage: tuple[str, ...]
    numbers: frozenset[str]
    rows: int | None = None
    encoding: str = ""


@dataclass
class _Rows:
    """The rows of a file while they are being broken: lines of bytes without their ends.

    Attributes:
        choose: the source of chance.
        delimiter, encoding, newline: how they are written.
        lines: each row's, which may hold line ends inside of quotes.
        numbers: of the rows that are there.
    """

    choose: random.Random
    delimiter: str
    encoding: str
    newline: str
    lines: list[bytes] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)

    def coded(self, text: str) -> bytes:
        return text.encode(self.encoding)

    def row(self, cells: Sequence[str]) -> bytes:
        return self.coded(self.delimiter.join(cells))

    def place(self) -> int:
        return self.choose.randrange(len(self.lines))

    def cells(self, place: int) -> list[str]:
        return self.lines[place].decode(self.encoding, "replace").split(self.delimiter)


def _with_cell(rows: _Rows, change: Callable[[str], str], column: int | None = None) -> None:
    place = rows.place()
    cells = rows.cells(place)
    column = rows.choose.randrange(1, len(HEADER)) if column is None else column
    if column < len(cells):
        cells[column] = change(cells[column])
        rows.lines[place] = rows.row(cells)


def _more_fields(rows: _Rows) -> None:
    place = rows.place()
    rows.lines[place] += rows.coded(rows.delimiter + rows.delimiter.join(rows.choose.choices(WORDS, k=rows.choose.randint(1, 3))))


def _fewer_fields(rows: _Rows) -> None:
    place = rows.place()
    rows.lines[place] = rows.row(rows.cells(place)[: rows.choose.randint(1, 4)])


def _two_rows_in_one(rows: _Rows) -> None:
    place = rows.place()
    if place + 1 < len(rows.lines):
        rows.lines[place : place + 2] = [rows.lines[place] + rows.lines[place + 1]]
        rows.numbers.pop(place + 1)


def _blank_lines(rows: _Rows) -> None:
    rows.lines[-1] += rows.coded(rows.newline * rows.choose.randint(1, 3))


def _cut_short(rows: _Rows) -> None:
    rows.lines[-1] = rows.lines[-1][: max(len(rows.coded("r0000000")), len(rows.lines[-1]) // 2)]


def _other_bytes(rows: _Rows) -> None:
    place = rows.place()
    rows.lines[place] += rows.choose.choice([b"\xe9", b"\xff\xfe", b"\xc3", b"\xf0\x9f", b"\x81"])


def _late(rows: _Rows, change: Callable[[_Rows], None]) -> None:
    """Do it in many rows, so that the first of them are seen before the rest."""
    for _ in range(rows.choose.randint(2, 4)):
        change(rows)


ROW_DAMAGE: dict[str, Callable[[_Rows], None]] = {
    "more fields": _more_fields,
    "fewer fields": _fewer_fields,
    "two rows in one": _two_rows_in_one,
    "blank lines": _blank_lines,
    "cut short": _cut_short,
    "bytes of another encoding": _other_bytes,
    "an open quote": lambda rows: _with_cell(rows, lambda cell: f'"{cell}'),
    "a closing quote": lambda rows: _with_cell(rows, lambda cell: f'{cell}"'),
    "quotes within": lambda rows: _with_cell(rows, lambda cell: f'"{cell} "so" x"'),
    "a quote alone": lambda rows: _with_cell(rows, lambda cell: '"'),
    "a line end in quotes": lambda rows: _with_cell(rows, lambda cell: f'"{cell}{rows.newline}x"', 4),
    "a carriage return in quotes": lambda rows: _with_cell(rows, lambda cell: f'"{cell}\rx"', 4),
    "a zero byte": lambda rows: _with_cell(rows, lambda cell: f"{cell}\0"),
    "a control character": lambda rows: _with_cell(rows, lambda cell: f"{cell}\x1a\x02"),
    "not a number": lambda rows: _with_cell(rows, lambda cell: "n.n.", 2),
    "not a day": lambda rows: _with_cell(rows, lambda cell: "2024-02-31", 3),
    "a long field": lambda rows: _with_cell(rows, lambda cell: "x" * 70_000, 4),
    "spaces": lambda rows: _with_cell(rows, lambda cell: f"  {cell} \u00a0"),
    "many open quotes": lambda rows: _late(rows, lambda rows: _with_cell(rows, lambda cell: f'"{cell}')),
    "many short rows": lambda rows: _late(rows, _fewer_fields),
}
PREAMBLES = ["", "", "", "Report of the shop", "Report\n\nMade by hand", "# comment", 'Title "quoted', "\n\n"]


def _cells(choose: random.Random, number: str) -> list[str]:
    day = f"2024-{choose.randint(1, 12):02}-{choose.randint(1, 28):02}"
    return [number, choose.choice(WORDS), str(choose.randint(0, 999)), day, choose.choice(["", "ok", "to be sent"])]


def _text_file(choose: random.Random, numbers: Iterator[str], path: Path) -> BrokenFile:
    encoding = choose.choice(["utf-8", "utf-8", "utf-8", "utf-8-sig", "cp1252", "utf-16-le"])
    rows = _Rows(choose, choose.choice(",,;\t|"), encoding.removesuffix("-sig"), choose.choice(["\n", "\n", "\r\n", "\r"]))
    rows.numbers = [next(numbers) for _ in range(choose.randint(12, 60))]
    rows.lines = [rows.row(_cells(choose, number)) for number in rows.numbers]
    damage = tuple(choose.sample(sorted(ROW_DAMAGE), choose.randint(1, 3)))
    for each in sorted(damage, key=lambda each: each == "blank lines"):  # last: what is added behind them would be a row
        ROW_DAMAGE[each](rows)
    preamble = choose.choice(PREAMBLES).replace("\n", rows.newline)
    head = [rows.coded(preamble)] if preamble else []
    content = rows.coded(rows.newline).join([*head, rows.row(HEADER), *rows.lines]) + rows.coded(choose.choice(["", rows.newline]))
    mark = {"utf-8-sig": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe"}.get(encoding, b"")
    packed = choose.random() < 0.1
    path = path.with_name(path.name + ".csv" + (".gz" if packed else ""))
    path.write_bytes(gzip.compress(mark + content) if packed else mark + content)
    shifted = encoding == "utf-16-le" and "bytes of another encoding" in damage  # from where on all is another text
    in_dispute = shifted or any("quote" in each for each in damage)
    written = frozenset(NUMBER.findall(content.decode(rows.encoding, "replace")))
    return BrokenFile(path, (encoding, *damage), written, None if in_dispute else len(rows.numbers), rows.encoding)


def _whole_file(choose: random.Random, numbers: Iterator[str], path: Path) -> BrokenFile:
    """Make a file that is broken as a whole, or of another kind than text."""
    ids = [next(numbers) for _ in range(5)]
    rows = [_cells(choose, number) for number in ids]
    text = "".join(",".join(row) + "\n" for row in [list(HEADER), *rows]).encode()
    kind = choose.choice(
        ["empty", "header", "binary", "zeros", "gz", "zst", "json", "ndjson", "json twice", "xlsx", "xlsx errors", "parquet"]
    )
    if kind in ("empty", "header", "binary", "zeros"):
        content = {"empty": b"", "header": text.split(b"\n")[0], "zeros": bytes(300)}.get(kind, bytes(choose.randbytes(300)))
        path = path.with_name(f"{path.name}.csv")
        path.write_bytes(content)
        return BrokenFile(path, (kind,), frozenset())
    path = path.with_name(
        f"{path.name}.{ {'gz': 'csv.gz', 'zst': 'csv.zst', 'json twice': 'ndjson', 'xlsx errors': 'xlsx'}.get(kind, kind) }"
    )
    records = [json.dumps(dict(zip(HEADER, row, strict=True)), ensure_ascii=False) for row in rows]
    if kind == "xlsx errors":
        book = xlsxwriter.Workbook(str(path))
        sheet = book.add_worksheet()
        for number, row in enumerate([list(HEADER), *rows]):
            for column, cell in enumerate(row):
                sheet.write_string(number, column, cell)
        sheet.write_formula(2, 2, "=1/0", None, "#DIV/0!")
        book.close()
    elif kind == "json twice":
        path.write_text("\n".join([*records[:4], records[4][:-1] + ',"id":"x"}']), encoding="utf-8")
    elif kind == "parquet":
        pyarrow.parquet.write_table(pa.table({name: [row[place] for row in rows] for place, name in enumerate(HEADER)}), path)
        path.write_bytes(path.read_bytes()[: -choose.randint(1, 200)])
    else:
        whole = {"gz": gzip.compress(text), "zst": b"\x28\xb5\x2f\xfd" + text, "xlsx": b"PK\x03\x04" + text}.get(kind)
        whole = whole or f"[{','.join(records)}]".encode()
        path.write_bytes(whole[: len(whole) * 2 // 3] if kind in ("gz", "json", "ndjson") else whole)
    return BrokenFile(path, (kind,), frozenset(ids), len(ids))


def make_broken_files(folder: Path, count: int, seed: int) -> list[BrokenFile]:
    """Make files in a folder; the same for the same seed."""
    choose = random.Random(seed)
    numbers = (f"r{number:07}" for number in range(10**7))
    makers = [_text_file] * 12 + [_whole_file]
    return [choose.choice(makers)(choose, numbers, folder / f"{number:04}") for number in range(count)]
