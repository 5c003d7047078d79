"""A watcher in the background, as the scripts of a project launch and stop it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pdbt.scaffold import add_addon
from pdbt.watch import overview
from pdbt.watch.place import holder
from tests.conftest import Ended, MakeProject, RunProcess
from tests.watch.conftest import ROOT, wait_until

HANGING = "import time\ntime.sleep(600)\n"


class Macro:
    """The watcher's scripts of a project."""

    def __init__(self, project: Path, run_process: RunProcess) -> None:
        self.project, self._run = project, run_process

    def __call__(self, ending: str, *words: str) -> Ended:
        script = self.project / "macro" / f"watch-run-process{ending}.py"
        return self._run([sys.executable, script, *words], cwd=self.project.parent, env={"PYTHONPATH": str(ROOT)}, timeout=60)

    @property
    def state(self) -> Path:
        (found,) = (self.project / ".pdbt" / "watch").iterdir()
        return found

    @property
    def pid(self) -> int | None:
        return overview(self.state).pid


@pytest.fixture
def macro(make_project: MakeProject, run_process: RunProcess) -> Iterator[Macro]:
    project = make_project()
    add_addon("watch", project)
    made = Macro(project, run_process)
    yield made
    for lock in project.glob(".pdbt/watch/*/watch.lock"):
        pid = holder(lock.parent)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


def test_a_project_is_watched_in_the_background(macro: Macro) -> None:
    first = macro("-launch")
    assert first.code == 0, first.stderr
    inbox = macro.project / "data" / "inbox"
    assert first.stdout.startswith(f"{inbox} is watched (PID {macro.pid}).\n")
    again = macro("-launch")
    assert again.stdout.startswith(f"{inbox} is watched already (PID {macro.pid}).\n")
    (inbox / "orders.csv").write_text("id\n1\n", encoding="utf-8")
    wait_until(lambda: overview(macro.state).tasks == {"done": 1})
    assert (macro.project / "data" / "source" / "orders.csv").is_file()
    stopped = macro("-stop")
    assert stopped.stdout == f"The watcher (PID {first.stdout.partition('PID ')[2].partition(')')[0]}) was stopped.\n"
    assert macro.pid is None
    assert macro("-stop").stdout == "No watcher runs.\n"


def test_launches_at_once_start_one_watcher_and_each_says_so(macro: Macro) -> None:
    with ThreadPoolExecutor(3) as threads:
        ended = list(threads.map(lambda _: macro("-launch"), range(3)))
    assert [(launch.code, launch.stderr) for launch in ended] == [(0, "")] * 3
    inbox, pid = macro.project / "data" / "inbox", macro.pid
    said = sorted(launch.stdout.splitlines()[0] for launch in ended)
    assert said == [f"{inbox} is watched (PID {pid}).", *[f"{inbox} is watched already (PID {pid})."] * 2]
    assert macro("-stop").stdout == f"The watcher (PID {pid}) was stopped.\n"


def test_a_watcher_that_does_not_stop_in_time_is_killed_with_its_tasks(macro: Macro) -> None:
    settings = macro.project / "pdbt.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('[["project:.", "1"]]', '[["hangs.py"]]'), encoding="utf-8")
    (macro.project / "hangs.py").write_text(HANGING, encoding="utf-8")
    macro("-launch")
    (macro.project / "data" / "inbox" / "a.csv").write_text("a", encoding="utf-8")
    wait_until(lambda: list(macro.state.glob("runs/*")))
    run_file = next(macro.state.glob("runs/*"))
    wait_until(lambda: run_file.read_text(encoding="utf-8").endswith("\n"))
    task = int(run_file.read_text(encoding="utf-8"))
    assert macro("-stop", "--timeout", "0.5").code == 0
    assert macro.pid is None
    wait_until(lambda: not Path(f"/proc/{task}").exists())
    assert overview(macro.state).tasks == {"running": 1}  # taken up at the next start


def test_a_launch_that_fails_says_why(macro: Macro) -> None:
    settings = macro.project / "pdbt.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('folder = "data/inbox"', 'folder = "gone"'), encoding="utf-8")
    ended = macro("-launch")
    assert ended.code == 2
    assert ended.stderr.startswith(f"error: {macro.project / 'gone'} does not exist, so it cannot be watched.\n")
    assert not (macro.project / ".pdbt" / "watch").exists()
