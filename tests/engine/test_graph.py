"""The graph: what a SELECT reads, in which order tables are made, and the sentence for each way in which that cannot be said."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import GraphError
from pdbt.engine.graph import Graph, read_graph
from pdbt.engine.parsing import Parser
from pdbt.engine.reading.model import SourceTable
from pdbt.engine.selects import Reader
from pdbt.engine.sql import table_names
from pdbt.engine.state import References

# What a SELECT reads ------------------------------------------------------------------------------------------------------

# One for all: each opens a DuckDB of its own.
READER, PARSER = Reader({}, {}), Parser({})
PARSED = [
    ("SELECT 1", ""),
    ("SELECT * FROM a", "a"),
    ("FROM a", "a"),
    ("FROM a SELECT x", "a"),
    ("TABLE a", "a"),
    ("DESCRIBE a", "a"),
    ("SUMMARIZE a", "a"),
    ("VALUES (1, 2)", ""),
    ("(SELECT * FROM a)", "a"),
    ("SELECT * FROM a, b c, d AS e", "a b d"),
    ("SELECT * FROM a JOIN b USING (i) LEFT JOIN c ON b.i = c.i, d", "a b c d"),
    ("SELECT * FROM a NATURAL JOIN b CROSS JOIN c LEFT JOIN (d JOIN e ON d.i = e.i) ON true", "a b c d e"),
    ("SELECT * FROM a ASOF JOIN b ON a.t >= b.t", "a b"),
    ("SELECT * FROM a POSITIONAL JOIN b", "a b"),
    ("SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.i = a.i)", "a b"),
    ("SELECT * FROM a UNION SELECT * FROM b EXCEPT SELECT * FROM c", "a b c"),
    ("((SELECT * FROM a) UNION (SELECT * FROM b)) ORDER BY 1", "a b"),
    ("SELECT (SELECT max(x) FROM a) FROM b WHERE EXISTS (SELECT 1 FROM c WHERE c.i = b.i) AND k IN (SELECT k FROM d)", "a b c d"),
    ("SELECT * FROM a ORDER BY (SELECT 1 FROM b) LIMIT (SELECT count(*) FROM c)", "a b c"),
    ("SELECT sum(x) FILTER (WHERE x > (SELECT avg(x) FROM b)) FROM a GROUP BY ALL", "a b"),
    ("SELECT * EXCLUDE (x) FROM a QUALIFY row_number() OVER (PARTITION BY y ORDER BY (SELECT 1 FROM b)) = 1", "a b"),
    ("SELECT [x FOR x IN (SELECT list(y) FROM b)] FROM a", "a b"),
    ("SELECT CASE WHEN x IN (SELECT x FROM b) THEN 1 END FROM a", "a b"),
    ("SELECT extract(year FROM day), trim(BOTH 'x' FROM t), x IS DISTINCT FROM y FROM a", "a"),
    ("SELECT DISTINCT ON (x) x, y FROM a ORDER BY x", "a"),
    ("SELECT * FROM range(10) r, read_csv('x.csv'), generate_series(1, 2), t", "t"),
    ("SELECT * FROM a, unnest(a.l) u(x)", "a"),
    ("SELECT * FROM (VALUES (1)) v(x)", ""),
    ("UNPIVOT a ON b INTO NAME n VALUE v", "a"),
    ("SELECT * FROM a TABLESAMPLE 10%", "a"),
    ("SELECT * FROM a WHERE x GLOB 'b*' AND d = date '2020-01-01'", "a"),
    ("SELECT * FROM a WHERE x = $b AND y IN $c", "a"),
    ("SELECT 'FROM b', $$ FROM c $$ -- FROM d\n FROM a /* FROM e */", "a"),
    ('SELECT * FROM main.a, sch.b, db.sch.c, "Quoted Name", "q""q"', 'main.a sch.b sch.c Quoted_Name q"q'),
    ("SELECT * FROM 'orders.csv'", "orders.csv"),
    # A name that WITH defines is read from there, in its scope, and only after its definition.
    ("WITH a AS (SELECT * FROM x), b AS (SELECT * FROM a) SELECT * FROM b, y", "x y"),
    ("WITH ORDERS AS (SELECT * FROM ORDERS) SELECT * FROM ORDERS", "ORDERS"),
    ("WITH orders AS (SELECT * FROM ORDERS) SELECT * FROM Orders", "ORDERS"),
    ('WITH "Orders" AS (SELECT 1) SELECT * FROM orders', ""),
    ("WITH b AS (SELECT * FROM a), a AS (SELECT * FROM x) SELECT * FROM b, a", "a x"),
    ("SELECT * FROM (WITH c AS (SELECT * FROM d) SELECT * FROM c), c", "c d"),
    ("WITH c AS (SELECT 1) SELECT * FROM a WHERE x IN (SELECT y FROM c JOIN d USING (i))", "a d"),
    ("WITH c AS (SELECT * FROM z) SELECT * FROM a UNION ALL SELECT * FROM c", "a z"),
    ("WITH c AS (WITH d AS (SELECT * FROM e) SELECT * FROM d) SELECT * FROM c, d", "d e"),
    ("WITH c AS MATERIALIZED (SELECT * FROM m), d AS NOT MATERIALIZED (SELECT * FROM c) SELECT * FROM d", "m"),
    ("WITH c(x) AS (VALUES (1)) SELECT * FROM c, main.c", "main.c"),
    ("WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t, b WHERE n < 5) SELECT * FROM t", "b"),
    ("WITH RECURSIVE orders AS (SELECT * FROM base UNION ALL SELECT * FROM Orders) SELECT * FROM orders", "base"),
    ("WITH RECURSIVE a AS (SELECT 1 AS x), b AS (SELECT * FROM a UNION ALL SELECT * FROM b) SELECT * FROM b", ""),
    ("WITH RECURSIVE c(n) USING KEY (n) AS (SELECT 1 FROM k UNION SELECT n FROM c) SELECT * FROM c", "k"),
]
# What DuckDB's parser does not take: its own PIVOT, and what only SQLite or only PostgreSQL says.
GUESSED = [
    ("PIVOT sales ON year USING sum(amount)", "sales"),
    ("WITH p AS (PIVOT a ON y USING sum(z)) SELECT * FROM p", "a"),
    ("SELECT * FROM (PIVOT a ON y USING sum(z)) p JOIN b USING (i)", "a b"),
    ("SELECT * FROM a WHERE x REGEXP 'a'", "a"),
    ("SELECT * FROM a WHERE x IS NOT y AND z IS w", "a"),
    ("WITH a AS (SELECT * FROM a WHERE x IS NOT y) SELECT * FROM a JOIN b USING (i)", "a b"),
    ("WITH RECURSIVE a AS (SELECT 1), b(x) AS (SELECT * FROM b, k) SELECT x IS NOT y FROM b, a", "k"),
    ("SELECT * FROM a FOR UPDATE", "a"),
    ("SELECT j @> '{}', j ? 'a', j #>> '{a}' FROM a", "a"),
    ("SELECT * FROM ONLY a, LATERAL (SELECT * FROM b) c WHERE x IS NOT y", "a b"),
]


def names(tables: Sequence[tuple[str, str]]) -> set[str]:
    return {".".join(part for part in table if part).replace(" ", "_") for table in tables}


@pytest.mark.parametrize(("select", "tables"), PARSED)
def test_what_a_select_reads(select: str, tables: str) -> None:
    found = PARSER.references(select)
    assert found.exact
    assert names(found.tables) == set(tables.split())


@pytest.mark.parametrize(("select", "tables"), GUESSED)
def test_what_a_select_that_duckdb_does_not_parse_reads(select: str, tables: str) -> None:
    found = PARSER.references(select)
    assert not found.exact
    assert names(found.tables) == set(tables.split())


@pytest.mark.parametrize(("select", "tables"), PARSED)
def test_the_guess_by_place_finds_the_same(select: str, tables: str) -> None:
    assert names(table_names(select)) == set(tables.split())


NAMES = st.sampled_from(["a", "b", "A", "Orders", '"Two Words"', "main.c", '"q""q"'])


def _selects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joins = st.sampled_from([" JOIN ", " LEFT JOIN ", " NATURAL JOIN ", " CROSS JOIN ", ", ", ", LATERAL "])
    where = st.sampled_from(
        [" WHERE x IN ({})", " WHERE EXISTS ({})", " ORDER BY ({})", " GROUP BY extract(year FROM ({}))", " LIMIT 1 -- {}\n"]
    )
    return st.one_of(
        st.tuples(inner, joins, inner).map(
            lambda p: f"SELECT * FROM ({p[0]}) s{p[1]}({p[2]}) t" + (" USING (i)" if p[1].strip() in ("JOIN", "LEFT JOIN") else "")
        ),
        st.tuples(NAMES, st.sampled_from([" JOIN ", ", "]), NAMES, where, inner).map(
            lambda p: (
                f"SELECT (SELECT 1 FROM {p[0]}) FROM {p[0]} AS k{p[1]}{p[2]} l"
                + (" ON k.i = l.i" if "JOIN" in p[1] else "")
                + p[3].format(p[4])
            )
        ),
        st.tuples(st.sampled_from(["a", "b", "orders", '"q""q"']), inner, inner).map(
            lambda p: f"WITH {p[0]} AS ({p[1]}) SELECT * FROM ({p[2]}) w, {p[0]}"
        ),
        st.tuples(st.sampled_from(["a", "B"]), inner, inner, inner).map(
            lambda p: f"WITH {p[0]}(x) AS ({p[1]}), z AS ({p[2]}) SELECT * FROM z, ({p[3]}) y, {p[0]}"
        ),
        st.tuples(st.sampled_from(["a", "c"]), inner).map(
            lambda p: f"WITH RECURSIVE {p[0]} AS (({p[1]}) UNION ALL SELECT * FROM {p[0]}) SELECT * FROM {p[0]}, d"
        ),
        st.tuples(inner, st.sampled_from(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]), inner).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        st.tuples(NAMES, inner).map(lambda p: f"FROM {p[0]} SELECT x, ({p[1]})"),
    )


SELECTS = st.recursive(NAMES.map(lambda name: f"SELECT * FROM {name}"), _selects, max_leaves=6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SELECTS)
def test_the_guess_by_place_misses_nothing_that_the_parser_finds(select: str) -> None:
    found = PARSER.references(select)
    assert found.exact
    assert names(found.tables) <= names(table_names(select))


def test_a_select_of_a_thousand_parts_is_read() -> None:
    select = " UNION ALL ".join(f"SELECT * FROM t{number}" for number in range(1000))
    assert len(PARSER.references(select).tables) == 1000
    assert len(table_names(select)) == 1000


def test_an_answer_of_an_earlier_run_is_taken_again() -> None:
    text = "SELECT * FROM query_table('a' || 'b')"  # evaluated in each run, so that only the parser's answer is kept
    first = Parser({})
    first.select(text, "x.sql")
    (digest,) = first.used
    second = Parser({digest: References(exact=True, tables=[("", "remembered")])})
    assert ("", "remembered") in second.select(text, "x.sql")[0].reads.tables
    assert second.used.keys() == first.used.keys()


# The project --------------------------------------------------------------------------------------------------------------


def graph_of(project: Path, files: dict[str, str], sources: Sequence[str] = ("ORDERS", "CUSTOMERS"), external: Sequence[str] = ()) -> Graph:
    for name, text in files.items():
        path = project / "scripts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    tables = [SourceTable(name, (project / f"data/source/{name.lower()}.csv",), f"data/source/{name.lower()}.csv") for name in sources]
    return read_graph(project, tables, READER, lambda name: name in external)


def refusal(project: Path, files: dict[str, str], sources: Sequence[str] = ("ORDERS", "CUSTOMERS")) -> GraphError:
    with pytest.raises(GraphError) as caught:
        graph_of(project, files, sources)
    assert caught.value.exit_code == 2
    return caught.value


def test_tables_come_after_what_they_read_whatever_their_names(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {
            "processed/Z.sql": "SELECT * FROM orders JOIN Customers USING (id)",
            "processed/Y.py": "def table(Z, z2=None, *, parameters): ...",
            "processed/z2.SQL": "SELECT * FROM Z WHERE day > $since",
            "final/A.sql": "SELECT * FROM Y, main.Z2, information_schema.tables, sqlite_master",
            "checks/NO_ORDERS.sql": "SELECT * FROM a WHERE x = $x",
            "checks/notes.txt": "nothing",
            "processed/_helper.py": "x = 1",
            "processed/.hidden.sql": "nonsense",
        },
    )
    assert list(graph.nodes) == ["CUSTOMERS", "ORDERS", "Z", "z2", "Y", "A"]
    assert graph.nodes["Z"].inputs == ("ORDERS", "CUSTOMERS")
    assert graph.nodes["Y"].inputs == ("Z", "z2")
    assert graph.nodes["A"].inputs == ("Y", "z2")
    assert [node.name for node in graph.sources()] == ["CUSTOMERS", "ORDERS"]
    assert [node.name for node in graph.built()] == ["Z", "z2", "Y", "A"]
    assert (graph.nodes["z2"].parameters, graph.nodes["Y"].parameters, graph.nodes["A"].parameters) == (("since",), None, ())
    assert (graph.nodes["Z"].layer, graph.nodes["A"].layer, graph.nodes["A"].label) == ("processed", "final", "scripts/final/A.sql")
    (check,) = graph.checks
    assert (check.name, check.inputs, check.parameters) == ("NO_ORDERS", ("A",), ("x",))


def test_a_project_without_scripts_has_its_sources(tmp_path: Path) -> None:
    assert list(graph_of(tmp_path, {}).nodes) == ["CUSTOMERS", "ORDERS"]


def test_a_select_keeps_its_text_without_the_semicolon(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, {"final/A.sql": "\ufeff-- why\r\nSELECT 1;\r\n"})
    assert graph.nodes["A"].text == "-- why\nSELECT 1"


def test_two_files_of_one_table(tmp_path: Path) -> None:
    error = refusal(tmp_path, {"processed/A.sql": "SELECT 1", "final/a.py": "def table(): ..."})
    assert error.message == "scripts/processed/A.sql and scripts/final/a.py both define the table a."
    assert error.hint == "Rename one of them."


def test_a_source_and_a_file_of_one_table(tmp_path: Path) -> None:
    error = refusal(tmp_path, {"processed/orders.sql": "SELECT * FROM ORDERS"})
    assert error.message == "data/source/orders.csv and scripts/processed/orders.sql both define the table orders."


def test_a_circle_names_its_files(tmp_path: Path) -> None:
    error = refusal(
        tmp_path,
        {"processed/A.sql": "SELECT * FROM B", "processed/B.sql": "SELECT * FROM C, ORDERS", "final/C.py": "def table(A): ..."},
    )
    assert error.message.startswith("These tables read each other in a circle: ")
    for part in ("A (scripts/processed/A.sql)", "B (scripts/processed/B.sql)", "C (scripts/final/C.py)", " -> "):
        assert part in error.message
    assert error.hint == "Let one of them read something else."


@pytest.mark.parametrize("select", ["SELECT * FROM a", "SELECT * FROM A WHERE x IS NOT y"])
def test_a_table_that_reads_itself(tmp_path: Path, select: str) -> None:
    error = refusal(tmp_path, {"processed/A.sql": select})
    assert error.message == "scripts/processed/A.sql reads A, the table that it makes."


@pytest.mark.parametrize("condition", ["x = y", "x IS NOT y"])
def test_a_with_may_be_called_like_the_file_or_a_table(tmp_path: Path, condition: str) -> None:
    graph = graph_of(tmp_path, {"processed/A.sql": f"WITH a AS (SELECT * FROM orders WHERE {condition}) SELECT * FROM a"})
    assert graph.nodes["A"].inputs == ("ORDERS",)


def test_sqlites_recursion_without_the_word_names_no_unknown_table(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, {"processed/A.sql": "WITH n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 9) SELECT * FROM n"})
    assert graph.nodes["A"].inputs == ()


@pytest.mark.parametrize(
    ("select", "name", "hint"),
    [
        ("SELECT * FROM ORDER_", "ORDER_", "Did you mean ORDERS?"),
        ("SELECT * FROM custmers", "custmers", "Did you mean CUSTOMERS?"),
        ("SELECT * FROM xyz", "xyz", "There are: A, CUSTOMERS, ORDERS."),
        ("SELECT * FROM elsewhere.xyz", "elsewhere.xyz", "There are: A, CUSTOMERS, ORDERS."),
        (
            "SELECT * FROM 'folder/x.csv'",
            "folder/x.csv",
            "Put the file in data/source, where it becomes a table; there are: A, CUSTOMERS, ORDERS.",
        ),
    ],
)
def test_an_unknown_table_is_named_with_a_suggestion(tmp_path: Path, select: str, name: str, hint: str) -> None:
    error = refusal(tmp_path, {"processed/A.sql": select})
    assert error.message == f"scripts/processed/A.sql reads {name}, which no file of this project makes."
    assert error.hint == hint


@pytest.mark.parametrize("name", ["pg_orders", "PG_ORDERS", "sqlite_orders", "duckdb_orders", "pragma_orders", "elsewhere.pg_class"])
def test_a_table_is_no_catalogs_for_the_beginning_of_its_name(tmp_path: Path, name: str) -> None:
    error = refusal(tmp_path, {"final/A.sql": f"SELECT * FROM {name}"})
    assert error.message == f"scripts/final/A.sql reads {name}, which no file of this project makes."


def test_what_duckdb_and_sqlite_have_by_themselves_is_read(tmp_path: Path) -> None:
    views = "SELECT view_name FROM duckdb_views() WHERE internal AND schema_name <> 'information_schema'"
    found = [name for (name,) in duckdb.execute(views).fetchall()]
    assert "pg_class" in found
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        # What SQLite cannot take from a file that never had it, as sqlite_sequence, is in none of its lists.
        for name in ("sqlite_schema", "pragma_table_list", "pragma_user_version", "pragma_compile_options"):
            connection.execute(f"SELECT * FROM {name}")
            found.append(name)
    qualified = ["pg_catalog.pg_roles", "PG_CATALOG.PG_CLASS", "information_schema.columns"]
    for number, name in enumerate([*found, *qualified]):
        graph = graph_of(tmp_path / str(number), {"final/A.sql": f"SELECT * FROM {name}"})
        assert (graph.nodes["A"].inputs, graph.nodes["A"].external) == ((), ()), name


def test_a_check_of_an_unknown_table(tmp_path: Path) -> None:
    error = refusal(tmp_path, {"checks/A.sql": "SELECT * FROM xyz"}, sources=())
    assert error.message == "scripts/checks/A.sql reads xyz, which no file of this project makes."
    assert error.hint == "data/source is empty."


@pytest.mark.parametrize("where", ["x = 1", "x IS NOT y"])
def test_a_table_that_somebody_else_made_in_a_shared_database(tmp_path: Path, where: str) -> None:
    graph = graph_of(tmp_path, {"processed/A.sql": f"SELECT * FROM crm.people, orders WHERE {where}"}, external=["crm.people"])
    assert graph.nodes["A"].external == ("crm.people",)
    assert graph.nodes["A"].inputs == ("ORDERS",)


def test_what_was_guessed_and_nobody_makes_is_left_to_the_database(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, {"processed/A.sql": "SELECT * FROM xyz WHERE x IS NOT y"})
    assert graph.nodes["A"].inputs == ()


@pytest.mark.parametrize(
    ("file", "text", "message", "hint"),
    [
        ("processed/A.sql", "", "scripts/processed/A.sql holds no SQL.", "Write one SELECT in it, or delete the file."),
        (
            "checks/A.sql",
            "CREATE TABLE x (y INT)",
            "scripts/checks/A.sql begins with 'CREATE'; a file is one SELECT.",
            "write only its SELECT",
        ),
        ("final/A.sql", "SELECT 1; SELECT 2", "scripts/final/A.sql holds 2 statements; a file is one SELECT.", "Split it"),
        ("final/A.py", "", "scripts/final/A.py has no functions called table; a Python table is one.", "Write: def table(ORDERS): …"),
        ("final/A.py", "def table(): ...\ndef table(): ...", "scripts/final/A.py has 2 functions called table", "Write: def table(ORDERS)"),
        ("final/A.py", "def table(*tables): ...", "scripts/final/A.py: table() takes * or ** arguments.", "Name each table that it reads"),
        ("final/A.py", "def table(**tables): ...", "scripts/final/A.py: table() takes * or ** arguments.", "Name each table that it reads"),
        ("final/A.py", "x = 1\ndef table(:\n", "scripts/final/A.py line 2: ", "Mend the Python of this file."),
        ("final/A.py", "def table(NOBODY): ...", "scripts/final/A.py reads NOBODY, which no file of this project makes.", "There are: A, "),
        ("checks/A.py", "def table(): ...", "scripts/checks/A.py is no check: a check is one SELECT.", "Write it as a .sql file."),
        ("processed/more/A.sql", "SELECT 1", "scripts/processed/more/A.sql is in a sub-folder.", "Move it to scripts/processed/ itself."),
    ],
)
def test_a_file_that_makes_no_table(tmp_path: Path, file: str, text: str, message: str, hint: str) -> None:
    error = refusal(tmp_path, {file: text})
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize("file", ["processed/A.sql", "final/A.py"])
def test_a_file_that_is_no_utf8(tmp_path: Path, file: str) -> None:
    path = tmp_path / "scripts" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"-- caf\xe9\nSELECT 1")
    assert str(refusal(tmp_path, {})) == f"scripts/{file} is not UTF-8 text. Save it as UTF-8."


def test_a_helpers_text_is_part_of_the_table_that_imports_it(tmp_path: Path) -> None:
    files = {
        "processed/A.py": "from ._helper import f\ndef table(): ...",
        "processed/_helper.py": "from . import _second\nf = 1",
        "processed/_second.py": "value = 'first'",
        "processed/_other.py": "unused = 1",
    }
    before = graph_of(tmp_path, files).nodes["A"].text
    assert "value = 'first'" in before
    assert "unused" not in before
    assert graph_of(tmp_path, {"processed/_second.py": "value = 'next'"}).nodes["A"].text != before


def test_a_table_of_the_project_is_not_read_from_where_it_was_published(tmp_path: Path) -> None:
    error = refusal(tmp_path, {"processed/A.sql": "SELECT * FROM public.orders"})
    assert error.message == "scripts/processed/A.sql reads public.orders, which this run has not published yet."
    assert error.hint == "Write ORDERS, without a schema."
