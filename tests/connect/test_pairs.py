"""Every pair of the four databases, both ways: every type, equal on arrival, by hashes that each product's own driver gives."""

from __future__ import annotations

import itertools

import pytest

from pdbt.connect import transfer
from tests.connect.databases import NAMES, Place, digest, make_every_type

FEW, MANY = 2_000, 100_000


def _bring(places: dict[str, Place], start: str, end: str, rows: int) -> None:
    make_every_type(places["duckdb"], "made", rows)
    expected = digest(places["duckdb"], "made")
    transfer(places["duckdb"].url, places[start].url, table="made", target="origin")
    done = transfer(places[start].url, places[end].url, table="origin", target="arrived")
    assert done.rows == rows
    assert digest(places[start], "origin") == expected
    assert digest(places[end], "arrived") == expected


@pytest.mark.parametrize(("start", "end"), [*itertools.product(NAMES, NAMES)])
def test_every_value_of_every_type_arrives_as_it_was(places: dict[str, Place], start: str, end: str) -> None:
    _bring(places, start, end, FEW)


@pytest.mark.slow
@pytest.mark.parametrize(("start", "end"), [*itertools.permutations(NAMES, 2)])
def test_a_hundred_thousand_rows_of_every_type_arrive_as_they_were(places: dict[str, Place], start: str, end: str) -> None:
    _bring(places, start, end, MANY)


@pytest.mark.parametrize(("start", "end"), [*itertools.product(("postgresql", "duckdb"), repeat=2)])
def test_nan_infinities_and_arrays_arrive_where_both_have_them(places: dict[str, Place], start: str, end: str) -> None:
    odd = (
        "SELECT 1 AS id, 'NaN'::REAL AS f, '-Infinity'::DOUBLE PRECISION AS d, ARRAY[1, NULL, 3] AS a,"
        " ARRAY['', 'x', NULL] AS t, ARRAY[1.50, 2.25]::NUMERIC(10,2)[] AS n"
    )
    places[start].execute(f"CREATE TABLE origin AS {odd}")
    transfer(places[start].url, places[end].url, table="origin", target="arrived")
    ((number, f, d, a, t, n),) = places[end].execute("SELECT id, f, d, a, t, n FROM arrived")
    assert (number, str(f), d, a, t, [str(value) for value in n]) == (
        1,
        "nan",
        float("-inf"),
        [1, None, 3],
        ["", "x", None],
        ["1.50", "2.25"],
    )


@pytest.mark.parametrize("end", NAMES)
def test_types_survive_the_journey_and_the_way_back(places: dict[str, Place], end: str) -> None:
    make_every_type(places["duckdb"], "made", 10)
    transfer(places["duckdb"].url, places[end].url, table="made", target="there")
    transfer(places[end].url, places["duckdb"].url, table="there", target="back")
    described = "SELECT column_name, column_type FROM (DESCRIBE {})"
    assert places["duckdb"].execute(described.format("back")) == places["duckdb"].execute(described.format("made"))
