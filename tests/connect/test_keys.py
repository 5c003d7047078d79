"""Keys of an upsert compare by their bytes: what differs in case, accents or spaces at the end is another row, in every database."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pdbt.connect import add_connection, transfer
from pdbt.connect.base import TransferFailed, TransferRefused
from tests.conftest import MakeProject, RunProject
from tests.connect.databases import NAMES, Place

KEYS = ("A", "A ", "a", "Ä", "A\u0308", "ａ", "", " ", "ß", "ss", "A\t", "😀", "😁")
LOOSE = {
    "mysql": ["VARCHAR(20)", "VARCHAR(20) COLLATE utf8mb4_general_ci", "VARCHAR(20) COLLATE utf8mb4_bin", "LONGTEXT"],
    "sqlite": ["TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM", "VARCHAR(20)"],
    "postgresql": ['TEXT COLLATE "loose"', 'VARCHAR(20) COLLATE "loose"', "TEXT"],
    "duckdb": ["VARCHAR COLLATE NOCASE", "VARCHAR COLLATE NOACCENT", "VARCHAR"],
}


def make_keys(place: Place, *keys: str) -> None:
    values = ", ".join(f"('{key}', {number})" for number, key in enumerate(keys))
    place.execute("DROP TABLE IF EXISTS o", "CREATE TABLE o (k VARCHAR, v INTEGER)", *([f"INSERT INTO o VALUES {values}"] if keys else []))


def found(place: Place) -> dict[object, object]:
    rows = place.execute("SELECT k, v FROM t")
    assert len(rows) == len(dict(rows))
    return dict(rows)


@pytest.mark.parametrize("end", NAMES)
def test_keys_that_differ_in_a_byte_are_other_rows_of_a_table_that_an_upsert_makes(
    places: dict[str, Place], end: str, tmp_path: Path
) -> None:
    origin = places["duckdb" if end == "sqlite" else "sqlite"]
    make_keys(origin, "A")
    transfer(origin.url, places[end].url, table="o", target="t", mode="upsert", key=["k"])
    make_keys(origin, *KEYS)
    for _ in range(2):
        transfer(origin.url, places[end].url, table="o", target="t", mode="upsert", key=["k"])
    assert found(places[end]) == {key: number for number, key in enumerate(KEYS)}
    make_keys(origin, "A ")
    transfer(origin.url, places[end].url, table="o", target="t", mode="upsert", key=["k"])
    assert found(places[end]) == {key: 0 if key == "A " else number for number, key in enumerate(KEYS)}


@pytest.mark.parametrize(("end", "declared"), [(end, declared) for end, kinds in LOOSE.items() for declared in kinds])
def test_a_collation_of_the_target_takes_no_two_keys_for_one(places: dict[str, Place], end: str, declared: str) -> None:
    origin = places["duckdb" if end == "sqlite" else "sqlite"]
    if "loose" in declared:
        places[end].execute("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)")
    places[end].execute(f"CREATE TABLE t (k {declared}, v INTEGER)", "INSERT INTO t VALUES ('A', -1), ('b', -1)")
    make_keys(origin, *KEYS)
    for _ in range(2):
        transfer(origin.url, places[end].url, table="o", target="t", mode="upsert", key=["k"])
    assert found(places[end]) == {key: number for number, key in enumerate(KEYS)} | {"b": -1}


@pytest.mark.parametrize(
    ("end", "declared"),
    [
        ("mysql", "VARCHAR(20) PRIMARY KEY"),
        ("sqlite", "TEXT COLLATE NOCASE PRIMARY KEY"),
        ("postgresql", "VARCHAR(20) COLLATE loose PRIMARY KEY"),
    ],
)
def test_a_key_that_the_target_cannot_tell_from_another_is_refused_and_overwrites_nothing(
    places: dict[str, Place], end: str, declared: str
) -> None:
    origin = places["duckdb" if end == "sqlite" else "sqlite"]
    if "loose" in declared:
        places[end].execute("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)")
    places[end].execute(f"CREATE TABLE t (k {declared}, v INTEGER)", "INSERT INTO t VALUES ('A', -1)")
    make_keys(origin, "a")
    with pytest.raises((TransferFailed, TransferRefused), match=r"(?i)unique|duplicate"):
        transfer(origin.url, places[end].url, table="o", target="t", mode="upsert", key=["k"])
    assert found(places[end]) == {"A": -1}
    make_keys(origin, "A")
    transfer(origin.url, places[end].url, table="o", target="t", mode="upsert", key=["k"])
    assert found(places[end]) == {"A": 0}


@pytest.mark.parametrize("end", NAMES)
def test_two_columns_are_a_key_of_which_each_compares_by_its_bytes(places: dict[str, Place], end: str) -> None:
    origin = places["duckdb" if end == "sqlite" else "sqlite"]
    text = {"mysql": "VARCHAR(9)", "sqlite": "TEXT COLLATE NOCASE"}.get(end, "VARCHAR(9)")
    places[end].execute(f"CREATE TABLE t (k {text}, n BIGINT, v BIGINT)", "INSERT INTO t VALUES ('x', 1, 0), ('x', 2, 0)")
    origin.execute("CREATE TABLE o (k VARCHAR, n BIGINT, v BIGINT)", "INSERT INTO o VALUES ('X', 1, 7), ('x', 2, 8), ('x ', 2, 9)")
    transfer(origin.url, places[end].url, table="o", target="t", mode="upsert", key=["k", "n"])
    assert sorted(places[end].execute("SELECT v, n, k FROM t")) == [(0, 1, "x"), (7, 1, "X"), (8, 2, "x"), (9, 2, "x ")]


@pytest.mark.parametrize("scheme", ["mysql", "sqlite"])
def test_keys_compare_by_their_bytes_through_sqlalchemy(places: dict[str, Place], scheme: str) -> None:
    make_keys(places["duckdb"], "A")
    url = f"sqlalchemy+{places[scheme].url.replace('mysql://', 'mysql+pymysql://')}"
    transfer(places["duckdb"].url, url, table="o", target="t", mode="upsert", key=["k"])
    make_keys(places["duckdb"], *KEYS)
    transfer(places["duckdb"].url, url, table="o", target="t", mode="upsert", key=["k"])
    assert found(places[scheme]) == {key: number for number, key in enumerate(KEYS)}


@pytest.mark.parametrize(
    ("end", "declared", "kind", "value", "message"),
    [
        ("mysql", "CHAR(5)", "VARCHAR", "'A '", "a text that ends with a space, which the target's char does not keep"),
        ("mysql", "BINARY(3)", "BLOB", "'ab'", "bytes that are not 3, which the target's binary fills up with zeros"),
        ("postgresql", "VARCHAR(3)", "VARCHAR", "'abc '", "a text of more than 3 characters"),
        ("postgresql", "VARCHAR(3)", "VARCHAR", "'ääää'", "a text of more than 3 characters"),
    ],
)
def test_a_value_that_a_column_of_some_length_would_change_is_refused(
    places: dict[str, Place], end: str, declared: str, kind: str, value: str, message: str
) -> None:
    places[end].execute(f"CREATE TABLE t (k {declared})")
    places["duckdb"].execute(f"CREATE TABLE o (k {kind})", f"INSERT INTO o VALUES ({value})")
    with pytest.raises(TransferRefused, match=rf"^Column k \(.*\) holds {message}\."):
        transfer(places["duckdb"].url, places[end].url, table="o", target="t", mode="append")
    assert places[end].execute("SELECT * FROM t") == []


def test_a_key_that_a_char_of_postgresql_does_not_tell_from_another_is_refused(places: dict[str, Place]) -> None:
    places["postgresql"].execute("CREATE TABLE t (k CHAR(5), v INTEGER)", "INSERT INTO t VALUES ('A', -1)")
    make_keys(places["duckdb"], "A ")
    with pytest.raises(TransferRefused, match=r"holds a text that ends with a space, which the target's character does not tell from one"):
        transfer(places["duckdb"].url, places["postgresql"].url, table="o", target="t", mode="upsert", key=["k"])
    make_keys(places["duckdb"], "A", "B    ")
    transfer(places["duckdb"].url, places["postgresql"].url, table="o", target="t", mode="upsert", key=["k"])
    assert sorted(places["postgresql"].execute("SELECT k::text, v FROM t")) == [("A", 0), ("B", 1)]


def test_keys_of_a_fetch_compare_by_their_bytes(make_project: MakeProject, run_project: RunProject, places: dict[str, Place]) -> None:
    places["mysql"].execute("CREATE TABLE o (k VARCHAR(9), at INT)", "INSERT INTO o VALUES ('A', 1)")
    project = make_project()
    add_connection(project, "shop", places["mysql"].url)
    (project / "scripts/source").mkdir()
    (project / "scripts/source/T.sql").write_text("-- connection: shop\n-- cursor: at\n-- key: k\nSELECT k, at FROM o\n")
    assert run_project(project).code == 0
    places["mysql"].execute("INSERT INTO o VALUES ('a', 2), ('A ', 3), ('Ä', 4)")
    assert run_project(project).code == 0
    with duckdb.connect(str(project / "db/database.duckdb"), read_only=True) as connection:
        assert connection.execute("FROM T ORDER BY 2").fetchall() == [("A", 1), ("a", 2), ("A ", 3), ("Ä", 4)]
