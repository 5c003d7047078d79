"""Rows of data that were taken for a preamble or for names: the header stays, and what follows it is data, however ragged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.errors import SourceError
from pdbt.engine.reading.dialect import Sniffed, sniff
from pdbt.engine.reading.records import read_records
from tests.reading.loading import load, write

NAMES = ("id", "name", "age")
DELIMITERS = [",", ";", "\t", "|"]
ROW_NAMES = "The header names every column but the first, whose row names are column_1."


def read(path: Path) -> tuple[Sniffed, list[tuple[str, ...]]]:
    sniffed = sniff(path)
    rows = [record.fields for record in read_records(path, sniffed.dialect)]
    assert sniffed.rows == rows[:1000]
    return sniffed, rows


def text(delimiter: str, *rows: tuple[str, ...]) -> str:
    return "".join(delimiter.join(row) + "\n" for row in rows)


def people(number: int) -> list[tuple[str, ...]]:
    return [(str(row), f"Miller {row}", str(20 + row % 60)) for row in range(number)]


def test_two_names_with_commas_of_their_own_take_neither_the_header_nor_themselves_away(tmp_path: Path) -> None:
    wide = [("0", "Miller 0", " Sons", "20"), ("1", "Miller 1", " Sons", "21")]
    path = write(tmp_path, text(",", NAMES, *wide, *people(20_000)))
    with pytest.raises(SourceError, match=r"ORDERS: line 2 of data/source/orders\.csv has 4 fields, 3 expected\."):
        load(path)
    table = load(path, on_error="reject")
    assert (list(table.types), table.loaded.rows, table.loaded.rejected) == (list(NAMES), 20_000, 2)
    assert [(row["line"], row["text"]) for row in table.rejected] == [("2", "0,Miller 0, Sons,20"), ("3", "1,Miller 1, Sons,21")]


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize(
    "rows",
    [
        [("a", "b", "c"), ("1", "b"), ("2",), ("3", "b", "c")],
        [("a", "b", "c"), ("1",), ("2",), ("3",), ("4", "x", "y")],
        [("sku", "label", "price"), ("A1", "x"), ("B2",), ("C3", "y", "5.5")],
        [("first", "last", "city"), ("Ada",), ("Bob", "Hope"), ("Cy", "Twombly", "Rome")],
        [("a", "b", "c"), ("1", "b", "x", "y"), ("2", "b", "x", "y"), ("3", "b", "c"), ("4", "b", "c")],
        [("Region", "Sales", "Cost"), ("x", "tbd"), ("y",), ("North", "5", "6"), ("South", "7", "8"), ("West", "7", "9")],
        [("country", "2019", "2020"), ("France", "67"), ("Italy", "60", "59", "58"), ("Spain", "47", "48"), ("Chile", "47", "48")],
    ],
)
def test_rows_that_are_too_short_or_too_long_below_the_header_are_rows(delimiter: str, rows: list[tuple[str, ...]], tmp_path: Path) -> None:
    sniffed, found = read(write(tmp_path, text(delimiter, *rows)))
    assert (sniffed.dialect.names, found, sniffed.dialect.notes) == (rows[0], rows[1:], ())


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_short_rows_after_the_first_of_a_table_without_a_header_are_rows(delimiter: str, tmp_path: Path) -> None:
    rows = [("1", "Ada", "3.5"), ("2",), ("3",), *((str(row), "Bob", "4.5") for row in range(4, 30))]
    sniffed, found = read(write(tmp_path, text(delimiter, *rows)))
    assert (sniffed.dialect.names, found) == (("column_1", "column_2", "column_3"), rows)


TYPED = st.lists(st.tuples(st.integers(), st.text("abcxyz", min_size=1), st.floats(0, 1e6)), min_size=4, max_size=30)


@given(TYPED, st.lists(st.sampled_from([1, 2, 4, 5]), max_size=3), st.sampled_from(DELIMITERS), st.integers(0, 3))
def test_every_line_below_the_header_is_a_row(values: list[tuple[int, str, float]], ragged: list[int], delimiter: str, titles: int) -> None:
    good = [(str(number), word, f"{amount:.2f}") for number, word, amount in values]
    rows = [("7", "x", "1.5", "y", "z")[:width] for width in ragged] + good
    path = Path(dice_folder()) / "table.csv"
    title = "".join(f"Report {number} of sales\n" for number in range(titles)) + "\n" * bool(titles)
    path.write_text(title + text(delimiter, NAMES, *rows), encoding="utf-8")
    sniffed, found = read(path)
    assert (sniffed.dialect.names, found) == (NAMES, rows)


_FOLDER: list[str] = []


def dice_folder() -> str:
    """Return one folder for all examples of a property."""
    return _FOLDER[0]


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    _FOLDER.append(str(tmp_path_factory.mktemp("preamble")))


@pytest.mark.parametrize("first", [("North", "tbd", "n.a."), ("North", "sold out", "ask"), ("N", "x", "yz"), ("US", "open", "closed")])
@pytest.mark.parametrize("region", ["Region", ""])
@pytest.mark.parametrize("number", [3, 60])
def test_a_first_row_that_does_not_fit_is_not_joined_into_the_names(
    first: tuple[str, ...], region: str, number: int, tmp_path: Path
) -> None:
    rows = [first, *((f"Place {row}", str(100 + 37 * row), f"{row * 3.5:.2f}") for row in range(number))]
    sniffed, found = read(write(tmp_path, text(",", (region, "Sales", "Cost"), *rows)))
    assert (sniffed.dialect.names, found) == ((region or "column_1", "Sales", "Cost"), rows)


def test_the_first_row_that_does_not_fit_is_named(tmp_path: Path) -> None:
    rows = [(f"Place {row}", str(100 + 37 * row), f"{row * 3.5:.2f}") for row in range(60)]
    path = write(tmp_path, text(",", ("Region", "Sales", "Cost"), ("North", "tbd", "n.a."), *rows))
    with pytest.raises(SourceError, match=r"ORDERS: line 2 of data/source/orders\.csv, column Sales: ") as refused:
        load(path)
    assert refused.value.hint.endswith("If it belongs to the header, set header = 2 under [source.ORDERS].")
    table = load(path, on_error="reject")
    assert (list(table.types), table.loaded.rows, [row["text"] for row in table.rejected]) == (
        ["Region", "Sales", "Cost"],
        60,
        ["North,tbd,n.a."],
    )


def test_a_first_row_that_does_not_fit_is_a_row_below_a_blank_line_and_below_a_missing_name(tmp_path: Path) -> None:
    rows: list[tuple[str, ...]] = [("tbd", "soon"), *((str(row), f"2024-02-{1 + row % 27:02}") for row in range(20))]
    sniffed, found = read(write(tmp_path, "amount,due\n\n" + text(",", *rows)))
    assert (sniffed.dialect.names, found) == (("amount", "due"), rows)
    rows = [("North", "x", "tbd", "soon"), *((f"P{row}", f"y{row}", str(row), str(2 * row)) for row in range(9))]
    sniffed, found = read(write(tmp_path, text(";", ("Region", "", "Sales", "Cost"), *rows)))
    assert (sniffed.dialect.names, found) == (("Region", "column_2", "Sales", "Cost"), rows)
    rows = [("-", "n/a"), ("tbd", "-"), *((str(row), str(2 * row)) for row in range(9))]
    sniffed, found = read(write(tmp_path, text(",", ("Sales", "Cost"), *rows)))
    assert (sniffed.dialect.names, found) == (("Sales", "Cost"), rows)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("time;speed;temp\ns;m/s;°C\n0.1;5;20\n0.2;6;21\n0.3;7;21\n", ("time_s", "speed_m/s", "temp_°C")),
        ("Region,Sales,Share\n,EUR,%\nNorth,60,1.7\nSouth,80,1.8\n", ("Region", "Sales_EUR", "Share_%")),
        ("station,p,t\n-,hPa,K\nA,1013.2,290\nB,1013.5,291\n", ("station_-", "p_hPa", "t_K")),
        ("id,name,due\nint,varchar(20),date\n1,a,2024-01-01\n2,b,2024-01-02\n", ("id_int", "name_varchar(20)", "due_date")),
        ("flux,dose,rent\nkg/m^2,µSv/h,EUR per month\n1.5,2,3\n2.5,3,4\n", ("flux_kg/m^2", "dose_µSv/h", "rent_EUR per month")),
    ],
)
def test_a_second_row_of_units_or_types_is_part_of_the_header(content: str, names: tuple[str, ...], tmp_path: Path) -> None:
    sniffed, rows = read(write(tmp_path, content))
    assert (sniffed.dialect.names, sniffed.dialect.notes, len(rows)) == (names, ("2 header rows joined.",), content.count("\n") - 2)


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("number", [4, 40])
@pytest.mark.parametrize(
    ("header", "names"),
    [
        (("#", "name", "n"), ("#", "name", "n")),
        (("#", "2019", "2020"), ("#", "2019", "2020")),
        (("#id", "name", "n"), ("id", "name", "n")),
        (("#id", "", "n"), ("id", "column_2", "n")),
        (("# of items", "name", "n"), ("# of items", "name", "n")),
        (("% of total", "name", "n"), ("% of total", "name", "n")),
    ],
)
def test_a_header_that_begins_with_a_number_sign_is_the_header(
    delimiter: str, number: int, header: tuple[str, ...], names: tuple[str, ...], tmp_path: Path
) -> None:
    rows = [(str(row), f"Name {row}" if "name" in header else str(70 + row), str(3 * row)) for row in range(number)]
    sniffed, found = read(write(tmp_path, text(delimiter, header, *rows)))
    assert (sniffed.dialect.names, found, sniffed.dialect.skip_lines) == (names, rows, 0)
    unfit = [("x", "tbd", "n.a."), *rows]
    assert read(write(tmp_path, text(delimiter, header, *unfit)))[1] == unfit


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_rows_that_begin_with_a_number_sign_are_rows(delimiter: str, tmp_path: Path) -> None:
    tags = [(f"#tag{row}", f"Town {row}", str(row)) for row in range(12)]
    for rows, names in (
        ([("tag", "town", "n"), *tags], ("tag", "town", "n")),
        ([("#", "town", "n"), *tags], ("#", "town", "n")),
        ([("#tag", "town", "n"), *tags], ("#tag", "town", "n")),
        (tags, ("column_1", "column_2", "column_3")),
        ([("#1", "Town 0", "5"), *((str(row), f"Town {row}", str(row)) for row in range(2, 9))], ("column_1", "column_2", "column_3")),
    ):
        sniffed, found = read(write(tmp_path, text(delimiter, *rows)))
        assert (sniffed.dialect.names, found) == (names, rows if names[0] == "column_1" else rows[1:])


@pytest.mark.parametrize("comment", ["# made by us\n", "# made;by;us\n", "// written by a program\n# on Monday\n"])
def test_comments_before_the_header_are_still_comments(comment: str, tmp_path: Path) -> None:
    sniffed, found = read(write(tmp_path, comment + text(";", NAMES, *people(5))))
    assert (sniffed.dialect.names, found, sniffed.dialect.skip_lines) == (NAMES, people(5), comment.count("\n"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("names", "row"),
    [(("mpg", "cyl"), ("Mazda RX4", "21.0", "6")), (("home", "work"), ("Ada {}", "Paris {}", "Rome {}")), (("x",), ("1", "5"))],
)
def test_a_header_without_a_name_for_the_row_names_is_read_with_a_note(
    delimiter: str, names: tuple[str, ...], row: tuple[str, ...], tmp_path: Path
) -> None:
    rows = [tuple(cell.format(number) for cell in row) for number in range(6)]
    quoted = text(delimiter, tuple(f'"{name}"' for name in names), *((f'"{first}"', *others) for first, *others in rows))
    sniffed, found = read(write(tmp_path, quoted))
    assert (sniffed.dialect.names, found, sniffed.dialect.notes) == (("column_1", *names), rows, (ROW_NAMES,))


def test_rows_that_their_commas_make_wider_have_no_row_names(tmp_path: Path) -> None:
    rows = [(str(row), "Miller", " Sons", "20") for row in range(30)]
    sniffed, found = read(write(tmp_path, text(",", NAMES, *rows)))
    assert (sniffed.dialect.names, found) == (NAMES, rows)


def test_a_header_of_another_width_than_most_rows_is_the_header_when_some_rows_have_it(tmp_path: Path) -> None:
    rows = [*((str(row), "Miller", "Sons", "20") for row in range(100)), *people(60)]
    sniffed, found = read(write(tmp_path, text(",", NAMES, ("1", "x"), *rows)))
    assert (sniffed.dialect.names, found) == (NAMES, [("1", "x"), *rows])


@pytest.mark.parametrize("delimiter", [";", "|", "\t"])
def test_a_first_row_with_one_value_is_no_title_where_there_is_no_header(delimiter: str, tmp_path: Path) -> None:
    rows = [("236", "", "", ""), *((str(row), f"C-{row}", f"small {row}", str(2 * row)) for row in range(297, 305))]
    sniffed, found = read(write(tmp_path, text(delimiter, *rows)))
    assert (sniffed.dialect.header_rows, found) == (0, rows)
    titled = "Stock\n" + text(delimiter, ("", "", "", ""), ("n", "code", "size", "weight"), *rows[1:])
    sniffed, found = read(write(tmp_path, titled))
    assert (sniffed.dialect.names, found) == (("n", "code", "size", "weight"), rows[1:])


def test_a_number_like_a_year_makes_no_header_of_a_row_like_the_others(tmp_path: Path) -> None:
    rows = [(f"open{row}", f"#96{row}ad", str(2081 + 300 * row)) for row in range(4)]
    sniffed, found = read(write(tmp_path, text("|", *rows)))
    assert (sniffed.dialect.header_rows, found) == (0, rows)
    pairs = [("Paris", "2015"), ("Rome", "56"), ("Paris", "7815"), ("Bonn", "12")]
    sniffed, found = read(write(tmp_path, text(",", *pairs)))
    assert (sniffed.dialect.header_rows, found) == (0, pairs)


def test_a_title_that_its_comma_cuts_like_the_table_is_a_title(tmp_path: Path) -> None:
    content = "# made by us\nDepartment of statistics, Berlin\nyear (EUR),share\nx,61\ny,20\nz,57\n"
    sniffed, found = read(write(tmp_path, content))
    assert (sniffed.dialect.names, found) == (("year (EUR)", "share"), [("x", "61"), ("y", "20"), ("z", "57")])


def test_a_row_that_fits_no_column_is_noted_when_it_may_belong_to_the_header(tmp_path: Path) -> None:
    content = "GEO,NAME,pop,size\nGeography,Area name,Estimate total,Estimate area\n" + "".join(f"G{n},A{n},{n},{n}.5\n" for n in range(9))
    path = write(tmp_path, content)
    note = "The first row below the header fits none of its columns of numbers and dates. If it belongs to the header, set header = 2."
    table = load(path)
    assert (table.loaded.rows, table.loaded.notes) == (10, (note,))
    joined = load(path, header=2)
    assert (list(joined.types)[:2], joined.loaded.rows, joined.types["pop_Estimate total"]) == (
        ["GEO_Geography", "NAME_Area name"],
        9,
        "BIGINT",
    )
