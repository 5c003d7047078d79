"""A watcher that was killed at any moment: what it had begun, what waited and what came meanwhile is done once."""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from pdbt.engine.errors import PdbtError
from pdbt.watch import Watcher
from pdbt.watch.inspection import history
from tests.watch.conftest import Scene, wait_until

APPENDING = ["/bin/sh", "-c", 'echo "$1" >> "$TOLD"', "append"]
MEMORY_BYTES = 80_000_000  # of which a watcher of an empty folder takes 25
SEED = 20250101


def appended(scene: Scene) -> list[str]:
    """Return the names of the files that the shell's tasks wrote down."""
    return [Path(line).name for line in scene.told_file.read_text(encoding="utf-8").split()] if scene.told_file.exists() else []


def has_appended(scene: Scene, goal: float) -> bool:
    return scene.told_file.exists() and scene.told_file.read_bytes().count(b"\n") >= goal


def test_a_task_that_outlives_its_watcher_is_waited_for_and_not_run_again(scene: Scene) -> None:
    pipeline = {"csv": [scene.task("tell.py", "1"), scene.task("later.py", "2")]}
    first = scene.start(pipeline, env={"TASK_SECONDS": "1.5"})
    scene.drop("a.csv")
    wait_until(lambda: list(scene.logs.glob("tell-*.log")))
    time.sleep(0.3)
    scene.kill(first)
    assert scene.told() == []
    scene.watch(pipeline)
    wait_until(lambda: len(scene.told()) == 2)
    wait_until(lambda: len(scene.history()) == 2)
    assert [line["script"] for line in scene.told()] == ["tell.py", "later.py"]
    (log,) = scene.logs.glob("tell-*.log")
    assert "pdbt: exit code 0, " in log.read_text(encoding="utf-8")
    assert "was begun by an earlier watcher" in scene.log_lines()


def test_a_file_that_is_long_done_and_gone_leaves_the_ledger_and_one_that_lies_there_does_not_run_again(scene: Scene) -> None:
    pipeline = {"csv": [scene.task("tell.py")]}
    first = scene.watch(pipeline)
    gone, _, _ = (scene.drop(name, name) for name in ("gone.csv", "stays.csv", "last.csv"))
    wait_until(lambda: len(scene.history()) == 3)
    first.stop()
    gone.unlink()
    scene.watch(pipeline, keep_days=0)
    wait_until(lambda: sorted(Path(row.path).name for row in history(scene.state, 9)) == ["last.csv", "stays.csv"])
    scene.drop("gone.csv", "gone.csv")
    wait_until(lambda: len(scene.history()) == 4)
    assert scene.told_of() == ["gone.csv", "gone.csv", "last.csv", "stays.csv"]


def test_a_task_that_ended_while_no_watcher_ran_is_recorded_as_it_ended(scene: Scene) -> None:
    pipeline = {"csv": [scene.task("fails.py", "1", "import sys, time; time.sleep(0.5); sys.exit(4)"), scene.task("later.py", "2")]}
    first = scene.start(pipeline)
    scene.drop("a.csv")
    wait_until(lambda: list(scene.logs.glob("fails-*.log")))
    time.sleep(0.2)
    scene.kill(first)
    time.sleep(0.8)
    scene.watch(pipeline)
    wait_until(scene.history)
    assert [(line["state"], line["exit_code"]) for line in scene.history()] == [("failed", 4)]
    assert scene.told() == []


def test_a_task_that_ended_with_the_machine_runs_again(scene: Scene) -> None:
    pipeline = {"csv": [scene.task("tell.py")]}
    first = scene.start(pipeline, env={"TASK_SECONDS": "600"})
    scene.drop("a.csv")
    wait_until(lambda: list(scene.logs.glob("tell-*.log")))
    wait_until(lambda: psutil.Process(first.pid).children(recursive=True))
    tasks = psutil.Process(first.pid).children(recursive=True)
    scene.kill(first)
    for process in tasks:
        process.kill()
    scene.drop("b.csv")
    scene.watch(pipeline)
    wait_until(lambda: len(scene.told()) == 2)
    assert scene.told_of() == ["a.csv", "b.csv"]


def test_a_task_whose_rule_is_gone_is_told(scene: Scene) -> None:
    first = scene.start({"csv": [scene.task("tell.py", "1")]}, env={"TASK_SECONDS": "600"}, max_workers=1)
    scene.drop("a.csv")
    scene.drop("b.csv")
    wait_until(lambda: list(scene.logs.glob("tell-*.log")))
    scene.stop_now(first)
    scene.watch({"other": [scene.task("tell.py", "1")]})
    scene.drop("other.txt")
    wait_until(scene.told)
    assert scene.told_of() == ["other.txt"]
    for name in ("a.csv", "b.csv"):
        assert f"tell.py (csv, {scene.inbox / name}) did not begin: it is no longer in the pipeline\n" in scene.log_lines()
    wait_until(lambda: counts(scene) == {"failed": 2, "done": 1})


@pytest.mark.parametrize(("files", "kills"), [(150, 2), pytest.param(10_000, 5, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_a_burst_is_done_once_however_often_the_watcher_is_killed(scene: Scene, files: int, kills: int) -> None:
    generator = random.Random(SEED)
    pipeline = {"csv": [{"run": APPENDING, "logs": str(scene.logs)}]}
    process = scene.start(pipeline)
    for number in range(files):
        (scene.inbox / f"{number}.csv").write_text(str(number), encoding="utf-8")
    peak = 0
    for kill in range(kills):
        goal = (kill + generator.random()) * files / kills
        wait_until(partial(has_appended, scene, goal), seconds=400)
        peak = max(peak, psutil.Process(process.pid).memory_info().rss)
        scene.kill(process)
        process = scene.start(pipeline)
    wait_until(partial(has_appended, scene, files), seconds=400)
    wait_until(lambda: "waiting" not in counts(scene) and "running" not in counts(scene), seconds=100)
    peak = max(peak, psutil.Process(process.pid).memory_info().rss)
    assert sorted(appended(scene)) == sorted(f"{number}.csv" for number in range(files))
    assert counts(scene) == {"done": files}
    assert peak < MEMORY_BYTES


def counts(scene: Scene) -> dict[str, int]:
    from pdbt.watch import overview

    return overview(scene.state).tasks


def test_a_watcher_is_a_context_and_tells_its_listener(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    events: list[str] = []
    pipeline = {"csv": [{"run": ["true"], "logs": str(tmp_path / "logs")}]}
    watcher = Watcher(inbox, pipeline, base=tmp_path, listener=lambda event: events.append(str(event["event"])))
    with watcher:
        with pytest.raises(PdbtError, match=r"is watched by this watcher already\. Stop it first\."):
            watcher.start()
        (inbox / "a.csv").write_text("a", encoding="utf-8")
        wait_until(lambda: "ended" in events)
    with watcher:
        pass
    assert [event for event in events if event != "rescan"] == ["ready", "arrived", "started", "ended", "ready"]
    assert watcher.wait()


def test_a_folder_that_cannot_be_observed_is_a_sentence(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    watcher = Watcher(inbox, {"csv": ["true"]}, base=tmp_path)
    inbox.rmdir()
    with pytest.raises(PdbtError, match=r"inbox is not there, so it cannot be watched\. Make the folder, or name another one\."):
        watcher.start()
    assert not inbox.exists()
    inbox.mkdir()
    watcher.start()
    watcher.stop()
