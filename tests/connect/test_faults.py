"""Connections that are cut while rows travel, and servers that do without what is fastest."""

from __future__ import annotations

import pytest

from pdbt.connect import choose
from pdbt.connect.base import ConnectionLost
from pdbt.connect.execution import carry_out
from tests import mysql
from tests.connect.databases import Place, digest, make_every_type

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
    places["duckdb"].execute("CREATE TABLE o AS SELECT i::BIGINT AS id, 'row ' || i AS name FROM range(300000) r(i)")
    places[end].execute("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(40))", "INSERT INTO t VALUES (-1, 'there')")
    cuts = iter([True])

    def progress(rows: int, size: int) -> None:
        if rows > 250_000 and next(cuts, False):
            cut(places[end], end)

    (wanted,) = choose(places["duckdb"].url, places[end].url, table="o", target="t", mode=mode, key=["id"] if mode == "upsert" else [])
    done = carry_out(wanted, progress)
    assert (done.rows, done.attempts) == (300_000, 2)
    kept = 0 if mode == "replace" else 1
    assert places[end].execute("SELECT count(*), count(DISTINCT id), min(id) FROM t") == [(300_000 + kept, 300_000 + kept, -kept)]


def test_a_connection_that_is_always_cut_is_given_up_and_the_target_is_as_it_was(
    places: dict[str, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pdbt.connect.execution.FIRST_DELAY_SECONDS", 0.01)
    places["duckdb"].execute("CREATE TABLE o AS SELECT i::BIGINT AS id FROM range(300000) r(i)")
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
