"""Types that one product alone has travel as themselves between two of its databases; what would lose a part of a value is refused."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdbt.connect import transfer
from pdbt.connect.base import TransferRefused
from tests.connect.databases import DuckDBFile, Place, PostgreSQLDatabase
from tests.postgres import empty, new_database

POSTGRESQL = {
    "interval": ["'1 year 2 mons -3 days 04:05:06.789'", "'-178000000 years'", "'00:00:00.000001'"],
    "interval(2)": ["'00:00:01.25'"],
    "inet": ["'10.1.2.3/8'", "'::1'"],
    "cidr": ["'10.0.0.0/8'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "int4range": ["'[1,5)'", "'empty'", "'(,7]'"],
    "tstzrange": ["'[2024-01-01 00:00+02,infinity)'"],
    "nummultirange": ["'{[1.5,2),[3,4]}'"],
    "money": ["'12.34'"],
    "bit(5)": ["'01010'"],
    "bit varying": ["'1'", "''"],
    "timetz": ["'10:00:00.5+02'"],
    "point": ["'(1.1,2.2)'"],
    "polygon": ["'((0,0),(1,1),(1,0))'"],
    "tsvector": ["'a:1 fat:2 cat'"],
    "jsonpath": ["'$.a[*]'"],
    "uuid[]": ["ARRAY[gen_random_uuid(), NULL]"],
    "inet[]": ["'[0:1]={::1,NULL}'", "'{{::1,10.0.0.1}}'"],
    "interval[]": ["'{1 day,NULL}'"],
    "oid": ["4294967295"],
    "pg_lsn": ["'16/B374D848'"],
    "mood": ["'ok'", "'it''s \"odd\"'"],
}
DUCKDB = {
    "STRUCT(a INTEGER, b VARCHAR)": ["{'a': 1, 'b': 'x'}", "{'a': NULL, 'b': ''}"],
    "MAP(VARCHAR, INTEGER)": ["MAP{'a': 1}", "MAP{}"],
    "UNION(i INTEGER, s VARCHAR)": ["union_value(i := 1)", "union_value(s := 'x')"],
    "INTERVAL": [
        "INTERVAL '1 year 2 months 3 days 04:05:06.789'",
        "-INTERVAL 1 MICROSECOND",
        "INTERVAL 1000000 DAY",
        "INTERVAL 999999 HOUR",
    ],
    "BIT": ["'0101'::BIT", "'1'::BIT"],
    "TIMETZ": ["'10:00:00.5+02:00'::TIMETZ"],
    "TIMESTAMP_NS": ["'2024-01-01 00:00:00.123456789'::TIMESTAMP_NS"],
    "UHUGEINT": ["340282366920938463463374607431768211455::UHUGEINT"],
    "UUID[]": ["['550e8400-e29b-41d4-a716-446655440000'::UUID, NULL]"],
    "JSON[]": ["['{\"a\":  1}'::JSON]"],
    "INTEGER[3]": ["[1, 2, NULL]::INTEGER[3]"],
    "INTEGER[][]": ["[[1], NULL, []]"],
    "ENUM('a', 'b')": ["'b'"],
    "STRUCT(x STRUCT(h UHUGEINT, b BIT, u UUID, i INTERVAL)[])": [
        "{'x': [{'h': 5, 'b': '01'::BIT, 'u': uuid(), 'i': INTERVAL 1 DAY}, NULL]}"
    ],
}
MYSQL = {
    "ENUM('a','it''s')": ["'it''s'"],
    "SET('a','b')": ["'a,b'", "''"],
    "BIT(9)": ["b'101010101'"],
    "YEAR": ["1999"],
    "POINT": ["ST_GeomFromText('POINT(1.5 2)')"],
    "GEOMETRY": ["ST_GeomFromText('POLYGON((0 0,1 1,1 0,0 0))')"],
    "DATETIME(3)": ["'2024-01-01 10:00:00.125'"],
}


@pytest.fixture(scope="module")
def other_database(postgres_server: str) -> Iterator[str]:
    """The url of a second database of the PostgreSQL server."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture
def other(other_database: str) -> PostgreSQLDatabase:
    """A second database of the PostgreSQL server, which has no type of the first one's."""
    empty(other_database)
    return PostgreSQLDatabase(other_database)


def groups(types: dict[str, list[str]], alone: list[str]) -> list[dict[str, list[str]]]:
    """Return all types as one table's, and those that need nothing of what the others need as one of their own."""
    return [types, {declared: types[declared] for declared in alone}]


def names(types: dict[str, list[str]]) -> list[str]:
    return [f"c{number}" for number in range(len(types))]


def fill(place: Place, types: dict[str, list[str]]) -> None:
    """Make a table with a column of each type: its values, and NULL in the rows that are left."""
    rows = itertools.zip_longest(*types.values(), ["NULL"] * (1 + max(map(len, types.values()))), fillvalue="NULL")
    values = ", ".join(f"({number}, {', '.join(row[:-1])})" for number, row in enumerate(rows))
    declared = ", ".join(f"{name} {kind}" for name, kind in zip(names(types), types, strict=True))
    place.execute(f"CREATE TABLE o (id INTEGER, {declared})")
    place.execute(f"INSERT INTO o VALUES {values}")


def arrives(origin: Place, target: Place, shown: list[str], described: str) -> None:
    """Bring o by every mode, and compare each value and the types with the origin's."""
    for mode in ("replace", "replace", "append", "upsert"):
        if mode == "append":
            target.execute("DELETE FROM o")
        transfer(origin.url, target.url, table="o", mode=mode, key=["id"] if mode == "upsert" else [])
        for column in shown:
            rows = f"SELECT id, {column} FROM o ORDER BY id"
            assert (column, target.execute(rows)) == (column, origin.execute(rows))
        assert target.execute(described) == origin.execute(described)


@pytest.mark.parametrize("types", [*groups(POSTGRESQL, ["uuid[]"])])
def test_types_of_postgresql_travel_as_themselves(places: dict[str, Place], other: PostgreSQLDatabase, types: dict[str, list[str]]) -> None:
    places["postgresql"].execute("CREATE TYPE mood AS ENUM ('ok', 'it''s \"odd\"', 'sad')")
    fill(places["postgresql"], types)
    described = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'o'::regclass AND attnum > 0 ORDER BY attnum"
    arrives(places["postgresql"], other, [f"{name}::text" for name in names(types)], described)


def test_xml_of_postgresql_travels_as_itself(places: dict[str, Place], other: PostgreSQLDatabase) -> None:
    fill(places["postgresql"], {"xml": ["'<a>é</a>'"]})  # which has no equality, and so no key either
    transfer(places["postgresql"].url, other.url, table="o")
    assert other.execute("SELECT c0::text FROM o ORDER BY id") == [("<a>é</a>",), (None,)]


@pytest.mark.parametrize("types", [*groups(DUCKDB, ["UUID[]", "JSON[]", "INTEGER[][]"])])
def test_types_of_duckdb_travel_as_themselves(places: dict[str, Place], tmp_path: Path, types: dict[str, list[str]]) -> None:
    target = DuckDBFile(tmp_path / "target.duckdb")
    fill(places["duckdb"], types)
    arrives(places["duckdb"], target, [f"{name}::VARCHAR" for name in names(types)], "SELECT column_type FROM (DESCRIBE o)")


def test_types_of_mysql_travel_as_themselves(places: dict[str, Place]) -> None:
    place = places["mysql"]
    fill(place, MYSQL)
    described = (
        "SELECT column_type FROM information_schema.columns WHERE table_schema = database() AND table_name = '{}' ORDER BY ordinal_position"
    )
    for mode in ("replace", "replace", "append"):
        if mode == "append":
            place.execute("DELETE FROM t")
        transfer(place.url, place.url, table="o", target="t", mode=mode)
        for column in names(MYSQL):
            select = f"SELECT id, HEX({column}) FROM {{}} ORDER BY id"
            assert (column, place.execute(select.format("t"))) == (column, place.execute(select.format("o")))
        assert place.execute(described.format("t")) == place.execute(described.format("o"))


def test_a_decimal_of_mysql_that_has_more_digits_than_travel_is_refused(places: dict[str, Place]) -> None:
    fill(places["mysql"], {"DECIMAL(65,30)": ["'-12345678901234567890123456789012345.123456789012345678901234567891'"]})
    with pytest.raises(TransferRefused, match="which MySQL cannot hold unchanged"):
        transfer(places["mysql"].url, places["mysql"].url, table="o", target="t")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("'[0:2]={1,2,3}'", "an array whose first element has the number 0 and not 1"),
        ("'[-5:-4]={1,2}'", "an array whose first element has the number -5 and not 1"),
        ("'{{1,2},{3,4}}'", "arrays of arrays"),
    ],
)
@pytest.mark.parametrize("end", ["postgresql", "duckdb"])
def test_an_array_that_would_lose_its_bounds_is_refused(places: dict[str, Place], end: str, value: str, reason: str) -> None:
    places["postgresql"].execute("CREATE TABLE o (c INTEGER[])", f"INSERT INTO o VALUES ('{{1}}'), (NULL), ('{{}}'), ({value})")
    with pytest.raises(TransferRefused) as refused:
        transfer(places["postgresql"].url, places[end].url, table="o", target="t")
    assert reason in refused.value.message
    assert refused.value.column == "c"


def test_a_type_that_the_target_lacks_is_named(places: dict[str, Place], other: PostgreSQLDatabase) -> None:
    places["postgresql"].execute("CREATE TYPE pair AS (a INTEGER, b TEXT)", "CREATE TABLE o (c pair)", "INSERT INTO o VALUES ((1, 'x'))")
    with pytest.raises(TransferRefused, match=r"^Column c is of type pair, which PostgreSQL at .* does not have\. Create that type there"):
        transfer(places["postgresql"].url, other.url, table="o")
    other.execute("CREATE TYPE pair AS (a INTEGER, b TEXT)")
    transfer(places["postgresql"].url, other.url, table="o")
    assert other.execute("SELECT c::text FROM o") == [("(1,x)",)]


def test_a_type_that_means_other_things_there_does_not_travel(places: dict[str, Place], other: PostgreSQLDatabase) -> None:
    places["postgresql"].execute("CREATE TABLE o AS SELECT 'pg_class'::regclass AS c")
    with pytest.raises(TransferRefused, match="Column c is of type regclass, which PostgreSQL cannot hold unchanged"):
        transfer(places["postgresql"].url, other.url, table="o")


@pytest.mark.parametrize("value", ["INTERVAL 2000000 HOUR", "INTERVAL (2**62) MICROSECOND", "-INTERVAL (2**62) MICROSECOND"])
@pytest.mark.parametrize("shape", ["{}", "[{}]", "{{'x': {}}}"])
def test_an_interval_that_would_become_another_one_is_refused(places: dict[str, Place], tmp_path: Path, value: str, shape: str) -> None:
    places["duckdb"].execute(f"CREATE TABLE o AS SELECT {shape.format(value)} AS c")
    with pytest.raises(TransferRefused, match="holds an interval of a million hours or more"):
        transfer(places["duckdb"].url, DuckDBFile(tmp_path / "target.duckdb").url, table="o")
