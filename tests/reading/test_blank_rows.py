"""Rows of delimiters only: blank lines at a file's end, as spreadsheets write them, and rows without a value anywhere else."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.errors import SourceError
from pdbt.engine.reading.dialect import sniff
from pdbt.engine.reading.records import read_records
from pdbt.engine.reading.separation import Separation
from pdbt.engine.reading.tokens import cut_records
from tests.reading.loading import load, write

DELIMITERS = [",", ";", "\t", "|"]
ENDS = ["{d}{d}\n", "{d}{d}", "{d}{d}\r\n" * 40, "{d}{d}{d}{d}\n\n{d}{d}\n\n", " {d} {d}\n", "\n{d}{d}\n" * 3]


def people(number: int, delimiter: str = ",") -> str:
    return "".join(delimiter.join((str(row), f"Miller {row}", str(row % 7))) + "\n" for row in range(number))


@pytest.mark.parametrize(
    ("delimiter", "number", "end"),
    [
        *itertools.product(DELIMITERS, [2, 300], ENDS),
        *((delimiter, 20_000, end) for delimiter, end in zip(itertools.cycle(DELIMITERS), ENDS, strict=False)),
    ],
)
def test_rows_of_delimiters_at_the_end_are_no_rows(delimiter: str, number: int, end: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"id{delimiter}name{delimiter}n\n{people(number, delimiter)}{end.format(d=delimiter)}")
    table = load(path)
    assert (list(table.types.values()), table.loaded.rows, table.loaded.rejected) == (["BIGINT", "VARCHAR", "BIGINT"], number, 0)
    assert table.rows[-1] == (number - 1, f"Miller {number - 1}", (number - 1) % 7)


def test_more_of_them_than_the_last_bytes_hold_are_no_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "id,name,n\n" + people(20_000) + ",,\n" * 100_000)
    assert load(path).loaded.rows == 20_000


@pytest.mark.parametrize("number", [5, 20_000])
def test_rows_of_delimiters_at_the_end_of_a_packed_file_are_no_rows(number: int, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(gzip.compress(f"id,name,n\n{people(number)},,\n,,\n".encode()))
    table = load(path)
    assert (table.loaded.rows, table.rows[-1][0]) == (number, number - 1)
    path.write_bytes(gzip.compress(f"id,name,n\n{people(number)},,\n{people(1)}".encode()))
    table = load(path)
    assert (table.loaded.rows, table.rows[-2:]) == (number + 2, [(None, None, None), (0, "Miller 0", 0)])


def test_rows_without_a_value_between_rows_stay(tmp_path: Path) -> None:
    path = write(tmp_path, "id,name,n\n1,a,2\n,,\n,,\n3,b,4\n,,\n")
    assert load(path).rows == [(1, "a", 2), (None, None, None), (None, None, None), (3, "b", 4)]
    assert load(write(tmp_path, 'id,name\n1,a\n"",""\n')).rows == [(1, "a"), (None, None)]
    wide = write(tmp_path, "id,name,n\n1,a,2\n,\n3,b,4\n,\n")
    with pytest.raises(SourceError, match=r"ORDERS: line 3 of data/source/orders\.csv has 2 fields, 3 expected\."):
        load(wide)


def test_a_header_over_nothing_but_delimiters_is_a_table_without_rows(tmp_path: Path) -> None:
    table = load(write(tmp_path, "id,name,n\n" + ",,\n" * 30))
    assert (list(table.types), table.rows) == (["id", "name", "n"], [])


@given(st.lists(st.sampled_from([",,", ",", " , ", "", "1,2,3", "x,,", '"",']), max_size=12))
def test_only_the_blank_rows_after_the_last_row_are_left_out(texts: list[str]) -> None:
    found = [record.line for record in cut_records([f"{text}\n" for text in texts], Separation(), 3)]
    filled = [number for number, text in enumerate(texts, start=1) if text.strip(" ,")]
    last = max(filled, default=0)
    assert found == [number for number, text in enumerate(texts, start=1) if text and number <= last]


def test_a_sample_that_ends_in_blank_rows_counts_none_of_them(tmp_path: Path) -> None:
    path = write(tmp_path, "a;b\n1;2\n;\n;\n")
    sniffed = sniff(path)
    assert (sniffed.rows, [record.fields for record in read_records(path, sniffed.dialect)]) == ([("1", "2")], [("1", "2")])
