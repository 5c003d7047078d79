"""`--parallel` within one table: several connections see one picture of it, and the target is published as always."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import psycopg
import pytest

from pdbt.connect import choose, transfer
from pdbt.connect.divided import FEWEST_PAGES, ranges
from pdbt.connect.execution import carry_out
from tests.connect.databases import Place

ROWS, READERS = 200_000, 3  # its pages are enough for three


def readers(place: Place) -> int:
    """Return how many connections of a transfer there are."""
    ((found,),) = place.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pdbt transfer' AND datname = current_database()"
    )
    return int(found)


@pytest.fixture
def origin(places: dict[str, Place]) -> Place:
    """A table of several parts."""
    place = places["postgresql"]
    place.execute(
        "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance BIGINT, name TEXT)",
        f"INSERT INTO accounts SELECT g, 100, repeat('x', 100) FROM generate_series(1, {ROWS}) g",
    )
    return place


@pytest.fixture
def busy(origin: Place) -> Iterator[None]:
    """Somebody who goes on moving amounts from row to row, each in one transaction: the sum is always the same."""
    stopped, began = threading.Event(), threading.Event()

    def move() -> None:
        with psycopg.connect(origin.url, autocommit=True) as connection:
            for number in range(10**9):
                if stopped.is_set():
                    return
                one, other = number * 7919 % ROWS + 1, number * 104729 % ROWS + 1
                with connection.transaction():
                    connection.execute("UPDATE accounts SET balance = balance - 7 WHERE id = %s", (one,))
                    connection.execute("UPDATE accounts SET balance = balance + 7 WHERE id = %s", (other,))
                began.set()

    thread = threading.Thread(target=move)
    thread.start()
    assert began.wait(30)
    yield
    stopped.set()
    thread.join()


def test_four_connections_see_one_consistent_picture_of_a_table_that_changes(places: dict[str, Place], origin: Place, busy: None) -> None:
    target = places["duckdb"]
    (wanted,) = choose(origin.url, target.url, table="accounts", parallel=4)
    seen: list[int] = []
    for _ in range(2):
        done = carry_out(wanted, lambda rows, size: seen.append(readers(origin)))
        assert (done.rows, done.note) == (ROWS, "")
        assert target.execute("SELECT count(*), count(DISTINCT id), sum(balance) FROM accounts") == [(ROWS, ROWS, 100 * ROWS)]
    assert max(seen) == READERS


def test_a_condition_is_kept_and_what_cannot_be_divided_says_why(places: dict[str, Place], origin: Place) -> None:
    target = places["duckdb"]
    assert transfer(origin.url, target.url, table="accounts", where="id % 2 = 0 OR id = 1", parallel=3).rows == ROWS // 2 + 1
    origin.execute("CREATE VIEW few AS SELECT * FROM accounts WHERE id < 10")
    done = transfer(origin.url, target.url, table="few", parallel=2)
    assert done.rows == 9
    assert done.note == "few was read by one connection: it is no plain table, and only these have pages that can be divided."
    assert "query" in transfer(origin.url, target.url, query="SELECT 1 AS one", parallel=2).note


@pytest.mark.parametrize(("pages", "parts"), [(0, 4), (1, 4), (4 * FEWEST_PAGES, 4), (10_001, 3), (10**7, 16)])
def test_ranges_leave_no_page_out(pages: int, parts: int) -> None:
    found = ranges(pages, parts)
    assert 1 <= len(found) <= parts
    assert found[0].startswith("ctid >= '(0,0)'::tid")
    assert " < " not in found[-1]
    for one, following in itertools.pairwise(found):
        assert one.partition(" AND ctid < ")[2] == following.partition(" AND ")[0].removeprefix("ctid >= ")
