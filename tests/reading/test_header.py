"""Names of columns, and headers of tables that programs draw at random."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.reading.dialect import sniff
from pdbt.engine.reading.header import find_layout
from pdbt.engine.reading.names import column_names, unique_names
from pdbt.engine.reading.tokens import Record


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ([["a", "b"]], ("a", "b", "column_3")),
        ([[" a ", "", "\ta b\n"]], ("a", "column_2", "a b")),
        ([["x", "X", "x"]], ("x", "X_2", "x_3")),
        ([["x", "x", "x_2"]], ("x", "x_3", "x_2")),
        ([["", "column_1", "COLUMN_1"]], ("column_1_2", "column_1", "COLUMN_1_3")),
        ([["G", "", "H"], ["a", "b", "a"]], ("G_a", "G_b", "H_a")),
        ([["", "G", ""], ["a", "b", "c"], ["", "kg", "m"]], ("a", "G_b_kg", "G_c_m")),
        ([["id", "n", ""], ["id", "n", "x"]], ("id", "n", "n_x")),
        ([["straße", "STRASSE", "ß"]], ("straße", "STRASSE_2", "ß")),
        ([], ("column_1", "column_2", "column_3")),
    ],
)
def test_names_are_whole_and_each_its_own(header: list[list[str]], names: tuple[str, ...]) -> None:
    assert column_names(header, 3) == names


@given(st.lists(st.sampled_from(["", "a", "A", "a_2", "a_3", "column_1", "column_2", "é", "É"]), max_size=12))
def test_no_two_names_are_the_same(given_names: list[str]) -> None:
    names = unique_names(given_names)
    assert len(names) == len(given_names)
    assert len({name.casefold() for name in names}) == len(names)
    assert all(names)
    for position, name in enumerate(given_names):
        if name and name.casefold() not in {other.casefold() for other in given_names[:position]}:
            assert names[position] == name


def test_ten_thousand_equal_names_take_no_time() -> None:
    assert unique_names(["n"] * 10_000)[-1] == "n_10000"


WORDS = st.sampled_from(["id", "name", "total", "unit price", "Ort", "année", "qty", "e-mail", "is_open", "Größe", "x1"])
NUMBERS = st.integers(-10_000, 10_000).map(str) | st.floats(-1e6, 1e6, allow_nan=False).map("{:.2f}".format)
DATES = st.dates().map(str)


@given(
    st.lists(WORDS, min_size=1, max_size=5, unique=True),
    st.lists(st.tuples(NUMBERS, DATES, NUMBERS, DATES, NUMBERS), min_size=1, max_size=10),
    st.booleans(),
)
def test_words_over_values_are_a_header_and_values_over_values_are_not(
    words: list[str], values: list[tuple[str, ...]], headed: bool
) -> None:
    rows = [tuple(words)] * headed + [row[: len(words)] for row in values]
    records = [Record(number, row, ",".join(row)) for number, row in enumerate(rows, start=1)]
    layout = find_layout(records, len(words))
    assert (layout.header_rows, layout.body_line) == (int(headed), int(headed))
    assert layout.names == (tuple(words) if headed else column_names([], len(words)))


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        ("a,b\n1,2\n", ()),
        ("1,2\n3,4\n", ("No header: columns are named column_1 to column_2.",)),
        ("5\n6\n", ("No header: columns are named column_1.",)),
        ("1800\n0\n5\n", ("No header: columns are named column_1.",)),
        ("town,1800\nA,0\nB,5\n", ()),
        ("Report\n\na,b\n1,2\n", ("2 lines before the table skipped.",)),
        ("G,,H,\na,b,c,d\n1,2,3,4\n5,6,7,8\n", ("2 header rows joined.",)),
        ("", ("The file is empty.",)),
    ],
)
def test_what_was_found_out_is_said(content: str, notes: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text(content)
    assert sniff(path).dialect.notes == notes


def test_five_thousand_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    names = [f"a rather long name of a column, number {position}" for position in range(5000)]
    rows = ["|".join(str(row * position) for position in range(5000)) for row in range(1, 40)]
    path.write_text("\n".join(["|".join(names), *rows]) + "\n")
    sniffed = sniff(path)
    assert sniffed.dialect.names == tuple(names)
    assert sniffed.rows[0] == tuple(rows[0].split("|"))
    assert sniffed.dialect.plain


def test_a_negative_amount_in_parentheses_is_no_unit(tmp_path: Path) -> None:
    path = tmp_path / "amounts.csv"
    path.write_text("amount\n(5.00)\n10.00\n", encoding="utf-8")
    sniffed = sniff(path)
    assert (sniffed.dialect.names, sniffed.rows) == (("amount",), [("(5.00)",), ("10.00",)])


def test_rows_that_spaces_do_not_cut_alike_are_not_skipped_as_a_preamble(tmp_path: Path) -> None:
    lines = ["id   name       val", "  1  Ann Lee      5", " 22  Bob          ", "333             77"]
    path = tmp_path / "ragged.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sniffed = sniff(path)
    assert sniffed.dialect.skip_lines == 0
    assert [text for (text,) in sniffed.rows] == lines[1:]
