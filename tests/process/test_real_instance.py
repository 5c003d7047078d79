"""A real Dagster, in the middle of a run: killed in parts and stopped, with nothing left of it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pdbt.engine.process.ports import is_free
from tests.conftest import MakeProject, RunProcess, StartProcess
from tests.process.graphql import ask, launch_run, runs, wait_for_run
from tests.process.instances import DEADLINE_SECONDS, LAUNCH, Shop, is_running, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Which of its processes are killed: the instance itself, with or without its run or its helpers, or all the others.
KILLED: dict[str, Callable[[set[int], set[int], set[int]], set[int]]] = {
    "the instance": lambda instance, helpers, run: instance,
    "the instance and its run": lambda instance, helpers, run: instance | run,
    "the instance and its helpers": lambda instance, helpers, run: instance | helpers,
    "all but the instance": lambda instance, helpers, run: helpers | run,
}
TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"
SLOW = "import time\n\n\ndef table(LETTERS):\n    time.sleep(300)\n    return LETTERS\n"


@pytest.fixture
def slow(make_project: MakeProject, run_process: RunProcess, free_port: Callable[[], int], tmp_path: Path) -> Shop:
    """A project whose run takes minutes, and which nothing starts by itself."""
    project, port = make_project("slow"), free_port()
    (project / "data" / "source" / "LETTERS.csv").write_text("id,letter\n1,a\n", encoding="utf-8")
    (project / "scripts" / "final" / "SLOW.py").write_text(SLOW, encoding="utf-8")
    settings = project / "pdbt.toml"
    quiet = f'port = {port}\nschedule_status = "stopped"\nsensor_status = "stopped"\n'
    settings.write_text(settings.read_text(encoding="utf-8").replace("port = 3000\n", quiet), encoding="utf-8")
    return Shop(project, port, run_process, tmp_path)


def begin_run(shop: Shop) -> str:
    """Start a run; return its id when it is in the middle of it."""
    run = launch_run(shop.port, "slow")
    wait_until(lambda: runs(shop.port)[run] == "STARTED")
    return run


def launch_two_at_once(shop: Shop, start_process: StartProcess) -> None:
    """Launch it from two processes at the same instant, which make one instance of it and both tell of that."""
    started = [start_process([sys.executable, shop.script(LAUNCH)], cwd=shop.cwd) for _ in range(2)]
    said = [process.communicate(timeout=DEADLINE_SECONDS)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert sorted("already running" in text for text in said) == [False, True]
    assert all(f"(PID {shop.record['pid']})" in text for text in said)


def test_runs_and_instances_that_end_in_every_way_leave_nothing_behind(slow: Shop, start_process: StartProcess) -> None:
    """One after another in the same project, as each launch must find nothing of the one before; it takes the most of the time."""
    launch_two_at_once(slow, start_process)
    quiet = {process.pid for process in slow.family()}

    # A run whose process is killed is failed, and one that is terminated is canceled.
    killed = begin_run(slow)
    for process in slow.family():
        if process.pid not in quiet:
            process.kill()
    assert wait_for_run(slow.port, killed) == "FAILURE"
    terminated = begin_run(slow)
    assert ask(slow.port, TERMINATE, id=terminated)["terminateRun"]["__typename"] == "TerminateRunSuccess"
    assert wait_for_run(slow.port, terminated) == "CANCELED"

    # An instance that is stopped ends its run in order.
    interrupted = begin_run(slow)
    stopped = slow.stop_apart()
    assert stopped.code == 0, stopped.stderr
    assert "by force" not in stopped.stdout
    assert slow.family() == []
    known = {killed: "FAILURE", terminated: "CANCELED", interrupted: "CANCELED"}

    # What a killed one left behind is ended.
    for which in KILLED.values():
        launch_two_at_once(slow, start_process)
        assert runs(slow.port) == known
        quiet = {process.pid for process in slow.family()}
        known[begin_run(slow)] = "FAILURE"  # as the next launch finds it
        family = {process.pid for process in slow.family()}
        instance = {slow.record["pid"]}
        assert instance < quiet < family
        for pid in which(instance, quiet - instance, family - quiet):
            os.kill(pid, signal.SIGKILL)
        stopped = slow.stop_apart()
        assert stopped.code == 0, stopped.stderr
        assert [pid for pid in family if is_running(pid)] == []
        assert slow.family() == []
        assert is_free(slow.port)
        assert not slow.pid_file.exists()
