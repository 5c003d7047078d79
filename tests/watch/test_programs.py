"""Tasks that are no scripts: a project's classic run, a SQL file on a connection, a job of a launched project."""

from __future__ import annotations

import csv
import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import duckdb
import pytest

from pdbt.engine.errors import BuildError, PdbtError
from pdbt.watch.programs.dagster import wait_for_run
from pdbt.watch.programs.project import bring_in
from tests.conftest import MakeProject, RunProcess
from tests.process.conftest import _nothing_left_behind, free_port, shop
from tests.process.instances import Shop
from tests.watch.conftest import ROOT, Scene, wait_until

__all__ = ["_nothing_left_behind", "free_port", "shop"]
SLOW = pytest.mark.slow


def errors(scene: Scene) -> list[str | None]:
    return [line["error"] for line in scene.history()]


def logs(scene: Scene) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(scene.logs.glob("*.log")))


# Projects -------------------------------------------------------------------------------------------------------------


def test_a_dropped_csv_ends_up_in_the_published_database_and_in_data_final(scene: Scene, make_project: MakeProject) -> None:
    project = make_project("shop")
    (project / "scripts" / "final" / "TOTAL.sql").write_text("SELECT sum(amount) AS total FROM ORDERS", encoding="utf-8")
    scene.watch({"orders": [("project:shop", "1", str(scene.logs))]})
    scene.drop("orders.csv", "id,amount\n1,2.5\n2,3.5\n")
    wait_until(scene.history)
    assert errors(scene) == [None], logs(scene)
    assert total(project) == 6.0
    scene.drop("orders.csv", "id,amount\n1,2.5\n2,3.5\n3,10\n")
    wait_until(lambda: len(scene.history()) == 2)
    assert errors(scene) == [None, None], logs(scene)
    assert total(project) == 16.0
    with (project / "data" / "final" / "TOTAL.csv").open(encoding="utf-8") as results:
        assert [float(row["total"]) for row in csv.DictReader(results)] == [16.0]


def total(project: Path) -> float:
    with duckdb.connect(str(project / "db" / "database.duckdb"), read_only=True) as database:
        return float(database.sql("SELECT total FROM TOTAL").fetchall()[0][0])


def test_the_folder_of_sources_itself_can_be_watched(scene: Scene, make_project: MakeProject) -> None:
    project = make_project("shop")
    scene.inbox = project / "data" / "source"
    scene.watch({"csv": [(f"project:{project}", "1", str(scene.logs))]})
    scene.drop("customers.csv", "id\n1\n2\n")
    wait_until(scene.history)
    assert errors(scene) == [None], logs(scene)
    with duckdb.connect(str(project / "db" / "database.duckdb"), read_only=True) as database:
        assert database.sql("SELECT count(*) FROM CUSTOMERS").fetchall() == [(2,)]


def test_files_of_one_name_in_several_folders_are_several_tables(scene: Scene, make_project: MakeProject) -> None:
    project = make_project("shop")
    for city, number in (("paris", 1), ("paris/north", 2)):
        (scene.inbox / city).mkdir()
        (scene.inbox / city / "orders.csv").write_text(f"id\n{number}\n", encoding="utf-8")
    scene.watch({"csv": [("project:shop", "1", str(scene.logs))]}, recursive=True, max_workers=3)
    scene.drop("orders.csv", "id\n3\n")
    wait_until(lambda: len(scene.history()) == 3)
    assert errors(scene) == [None] * 3, logs(scene)
    with duckdb.connect(str(project / "db" / "database.duckdb"), read_only=True) as database:
        tables = ["PARIS_ORDERS", "PARIS_NORTH_ORDERS", "ORDERS"]
        assert [database.sql(f"SELECT id FROM {table}").fetchall() for table in tables] == [[(1,)], [(2,)], [(3,)]]


@pytest.mark.parametrize(("first", "second"), [("a.b/c.csv", "a/b.c.csv"), ("a/b.csv", "a.b.csv")])
def test_a_file_does_not_take_the_place_of_another_one(tmp_path: Path, first: str, second: str) -> None:
    source = tmp_path / "shop" / "data" / "source"
    source.mkdir(parents=True)
    for name in (first, second):
        (tmp_path / "inbox" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "inbox" / name).write_text(name, encoding="utf-8")
    bring_in(tmp_path / "inbox" / first, source, tmp_path / "inbox")
    with pytest.raises(PdbtError, match=r"would take the place of .*: both would become "):
        bring_in(tmp_path / "inbox" / second, source, tmp_path / "inbox")
    assert [path.read_text(encoding="utf-8") for path in source.iterdir()] == [first]
    (tmp_path / "inbox" / first).write_text("new", encoding="utf-8")
    bring_in(tmp_path / "inbox" / first, source, tmp_path / "inbox")
    (tmp_path / "inbox" / first).unlink()  # what is gone claims nothing
    bring_in(tmp_path / "inbox" / second, source, tmp_path / "inbox")
    assert [path.read_text(encoding="utf-8") for path in source.iterdir()] == [second]


def test_files_of_one_name_from_two_watched_folders_are_not_one(tmp_path: Path) -> None:
    source = tmp_path / "shop" / "data" / "source"
    source.mkdir(parents=True)
    for name in ("north", "south"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "orders.csv").write_text(name, encoding="utf-8")
    bring_in(tmp_path / "north" / "orders.csv", source, tmp_path / "north")
    with pytest.raises(PdbtError, match=r"south/orders\.csv would take the place of .*north/orders\.csv"):
        bring_in(tmp_path / "south" / "orders.csv", source, tmp_path / "south")


def test_a_project_that_fails_is_a_task_that_fails(scene: Scene, make_project: MakeProject) -> None:
    project = make_project("shop")
    (project / "scripts" / "checks" / "NONE.sql").write_text("SELECT * FROM ORDERS", encoding="utf-8")
    scene.watch({"orders": [("project:shop", "1", str(scene.logs))]})
    scene.drop("orders.csv", "id\n1\n")
    wait_until(scene.history)
    assert errors(scene) == ["it ended with exit code 1"]
    assert "NONE" in logs(scene)


def test_a_project_that_is_not_there_is_a_sentence(scene: Scene) -> None:
    scene.watch({"orders": [("project:nowhere", "1", str(scene.logs))]})
    scene.drop("orders.csv")
    wait_until(scene.history)
    assert errors(scene) == ["it ended with exit code 2"]
    assert "error: There is no project 'nowhere': no pdbt.toml in " in logs(scene)


# SQL ------------------------------------------------------------------------------------------------------------------

ARRIVALS = """
-- a comment; with a semicolon
CREATE TABLE IF NOT EXISTS arrivals (file TEXT, tag TEXT, note TEXT);
INSERT INTO arrivals VALUES ($file, $tag, 'a; b $file 100%s');
"""


def sql_task(scene: Scene, text: str, connection: str) -> dict[str, str]:
    return {"run": scene.script("arrivals.sql", text), "connection": connection, "logs": str(scene.logs)}


def test_a_sql_file_runs_on_a_connection(scene: Scene) -> None:
    database = scene.home / "arrivals.sqlite"
    scene.watch({"csv": [sql_task(scene, ARRIVALS, f"sqlite:///{database}")]})
    path = scene.drop("it's.csv")
    wait_until(scene.history)
    assert errors(scene) == [None], logs(scene)
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT * FROM arrivals").fetchall() == [(str(path), "csv", "a; b $file 100%s")]
    connection.close()


def test_a_sql_file_runs_on_a_named_connection_to_postgresql(scene: Scene, postgres_url: str) -> None:
    (scene.home / "watch.toml").write_text(
        '[watch]\nfolder = "inbox"\nlogs = "logs"\n[watch.tags.csv]\ntasks = [{ run = "arrivals.sql", connection = "warehouse" }]\n'
        '[connections.warehouse]\nurl = "${TEST_WAREHOUSE_URL}"\n',
        encoding="utf-8",
    )
    scene.script("arrivals.sql", ARRIVALS)
    environment = {"PYTHONPATH": str(ROOT), "TEST_WAREHOUSE_URL": postgres_url}
    scene.drop("a.csv")
    scene.start_process([sys.executable, "-m", "pdbt", "watch", "--pipeline", "watch.toml"], cwd=scene.home, env=environment)
    wait_until(lambda: list((scene.home / ".pdbt" / "watch").glob("*")) and scene.history())
    assert errors(scene) == [None], logs(scene)
    import psycopg

    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT file, note FROM arrivals").fetchall() == [(str(scene.inbox / "a.csv"), "a; b $file 100%s")]


@pytest.mark.parametrize(
    ("text", "connection", "sentence"),
    [
        (
            "SELECT $fiel",
            "sqlite://",
            "error: arrivals.sql: there is no parameter $fiel.\nhint: There are $file, $tag, $run_id, ",
        ),
        ("SELECT 1", "warehouse", "There is no connection 'warehouse'; there are: none."),
    ],
)
def test_what_is_wrong_with_a_sql_file_is_a_sentence(scene: Scene, text: str, connection: str, sentence: str) -> None:
    scene.watch({"csv": [sql_task(scene, text, connection)]})
    scene.drop("a.csv")
    wait_until(scene.history)
    assert sentence in logs(scene) + "\n".join(map(str, errors(scene)))
    assert "Traceback" not in logs(scene)


# Dagster --------------------------------------------------------------------------------------------------------------


def test_a_job_of_a_project_that_was_not_launched_is_a_sentence(scene: Scene, make_project: MakeProject) -> None:
    make_project("shop")
    scene.watch({"csv": [("dagster:shop", "1", str(scene.logs))]})
    scene.drop("a.csv")
    wait_until(scene.history)
    assert errors(scene) == ["it ended with exit code 2"]
    assert "is not running.\nhint: Launch it: pdbt launch " in logs(scene)


def test_a_dagster_that_does_not_answer_is_a_sentence(scene: Scene, shop: Shop) -> None:
    shop.behave(silent=True)
    assert shop.launch("--no-wait").code == 0
    scene.watch({"csv": [("dagster:shop", "1", str(scene.logs))]})
    scene.drop("a.csv")
    wait_until(scene.history)
    assert errors(scene) == ["it ended with exit code 1"]
    assert f"error: The Dagster of {shop.project} at http://127.0.0.1:{shop.port} does not answer: " in logs(scene)
    assert "Traceback" not in logs(scene)


def test_a_run_that_was_removed_is_not_waited_for_without_end(free_port: Callable[[], int]) -> None:
    class Page(BaseHTTPRequestHandler):
        """Answers as Dagster does of a run that its history does not have."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"data": {"runOrError": {"__typename": "RunNotFoundError"}}}')

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output to what it says itself."""

    with HTTPServer(("127.0.0.1", free_port()), Page) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(BuildError, match="The run b5a1 was removed from Dagster's history before it had ended"):
            wait_for_run(server.server_port, "b5a1")


@SLOW
def test_a_job_of_a_launched_project_runs(scene: Scene, make_project: MakeProject, run_process: RunProcess) -> None:
    from pdbt.engine.process.ports import free_port_near

    project = make_project("shop")
    (project / "data" / "source" / "orders.csv").write_text("id\n1\n", encoding="utf-8")
    port = free_port_near(20_000 + os.getpid() % 20_000)
    try:
        launched = run_process([sys.executable, project / "macro" / "dagster-run-process-launch.py", "--port", str(port)])
        assert launched.code == 0, launched.stderr
        scene.watch({"csv": [("dagster:shop", "1", str(scene.logs))], "txt": [("dagster:shop#nojob", "1", str(scene.logs))]})
        scene.drop("a.csv")
        scene.drop("a.txt")
        wait_until(lambda: len(scene.history()) == 2, seconds=120)
    finally:
        run_process([sys.executable, project / "macro" / "dagster-run-process-stop.py"])
    assert {line["tag"]: line["error"] for line in scene.history()} == {"csv": None, "txt": "it ended with exit code 2"}, logs(scene)
    assert "error: There is no job 'nojob'; there are: " in logs(scene)
    with duckdb.connect(str(project / "db" / "database.duckdb"), read_only=True) as database:
        assert database.sql("SELECT count(*) FROM ORDERS").fetchall() == [(1,)]
