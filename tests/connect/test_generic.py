"""The end through SQLAlchemy, tried with the dialects of what is here: MariaDB by PyMySQL, and SQLite."""

from __future__ import annotations

import datetime
import importlib.util
from decimal import Decimal
from operator import attrgetter

import pytest

from pdbt.connect import transfer
from pdbt.connect.address import read_address
from pdbt.connect.base import TransferFailed, TransferRefused
from pdbt.connect.drivers import DRIVERS, Driver, MissingDriver
from pdbt.connect.generic_types import NATIVE, native_type
from pdbt.connect.kinds import PLAIN
from pdbt.connect.probe import test_connection as probe
from tests.connect.databases import Place

GENERIC = ("mysql", "sqlite")
SELECT = """
SELECT i::BIGINT AS id, (i % 7)::SMALLINT AS small, i * 9007199254740993 AS big, (i / 100)::DECIMAL(38, 9) AS amount, sqrt(i) AS price,
       CASE WHEN i % 5 = 0 THEN NULL WHEN i % 5 = 1 THEN '' ELSE 'größe 漢字 : \\ '' % ' || i END AS name, ('b' || i)::BLOB AS bytes,
       DATE '0001-01-01' + i::INTEGER AS day, TIME '23:59:59.999999' - to_microseconds(i) AS clock,
       TIMESTAMP '2024-02-29 12:00:00.000001' + to_microseconds(i * 1000003) AS changed, i % 2 = 0 AS even
FROM range(1000) AS r(i)
"""
COLUMNS = "id, small, big, amount, price, name, bytes, day, clock, changed, even"
IN_SQLITE = "id, small, big, price, name, bytes"


def forced(place: Place) -> str:
    """Return the URL of a place by which SQLAlchemy is used for it."""
    return place.url.replace("mysql://", "sqlalchemy+mysql+pymysql://").replace("sqlite:///", "sqlalchemy+sqlite:///")


@pytest.fixture
def origin(places: dict[str, Place]) -> Place:
    """A thousand rows of every type that the dialects hold."""
    places["duckdb"].execute(f"CREATE TABLE t AS {SELECT}")
    return places["duckdb"]


def copied_back(origin: Place, url: str, columns: str) -> bool:
    """Bring the rows back from a place, and say whether they are what left."""
    kept = f"SELECT {columns} FROM t"
    transfer(url, origin.url, table="t", target="back")
    return origin.execute(f"({kept} EXCEPT ALL FROM back) UNION ALL (FROM back EXCEPT ALL {kept})") == []


@pytest.mark.parametrize("end", GENERIC)
def test_values_arrive_and_come_back_unchanged(places: dict[str, Place], origin: Place, end: str) -> None:
    url, columns = forced(places[end]), COLUMNS if end == "mysql" else IN_SQLITE
    for _ in range(2):  # new, and replaced
        done = transfer(origin.url, url, query=f"SELECT {columns} FROM t", target="t")
        assert done.rows == 1000
        assert copied_back(origin, url, columns)


@pytest.mark.parametrize("end", GENERIC)
def test_append_and_upsert(places: dict[str, Place], origin: Place, end: str) -> None:
    url = forced(places[end])
    transfer(origin.url, url, query="SELECT id, name, price FROM t WHERE id < 10", target="t", mode="upsert", key=["id"])
    transfer(origin.url, url, query="SELECT id, 'new' AS name FROM t WHERE id BETWEEN 5 AND 14", target="t", mode="upsert", key=["id"])
    assert places[end].execute("SELECT count(*), sum(name = 'new'), sum(price IS NULL) FROM t") == [(15, 10, 5)]
    transfer(origin.url, url, query="SELECT id + 100 AS id, name, price FROM t WHERE id < 3", target="t", mode="append")
    assert places[end].execute("SELECT count(*), max(id) FROM t") == [(18, 102)]
    with pytest.raises(TransferRefused, match="have a key id that another row has too"):
        transfer(origin.url, url, query="SELECT id // 2 AS id, name FROM t", target="t", mode="upsert", key=["id"])
    assert places[end].execute("SELECT count(*) FROM t") == [(18,)]


@pytest.mark.parametrize("end", GENERIC)
@pytest.mark.parametrize("mode", ["append", "replace", "upsert"])
def test_a_row_that_fails_leaves_the_target_as_it_was(places: dict[str, Place], origin: Place, end: str, mode: str) -> None:
    url, key = forced(places[end]), ["id"] if mode == "upsert" else []
    transfer(origin.url, url, query="SELECT id, price FROM t WHERE id < 10", target="t")
    bad = "SELECT id, CASE WHEN id = 999 THEN 'nan'::DOUBLE ELSE price END AS price FROM t"
    with pytest.raises(TransferRefused, match="NaN"):
        transfer(origin.url, url, query=bad, target="t", mode=mode, key=key)
    assert places[end].execute("SELECT count(*), max(id) FROM t") == [(10, 9)]
    with pytest.raises(TransferRefused, match="NaN"):
        transfer(origin.url, url, query=bad, target="fresh", mode=mode, key=key)
    with pytest.raises(TransferFailed, match="there is no table fresh"):
        transfer(url, origin.url, table="fresh")


def test_a_query_takes_the_kinds_of_its_values(places: dict[str, Place], origin: Place) -> None:
    transfer(origin.url, places["mysql"].url, table="t")
    transfer(forced(places["mysql"]), origin.url, query="SELECT id, sum(amount) AS s, min(changed) AS m FROM t GROUP BY id", target="q")
    row = origin.execute("FROM q WHERE id = 7")
    assert row == [(7, Decimal("0.070000000"), datetime.datetime(2024, 2, 29, 12, 0, 7, 22))]


def test_a_dialect_whose_types_are_not_known_is_read_and_not_written(places: dict[str, Place], origin: Place) -> None:
    place = places["postgresql"]
    place.execute("CREATE TABLE p AS SELECT 1 AS id, 'one'::text AS name")
    url = place.url.replace("postgresql://", "sqlalchemy+postgresql+psycopg://")
    transfer(url, origin.url, table="p")
    assert origin.execute("FROM p") == [(1, "one")]
    with pytest.raises(TransferRefused, match=r"^pdbt does not write to postgresql: what its types hold unchanged is not known\. It can"):
        transfer(origin.url, url, table="t")


@pytest.mark.parametrize("driver", sorted((one for one in DRIVERS if one.generic), key=attrgetter("name")))
def test_a_missing_driver_is_one_sentence_with_the_command(driver: Driver) -> None:
    if importlib.util.find_spec(driver.modules[1].partition(".")[0]) is not None:
        return
    with pytest.raises(MissingDriver) as missing:
        probe(read_address(driver.example.replace("${PASSWORD}", "x")))
    assert str(missing.value) == (f"{driver.name} needs a library that is not installed. Run: python3 -m pip install {driver.packages}")


@pytest.mark.parametrize("dialect", sorted(NATIVE))
def test_only_kinds_are_named_that_there_are(dialect: str) -> None:
    assert set(NATIVE[dialect]) <= set(PLAIN)
    assert native_type(dialect, "BIGINT", key=False)


def test_a_password_is_in_no_sentence(places: dict[str, Place]) -> None:
    address = read_address("sqlalchemy+mysql+pymysql://nobody:s3cret-pa55word@127.0.0.1:3306/nowhere")
    with pytest.raises(Exception, match="cannot be used") as refused:
        probe(address)
    assert "s3cret" not in str(refused.value)
