"""Notices of classic runs, as whoever is told sees them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pdbt.engine.notices import FILE
from tests.conftest import Ended, MakeProject, RunProcess, RunProject
from tests.notices.conftest import TOKEN, Listener
from tests.typed import classic_run, typed

BROKEN = "SELECT no_such_column FROM ORDERS"
RIGHT = "SELECT * FROM ORDERS"
Run = Callable[..., Ended]


def settle(project: Path, lines: str) -> None:
    """Write the section [notifications]."""
    path = project / "pdbt.toml"
    before = path.read_text(encoding="utf-8").partition("[notifications]")[0]
    path.write_text(f"{before}[notifications]\n{lines}\n", encoding="utf-8")


@pytest.fixture
def project(make_project: MakeProject) -> Path:
    """A project with one result, whose notices go to $NOTIFY_URL."""
    made = make_project()
    (made / "data/source/orders.csv").write_text("id,amount\n1,2\n2,3\n", encoding="utf-8")
    (made / "scripts/final/RESULT.sql").write_text(RIGHT, encoding="utf-8")
    settings = made / "pdbt.toml"  # Dagster tries again what failed, at once
    settings.write_text(settings.read_text(encoding="utf-8").replace("# retry_delay = 10", "retry_delay = 0"), encoding="utf-8")
    settle(made, 'urls = ["${NOTIFY_URL}"]')
    return made


@pytest.fixture
def run(project: Path, listener: Listener) -> Run:
    """Run the project, with the listener in its environment."""

    def run_it(*words: str, url: str | None = None) -> Ended:
        return classic_run(project, *words, env={"NOTIFY_URL": url or listener.url})

    return run_it


def write(project: Path, text: str) -> None:
    (project / "scripts/final/RESULT.sql").write_text(text, encoding="utf-8")


def test_a_job_that_fails_three_times_is_told_once_and_once_when_it_works_again(project: Path, run: Run, listener: Listener) -> None:
    assert run().code == 0
    write(project, BROKEN)
    for _ in range(3):
        assert run().code == 1
    assert listener.titles == ["shop: failed at build RESULT"]
    write(project, RIGHT)
    assert run().code == 0
    assert run().code == 0
    assert listener.titles == ["shop: failed at build RESULT", "shop: works again"]
    failure, recovery = listener.received
    assert failure["type"] == "failure"
    assert failure["message"].splitlines()[:2] == [f"Project: shop ({project})", "Step: build RESULT"]
    assert "no_such_column" in failure["message"]
    assert failure["message"].splitlines()[-1] == f"Log: {project}/macro/execution.log"
    assert recovery["type"] == "success"
    write(project, BROKEN)
    run()
    assert len(listener.received) == 3


def test_a_dead_target_fails_no_run_and_is_told_in_the_log_without_its_token(
    project: Path, run: Run, listener: Listener, free_port: Callable[[], int]
) -> None:
    dead = f"json://127.0.0.1:{free_port()}/{TOKEN}"
    result = run(url=dead)
    assert result.code == 0
    write(project, BROKEN)
    result = run(url=dead)
    assert result.code == 1
    log = (project / "macro/execution.log").read_text(encoding="utf-8")
    assert f"no notice was sent: target 1 ({dead.removesuffix(TOKEN)}***) did not take the notice: " in log
    assert TOKEN not in log + result.stdout + result.stderr + (project / "db/.work" / FILE).read_text(encoding="utf-8")
    listener.status = 500
    run()
    listener.status = 200
    run()
    run()
    assert listener.titles == ["shop: failed at build RESULT"]  # told as soon as somebody listens, and then not again


def test_a_recovery_that_could_not_be_told_is_told_later(project: Path, run: Run, listener: Listener) -> None:
    write(project, BROKEN)
    run()
    write(project, RIGHT)
    listener.status = 500
    assert run().code == 0
    listener.status = 200
    run()
    run()
    assert listener.titles == ["shop: failed at build RESULT", "shop: works again"]


def test_each_of_two_targets_is_told_once_though_one_was_dead(project: Path, listener: Listener, run_project: RunProject) -> None:
    """Each run in a process of its own, which knows of the others by the book alone."""

    def run(url: str = listener.url) -> Ended:
        return run_project(project, env={"NOTIFY_URL": url})

    settle(project, f'urls = ["${{NOTIFY_URL}}", "{listener.url}?+second=1"]')
    write(project, BROKEN)
    run(url="json://127.0.0.1:1/x")
    assert len(listener.received) == 1
    run()
    run()
    assert len(listener.received) == 2


def test_a_result_without_rows_is_told_once_and_when_it_has_some_again(project: Path, run: Run, listener: Listener) -> None:
    write(project, f"{RIGHT} WHERE id > 9")
    run()
    run("--full")
    assert listener.titles == ["shop: RESULT is empty"]
    write(project, RIGHT)
    run()
    assert listener.titles == ["shop: RESULT is empty", "shop: RESULT has rows again"]


def test_only_what_the_settings_name_is_told(project: Path, run: Run, listener: Listener) -> None:
    settle(project, 'urls = ["${NOTIFY_URL}"]\non = ["empty"]')
    write(project, BROKEN)
    assert run().code == 1
    assert listener.received == []


def test_an_unset_variable_fails_no_run(project: Path, run_project: RunProject) -> None:
    write(project, BROKEN)
    result = run_project(project)
    assert result.code == 1
    assert "notifications.urls uses ${NOTIFY_URL}, which is not set." in result.stderr
    assert "RESULT" in result.stderr


def test_a_project_without_notices_writes_no_book_and_loads_no_apprise(make_project: MakeProject, run_project: RunProject) -> None:
    project = make_project("plain")
    (project / "scripts/final/RESULT.sql").write_text("SELECT 1 AS one", encoding="utf-8")
    assert run_project(project).code == 0
    assert not (project / "db/.work" / FILE).exists()


def test_two_processes_that_fail_at_once_tell_once(project: Path, listener: Listener, run_process: RunProcess) -> None:
    program = (
        "import sys, threading\nfrom pathlib import Path\nfrom pdbt.engine.notices import Notices, Sender\n"
        "def tell():\n"
        "    notices = Notices(Sender('shop', (sys.argv[1],)), Path(sys.argv[2]), print)\n"
        "    notices.failed('job', 'failed', ['why'])\n"
        "threads = [threading.Thread(target=tell) for _ in range(4)]\n"
        "[thread.start() for thread in threads]\n[thread.join() for thread in threads]\n"
    )
    result = run_process([sys.executable, "-c", program, listener.url, project / "db"], cwd=Path(__file__).resolve().parents[2])
    assert (result.code, result.stdout, result.stderr) == (0, "", "")
    assert listener.titles == ["shop: failed"]


def test_notify_test_says_who_was_reached(project: Path, listener: Listener) -> None:
    def notify(url: str = listener.url) -> Ended:
        return typed("notify", "test", cwd=project, env={"NOTIFY_URL": url})

    result = notify()
    assert (result.code, result.stdout) == (0, f"target 1 (json://127.0.0.1:{listener.port}/***) accepted the test.\n")
    assert listener.titles == ["shop: a test"]
    listener.status = 403
    result = notify()
    assert result.code == 1
    assert f"target 1 (json://127.0.0.1:{listener.port}/***) did not take the notice: " in result.stderr
    assert TOKEN not in result.stdout + result.stderr
    result = notify("nosuch://token/x")
    assert "target 1 (nosuch://***) is nothing that Apprise can send to." in result.stderr


def test_a_book_that_is_no_json_is_begun_anew(project: Path, run: Run, listener: Listener) -> None:
    (project / "db/.work").mkdir(parents=True, exist_ok=True)
    (project / "db/.work" / FILE).write_text("{", encoding="utf-8")
    write(project, BROKEN)
    run()
    assert len(listener.received) == 1
    assert json.loads((project / "db/.work" / FILE).read_text(encoding="utf-8"))["incidents"]["run"]["title"] == "failed at build RESULT"
