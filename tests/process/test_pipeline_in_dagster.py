"""Projects in a real Dagster: their jobs run by hand, by the schedule and when files arrive, beside readers and beside each other."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pdbt.scaffold import NewProject, new_project
from tests.conftest import MakeProject, RunProject, StartProcess, processes, running
from tests.pipeline.pair import facts, pair, require_generation, write_generation
from tests.pipeline.projects import Project
from tests.pipeline.projects import ask as query
from tests.process.conftest import end_marked, ports
from tests.process.graphql import ask, assets, launch_run, location_fault, runs, scheduled_runs, wait_for_run
from tests.process.instances import Shop, dagster_settings, wait_until
from tests.process.ticking import ticking

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = {"SAMPLE_DATA", "COUNTRY_FIGURES", "CONTINENTS", "data/processed/COUNTRY_FIGURES.csv", "data/final/CONTINENTS.csv"}
LINES = 20_000
QUIET = {"schedule_status": "stopped", "sensor_status": "stopped"}
FLIGHTS = (
    "SELECT carrier, month, count(*) AS flights, avg(dep_delay) AS delay\nFROM FLIGHTS GROUP BY carrier, month ORDER BY carrier, month\n"
)


TICKS = """{
  sensorOrError(sensorSelector: {repositoryName: "__repository__", repositoryLocationName: "letters", sensorName: "source_files"}) {
    ... on Sensor { sensorState { ticks(limit: 10) { timestamp status } } }
  }
}"""


START_SENSOR = """mutation {
  startSensor(sensorSelector: {repositoryName: "__repository__", repositoryLocationName: "letters", sensorName: "source_files"}) {
    ... on Sensor { sensorState { id status } }
  }
}"""
STOP_SENSOR = "mutation($id: String!) { stopSensor(id: $id) { __typename } }"


def sensor_ticks(port: int) -> list[dict[str, Any]]:
    """Return the last times that the sensor of arriving files was asked."""
    found: list[dict[str, Any]] = ask(port, TICKS)["sensorOrError"]["sensorState"]["ticks"]
    return found


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A launched project with a source, and a pair of them, for tests that change its scripts and put them back."""
    folder = tmp_path_factory.mktemp("shared")
    project = new_project(NewProject(str(folder / "letters"))).target
    (project / "data/source/LETTERS.csv").write_text("id,letter\n1,a\n")
    with processes() as start, ports() as free_port:
        pair(Project(project, "duckdb", running(start)))
        shop = Shop(project, free_port(), running(start), folder)
        dagster_settings(project, port=shop.port, **QUIET)
        launch = shop.launch()
        assert launch.code == 0, launch.stdout + launch.stderr
        try:
            yield shop
        finally:
            end_marked(folder)


def some_lines(path: Path, folder: Path) -> Path:
    """Copy the beginning of a CSV file: its header and LINES lines at most."""
    copy = folder / path.name
    with path.open(encoding="utf-8") as file:
        copy.write_text("".join(itertools.islice(file, LINES + 1)), encoding="utf-8")
    return copy


def name_of(project: Path) -> str:
    return f"{project.parent.name}-sample" if project.name == "sample" else project.name


def test_real_files_are_published_by_hand_and_by_the_schedule_and_the_history_stays(
    make_project: MakeProject, flights_folder: Path, launched: Callable[..., Shop]
) -> None:
    """By the clock's own minute; steps that the owner wrote are run, too."""
    project = make_project("flights", data=sorted(flights_folder.iterdir()))
    (project / "scripts/final/BY_CARRIER.sql").write_text(FLIGHTS, encoding="utf-8")
    source, script = project / "scripts/source.py", project / "macro/python-run-process.py"
    fetching = "(PROJECT / 'data/source/FETCHED.csv').write_text('id\\n1\\n')\n        run.import_sources()"
    source.write_text(source.read_text().replace("run.import_sources()", fetching))
    own = "def told(run):\n    (PROJECT / 'told').write_text('done')\n\n\nSTEPS = [import_data, transform_data, export_results, told]"
    script.write_text(script.read_text().replace("STEPS = [import_data, transform_data, export_results]", own))
    shop = launched(project, **QUIET)
    first = launch_run(shop.port, "flights")
    assert wait_for_run(shop.port, first) == "SUCCESS"
    target = str(project / "db/database.duckdb")
    assert query("duckdb", target, "SELECT count(*) FROM FETCHED") == [(1,)]
    assert (project / "told").read_text() == "done"
    assert query("duckdb", target, "SELECT sum(flights) FROM BY_CARRIER") == [(336776,)]
    assert (project / "data/final/BY_CARRIER.csv").read_text().startswith("carrier,month,flights,delay\n")

    assert shop.stop().code == 0
    dagster_settings(project, schedule="* * * * *", schedule_status="running")
    assert shop.launch().code == 0
    assert runs(shop.port) == {first: "SUCCESS"}
    (project / "scripts/final/BY_CARRIER.sql").write_text(FLIGHTS.replace("count(*)", "2 * count(*)"), encoding="utf-8")
    wait_until(lambda: "SUCCESS" in scheduled_runs(shop.port).values(), 150)
    assert query("duckdb", target, "SELECT sum(flights) FROM BY_CARRIER") == [(2 * 336776,)]
    assert set(scheduled_runs(shop.port).values()) <= {"SUCCESS", "STARTED", "STARTING"}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_files_are_published_by_the_schedule_whatever_the_database(
    make_project: MakeProject, flights_folder: Path, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = str(request.getfixturevalue("postgres_url")) if database == "postgresql" else None
    files = [some_lines(path, tmp_path) for path in sorted(flights_folder.iterdir())]
    project = make_project("flights", database="commune" if url else database, url=url, data=files)
    script = project / "scripts/final/BY_CARRIER.sql"
    target = url or str(project / f"db/database.{database}")
    with ticking(project) as scheduler:
        for times in (1, 2):
            script.write_text(FLIGHTS.replace("count(*)", f"{times} * count(*)"), encoding="utf-8")
            assert scheduler.tick() == ["SUCCESS"]
            assert query(database, target, "SELECT sum(flights) FROM BY_CARRIER") == [(times * LINES,)]
    assert (project / "data/final/BY_CARRIER.csv").read_text().startswith("carrier,month,flights,delay\n")


def test_instances_run_their_jobs_beside_each_other(tmp_path: Path, launched: Callable[..., Shop]) -> None:
    """A project and its own sample, a project of another type, and a sample of the third."""
    shops = {}
    for database, folders in (("duckdb", (".", "sample")), ("sqlite", (".",)), ("commune", ("sample",))):
        project = new_project(NewProject(str(tmp_path / f"a_{database}"), database)).target
        (project / "data/source/LETTERS.csv").write_text("id,letter\n1,a\n2,b\n")
        (project / "scripts/final/COUNTED.sql").write_text("SELECT count(*) AS letters FROM LETTERS\n")
        for path in (project / folder for folder in folders):
            shops[name_of(path)] = launched(path, **QUIET)
    assert len({shop.record["pid"] for shop in shops.values()}) == 4
    started = {name: launch_run(shop.port, name) for name, shop in shops.items()}
    assert {name: wait_for_run(shops[name].port, run_id) for name, run_id in started.items()} == dict.fromkeys(shops, "SUCCESS")
    for name, shop in shops.items():
        assert assets(shop.port) == (SAMPLE if name.endswith("-sample") else {"LETTERS", "COUNTED", "data/final/COUNTED.csv"})
        assert list(runs(shop.port)) == [started[name]]

    stopped = shops.pop("a_sqlite")
    assert stopped.stop().code == 0
    assert stopped.family() == []
    for name, shop in shops.items():
        assert wait_for_run(shop.port, launch_run(shop.port, name)) == "SUCCESS"


@pytest.mark.xdist_group("letters")
def test_readers_are_not_disturbed_by_ten_runs(letters: Shop, start_process: StartProcess, run_project: RunProject, tmp_path: Path) -> None:
    project = Project(letters.project, "duckdb", run_project)
    assert wait_for_run(letters.port, launch_run(letters.port, "letters")) == "SUCCESS"
    stop = tmp_path / "stop"
    command = [sys.executable, "-m", "tests.pipeline.reading_process", project.kind, project.database, stop]
    readers = [start_process(command, cwd=ROOT) for _ in range(4)]
    assert [reader.stdout.readline() for reader in readers if reader.stdout] == ["reading\n"] * 4
    for generation in range(1, 11):
        write_generation(project, generation)
        assert wait_for_run(letters.port, launch_run(letters.port, "letters")) == "SUCCESS"
    stop.touch()
    allowed = [facts(generation) for generation in range(11)]
    for reader in readers:
        stdout, stderr = reader.communicate(timeout=60)
        assert reader.returncode == 0, stderr
        told = json.loads(stdout)
        for answers in ([tuple(answer) for answer in told["answers"]], [tuple(answer) for answer in told["in_turn"]]):
            assert answers == [answer for answer in allowed if answer in answers], "a mixture, or a step back"
            assert len(answers) >= 5
    require_generation(project, 10)


@pytest.mark.xdist_group("letters")
def test_a_file_that_arrives_starts_a_run_and_becomes_an_asset(letters: Shop) -> None:
    """By the sensor, which is switched on for this test alone."""
    assert wait_for_run(letters.port, launch_run(letters.port, "letters")) == "SUCCESS"
    before, known = assets(letters.port), set(runs(letters.port))
    sensor = ask(letters.port, START_SENSOR)["startSensor"]["sensorState"]
    assert sensor["status"] == "RUNNING"
    try:
        (letters.project / "data/source/ARRIVED.csv").write_text("id,letter\n1,a\n2,b\n")
        wait_until(lambda: assets(letters.port) == {*before, "ARRIVED"}, 90)
        wait_until(lambda: [status for run, status in runs(letters.port).items() if run not in known] == ["SUCCESS"], 90)
        assert query("duckdb", str(letters.project / "db/database.duckdb"), "SELECT count(*) FROM ARRIVED") == [(2,)]
        ended = time.time()
        wait_until(lambda: [tick for tick in sensor_ticks(letters.port) if tick["timestamp"] > ended and tick["status"] == "SKIPPED"])
        assert len(set(runs(letters.port)) - known) == 1, "one run for one file"
    finally:
        assert ask(letters.port, STOP_SENSOR, id=sensor["id"])["stopSensor"]["__typename"] == "StopSensorMutationResult"


@pytest.mark.xdist_group("letters")
def test_what_changes_in_the_scripts_is_in_the_page_without_a_restart(letters: Shop) -> None:
    script = letters.project / "scripts/final/COUNTED.sql"
    script.write_text("SELECT count(*) AS letters FROM LETTERS\n")
    wait_until(lambda: "COUNTED" in assets(letters.port), 60)
    assert wait_for_run(letters.port, launch_run(letters.port, "letters")) == "SUCCESS"
    assert query("duckdb", str(letters.project / "db/database.duckdb"), "SELECT letters FROM COUNTED") == [(1,)]
    script.unlink()
    wait_until(lambda: "COUNTED" not in assets(letters.port), 60)


@pytest.mark.xdist_group("letters")
def test_five_hundred_tables_show_in_the_page(letters: Shop) -> None:
    before = assets(letters.port)
    scripts = [letters.project / f"scripts/final/T{number}.sql" for number in range(1, 501)]
    for number, script in enumerate(scripts):
        script.write_text(f"SELECT id FROM T{number}\n" if number else "SELECT id FROM LETTERS\n")
    new = {f"T{n}" for n in range(1, 501)} | {f"data/final/T{n}.csv" for n in range(1, 501)}
    wait_until(lambda: assets(letters.port) == before | new)
    for script in scripts:
        script.unlink()
    wait_until(lambda: assets(letters.port) == before)


@pytest.mark.xdist_group("letters")
@pytest.mark.parametrize(
    ("script", "broken", "told"),
    [
        ("scripts/final/COUNTED.sql", "SELECT * FROM NOWHERE\n", "reads NOWHERE, which no file of this project makes"),
        ("scripts/source.py", "import sys\n\nsys.exit('enough')\n", "ended Python while it was read: sys.exit(enough)"),
    ],
)
def test_a_fault_in_the_scripts_is_shown_and_the_page_goes_on(letters: Shop, script: str, broken: str, told: str) -> None:
    path = letters.project / script
    before = path.read_text() if path.exists() else None
    path.write_text(broken)
    wait_until(lambda: told in location_fault(letters.port), 60)
    if before is None:
        path.unlink()
    else:
        path.write_text(before)
    wait_until(lambda: not location_fault(letters.port), 60)
    assert wait_for_run(letters.port, launch_run(letters.port, "letters")) == "SUCCESS"
