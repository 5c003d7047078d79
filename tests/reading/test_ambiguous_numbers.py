"""Numbers whose mark may be that of decimals or of thousands: 1,234 anywhere, and 1.234 in a file of semicolons."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.errors import SourceError
from pdbt.engine.reading.numbers import COMMA, PLAIN
from pdbt.engine.reading.types import Evidence, decide, decide_all
from tests.reading.loading import load, write


def file_of(folder: Path, delimiter: str, *columns: list[str], name: str = "orders.csv") -> Path:
    rows = [delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in zip(*columns, strict=True)]
    header = delimiter.join(("price", "other", "third")[: len(columns)])
    content = "".join(f"{row}\n" for row in (header, *rows))
    path = write(folder, content, name.removesuffix(".gz"))
    if name.endswith(".gz"):
        path = write(folder, gzip.compress(content.encode()), name)
    return path


@pytest.mark.parametrize(
    ("delimiter", "prices", "example"),
    [
        (";", ["1.234", "2.500", "3.750"], "1.234"),
        (";", ["-1.234", "12", "999.000"], "-1.234"),
        (";", ["7", "12.345", "0"], "12.345"),
        (",", ["1,234", "2,500", "3,750"], "1,234"),
        (";", ["1,234", "5", "3,750"], "1,234"),
        ("\t", ["1,234", "2,500", "3,750"], "1,234"),
    ],
)
def test_a_mark_before_three_digits_in_every_row_leaves_the_column_text_with_a_note(
    delimiter: str, prices: list[str], example: str, tmp_path: Path
) -> None:
    path = file_of(tmp_path, delimiter, prices, ["a", "b", "c"])
    table = load(path)
    assert (table.types["price"], table.column("price")) == ("VARCHAR", prices)
    assert table.loaded.notes == (f'Column price is text, since {example} may be a decimal or a thousand: set decimal = "." or ",".',)
    mark = "." if "." in example else ","
    exact = load(path, decimal=mark)
    assert (exact.types["price"], exact.column("price")) == ("DOUBLE", [float(price.replace(",", ".")) for price in prices])
    grouped = load(path, decimal="," if mark == "." else ".")
    assert (grouped.types["price"], grouped.column("price")) == ("BIGINT", [int(price.replace(mark, "")) for price in prices])
    assert exact.loaded.notes == grouped.loaded.notes == ()


@pytest.mark.parametrize("delimiter", [",", "\t", "|"])
def test_a_point_before_three_digits_is_a_decimal_point_where_no_semicolon_separates(delimiter: str, tmp_path: Path) -> None:
    table = load(file_of(tmp_path, delimiter, ["1.234", "2.500"], ["a", "b"]))
    assert (table.column("price"), table.loaded.notes) == ([1.234, 2.5], ())


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (["12.5", "3"], [1.234, 2.5]),
        (["0.125", "3"], [1.234, 2.5]),
        (["12,5", "3"], [1234, 2500]),
        (["1.234,5", "3"], [1234, 2500]),
        (["1.234.567", "3"], [1234, 2500]),
        (["5", "3"], ["1.234", "2.500"]),
        (["1.234", "3.456"], ["1.234", "2.500"]),
    ],
)
def test_another_column_of_the_file_proves_what_the_point_is(others: list[str], expected: list[Any], tmp_path: Path) -> None:
    assert load(file_of(tmp_path, ";", ["1.234", "2.500"], others)).column("price") == expected


def test_columns_that_prove_different_marks_prove_nothing_to_others(tmp_path: Path) -> None:
    table = load(file_of(tmp_path, ";", ["1.234", "2.500"], ["12,5", "3,5"], ["12.5", "3.5"]))
    assert (table.column("price"), table.column("other"), table.column("third")) == (["1.234", "2.500"], [12.5, 3.5], [12.5, 3.5])


@pytest.mark.parametrize("name", ["orders.csv", "orders.csv.gz"])
def test_a_value_far_below_proves_it_too(name: str, tmp_path: Path) -> None:
    prices = [f"{1 + row % 9}.{row % 1000:03}" for row in range(40_000)]
    assert load(file_of(tmp_path, ";", prices, prices, name=name)).types == {"price": "VARCHAR", "other": "VARCHAR"}
    late = [*prices[:-5], "12.5", *prices[-4:]]
    table = load(file_of(tmp_path, ";", prices, late, name=name))
    assert table.types["other"] == "DOUBLE"
    assert table.column("other") == [float(price) for price in late]


def test_a_column_whose_type_is_said_is_refused_as_long_as_the_mark_is_not(tmp_path: Path) -> None:
    path = file_of(tmp_path, ";", ["1.234", "2.500"], ["a", "b"])
    with pytest.raises(SourceError, match=r'line 2 .*"1\.234" may be a decimal or a thousand \(DOUBLE\)') as refused:
        load(path, types={"price": "DOUBLE"})
    assert 'decimal = "." or ","' in refused.value.hint
    assert load(path, types={"price": "DOUBLE"}, decimal=".").column("price") == [1.234, 2.5]
    assert load(path, types={"price": "DECIMAL(10,2)"}, decimal=",").column("price") == [1234, 2500]
    assert load(path, types={"price": "VARCHAR"}).column("price") == ["1.234", "2.500"]


@given(st.lists(st.integers(1, 999).map(str) | st.tuples(st.integers(1, 999), st.integers(0, 999)).map(lambda p: f"{p[0]}.{p[1]:03}")))
def test_points_and_commas_are_treated_alike(values: list[str]) -> None:
    points = decide(_evidence(values))
    commas = decide(_evidence([value.replace(".", ",") for value in values]))
    assert (points.reading.type, points.reading.kind, points.reading.unknown) == (
        commas.reading.type,
        commas.reading.kind,
        commas.reading.unknown,
    )
    for proof, mark, form in (("12.5", ".", PLAIN), ("12,5", ",", COMMA)):
        decisions = decide_all([_evidence(values), _evidence([proof])])
        assert decisions[1].proves == form
        if values:
            assert decisions[0].reading.type == ("DOUBLE" if mark == "." and any("." in value for value in values) else "BIGINT")


def _evidence(values: list[str]) -> Evidence:
    evidence = Evidence(semicolons=True)
    evidence.add(values)
    return evidence
