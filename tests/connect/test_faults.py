"""Connections that are cut while rows travel, and servers that do without what is fastest."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pdbt.connect import choose
from pdbt.connect.base import BATCH_ROWS, ConnectionLost, TransferFailed
from pdbt.connect.execution import carry_out
from tests import mysql
from tests.connect.databases import NAMES, Place, digest, make_every_type, numbers
from tests.connect.own_postgres import OwnServer

ROOT = Path(__file__).resolve().parents[2]
ROWS = 120_000  # three batches
AWAY_SECONDS = 1.5  # longer than the first pause between two attempts, and shorter than all of them

KEPT = """
import sys
from pdbt.connect import transfer
origin, destination = sys.argv[1:]
try:
    transfer(origin, destination, table="t", casts={"n": "BIGINT"})
except Exception as error:
    kept = error
print(transfer(origin, destination, table="t").rows, kept)
"""

CUT = {
    "postgresql": (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pdbt transfer' AND datname = current_database()"
    ),
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
}


def cut(place: Place, name: str) -> None:
    """End the transfer's connections to a server."""
    found = place.execute(CUT[name])
    if name == "mysql":
        for (number,) in found:
            place.execute(f"KILL {number}")


@pytest.mark.parametrize("mode", ["replace", "append", "upsert"])
@pytest.mark.parametrize("end", ["postgresql", "mysql"])
def test_a_connection_that_is_cut_is_made_again_and_every_row_arrives_once(places: dict[str, Place], end: str, mode: str) -> None:
    places["duckdb"].execute(f"CREATE TABLE o AS SELECT i::BIGINT AS id, 'row ' || i AS name FROM range({ROWS}) r(i)")
    places[end].execute("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(40))", "INSERT INTO t VALUES (-1, 'there')")
    cuts = iter([True])

    def progress(rows: int, size: int) -> None:
        if rows >= 2 * BATCH_ROWS and next(cuts, False):
            cut(places[end], end)

    (wanted,) = choose(places["duckdb"].url, places[end].url, table="o", target="t", mode=mode, key=["id"] if mode == "upsert" else [])
    done = carry_out(wanted, progress)
    assert (done.rows, done.attempts) == (ROWS, 2)
    kept = 0 if mode == "replace" else 1
    assert places[end].execute("SELECT count(*), count(DISTINCT id), min(id) FROM t") == [(ROWS + kept, ROWS + kept, -kept)]


def test_a_connection_that_is_always_cut_is_given_up_and_the_target_is_as_it_was(
    places: dict[str, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pdbt.connect.execution.FIRST_DELAY_SECONDS", 0.01)
    places["duckdb"].execute(f"CREATE TABLE o AS SELECT i::BIGINT AS id FROM range({ROWS}) r(i)")
    places["postgresql"].execute("CREATE TABLE t (id BIGINT)", "INSERT INTO t VALUES (7)")
    (wanted,) = choose(places["duckdb"].url, places["postgresql"].url, table="o", target="t")
    with pytest.raises(ConnectionLost, match="the connection was lost"):
        carry_out(wanted, lambda rows, size: cut(places["postgresql"], "postgresql"))
    assert places["postgresql"].execute("SELECT id FROM t") == [(7,)]


def test_a_server_that_forbids_load_data_is_given_inserts(places: dict[str, Place], mysql_server: str) -> None:
    ((before,),) = mysql.execute(mysql_server, "SELECT @@GLOBAL.local_infile")
    make_every_type(places["duckdb"], "made", 3000)
    mysql.execute(mysql_server, "SET GLOBAL local_infile = 0")
    try:
        (wanted,) = choose(places["duckdb"].url, places["mysql"].url, table="made", target="t")
        assert carry_out(wanted).rows == 3000
    finally:
        mysql.execute(mysql_server, f"SET GLOBAL local_infile = {before}")
    assert digest(places["mysql"], "t") == digest(places["duckdb"], "made")


@pytest.mark.parametrize("end", ["origin", "destination"])
def test_a_server_that_is_started_anew_is_waited_for(places: dict[str, Place], own_postgres: OwnServer, end: str) -> None:
    rows = "SELECT i::BIGINT AS id, repeat('x', 300) AS name FROM"  # more than a client takes in before it gives the first rows
    places["duckdb"].execute(f"CREATE TABLE o AS {rows} range(300000) r(i)")
    own_postgres.execute("DROP TABLE IF EXISTS o", "DROP TABLE IF EXISTS t", f"CREATE TABLE o AS {rows} generate_series(0, 299999) i")
    ends = (own_postgres.url("postgres", ""), places["duckdb"].url)
    (wanted,) = choose(*(ends if end == "origin" else ends[::-1]), table="o", target="t")
    stops = iter([True])
    later = threading.Timer(AWAY_SECONDS, own_postgres.start)

    def progress(rows: int, size: int) -> None:
        if next(stops, False):
            own_postgres.stop()
            later.start()

    try:
        done = carry_out(wanted, progress)
    finally:
        later.join()
    assert done.rows == 300_000
    assert done.attempts > 2  # the second found the port closed
    select = "SELECT count(*), count(DISTINCT id) FROM t"
    assert (places["duckdb"].execute(select) if end == "origin" else own_postgres.execute(select)) == [(300_000, 300_000)]


@pytest.mark.parametrize("end", NAMES)
def test_a_query_that_fails_at_a_late_row_is_told_in_one_sentence(places: dict[str, Place], end: str) -> None:
    place, other = places[end], places["duckdb" if end != "duckdb" else "sqlite"]
    allowed = ["SET SESSION max_recursive_iterations = 300000"] if end == "mysql" else []
    place.execute(*allowed, f"CREATE TABLE o AS {numbers(place, 200_000)}")
    late = {
        "postgresql": "SELECT 1 / (i - 190000) AS x FROM o",
        "mysql": "SELECT i, (SELECT 1 UNION SELECT 2 FROM o AS p WHERE o.i = 190000) AS x FROM o",
        "sqlite": "SELECT i, abs(CASE WHEN i = 190000 THEN -9223372036854775807 - 1 ELSE i END) AS x FROM o",
        "duckdb": "SELECT CASE WHEN i = 190000 THEN error('late') ELSE i::VARCHAR END AS x FROM o",
    }[end]
    (wanted,) = choose(place.url, other.url, query=late, target="t")
    with pytest.raises(TransferFailed, match=r"division by zero|more than 1 row|integer overflow|late"):
        carry_out(wanted)


def test_an_error_that_is_kept_keeps_no_file_open(places: dict[str, Place]) -> None:
    """In a process of its own: DuckDB waits for a reader of the same file where no signal reaches it."""
    origin = places["duckdb"]
    origin.execute("CREATE TABLE t AS SELECT CASE WHEN i < 900000 THEN i::VARCHAR ELSE 'x' END AS n FROM range(1000000) r(i)")
    command = [sys.executable, "-c", KEPT, origin.url, places["sqlite"].url]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.stdout.startswith("1000000 A cast failed: "), ended.stderr
