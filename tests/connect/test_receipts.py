"""`-- mode: append`: rows that a target has are not appended again, whatever the project has forgotten."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pdbt.connect import add_connection
from pdbt.connect.base import TransferRefused
from pdbt.connect.delivery import deliver
from tests.conftest import MakeProject, RunProject
from tests.connect.databases import NAMES, DuckDBFile, Place

COUNT = "SELECT count(*), sum(id) FROM t"
Append = Callable[..., list[str]]


@pytest.fixture
def append(tmp_path: Path) -> Append:
    """Publishes a table of a small project and appends it to a place; returns what was noted."""

    def append(place: Place, select: str, script: str = "R", scripts: tuple[str, ...] | None = None) -> list[str]:
        project, notes = tmp_path / "project", list[str]()
        project.mkdir(exist_ok=True)
        settings = f'[project]\nname = "p"\n[database]\ntype = "duckdb"\n[connections.there]\nurl = "{place.url}"\n'
        (project / "pdbt.toml").write_text(settings, encoding="utf-8")
        published = tmp_path / f"published{len(list(tmp_path.iterdir()))}.duckdb"  # each run publishes a new file
        DuckDBFile(published).execute(f"CREATE TABLE {script} AS {select}")
        deliver(project, f"duckdb:///{published}", script, "there.t", "append", (), "evolve", scripts or (script,), notes.append)
        return notes

    return append


@pytest.mark.parametrize("end", NAMES)
def test_rows_that_the_target_has_are_not_appended_again(places: dict[str, Place], append: Append, end: str) -> None:
    place = DuckDBFile(Path(str(places["duckdb"].url.removeprefix("duckdb:///"))).with_name("t.duckdb")) if end == "duckdb" else places[end]
    rows = "SELECT i AS id, CASE i WHEN 3 THEN NULL ELSE 'row ' || i END AS name, i / 7 AS d, DATE '2024-01-01' AS day FROM range(5) r(i)"
    assert append(place, rows) == []
    assert place.execute(COUNT) == [(5, 10)]
    for again in (rows, f"{rows} ORDER BY i DESC"):  # whatever the order is in which a run made them
        assert append(place, again) == ["there.t has the rows of R already: nothing is appended."]
    assert append(place, rows, "RENAMED") == ["there.t has the rows of RENAMED already: nothing is appended."]
    assert append(place, f"{rows} LIMIT 1", "RENAMED") == []
    assert place.execute(COUNT) == [(6, 10)]
    assert append(place, rows, "RENAMED") == []  # rows that came before, and others meanwhile: these are new
    assert place.execute(COUNT) == [(11, 20)]
    assert append(place, rows, "OTHER", ("RENAMED", "OTHER")) == []  # a second script of the project has rows of its own
    assert place.execute(COUNT) == [(16, 30)]
    place.execute("DELETE FROM t")
    assert append(place, rows, "OTHER", ("RENAMED", "OTHER")) == []
    place.execute("DROP TABLE t")
    assert append(place, rows, "OTHER", ("RENAMED", "OTHER")) == []
    assert place.execute(COUNT) == [(5, 10)]


@pytest.mark.parametrize("end", NAMES)
def test_rows_that_were_refused_leave_no_receipt(places: dict[str, Place], append: Append, end: str) -> None:
    place = DuckDBFile(Path(str(places["duckdb"].url.removeprefix("duckdb:///"))).with_name("t.duckdb")) if end == "duckdb" else places[end]
    place.execute("CREATE TABLE t (id BIGINT, day DATE)", "INSERT INTO t VALUES (1, NULL)")
    with pytest.raises(TransferRefused):
        append(place, "SELECT 2 AS id, CASE i WHEN 59999 THEN DATE 'infinity' END AS day FROM range(60000) r(i)")
    assert place.execute("SELECT id FROM t") == [(1,)]
    assert append(place, "SELECT 2 AS id, NULL::DATE AS day") == []
    assert append(place, "SELECT 2 AS id, NULL::DATE AS day") != []
    assert place.execute("SELECT id FROM t ORDER BY id") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT 'a' AS x, 'bc' AS y", "SELECT 'ab' AS x, 'c' AS y"),
        ("SELECT NULL::VARCHAR AS x, 1 AS y", "SELECT 'n' AS x, 1 AS y"),
        ("SELECT 1 AS x, 2 AS y", "SELECT 2 AS x, 1 AS y"),
        ("SELECT 0.1::DOUBLE AS x, 1 AS y", "SELECT 0.1::DOUBLE + 2.0::DOUBLE ** -56 AS x, 1 AS y"),
    ],
)
def test_rows_that_differ_in_anything_are_others(places: dict[str, Place], append: Append, one: str, other: str) -> None:
    assert append(places["sqlite"], one) == []
    assert append(places["sqlite"], other) == []
    assert places["sqlite"].execute("SELECT count(*) FROM t") == [(2,)]


def test_a_project_that_forgot_what_it_delivered_appends_nothing_twice(
    make_project: MakeProject, run_project: RunProject, places: dict[str, Place]
) -> None:
    project = make_project()
    add_connection(project, "there", places["sqlite"].url)
    script = project / "scripts/final/R.sql"
    script.write_text("-- load: there.t\n-- mode: append\nSELECT 1 AS id UNION ALL SELECT 2\n", encoding="utf-8")
    assert run_project(project).code == 0
    assert run_project(project, "--full").code == 0
    shutil.rmtree(project / "db/.work")
    forgotten = run_project(project)
    assert forgotten.code == 0, forgotten.stderr
    assert "there.t has the rows of R already: nothing is appended." in forgotten.stderr
    script.rename(script.with_name("S.sql"))
    assert run_project(project).code == 0
    assert places["sqlite"].execute(COUNT) == [(2, 3)]
    script.with_name("S.sql").write_text("-- load: there.t\n-- mode: append\nSELECT 3 AS id\n", encoding="utf-8")
    assert run_project(project).code == 0
    assert places["sqlite"].execute(COUNT) == [(3, 6)]
