"""The tolerant reader against DuckDB's, against a writer of every dialect, and on what it must not do: merge, cut or lose rows."""

from __future__ import annotations

import gzip
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import SourceError
from pdbt.engine.reading.dialect import Dialect, sniff
from pdbt.engine.reading.mixture import has_fault
from pdbt.engine.reading.quotes import LONGEST_FIELD
from pdbt.engine.reading.records import read_records

ONE_FILE = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


def fields(path: Path, dialect: Dialect) -> list[tuple[str, ...]]:
    return [record.fields for record in read_records(path, dialect)]


@cache
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def by_duckdb(path: Path, dialect: Dialect) -> list[tuple[str, ...]] | None:
    """Return the rows as DuckDB's strict reader gives them; None when it raises."""
    columns = {f"c{position}": "VARCHAR" for position in range(len(dialect.names))}
    try:
        found = (
            connection()
            .execute(
                "SELECT * FROM read_csv(?, auto_detect = false, header = false, skip = ?, delim = ?, quote = ?, escape = ?, "
                "strict_mode = true, null_padding = false, columns = ?)",
                [str(path), dialect.body_line, dialect.delimiter, dialect.quote, dialect.escape, columns],
            )
            .fetchall()
        )
    except duckdb.Error:
        return None
    return [tuple(cell or "" for cell in row) for row in found]


PIECES = [
    "a",
    "b",
    "1",
    "2.5",
    " ",
    "  ",
    ",",
    ";",
    "|",
    '"',
    '""',
    "'",
    "\\",
    '\\"',
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    "\t",
    "#",
    "é",
    "x y",
    '",',
    ',"',
    '"\n',
    "\x1a",
]


@ONE_FILE
@given(
    st.lists(st.sampled_from(PIECES), max_size=40),
    st.sampled_from([",", ";", "|", "||", "|~|", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@example(list('a,"b",c\n'), ",", "\n")
@example(['a,b,"', "\n", 'g,h",c'], ",", "\n")
def test_what_duckdb_reads_is_read_alike(tmp_path: Path, pieces: list[str], delimiter: str, newline: str) -> None:
    path = tmp_path / "file.csv"
    body = "".join(pieces).replace(",", delimiter)
    path.write_bytes(("x,yy,z\n".replace(",", delimiter).replace("\n", newline) * 3 + body).encode())
    last = re.split("[\r\n]+", body.rstrip("\r\n"))[-1]
    blank = delimiter in last and not last.replace(delimiter, "").strip()  # DuckDB takes it for a row, and we for a blank line
    said = Dialect(delimiter=delimiter, names=("x", "yy", "z"), body_line=1, plain=not blank)
    for dialect in (sniff(path).dialect, said):
        theirs = by_duckdb(path, dialect) if dialect.plain else None
        if theirs is not None:
            assert fields(path, dialect) == theirs


CELLS = st.text(st.sampled_from("abcXYZ 0189.,;|\t'\"\\\néß-:"), max_size=8).map(str.strip)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Draw a table whose first column counts and whose header is plain words, as people's tables are."""
    width = draw(st.integers(2, 6))
    rows = draw(st.lists(st.lists(CELLS, min_size=width - 1, max_size=width - 1), min_size=2, max_size=12))
    return [["id", *(f"name {position}" for position in range(1, width))], *([str(number), *row] for number, row in enumerate(rows))]


def write(table: list[list[str]], delimiter: str, quote: str, newline: str, *, all_quoted: bool, backslash: bool) -> str:
    """Write a table as a careful program does."""

    def written(cell: str) -> str:
        escape = "\\" if backslash else quote
        inner = cell.replace(escape, escape * 2).replace(quote, escape + quote) if backslash else cell.replace(quote, quote * 2)
        if all_quoted or any(mark in cell for mark in (*delimiter, quote, "\n", "\r", *("\\" * backslash))):
            return f"{quote}{inner}{quote}"
        return cell

    return "".join(delimiter.join(map(written, row)) + newline for row in table)


@ONE_FILE
@given(
    tables(),
    st.sampled_from([",", ";", "\t", "|", "^", "~", "\x01", "\x1f", "||", "::", "|~|", ";;", "<>"]),
    st.sampled_from(['"', "'"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]),
)
def test_what_a_program_writes_is_found_again(
    tmp_path: Path, table: list[list[str]], delimiter: str, quote: str, newline: str, all_quoted: bool, encoding: str
) -> None:
    text = write(table, delimiter, quote, newline, all_quoted=all_quoted, backslash=False)
    assume('\\"' not in text and "\\'" not in text and "\\" + delimiter not in text)  # which may as well be an escape
    assume(quote == '"' or '"' not in text)
    assume(quote == '"' or all_quoted)
    assume(not any(cell.startswith("'") or cell.endswith("'") for row in table for cell in row) or quote == "'")
    path = tmp_path / "file.csv"
    path.write_bytes(text.encode(encoding))
    sniffed = sniff(path)
    assert (sniffed.dialect.names, fields(path, sniffed.dialect)) == (tuple(table[0]), [tuple(row) for row in table[1:]])


@ONE_FILE
@given(st.lists(st.tuples(st.integers(0, 99), st.text(st.sampled_from('ab",\\'), max_size=6)), min_size=2, max_size=12))
def test_backslashes_are_found_where_they_escape(tmp_path: Path, rows: list[tuple[int, str]]) -> None:
    table = [["id", "text"], ["0", 'he said "so" to'], *([str(number), text] for number, text in rows)]
    path = tmp_path / "file.csv"
    path.write_text(write(table, ",", '"', "\n", all_quoted=True, backslash=True), newline="")
    dialect = sniff(path).dialect
    assert fields(path, dialect) == [tuple(row) for row in table[1:]]


@ONE_FILE
@given(st.binary(max_size=300))
@example(b"\xff\xfe\x00")
@example(b'"')
@example(b"\\")
def test_any_bytes_are_read_or_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with suppress(SourceError):
        sniffed = sniff(path)
        names = sniffed.dialect.names
        assert all(names)
        assert len(set(map(str.casefold, names))) == len(names)
        # A row with bytes of another encoding is refused by name, and no evidence of what a column is.
        assert [record.fields for record in read_records(path, sniffed.dialect) if not has_fault(record.text)] == sniffed.rows


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b'Report\n\nid,text,n\r\n1,"a\nb",2\n\n3,c\r4,"d,5\n6,e,7\n')
    found = list(read_records(path, sniff(path).dialect))
    assert [(record.line, record.text) for record in found] == [(4, '1,"a\nb",2'), (7, "3,c"), (8, '4,"d,5'), (9, "6,e,7")]


def test_a_quote_left_open_swallows_one_line_at_most(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    lines = [f"{number},text {number},{number * 2}" for number in range(60_000)]
    lines[100] = '100,"left open,200'
    path.write_text("id,text,n\n" + "\n".join(lines) + "\n")
    assert path.stat().st_size > LONGEST_FIELD
    assert fields(path, sniff(path).dialect) == [tuple(line.split(",")) for line in lines]


def test_many_quotes_left_open_cost_no_more_than_a_few_readings(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("id,text,n\n" + "".join(f'{number},"left open,{number}\n' for number in range(30_000)))
    dialect = sniff(path).dialect
    assert fields(path, dialect) == [(str(number), '"left open', str(number)) for number in range(30_000)]


def test_a_field_of_many_lines_is_one_field(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    story = "\n".join(f"line {number}, and more" for number in range(20_000))
    path.write_text(f'id,story,n\n1,short,2\n2,"{story}",3\n3,short,4\n')
    assert fields(path, sniff(path).dialect) == [("1", "short", "2"), ("2", story, "3"), ("3", "short", "4")]


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_packed_files_are_read_as_they_are(tmp_path: Path, ending: str) -> None:
    import pyarrow

    path = tmp_path / f"file.csv{ending}"
    text = "id;città\n" + "".join(f"{number};Forlì {number}\n" for number in range(50_000))
    if ending == ".gz":
        path.write_bytes(gzip.compress(text.encode("utf-16")))
    else:
        with pyarrow.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(text.encode("utf-16"))
    sniffed = sniff(path)
    assert sniffed.dialect.names == ("id", "città")
    assert sniffed.rows[:1] == [("0", "Forlì 0")]
    assert sum(1 for _ in read_records(path, sniffed.dialect)) == 50_000


def test_a_value_that_crosses_a_column_is_a_row_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    table = "name      city      n\n" + "Ada       Paris     5\nBob                 6\nCy        Rome      7\n" * 5
    path.write_text(table + "Hieronymus Bosch    8\nEve       Bonn      9\nAnastasia  Oslo     3\nChristopher Bern    2\n")
    found = fields(path, sniff(path).dialect)
    assert found[1] == ("Bob", "", "6")
    assert found[-4:] == [("Hieronymus Bosch    8",), ("Eve", "Bonn", "9"), ("Anastasia", "Oslo", "3"), ("Christopher Bern    2",)]
