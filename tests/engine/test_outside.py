"""Reads besides tables: found in the SQL of each database and in Python code, and nothing where there is nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import GraphError
from pdbt.engine.graph import read_graph
from pdbt.engine.outside import NOTHING, Outside, in_sql
from pdbt.engine.outside.in_files import expand, named_files
from pdbt.engine.outside.in_python import find_in_python
from pdbt.engine.parsing import Parser
from pdbt.engine.reading.model import SourceTable
from pdbt.engine.selects import Reader

CLOCK = Outside("reads the clock")
DAY = Outside(day=True)
PARAMETERS = {"name": "orders", "folder": "data/extra", "moment": "now"}


@cache
def parser(dialect: str) -> Parser:
    """One parser for all SELECTs, as a run has it: each opens a DuckDB of its own."""
    return Parser({}, dialect, PARAMETERS)


def reads(select: str, dialect: str = "duckdb") -> tuple[str, Outside]:
    """Return the tables that a SELECT reads, and what else."""
    references, outside = parser(dialect).reads(select)
    return " ".join(".".join(filter(None, table)) for table in references.tables), outside


def chance(name: str) -> Outside:
    return Outside(f"calls {name}(), which gives something else in every run")


SAMPLE = Outside("draws a sample, which is another one in every run")
CATALOG = Outside("reads the catalog of the database")

CLOCKS = [
    ("duckdb", "SELECT * FROM t WHERE d > now() - INTERVAL 1 DAY", CLOCK),
    ("duckdb", "WITH a AS (SELECT * FROM t WHERE d < current_timestamp) SELECT * FROM a", CLOCK),
    ("duckdb", "SELECT count(*) FILTER (WHERE d < get_current_timestamp()) FROM t", CLOCK),
    ("duckdb", "SELECT localtime, localtimestamp FROM t", CLOCK),
    ("duckdb", "SELECT main.now() FROM t", CLOCK),
    ("duckdb", "SELECT * FROM t WHERE d = current_date", DAY),
    ("duckdb", "SELECT (SELECT max(d) FROM t WHERE d <= Today())", DAY),
    ("duckdb", "SELECT age(d) FROM t", DAY),
    ("duckdb", "SELECT random() FROM t", chance("random")),
    ("duckdb", "SELECT * FROM t ORDER BY RANDOM() LIMIT 5", chance("random")),
    ("duckdb", "SELECT list_transform([1], lambda x: x + random()) FROM t", chance("random")),
    ("duckdb", "SELECT uuid() FROM t", chance("uuid")),
    ("duckdb", "SELECT nextval('s') FROM t", chance("nextval")),
    ("duckdb", "SELECT * FROM t TABLESAMPLE 10%", SAMPLE),
    ("duckdb", "SELECT * FROM t USING SAMPLE 5", SAMPLE),
    ("duckdb", "SELECT * FROM t, duckdb_tables()", CATALOG),
    ("sqlite", "SELECT date('now') FROM t", DAY),
    ("sqlite", "SELECT * FROM t WHERE d >= date('NOW', '-30 days', 'start of month')", DAY),
    ("sqlite", "SELECT strftime('%Y-%m', 'now') FROM t", DAY),
    ("sqlite", "SELECT date($moment) FROM t", DAY),
    ("sqlite", "SELECT CURRENT_DATE FROM t", DAY),
    ("sqlite", 'SELECT date("now") FROM t', DAY),
    ("sqlite", "SELECT date('now', 'localtime') FROM t", CLOCK),
    ("sqlite", "SELECT date('now', '+5 hours') FROM t", CLOCK),
    ("sqlite", "SELECT datetime('now') FROM t", CLOCK),
    ("sqlite", "SELECT julianday('now') - julianday(d) FROM t", CLOCK),
    ("sqlite", "SELECT strftime('%H', 'now') FROM t", CLOCK),
    ("sqlite", "SELECT unixepoch() FROM t", CLOCK),
    ("sqlite", "SELECT timediff(d, 'now') FROM t", CLOCK),
    ("sqlite", "SELECT CURRENT_TIMESTAMP FROM t", CLOCK),
    ("sqlite", "SELECT hex(randomblob(16)) FROM t", chance("randomblob")),
    ("sqlite", "SELECT * FROM t, pragma_table_info('t')", CATALOG),
    ("postgresql", "SELECT CURRENT_DATE FROM t", DAY),
    ("postgresql", "SELECT * FROM t WHERE d >= 'today'", DAY),
    ("postgresql", "SELECT * FROM t WHERE d >= DATE 'Yesterday'", DAY),
    ("postgresql", "SELECT age(d) FROM t", DAY),
    ("postgresql", "SELECT 'now'::timestamp FROM t", CLOCK),
    ("postgresql", "SELECT $moment::timestamp FROM t", CLOCK),
    ("postgresql", "SELECT clock_timestamp() FROM t", CLOCK),
    ("postgresql", 'SELECT "now"() FROM t', CLOCK),
    ("postgresql", "SELECT CURRENT_TIMESTAMP(3) FROM t", CLOCK),
    ("postgresql", "SELECT gen_random_uuid() FROM t", chance("gen_random_uuid")),
    ("postgresql", "SELECT * FROM t TABLESAMPLE SYSTEM (10)", SAMPLE),
    ("postgresql", "SELECT pg_read_file('/x') FROM t", Outside("reads from elsewhere, through pg_read_file()")),
]


@pytest.mark.parametrize(("dialect", "select", "found"), CLOCKS)
def test_the_clock_and_chance_are_seen_wherever_they_stand(dialect: str, select: str, found: Outside) -> None:
    assert reads(select, dialect) == ("t", found)


HARMLESS = [
    ("duckdb", "SELECT 'now() current_date' AS x -- now()\n FROM t /* random() */"),
    ("duckdb", "SELECT day AS current_date, t.current_timestamp, now, random, today FROM t"),
    ("duckdb", "SELECT age(d, e), date_trunc('day', d), 'now', 'today' FROM t"),
    ("duckdb", "SELECT * FROM t TABLESAMPLE 10% (bernoulli, 42)"),
    ("duckdb", "SELECT * FROM t USING SAMPLE reservoir(50 ROWS) REPEATABLE (100)"),
    ("duckdb", "SELECT sample, $$now()$$ FROM t"),
    ("sqlite", "SELECT date(d), strftime('%Y', d), datetime(d, '+1 day'), timediff(d, e), localtime FROM t WHERE status = 'now'"),
    ("postgresql", "SELECT 'right now', 'todays' FROM t TABLESAMPLE SYSTEM (10) REPEATABLE (5)"),
]


@pytest.mark.parametrize(("dialect", "select"), HARMLESS)
def test_what_only_looks_like_the_clock_is_nothing(dialect: str, select: str) -> None:
    assert reads(select, dialect) == ("t", NOTHING)


@settings(deadline=None)
@given(
    st.sampled_from(CLOCKS),
    st.sampled_from(["SELECT * FROM ({}) u", "WITH u AS ({}) SELECT * FROM u", "({}) UNION ALL SELECT 1", "-- x\n{}"]),
)
def test_what_stands_inside_another_select_is_seen(clock: tuple[str, str, Outside], around: str) -> None:
    dialect, select, found = clock
    assert reads(around.format(select), dialect) == ("t", found)


# Tables named by a text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("select", "tables"),
    [
        ("SELECT * FROM query_table('orders')", "orders"),
        ("SELECT * FROM query_table(['orders', 'main.\"Big Customers\"'])", "orders main.Big Customers"),
        ("SELECT * FROM QUERY_TABLE($name)", "orders"),
        ("SELECT * FROM query_table('Big Customers')", "Big Customers"),
        ("SELECT * FROM query_table('ord' || 'ers')", "orders"),
        ("FROM query_table(CASE WHEN current_setting('autoinstall_known_extensions') THEN 'downloads' ELSE 'a' END)", "a"),
        ("SELECT * FROM a WHERE x IN (SELECT x FROM query_table('b'))", "a b"),
        ("SELECT * FROM query('SELECT * FROM orders JOIN customers USING (id)')", "orders customers"),
        ("SELECT * FROM query('SELECT * FROM query_table(''orders'')')", "orders"),
        ("PIVOT query_table('orders') ON a USING sum(b)", "orders"),
    ],
)
def test_a_table_named_by_a_text_is_read(select: str, tables: str) -> None:
    assert reads(select)[0] == tables


def test_what_a_query_in_a_text_reads_is_read() -> None:
    assert reads("SELECT * FROM query('SELECT * FROM orders WHERE d < now()')")[1].always == "reads the clock"
    assert reads("SELECT query_to_xml('SELECT * FROM orders', true, false, '')", "postgresql")[0] == "orders"


def test_a_table_named_by_a_text_comes_first_and_one_that_cannot_be_known_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "scripts/processed"
    folder.mkdir(parents=True)
    (folder / "A.sql").write_text("SELECT * FROM query_table('z')")
    (folder / "Z.sql").write_text("SELECT * FROM query('SELECT * FROM orders')")
    source = SourceTable("ORDERS", (tmp_path / "orders.csv",), "data/source/orders.csv")
    graph = read_graph(tmp_path, [source], Reader({}, {}), lambda _: False)
    assert list(graph.nodes) == ["ORDERS", "Z", "A"]
    assert (graph.nodes["A"].inputs, graph.nodes["Z"].inputs) == (("Z",), ("ORDERS",))
    (folder / "A.sql").write_text("SELECT * FROM z, query_table(z.name)")
    with pytest.raises(GraphError, match=r"scripts/processed/A.sql: query_table\(\) is given an expression"):
        read_graph(tmp_path, [source], Reader({}, {}), lambda _: False)


def test_a_table_named_by_a_parameter_without_a_value_can_be_looked_at() -> None:
    assert reads("SELECT * FROM query_table($unknown)") == ("", NOTHING)


# Files --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("select", "files"),
    [
        ("SELECT * FROM read_csv('data/source/orders.csv', header = true)", ("data/source/orders.csv",)),
        ("FROM read_parquet(['a.parquet', 'b/*.parquet'], union_by_name = true)", ("a.parquet", "b/*.parquet")),
        ("SELECT content FROM read_text('notes/it''s.txt')", ("notes/it's.txt",)),
        ("FROM read_csv($folder || '/' || $name || '.csv')", ("data/extra/orders.csv",)),
        ("SELECT * FROM glob('data/*.csv')", ("data/*.csv",)),
        ("PIVOT read_json_auto('x.json') ON a USING sum(b)", ("x.json",)),
        ("SELECT max(id) FROM query('FROM read_csv(''x.csv'')')", ("x.csv",)),
    ],
)
def test_files_that_a_function_is_given_are_read(select: str, files: tuple[str, ...]) -> None:
    assert reads(select)[1].files == files


@pytest.mark.parametrize(
    ("select", "reason"),
    [
        ("FROM read_csv('https://example.org/x.csv')", "reads from elsewhere: a file of another machine"),
        ("FROM read_parquet(getvariable('path'))", "reads files that only its code names"),
        ("FROM read_csv($unknown)", "reads files that only its code names"),
    ],
)
def test_a_file_that_cannot_be_looked_at_makes_the_table_due_in_every_run(select: str, reason: str) -> None:
    assert reads(select)[1] == Outside(reason)


def test_patterns_are_the_files_that_there_are_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/1.csv", "a/2.csv", "a/b/3.csv", "a/[x].csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    monkeypatch.chdir(tmp_path)
    assert sorted(named_files(["a/*.csv", "a/1.csv"], tmp_path)) == ["a/1.csv", "a/2.csv", "a/[x].csv"]
    assert sorted(named_files(["a/**/*.csv"], tmp_path)) == ["a/1.csv", "a/2.csv", "a/[x].csv", "a/b/3.csv"]
    assert list(named_files(["a/[x].csv"], tmp_path)) == ["a/[x].csv"]
    assert sorted(named_files([str(tmp_path / "a/b")], tmp_path / "a")) == ["b/3.csv"]
    assert list(named_files(["a/1.csv"], tmp_path / "elsewhere")) == [str(tmp_path / "a/1.csv")]
    assert expand("nothing/*.csv", tmp_path) == expand("a\0b", tmp_path) == []
    monkeypatch.chdir("/")
    assert sorted(named_files(["a/*.csv"], tmp_path)) == ["a/1.csv", "a/2.csv", "a/[x].csv"]


# Python -------------------------------------------------------------------------------------------------------------------

IMPORTS = """
import datetime, io, os, random, time, uuid
import datetime as dt
from datetime import date
from datetime import datetime as Moment
from pathlib import Path
import duckdb, requests
import numpy as np
import pandas as pd
"""


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("datetime.datetime.now()", CLOCK),
        ("Moment.utcnow()", CLOCK),
        ("dt.date.today()", DAY),
        ("date.today()", DAY),
        ("time.time()", CLOCK),
        ("time.strftime('%Y')", CLOCK),
        ("pd.Timestamp.now()", CLOCK),
        ("pd.to_datetime('today')", CLOCK),
        ("[clock() for clock in [Moment.now]]", CLOCK),
        ("duckdb.sql('SELECT now()')", CLOCK),
        ("[clock.today() for clock in [datetime.date]]", CLOCK),
        ("dict(os.environ)", Outside("reads from elsewhere, through os.environ")),
        ("pd.read_sql('SELECT 1', 'sqlite:///x.db')", Outside("reads from elsewhere, through read_sql")),
        ("random.random()", chance("random.random")),
        ("np.random.default_rng().normal()", chance("numpy.random.default_rng")),
        ("uuid.uuid4()", chance("uuid.uuid4")),
        ("ORDERS.sample(5)", chance("sample")),
        ("pd.read_csv('extra.csv')", Outside(files=("extra.csv",))),
        ("open('extra.txt').read()", Outside(files=("extra.txt",))),
        ("Path('extra.txt').read_text()", Outside(files=("extra.txt",))),
        ("(Path(__file__).parent / 'extra.txt').read_text()", Outside("reads files that only its code names")),
        ("pd.read_parquet(ORDERS.name)", Outside("reads files that only its code names")),
        ("os.environ['REGION'], os.getenv('CITY')", Outside(environment=("REGION", "CITY"))),
        ("requests.get('https://example.org')", Outside("reads from elsewhere, through requests.get")),
        ("pd.read_csv('https://example.org/x.csv')", Outside("reads from elsewhere: a file of another machine")),
        # Nothing of the kind.
        ("ORDERS.query('a > 5').groupby('x').sum()", NOTHING),
        ("ORDERS.sample(5, random_state=1)", NOTHING),
        ("np.random.default_rng(42).normal()", NOTHING),
        ("pd.read_csv(io.StringIO('a'))", NOTHING),
        ("open('log.txt', 'w').write('now()')", NOTHING),
        ("datetime.datetime(2024, 1, 1), time.perf_counter(), 'datetime.now() random()'", NOTHING),
    ],
)
def test_what_python_code_reads_is_seen(code: str, found: Outside) -> None:
    assert find_in_python(f"{IMPORTS}\ndef table(ORDERS):\n    return {code}\n") == found


def test_a_seed_makes_chance_repeatable() -> None:
    assert find_in_python("import random\nrandom.seed(1)\ndef table(A):\n    return random.random()") == NOTHING


def test_a_parameter_called_now_is_a_table() -> None:
    assert find_in_python("def table(now, random):\n    return now.merge(random)") == NOTHING


def test_no_name_is_missed_by_the_first_look_at_a_text() -> None:
    calls = (
        in_sql._DAY_CALLS | in_sql._CLOCK_CALLS | in_sql._CHANCE_CALLS | in_sql._ELSEWHERE_CALLS | in_sql._QUERY_CALLS | in_sql._TABLE_CALLS
    ) | in_sql._SQLITE_TIMES
    for name in sorted(calls | {"age", "glob", "sniff_csv", "parquet_metadata", "iceberg_scan", "pragma_show", "duckdb_tables"}):
        assert in_sql._HINT.search(f"SELECT {name} (x)"), name
    for name in in_sql._DAY_WORDS | in_sql._CLOCK_WORDS | in_sql._LOCAL_WORDS | {"tablesample", "using sample"}:
        assert in_sql._HINT.search(f"SELECT {name}"), name
