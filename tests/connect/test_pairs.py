"""Every pair of the four databases, both ways: every type, equal on arrival, by hashes that each product's own driver gives."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable

import pytest

from pdbt.connect import transfer
from tests.connect.databases import NAMES, DuckDBFile, Place, digest, make_every_type

FEW, MANY = 2_000, 60_000  # many are two batches


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], tuple[DuckDBFile, str]]:
    """Gives a file whose table `made` has so many rows of every type, and their hash: both are made once."""

    @functools.cache
    def make(rows: int) -> tuple[DuckDBFile, str]:
        place = DuckDBFile(tmp_path_factory.mktemp("made") / "made.duckdb")
        make_every_type(place, "made", rows)
        return place, digest(place, "made")

    return make


def bring(places: dict[str, Place], made: tuple[DuckDBFile, str], start: str, ends: Iterable[str], rows: int) -> None:
    """Bring all rows into one database, and from there into each of others."""
    origin, expected = made
    transfer(origin.url, places[start].url, table="made", target="origin")
    assert digest(places[start], "origin") == expected
    for end in ends:
        done = transfer(places[start].url, places[end].url, table="origin", target="arrived")
        assert (end, done.rows) == (end, rows)
        assert (end, digest(places[end], "arrived")) == (end, expected)


@pytest.mark.parametrize("start", NAMES)
def test_every_value_of_every_type_arrives_as_it_was(
    places: dict[str, Place], made: Callable[[int], tuple[DuckDBFile, str]], start: str
) -> None:
    bring(places, made(FEW), start, NAMES, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("start", NAMES)
def test_two_batches_of_every_type_arrive_as_they_were(
    places: dict[str, Place], made: Callable[[int], tuple[DuckDBFile, str]], start: str
) -> None:
    bring(places, made(MANY), start, [end for end in NAMES if end != start], MANY)


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
