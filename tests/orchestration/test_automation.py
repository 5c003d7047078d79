"""What starts a run by itself, and what keeps it from starting."""

from __future__ import annotations

import datetime
import json
import os
import re
import sys
import time
from pathlib import Path

import dagster
import pytest

from pdbt.engine.notices.late import tell_if_late
from pdbt.engine.settings import load_settings
from tests.conftest import StartProcess
from tests.orchestration.conftest import Load
from tests.pipeline.projects import ORDERS, Project


def tick(
    repository: dagster.RepositoryDefinition, instance: dagster.DagsterInstance, moment: datetime.datetime | None = None
) -> tuple[int, str]:
    """Return how many runs a tick of the schedule asks for, and why it asks for none; `moment` is when it was due, by default now."""
    schedule = repository.get_schedule_def("main_every_5min")
    due = moment or datetime.datetime.now(datetime.UTC)
    with dagster.build_schedule_context(instance=instance, repository_def=repository, scheduled_execution_time=due) as context:
        found = schedule.evaluate_tick(context)
    return len(found.run_requests or ()), found.skip_message or ""


class Sensor:
    """The sensor, asked again and again with what it remembered."""

    def __init__(self, repository: dagster.RepositoryDefinition, instance: dagster.DagsterInstance) -> None:
        self.repository, self.instance, self.cursor = repository, instance, ""

    def ask(self) -> tuple[list[str], str]:
        """Return the keys of the runs that it asks for, and why it asks for none."""
        sensor = self.repository.get_sensor_def("source_files")
        with dagster.build_sensor_context(instance=self.instance, cursor=self.cursor, repository_def=self.repository) as context:
            found = sensor.evaluate_tick(context)
        self.cursor = found.cursor or ""
        return [str(request.run_key) for request in found.run_requests or ()], found.skip_message or ""


@pytest.fixture
def instance(kept: dagster.DagsterInstance) -> dagster.DagsterInstance:
    """An instance with a home, since what a tick is evaluated in opens it anew."""
    return kept


@pytest.fixture
def repository(project: Project, load: Load) -> dagster.RepositoryDefinition:
    return load(project.path)


def test_the_schedule_is_that_of_the_settings(project: Project, load: Load) -> None:
    project.setting("dagster", 'schedule = "15 6 * * 1-5"\ntimezone = "Europe/Paris"')
    schedule = load(project.path).get_schedule_def("main_every_5min")
    assert (schedule.cron_schedule, schedule.execution_timezone, schedule.job_name) == ("15 6 * * 1-5", "Europe/Paris", "main_pipeline_job")


@pytest.mark.parametrize(("line", "schedule", "sensor"), [("", "RUNNING", "RUNNING"), ("_status = 'stopped'", "STOPPED", "STOPPED")])
def test_both_run_from_the_first_launch_unless_the_settings_say_otherwise(
    project: Project, load: Load, line: str, schedule: str, sensor: str
) -> None:
    if line:
        project.setting("dagster", f"schedule{line}\nsensor{line}")
    loaded = load(project.path)
    assert loaded.get_schedule_def("main_every_5min").default_status.value == schedule
    assert loaded.get_sensor_def("source_files").default_status.value == sensor


def test_a_tick_asks_for_a_run(repository: dagster.RepositoryDefinition, instance: dagster.DagsterInstance) -> None:
    assert tick(repository, instance) == (1, "")


HOUR = datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('schedule = "0 20 * * *"', 'schedule = "0 10 * * *"'),
        ("", 'schedule = "@daily"'),
        ('timezone = "UTC"', 'timezone = "Europe/Paris"'),
    ],
)
def test_a_tick_from_before_the_schedule_was_changed_is_not_owed(
    project: Project, load: Load, instance: dagster.DagsterInstance, before: str, after: str
) -> None:
    project.setting("dagster", before)
    load(project.path)
    path = project.path / "pdbt.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(before, after) if before else text.replace("[dagster]", f"[dagster]\n{after}"), encoding="utf-8")
    old = time.time() - 100_000
    os.utime(path, (old, old))  # as a copy that keeps the times of its original
    repository, now = load(project.path), datetime.datetime.now(datetime.UTC)
    count, reason = tick(repository, instance, now - HOUR)
    assert count == 0
    assert re.fullmatch(r"The schedule was changed at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, after this time had passed\.", reason)
    assert tick(repository, instance, now + HOUR) == (1, "")
    assert tick(load(project.path), instance, now - HOUR)[0] == 0  # also after another launch


def test_a_tick_that_was_missed_is_owed_when_anything_else_was_changed(
    project: Project, load: Load, instance: dagster.DagsterInstance
) -> None:
    missed = datetime.datetime.now(datetime.UTC) - HOUR
    assert tick(load(project.path), instance, missed) == (1, "")
    project.setting("parameters", "least = 1")
    project.setting("dagster", "retries = 1")
    assert tick(load(project.path), instance, missed) == (1, "")


def test_a_schedule_that_was_changed_to_a_time_that_is_past_is_not_late(project: Project, load: Load) -> None:
    project.setting("notifications", 'urls = ["json://127.0.0.1:1"]\non = ["late"]')
    project.setting("dagster", 'schedule = "0 0 1 1 *"')
    load(project.path)
    assert tell_if_late(load_settings(project.path), print) == ""  # it is looked at from now on
    later = time.time() + 7_200
    path = project.path / "pdbt.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("0 0 1 1 *", "* * * * *"), encoding="utf-8")
    load(project.path)
    assert "nothing was published since" in tell_if_late(load_settings(project.path), print, later)
    note = project.path / "db/.work/schedule.json"
    note.write_text(json.dumps({**json.loads(note.read_text(encoding="utf-8")), "since": later}), encoding="utf-8")
    assert tell_if_late(load_settings(project.path), print, later) == ""


def test_a_tick_while_a_run_of_the_page_is_going_is_skipped_with_the_reason(
    repository: dagster.RepositoryDefinition, instance: dagster.DagsterInstance
) -> None:
    run = instance.create_run_for_job(repository.get_job("main_pipeline_job"), status=dagster.DagsterRunStatus.STARTED)
    count, reason = tick(repository, instance)
    assert count == 0
    assert reason.startswith(f"Run {run.run_id[:8]} is in progress since ")
    instance.report_run_failed(run)
    assert tick(repository, instance) == (1, "")


def test_a_tick_while_a_classic_run_is_going_is_skipped_with_the_reason(
    project: Project, repository: dagster.RepositoryDefinition, instance: dagster.DagsterInstance, start_process: StartProcess
) -> None:
    project.write("scripts/final/SLOW.py", "import time\n\n\ndef table(ORDERS):\n    time.sleep(30)\n    return ORDERS\n")
    process = start_process([sys.executable, project.path / "macro/python-run-process.py"])
    lock = project.path / "db/.work/run.lock"
    while not (lock.exists() and lock.read_text()):
        assert process.poll() is None
    count, reason = tick(repository, instance)
    assert count == 0
    assert reason.startswith(f"Another run is in progress: PID {process.pid}, started ")


def test_new_files_start_a_run_once_they_have_come_to_rest(
    project: Project, repository: dagster.RepositoryDefinition, instance: dagster.DagsterInstance
) -> None:
    sensor = Sensor(repository, instance)
    keys, reason = sensor.ask()
    assert (keys, reason) == ([], "data/source/CUSTOMERS.csv, data/source/ORDERS.csv, data/source/PRODUCTS.csv may still be written to.")
    keys, _ = sensor.ask()
    assert len(keys) == 1
    project.run()
    assert sensor.ask() == ([], "Nothing is new in data/source.")

    project.source("ORDERS.csv", ORDERS + "5,30,5\n")
    assert sensor.ask()[0] == []
    changed, _ = sensor.ask()
    assert len(changed) == 1
    assert changed != keys
    assert sensor.ask()[0] == changed, "the same files have the same key: Dagster starts no second run for them"


def test_a_file_that_grows_between_two_looks_is_waited_for(
    project: Project, repository: dagster.RepositoryDefinition, instance: dagster.DagsterInstance
) -> None:
    project.run()
    sensor = Sensor(repository, instance)
    for more in range(3):
        project.source("ORDERS.csv", ORDERS + "5,30,5\n" * (more + 1))
        assert sensor.ask() == ([], "data/source/ORDERS.csv may still be written to.")
    assert len(sensor.ask()[0]) == 1


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells who has a file open")
def test_a_file_that_somebody_has_open_for_writing_is_waited_for(
    project: Project, repository: dagster.RepositoryDefinition, instance: dagster.DagsterInstance
) -> None:
    project.run()
    sensor = Sensor(repository, instance)
    descriptor = os.open(project.path / "data/source/SLOW.csv", os.O_WRONLY | os.O_CREAT)
    try:
        os.write(descriptor, b"id\n1\n")
        for _ in range(3):
            assert sensor.ask() == ([], "data/source/SLOW.csv may still be written to.")
    finally:
        os.close(descriptor)
    assert len(sensor.ask()[0]) == 1


def test_a_file_that_is_open_but_was_long_left_alone_is_not_waited_for(
    project: Project, repository: dagster.RepositoryDefinition, instance: dagster.DagsterInstance
) -> None:
    """Some network file systems say of every file that somebody writes to it."""
    project.run()
    sensor = Sensor(repository, instance)
    with (project.path / "data/source/OLD.csv").open("w") as file:
        file.write("id\n1\n")
        file.flush()
        an_hour_ago = time.time() - 3600
        os.utime(file.fileno(), (an_hour_ago, an_hour_ago))
        sensor.ask()
        assert len(sensor.ask()[0]) == 1


def test_a_temporary_name_starts_nothing(
    project: Project, repository: dagster.RepositoryDefinition, instance: dagster.DagsterInstance
) -> None:
    project.run()
    sensor = Sensor(repository, instance)
    project.source("LATER.csv.part", "id\n1\n")
    assert sensor.ask() == ([], "Nothing is new in data/source.")
    assert sensor.ask() == ([], "Nothing is new in data/source.")


def test_files_that_arrive_while_a_run_is_going_start_one_after_it(
    project: Project, repository: dagster.RepositoryDefinition, instance: dagster.DagsterInstance
) -> None:
    run = instance.create_run_for_job(repository.get_job("main_pipeline_job"), status=dagster.DagsterRunStatus.STARTED)
    sensor = Sensor(repository, instance)
    sensor.ask()
    assert "is in progress since" in sensor.ask()[1]
    instance.report_run_failed(run)
    assert len(sensor.ask()[0]) == 1
