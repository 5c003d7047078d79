"""Names that a target would cut are refused before anything is read: what is left of them may be another's name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.connect import add_connection, choose, transfer
from pdbt.connect.base import TransferRefused
from pdbt.engine.databases.name_limits import too_long
from pdbt.engine.databases.postgres_names import folded
from pdbt.engine.errors import SettingsError
from pdbt.handlers import Batch, BatchRefused, TableSink
from tests.conftest import MakeProject, RunProject
from tests.connect.databases import Place

LONG = "t" * 63
ENDS = ("_of_2024", "_of_2025")


@pytest.mark.parametrize(
    ("end", "length", "said"), [("postgresql", 64, "64 bytes, and 63 are kept"), ("mysql", 65, "65 characters, and 64")]
)
def test_a_table_a_schema_and_a_column_that_are_too_long_are_refused(places: dict[str, Place], end: str, length: int, said: str) -> None:
    name = "n" * length
    places["duckdb"].execute(
        "CREATE TABLE o AS SELECT 1 AS id", f'CREATE TABLE "{name}" AS SELECT 1 AS id', f'CREATE TABLE c AS SELECT 1 AS "{name}"'
    )
    url, target = places["duckdb"].url, places[end].url
    for arguments, what in (
        ({"table": name}, "table"),
        ({"table": "o", "target": name}, "table"),
        ({"table": "o", "target": f"{name}.o"}, "schema"),
        ({"table": "c"}, "column"),
        ({"query": f'SELECT 1 AS "{name}"'}, "column"),
    ):
        with pytest.raises(TransferRefused, match=f"the name of the {what} {name}: it has {said}"):
            transfer(url, target, **arguments)  # type: ignore[arg-type]
    kept = name[:-1]
    transfer(url, target, table="o", target=kept)
    assert places[end].execute(f"SELECT * FROM {kept}") == [(1,)]


def test_two_tables_that_share_their_first_63_bytes_are_refused_before_one_is_written(places: dict[str, Place]) -> None:
    places["duckdb"].execute(*(f"CREATE TABLE {LONG}{end} AS SELECT '{end}' AS x" for end in ENDS), "CREATE TABLE a AS SELECT 1 AS x")
    said = f"PostgreSQL would cut the name of the table {LONG}{ENDS[0]}: it has 71 bytes, and 63 are kept."
    with pytest.raises(TransferRefused, match=said):
        choose(places["duckdb"].url, places["postgresql"].url, tables="*")
    assert [one.table.name for one in choose(places["duckdb"].url, places["postgresql"].url, tables="a*")] == ["a"]


def test_a_long_name_is_not_read_as_the_table_that_postgresql_makes_of_it(places: dict[str, Place]) -> None:
    places["postgresql"].execute(f"CREATE TABLE {LONG} (x INTEGER)")
    with pytest.raises(TransferRefused, match="PostgreSQL would cut the name of the table"):
        transfer(places["postgresql"].url, places["duckdb"].url, table=LONG + "_2")


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=90))
def test_a_name_passes_if_postgresql_keeps_it_whole(name: str) -> None:
    whole = name.encode()[:63].decode(errors="ignore") == name
    assert (too_long("PostgreSQL", "table", name) == "") == whole
    assert (too_long("MySQL", "table", name) == "") == (len(name) <= 64)
    assert too_long("DuckDB", "table", name * 9) == too_long("SQLite", "table", name * 9) == ""


@pytest.mark.parametrize("name", [LONG + "_2", "é" * 32, f"shop.{LONG}_2", f"{LONG}_2.orders"])
def test_a_stream_stores_in_no_table_whose_name_would_be_cut(places: dict[str, Place], name: str) -> None:
    with pytest.raises(SettingsError, match=r"PostgreSQL would cut the name of the (table|schema)"):
        TableSink(places["postgresql"].url, name)
    with pytest.raises(SettingsError, match="MySQL does not take the name of the table"):
        TableSink(places["mysql"].url, "é" * 65)
    TableSink(places["sqlite"].url, name)


def test_a_stream_makes_no_column_whose_name_would_be_cut(places: dict[str, Place]) -> None:
    sink = TableSink(places["postgresql"].url, "t")
    sink.setup()
    try:
        (stored,) = sink.store([Batch("1", pa.table({LONG + "a": [1], LONG + "b": [2]}))])
        assert isinstance(stored, BatchRefused)
        assert f"Table t: PostgreSQL would cut the name of the column {LONG}a: it has 64 bytes" in stored.message
        assert list(sink.store([Batch("2", pa.table({LONG: [1]}))])) == [1]
    finally:
        sink.teardown()


def test_a_delivery_to_a_name_that_would_be_cut_is_refused_before_anything_is_done(
    make_project: MakeProject, run_project: RunProject, places: dict[str, Place]
) -> None:
    project = make_project()
    add_connection(project, "shop", places["postgresql"].url)
    (project / "scripts/final/T.sql").write_text(f"-- load: shop.{LONG}_2\nSELECT 1 AS x\n")
    result = run_project(project)
    assert result.code != 0
    assert f"scripts/final/T.sql: PostgreSQL would cut the name of the table {LONG}_2: it has 65 bytes" in result.stderr
    assert "Write a shorter name behind -- load:" in result.stderr
    assert not (project / "db/database.duckdb").exists()


@pytest.mark.parametrize(
    "paths",
    [
        (f"data/source/{LONG}_2024.csv", f"data/source/{LONG}_2025.csv"),
        (f"data/source/{LONG}_2024/a.csv", f"data/source/{LONG}_2025.csv"),
        (f"data/source/{LONG}_2024.csv", f"scripts/source/{LONG}_2025.py"),
        (f"data/source/{LONG}_2024.csv", f"scripts/processed/{LONG}_2025.sql"),
    ],
)
def test_files_and_folders_that_would_be_one_table_of_postgresql_are_refused(
    make_project: MakeProject, run_project: RunProject, postgres_url: str, paths: tuple[str, str]
) -> None:
    project = make_project(database="commune", url=postgres_url)
    texts = {".csv": "a\n1\n", ".py": "def table():\n    yield [{'a': 1}]\n", ".sql": "SELECT 1 AS a\n"}
    for path in (project / path for path in paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path.suffix], encoding="utf-8")
    result = run_project(project)
    assert result.code != 0
    assert f"would make one table: PostgreSQL cuts names at 63 bytes, to {folded(LONG)}." in result.stderr
    assert all(Path(path).name.split("/")[0] in result.stderr or Path(path).parent.name in result.stderr for path in paths)
