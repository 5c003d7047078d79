"""Notices of a project whose Dagster runs it: the same job as the classic run's, told once by whoever sees it first."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster
import pytest

from pdbt.engine.notices import FILE
from pdbt.engine.notices.late import last_due, tell_if_late
from pdbt.engine.orchestration import definitions
from pdbt.engine.orchestration.automation import late_sensor_of, tells_of_late
from pdbt.engine.settings import load_settings
from tests.conftest import MakeProject
from tests.notices.conftest import Listener
from tests.notices.test_runs import BROKEN, RIGHT, project, run, settle, write
from tests.orchestration.conftest import fresh, home, in_memory, kept
from tests.process.ticking import ticking

__all__ = ["fresh", "home", "kept", "project", "run"]
NOON = 1_772_366_400.0  # 2026-03-01 12:00 UTC


@pytest.mark.slow
def test_a_job_that_fails_three_ticks_running_is_told_once_and_once_when_it_works_again(
    project: Path, run: Callable[..., object], listener: Listener, free_port: Callable[[], int]
) -> None:
    port = free_port()
    (project / "macro/dagster.pid").write_text(json.dumps({"port": port}), encoding="utf-8")
    write(project, BROKEN)
    with ticking(project, {"NOTIFY_URL": listener.url}) as schedule:
        for _ in range(3):
            assert schedule.tick() == ["FAILURE"]
        assert listener.titles == ["shop: failed at build RESULT"]
        assert listener.received[0]["message"].splitlines()[-1].startswith(f"Run: http://127.0.0.1:{port}/runs/")
        run()  # a classic run of the same project fails, too, and has nothing to add
        assert len(listener.received) == 1
        write(project, RIGHT)
        assert schedule.tick() == ["SUCCESS"]
        assert schedule.tick() == ["SUCCESS"]
    assert listener.titles == ["shop: failed at build RESULT", "shop: works again"]


@pytest.mark.parametrize(
    ("fails", "raised", "tries", "titles"),
    [
        (2, "ValueError('not yet')", 3, []),
        (9, "ValueError('not yet')", 3, ["shop: failed at build UNLUCKY"]),
        (9, "SystemError('not yet')", 3, ["shop: failed at build UNLUCKY"]),
    ],
)
def test_a_notice_is_sent_after_the_last_try_and_for_none_before(
    project: Path,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    job: Callable[[Path], int],
    fails: int,
    raised: str,
    tries: int,
    titles: list[str],
) -> None:
    monkeypatch.setenv("NOTIFY_URL", listener.url)
    count = tmp_path / "tries"
    (project / "scripts/final/UNLUCKY.py").write_text(
        "from pathlib import Path\n\n\ndef table(ORDERS):\n"
        f"    file = Path({str(count)!r})\n    tries = len(file.read_text()) if file.exists() else 0\n"
        f"    file.write_text('x' * (tries + 1))\n    if tries < {fails}:\n        raise {raised}\n    return ORDERS\n",
        encoding="utf-8",
    )
    job(project)
    assert len(count.read_text(encoding="utf-8")) == tries
    assert listener.titles == titles


def test_a_notice_of_what_waits_for_a_person_is_sent_at_once(
    project: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch, job: Callable[[Path], int]
) -> None:
    monkeypatch.setenv("NOTIFY_URL", listener.url)
    (project / "scripts/checks/NEVER.sql").write_text("SELECT 1 AS one\n", encoding="utf-8")
    assert job(project) == 0
    assert listener.titles == ["shop: failed at check NEVER"]


@pytest.fixture
def job(tmp_path: Path) -> Callable[[Path], int]:
    """Run the job of a project here; return how often its step was tried again."""

    def run(project: Path) -> int:
        steps = [lambda run: run.import_sources(), lambda run: run.build_tables(), lambda run: (run.check(), run.publish())]
        repository = definitions(project, steps).get_repository_def()
        with in_memory(tmp_path) as instance:
            result = repository.get_job("main_pipeline_job").execute_in_process(instance=instance, raise_on_error=False)
        return sum(event.event_type_value == "STEP_RESTARTED" for event in result.all_events)

    return run


@pytest.mark.parametrize(
    ("cron", "now", "due"),
    [
        ("0 * * * *", NOON + 60, NOON - 3600),  # the run of noon still has its hour
        ("0 12 * * *", NOON + 3599, NOON - 86400),
        ("0 12 * * *", NOON + 3601, NOON),
        ("*/5 * * * *", NOON + 299, NOON - 300),
        ("*/5 * * * *", NOON + 301, NOON),
    ],
)
def test_a_run_has_the_time_of_a_period_and_at_most_an_hour(cron: str, now: float, due: float) -> None:
    assert last_due(cron, "UTC", now)[0] == due


def test_a_project_that_published_nothing_when_it_was_due_is_told_late_once(
    make_project: MakeProject, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_project("slow")
    settle(made, 'urls = ["${NOTIFY_URL}"]')
    monkeypatch.setenv("NOTIFY_URL", listener.url)
    settings = load_settings(made)
    logged: list[str] = []
    assert tell_if_late(settings, logged.append) == ""  # it is looked at from now on
    now = time.time()
    assert tell_if_late(settings, logged.append, now + 300) == ""
    assert "nothing was published since" in tell_if_late(settings, logged.append, now + 601)
    tell_if_late(settings, logged.append, now + 900)
    assert logged == []
    assert listener.titles == ["slow: is late"]


def test_the_sensor_that_tells_of_late_projects_is_there_only_where_somebody_is_told(
    make_project: MakeProject, listener: Listener, monkeypatch: pytest.MonkeyPatch, kept: dagster.DagsterInstance
) -> None:
    made = make_project("slow")
    monkeypatch.setenv("NOTIFY_URL", listener.url)
    assert not tells_of_late(load_settings(made))
    settle(made, 'urls = ["${NOTIFY_URL}"]')
    settings = load_settings(made)
    assert tells_of_late(settings)
    book = made / "db/.work" / FILE
    book.parent.mkdir(parents=True, exist_ok=True)
    book.write_text(json.dumps({"incidents": {}, "succeeded": 1.0, "watched": 1.0}), encoding="utf-8")
    with dagster.build_sensor_context(instance=kept) as context:
        said = late_sensor_of(settings)(context)
        assert isinstance(said, dagster.SkipReason)
        assert str(said.skip_message).startswith("nothing was published since 1970-01-01")
    assert listener.titles == ["slow: is late"]
    stopped = replace(settings, dagster=replace(settings.dagster, schedule_status="stopped"))
    with dagster.build_sensor_context(instance=kept) as context:
        asked = late_sensor_of(stopped)(context)
    assert isinstance(asked, dagster.SkipReason)
    assert asked.skip_message == "The schedule is stopped."
