"""`--tables`: many tables at a time, each into a table of its own; and one file that is both ends."""

from __future__ import annotations

import sys

import pytest

from pdbt.connect import choose, transfer, transfer_all
from pdbt.connect.base import TransferRefused
from tests.conftest import RunProcess
from tests.connect.databases import NAMES, DuckDBFile, Place, numbers

TABLES, ROWS = 12, 300


@pytest.mark.parametrize("end", NAMES)
def test_many_tables_arrive_several_at_a_time(places: dict[str, Place], end: str) -> None:
    start, target = places["sqlite" if end != "sqlite" else "duckdb"], places[end]
    start.execute(*(f"CREATE TABLE t{number} AS SELECT i AS id FROM ({numbers(start, ROWS)}) r" for number in range(TABLES)))
    for _ in range(2):  # new, and replaced
        done = transfer_all(choose(start.url, target.url, tables="t*"), parallel=4)
        assert [(one.rows, one.attempts) for one in done] == [(ROWS, 1)] * TABLES
    for number in range(TABLES):
        assert target.execute(f"SELECT count(*), max(id) FROM t{number}") == [(ROWS, ROWS - 1)]


def test_tables_that_would_become_one_are_refused(places: dict[str, Place]) -> None:
    start, target = places["postgresql"], places["duckdb"]
    start.execute("CREATE SCHEMA a", "CREATE SCHEMA b", "CREATE TABLE a.t AS SELECT 1 AS x", "CREATE TABLE b.t AS SELECT 2 AS x")
    with pytest.raises(TransferRefused, match=r"^a\.t and b\.t would both become t\."):
        choose(start.url, target.url, tables="*")
    start.execute('CREATE TABLE a."T" AS SELECT 3 AS x')
    with pytest.raises(TransferRefused, match=r"^a\.T and a\.t would both become t\."):
        choose(start.url, target.url, tables="a.*")
    assert len(choose(start.url, start.url, tables="a.*")) == 2


@pytest.mark.parametrize("end", ["sqlite", "duckdb"])
def test_a_file_can_be_both_ends_of_a_transfer_of_many_rows(places: dict[str, Place], end: str) -> None:
    place, rows = places[end], 200_000
    text = "'a text of some length, so that no cache holds all: ' || i"
    place.execute(f"CREATE TABLE o AS SELECT i AS id, {text} AS name FROM ({numbers(place, rows)}) r")
    done = transfer(place.url, place.url, table="o", target="t")
    assert (done.rows, done.attempts) == (rows, 1)
    assert place.execute("SELECT count(*), max(id) FROM t") == [(rows, rows - 1)]


def test_uuids_need_no_library_that_pdbt_does_not_bring(places: dict[str, Place], run_process: RunProcess) -> None:
    place = places["duckdb"]
    assert isinstance(place, DuckDBFile)
    place.execute("CREATE TABLE o AS SELECT uuid() AS u FROM range(3) UNION ALL SELECT NULL")
    program = (
        "import sys; sys.modules['numpy'] = sys.modules['pandas'] = None\n"
        "from pdbt.connect import transfer\n"
        "transfer(sys.argv[1], sys.argv[2], table='o', target='t'); transfer(sys.argv[2], sys.argv[1], table='t', target='back')"
    )
    result = run_process([sys.executable, "-c", program, place.url, places["sqlite"].url])
    assert (result.code, result.stderr) == (0, "")
    assert place.execute("(FROM o EXCEPT FROM back) UNION ALL (FROM back EXCEPT FROM o)") == []
