"""A replaced table whose columns hold what arrives stays itself; one that is made anew keeps what belongs to it; no value is cut to fit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pdbt.connect import plan_transfer, transfer
from pdbt.connect.base import TransferFailed, TransferRefused
from pdbt.connect.limits import DoesNotFit
from pdbt.connect.many import choose
from tests.connect.databases import DuckDBFile, Place

ROWS = "SELECT id, name FROM t ORDER BY id"
ARRIVED = [(7, "seven"), (8, "eight")]


@pytest.fixture
def origin(tmp_path: Path) -> Place:
    """Two rows of types that no target here has: INTEGER and VARCHAR of DuckDB."""
    made = DuckDBFile(tmp_path / "origin.duckdb")
    made.execute("CREATE TABLE t (id INTEGER, name VARCHAR)", "INSERT INTO t VALUES (7, 'seven'), (8, 'eight')")
    return made


def declared(target: Place, end: str) -> object:
    """Return all that a database tells of t."""
    tells = {
        "mysql": ["SHOW CREATE TABLE t"],
        "sqlite": ["SELECT sql FROM sqlite_master ORDER BY name"],
        "duckdb": [
            "SELECT sql, comment FROM duckdb_tables()",
            "SELECT sql, comment FROM duckdb_indexes()",
            "SELECT column_name, comment FROM duckdb_columns()",
        ],
        "postgresql": [
            "SELECT a.attname::text, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(d.adbin, d.adrelid), attidentity::text,"
            " col_description(attrelid, attnum) FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum"
            " WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            "SELECT conname::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY 1",
            "SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY 1",
            "SELECT obj_description('t'::regclass), reloptions::text, relacl::text FROM pg_class WHERE oid = 't'::regclass",
        ],
    }
    found = [target.execute(select) for select in tells[end]]
    return [[re.sub(r"AUTO_INCREMENT=\d+ ", "", str(value)) for value in row] for rows in found for row in rows]


TABLES = {
    "mysql": [
        "CREATE TABLE t (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY COMMENT 'the id', name VARCHAR(20) NOT NULL DEFAULT 'none' COMMENT"
        " 'its, name', KEY by_name (name), twice BIGINT AS (id * 2)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='a table' AUTO_INCREMENT=20",
    ],
    "sqlite": [
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(20) NOT NULL DEFAULT 'x, (y' CHECK (name <> ''), -- its, name\n"
        "twice INT GENERATED ALWAYS AS (id * 2), UNIQUE (name))",
        "CREATE INDEX by_name ON t (name, id)",
    ],
    "duckdb": [
        "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR NOT NULL DEFAULT 'x, (y' CHECK (name <> ''), twice BIGINT AS (id * 2))",
        "CREATE INDEX by_name ON t (name)",
        "COMMENT ON TABLE t IS 'a ''table'''",
        "COMMENT ON COLUMN t.name IS 'its name'",
        "COMMENT ON INDEX by_name IS 'an index'",
    ],
    "postgresql": [
        "CREATE TABLE t (id BIGINT CONSTRAINT the_key PRIMARY KEY, name VARCHAR(20) NOT NULL DEFAULT 'none' CHECK (name <> ''),"
        " twice BIGINT GENERATED ALWAYS AS (id * 2) STORED) WITH (fillfactor = 70)",
        "CREATE INDEX by_name ON t (name)",
        "COMMENT ON TABLE t IS 'a ''table'''",
        "COMMENT ON COLUMN t.name IS 'its name'",
        "GRANT SELECT ON t TO PUBLIC",
    ],
}


@pytest.mark.parametrize("end", [*TABLES])
def test_a_table_whose_columns_hold_what_arrives_stays_itself(places: dict[str, Place], origin: Place, end: str) -> None:
    target = places[end]
    target.execute(*TABLES[end], "INSERT INTO t (id, name) VALUES (20, 'old')")
    before = declared(target, end)
    wanted = choose(origin.url, target.url, table="t")[0]
    assert plan_transfer(wanted).statements == ()
    for _ in range(2):
        transfer(origin.url, target.url, table="t")
        assert target.execute(ROWS) == ARRIVED
    assert declared(target, end) == before
    assert target.execute("SELECT twice FROM t ORDER BY id") == [(14,), (16,)]
    if end in ("mysql", "sqlite"):  # the number goes on from the highest that there ever was
        target.execute("INSERT INTO t (name) VALUES ('new')")
        assert target.execute("SELECT max(id) FROM t") == [(21,)]


@pytest.mark.parametrize("end", [*TABLES])
def test_a_table_that_is_made_anew_keeps_what_belongs_to_it(places: dict[str, Place], origin: Place, end: str) -> None:
    target = places[end]
    small = [re.sub("id BIGINT|id INTEGER(?= PRIMARY)", "id SMALLINT", one.replace(" AUTOINCREMENT", "")) for one in TABLES[end]]
    if end == "postgresql":  # which changes no type that a computed column depends on
        small[0] = small[0].replace("(id * 2)", "(length(name) * 2)")
    target.execute(*small, "INSERT INTO t (id, name) VALUES (20, 'old')")
    target.execute("ALTER TABLE t ADD COLUMN gone INT")
    before = str(declared(target, end))
    origin.execute("UPDATE t SET id = 70000 WHERE id = 7", "ALTER TABLE t ADD COLUMN more DOUBLE", "UPDATE t SET more = 1.5")
    planned = " ".join(plan_transfer(choose(origin.url, target.url, table="t")[0]).statements)
    assert "more" in planned
    assert "gone" in before
    assert ("gone" in planned) == (end in ("mysql", "postgresql"))  # the others are made by one statement, without it
    for _ in range(2):
        transfer(origin.url, target.url, table="t")
        assert target.execute(ROWS) == [(8, "eight"), (70000, "seven")]
    after = str(declared(target, end))
    for kept in ("by_name", "PRIMARY KEY", "(id * 2)", "none" if end in ("mysql", "postgresql") else "x, (y", "its", "a table"):
        assert kept in after or kept not in before, kept
    assert ("gone" not in after, "more" in after) == (True, True)
    twice = [(10,), (10,)] if end == "postgresql" else [(16,), (140000,)]
    assert target.execute("SELECT twice FROM t ORDER BY id") == twice
    assert target.execute("SELECT more FROM t") == [(1.5,), (1.5,)]


@pytest.mark.parametrize("end", [*TABLES])
def test_references_of_other_tables_stay_valid(places: dict[str, Place], origin: Place, end: str) -> None:
    """Rows that others refer to are replaced where they arrive again; where one of them does not, nothing changes."""
    target = places[end]
    target.execute(*TABLES[end], "CREATE TABLE child (t BIGINT, FOREIGN KEY (t) REFERENCES t (id))")
    transfer(origin.url, target.url, table="t")
    target.execute("INSERT INTO child VALUES (8)")
    # DuckDB takes no update of an indexed column of a row that others refer to.
    eight = "eight" if end == "duckdb" else "acht"
    origin.execute(f"UPDATE t SET name = '{eight}' WHERE id = 8", "DELETE FROM t WHERE id = 7", "INSERT INTO t VALUES (9, 'nine')")
    before = declared(target, end)
    transfer(origin.url, target.url, table="t")
    assert target.execute(ROWS) == [(8, eight), (9, "nine")]
    assert (target.execute("SELECT t FROM child"), declared(target, end)) == ([(8,)], before)
    if end == "sqlite":
        assert target.execute("PRAGMA foreign_key_check") == []
        message = "Replacing t would leave 1 rows of child that refer to rows which are not there."
    else:
        message = ""
        with pytest.raises(Exception, match=r"(?i)foreign key"):
            target.execute("INSERT INTO child VALUES (7)")
    with pytest.raises((TransferRefused, TransferFailed)) as refused:
        transfer(origin.url, target.url, query="SELECT * FROM t WHERE id = 9", target="t")
    assert message in refused.value.message
    assert target.execute(ROWS) == [(8, eight), (9, "nine")]
    assert target.execute("SELECT t FROM child") == [(8,)]


@pytest.mark.parametrize("end", ["postgresql", "mysql", "duckdb"])
def test_rows_that_others_refer_to_by_two_columns_or_by_text_are_replaced_one_by_one(places: dict[str, Place], end: str) -> None:
    start, target = places["sqlite" if end == "duckdb" else "duckdb"], places[end]
    start.execute("CREATE TABLE o (a VARCHAR(9), b BIGINT, v BIGINT)", "INSERT INTO o VALUES ('x', 1, 10), ('X', 1, 20), ('y', 2, 30)")
    text = "VARCHAR(9) COLLATE utf8mb4_bin" if end == "mysql" else "VARCHAR(9)"
    target.execute(
        f"CREATE TABLE o (a {text} NOT NULL, b BIGINT NOT NULL, v BIGINT, UNIQUE (b, a))",
        f"CREATE TABLE child (b BIGINT, a {text}, FOREIGN KEY (b, a) REFERENCES o (b, a))",
        "INSERT INTO o VALUES ('X', 1, 2), ('x', 1, 1), ('z', 3, 3)",
        "INSERT INTO child VALUES (1, 'X'), (1, 'x')",
    )
    for _ in range(2):
        transfer(start.url, target.url, table="o")
        assert sorted(target.execute("SELECT a, b, v FROM o")) == [("X", 1, 20), ("x", 1, 10), ("y", 2, 30)]
    start.execute("INSERT INTO o VALUES ('x', 1, 11)")
    with pytest.raises((TransferRefused, TransferFailed), match="Duplicate entry" if end == "mysql" else "another row has too"):
        transfer(start.url, target.url, table="o")
    assert sorted(target.execute("SELECT a, b, v FROM o")) == [("X", 1, 20), ("x", 1, 10), ("y", 2, 30)]


@pytest.mark.parametrize(
    ("end", "native", "value", "arrived"),
    [
        ("postgresql", "VARCHAR(3)", "'four'", "four"),
        ("postgresql", "VARCHAR(3)", "'abc  '", "abc  "),
        ("postgresql", "CHAR(3)", "'a '", "a "),
        ("postgresql", "NAME", "repeat('x', 64)", "x" * 64),
        ("postgresql", "TIMESTAMP(0)", "TIMESTAMP '2024-01-01 10:00:00.5'", "2024-01-01 10:00:00.500000"),
        ("postgresql", "TIME(3)", "TIME '10:00:00.000001'", "10:00:00.000001"),
        ("mysql", "DATETIME", "TIMESTAMP '2024-01-01 10:00:00.5'", "2024-01-01 10:00:00.500000"),
        ("mysql", "TIME", "TIME '10:00:00.000001'", "10:00:00.000001"),
        ("mysql", "VARCHAR(3)", "'four'", "four"),
        ("mysql", "VARCHAR(3)", "'abc  '", "abc  "),
        ("mysql", "CHAR(3)", "'a '", "a "),
        ("mysql", "TINYTEXT", "repeat('x', 256)", "x" * 256),
        ("mysql", "ENUM('a','b')", "'A'", "A"),
        ("mysql", "SET('a','b')", "'b,a'", "b,a"),
        ("mysql", "YEAR", "70::SMALLINT", 70),
        ("mysql", "TINYINT", "300::SMALLINT", 300),
        ("mysql", "INT UNSIGNED", "-1::BIGINT", -1),
        ("mysql", "FLOAT(7,2)", "1.125::FLOAT", 1.125),
        ("mysql", "BINARY(4)", "'\\x01'::BLOB", b"\x01"),
        ("duckdb", "TINYINT", "300::SMALLINT", 300),
        ("duckdb", "UINTEGER", "-1::BIGINT", -1),
        ("duckdb", "TIMESTAMP_S", "TIMESTAMP '2024-01-01 10:00:00.5'", "2024-01-01 10:00:00.500000"),
        ("duckdb", "ENUM('a', 'b')", "'c'", "c"),
    ],
)
def test_a_value_that_a_column_would_cut_is_refused_or_the_column_made_anew(
    places: dict[str, Place], origin: Place, end: str, native: str, value: str, arrived: object
) -> None:
    target = places[end]
    target.execute(f"CREATE TABLE t (id INT PRIMARY KEY, c {native} NULL)", "INSERT INTO t (id) VALUES (1)")
    origin.execute(f"CREATE TABLE o AS SELECT 2 AS id, {value} AS c")
    for mode in ("append", "upsert"):
        with pytest.raises(DoesNotFit) as refused:
            transfer(origin.url, target.url, table="o", target="t", mode=mode, key=["id"] if mode == "upsert" else [])
        assert re.match(r"Column c \(.* in t\) holds ", refused.value.message)
        assert target.execute("SELECT id FROM t") == [(1,)]
    transfer(origin.url, target.url, table="o", target="t")
    ((found,),) = target.execute("SELECT c FROM t")
    shown = str(found) if isinstance(arrived, str) else found
    times = (f"{shown}00000", f"0{shown}", shown)
    assert arrived in (*times, f"{found}") if isinstance(arrived, str) else found == arrived
    with pytest.raises((TransferRefused, TransferFailed)):  # the key is still there
        transfer(origin.url, target.url, table="o", target="t", mode="append")


@pytest.mark.parametrize(
    ("end", "declared_as"),
    [("mysql", "INT AUTO_INCREMENT PRIMARY KEY"), ("mysql", "TIMESTAMP(6) NOT NULL"), ("sqlite", "INTEGER PRIMARY KEY")],
)
@pytest.mark.parametrize("mode", ["replace", "append"])
def test_null_is_not_turned_into_a_value_of_the_database(
    places: dict[str, Place], origin: Place, end: str, declared_as: str, mode: str
) -> None:
    target = places[end]
    target.execute(f"CREATE TABLE t (c {declared_as}, name VARCHAR(20))")
    kind = "TIMESTAMPTZ" if "TIMESTAMP" in declared_as else "INTEGER"
    origin.execute(f"CREATE TABLE o AS SELECT NULL::{kind} AS c, 'x' AS name")
    with pytest.raises(TransferRefused, match=r"^Column c holds NULL, for which t would put a value of its own\."):
        transfer(origin.url, target.url, table="o", target="t", mode=mode)
    assert target.execute("SELECT count(*) FROM t") == [(0,)]


def test_a_zero_stays_a_zero_in_a_column_that_mysql_counts(places: dict[str, Place], origin: Place) -> None:
    places["mysql"].execute("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20))")
    origin.execute("UPDATE t SET id = 0 WHERE id = 7")
    transfer(origin.url, places["mysql"].url, table="t", mode="append")
    assert places["mysql"].execute(ROWS) == [(0, "seven"), (8, "eight")]


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_bits_of_mysql_are_numbers(places: dict[str, Place], origin: Place, mode: str) -> None:
    places["mysql"].execute("CREATE TABLE t (id INT, c BIT(9))")
    origin.execute("CREATE TABLE o AS SELECT 1 AS id, 257::BIGINT AS c UNION ALL SELECT 2, 5 UNION ALL SELECT 3, NULL")
    transfer(origin.url, places["mysql"].url, table="o", target="t", mode=mode)
    assert places["mysql"].execute("SELECT id, CAST(c AS UNSIGNED) FROM t ORDER BY id") == [(1, 257), (2, 5), (3, None)]


def test_a_query_of_mysql_keeps_the_fractions_of_its_times(places: dict[str, Place]) -> None:
    target = places["mysql"]
    target.execute("CREATE TABLE o (c DATETIME(6), d TIME(3))", "INSERT INTO o VALUES ('2024-01-01 10:00:00.123456', '10:00:00.125')")
    transfer(target.url, target.url, query="SELECT * FROM o", target="t")
    assert [str(value) for value in target.execute("SELECT * FROM t")[0]] == ["2024-01-01 10:00:00.123456", "10:00:00.125000"]


def test_what_cannot_be_kept_with_other_columns_is_refused_by_name(places: dict[str, Place], origin: Place) -> None:
    target = places["postgresql"]
    sentence = "^t has other columns, and what belongs to it cannot be kept with them: .*"
    target.execute("CREATE TABLE t (id INTEGER, name INTEGER)", "CREATE VIEW v AS SELECT name FROM t")
    with pytest.raises(TransferRefused, match=f"{sentence}cannot alter type of a column used by a view"):
        transfer(origin.url, target.url, table="t")
    target.execute("DROP VIEW v", "DROP TABLE t", "CREATE TABLE t (id BOOLEAN DEFAULT true, name TEXT)")
    with pytest.raises(TransferRefused, match=f"{sentence}default for column"):
        transfer(origin.url, target.url, table="t")
    assert target.execute("SELECT count(*) FROM t") == [(0,)]


def test_an_identity_column_of_postgresql_grows_in_its_place(places: dict[str, Place], origin: Place) -> None:
    target = places["postgresql"]
    target.execute(
        "CREATE TABLE t (id SMALLINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT)", "INSERT INTO t (name) VALUES ('old')"
    )
    origin.execute("UPDATE t SET id = 70000 WHERE id = 7")
    transfer(origin.url, target.url, table="t")
    assert target.execute(ROWS) == [(8, "eight"), (70000, "seven")]
    assert target.execute("SELECT is_identity::text FROM information_schema.columns WHERE table_name = 't' AND column_name = 'id'") == [
        ("YES",)
    ]


@pytest.mark.parametrize("mode", ["replace", "append", "upsert"])
def test_types_that_are_kept_in_others_are_brought_again(places: dict[str, Place], origin: Place, mode: str) -> None:
    origin.execute("CREATE TABLE o AS SELECT 1 AS id, uuid() AS u, true AS b, '{}'::JSON AS j")
    for end in ("mysql", "sqlite", "postgresql"):
        for _ in range(2):
            transfer(origin.url, places[end].url, table="o", target="t", mode=mode, key=["id"] if mode == "upsert" else [])
        assert places[end].execute("SELECT DISTINCT id, b FROM t") == [(1, True)]
