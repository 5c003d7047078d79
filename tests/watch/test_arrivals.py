"""Only whole files, nothing missed, nothing twice: however a file comes, each task runs once, on the whole of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunProcess
from tests.watch.conftest import Scene, wait_until

SLOWLY = """
import sys, time
with open(sys.argv[1], "w") as file:
    for number in range(4):
        file.write(f"line {number}\\n" * 1000)
        file.flush()
        time.sleep(0.5)
"""
# What the kernel keeps for a reader that does not read.
MOST_EVENTS = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
WHOLE = "".join(f"line {number}\n" * 1000 for number in range(4))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def hashes(scene: Scene) -> list[tuple[str, str]]:
    return sorted((Path(line["file"]).name, line["sha256"]) for line in scene.told())


@pytest.fixture
def other_file_system() -> Iterator[Path]:
    """A folder on another file system than the temporary one."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        pytest.skip("this system has no second file system that anybody may write to")
    folder = shared / f"pdbt-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def test_each_file_is_run_once_on_the_whole_of_it(scene: Scene, other_file_system: Path) -> None:
    (scene.inbox / "before.csv").write_text("before", encoding="utf-8")
    scene.watch({"csv": [scene.task("tell.py")]})
    writer = scene.start_process([sys.executable, "-c", SLOWLY, scene.inbox / "slow.csv"])
    scene.drop("renamed.csv", "renamed")
    (other_file_system / "moved.csv").write_text("moved", encoding="utf-8")
    shutil.move(other_file_system / "moved.csv", scene.inbox / "moved.csv")
    (scene.inbox / "upload.csv.part").write_text("part", encoding="utf-8")
    (scene.inbox / "replaced.csv").write_text("first", encoding="utf-8")
    wait_until(lambda: "replaced.csv" in scene.told_of())
    (scene.inbox / "replaced.csv").write_text("second", encoding="utf-8")
    (scene.inbox / "upload.csv.part").rename(scene.inbox / "upload.csv")
    assert writer.wait(60) == 0
    expected = sorted(
        [
            ("before.csv", sha256("before")),
            ("moved.csv", sha256("moved")),
            ("renamed.csv", sha256("renamed")),
            ("replaced.csv", sha256("first")),
            ("replaced.csv", sha256("second")),
            ("slow.csv", sha256(WHOLE)),
            ("upload.csv", sha256("part")),
        ]
    )
    wait_until(lambda: len(hashes(scene)) >= len(expected))
    time.sleep(1.0)  # what ran twice would have by now
    assert hashes(scene) == expected


def test_the_task_is_told_the_file_and_who_it_is(scene: Scene) -> None:
    scene.watch({"ord": [scene.task("tell.py")]})
    path = scene.drop("orders.csv")
    wait_until(scene.told)
    (told,) = scene.told()
    assert told["arguments"] == [str(path)]
    assert (told["PDBT_FILE"], told["PDBT_TAG"], told["PDBT_RUN_ID"], told["PDBT_TASK_ID"]) == (str(path), "ord", "1", "tell-1")
    assert told["python"] == sys.executable


def test_temporary_names_wait_for_their_real_one(scene: Scene) -> None:
    names = [".hidden.csv", "a.csv.tmp", "a.csv~", "~$a.csv", "a.CSV.PART", "a.csv.crdownload"]
    scene.watch({"csv": [scene.task("tell.py")]})
    for name in [*names, "other.csv"]:
        scene.drop(name)
    wait_until(scene.told)
    assert scene.told_of() == ["other.csv"]
    for number, name in enumerate(names):
        (scene.inbox / name).rename(scene.inbox / f"real{number}.csv")
    wait_until(lambda: len(scene.told()) == 7)
    assert scene.told_of() == ["other.csv", *(f"real{number}.csv" for number in range(6))]


def test_what_came_before_is_left_alone_when_the_settings_say_so(scene: Scene) -> None:
    scene.drop("old.csv")
    first = scene.watch({"csv": [scene.task("tell.py")]}, existing=False)
    scene.drop("new.csv")
    wait_until(scene.told)
    first.stop()
    scene.drop("meanwhile.csv")
    scene.watch({"csv": [scene.task("tell.py")]}, existing=False)
    wait_until(lambda: len(scene.told()) == 2)
    assert scene.told_of() == ["meanwhile.csv", "new.csv"]


def test_the_same_content_again_is_no_new_file(scene: Scene) -> None:
    scene.watch({"csv": [scene.task("tell.py")]}, rescan=0.2)
    path = scene.drop("a.csv", "same")
    wait_until(scene.history)
    os.utime(path)
    scene.drop("a.csv", "same")
    scene.drop("b.csv", "x")
    wait_until(lambda: len(scene.history()) == 2)
    scene.drop("a.csv", "other")
    wait_until(lambda: len(scene.history()) == 3)
    assert scene.told_of() == ["a.csv", "a.csv", "b.csv"]


def test_a_large_file_with_another_time_is_compared_by_its_content(scene: Scene) -> None:
    large = "x" * 3_000_000
    scene.watch({"csv": [scene.task("tell.py")]})
    scene.drop("a.csv", large)
    wait_until(scene.history)
    scene.drop("a.csv", large)
    scene.drop("b.csv")
    wait_until(lambda: len(scene.history()) == 2)
    scene.drop("a.csv", large + "y")
    wait_until(lambda: len(scene.history()) == 3)
    assert scene.told_of() == ["a.csv", "a.csv", "b.csv"]


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_file_that_its_task_takes_away_is_known_when_it_comes_again(scene: Scene, size: int) -> None:
    taking = "import os, sys; os.unlink(sys.argv[1])"
    scene.watch({"csv": [scene.task("take.py", "1", taking)]})
    scene.drop("a.csv", "x" * size)
    wait_until(scene.history)
    scene.drop("a.csv", "x" * size)
    scene.drop("b.csv")
    wait_until(lambda: len(scene.history()) == 2)
    scene.drop("a.csv", "y" * size)
    wait_until(lambda: len(scene.history()) == 3)
    assert [Path(line["file"]).name for line in scene.history()] == ["a.csv", "b.csv", "a.csv"]
    assert [line["state"] for line in scene.history()] == ["done"] * 3


def test_an_unmounted_share_pauses_the_watcher_and_a_mounted_one_runs_nothing_twice(scene: Scene, run_process: RunProcess) -> None:
    def mount() -> bool:
        return run_process(["mount", "-t", "tmpfs", "pdbt-test", scene.inbox]).code == 0

    if not mount():
        pytest.skip("this user may not mount file systems")
    try:
        scene.watch({"csv": [scene.task("tell.py")]})
        (scene.inbox / "a.csv").write_text("a", encoding="utf-8")
        wait_until(scene.history)
        assert run_process(["umount", "-l", scene.inbox]).code == 0
        wait_until(lambda: f"the watched folder {scene.inbox} is no longer mounted; waiting for it" in scene.log_lines())
        (scene.inbox / "below.csv").write_text("written below the mount", encoding="utf-8")
        assert mount()
        (scene.inbox / "a.csv").write_text("a", encoding="utf-8")
        (scene.inbox / "b.csv").write_text("b", encoding="utf-8")
        wait_until(lambda: len(scene.told()) == 2)
        wait_until(lambda: len(scene.history()) == 2)
        assert hashes(scene) == [("a.csv", sha256("a")), ("b.csv", sha256("b"))]
    finally:
        run_process(["umount", "-l", scene.inbox])


def test_an_empty_file_is_given_time_to_be_filled(scene: Scene) -> None:
    scene.watch({"csv": [scene.task("tell.py")]})
    path = scene.inbox / "a.csv"
    path.touch()
    time.sleep(0.3)
    path.write_text("filled", encoding="utf-8")
    (scene.inbox / "empty.csv").touch()
    wait_until(lambda: len(scene.told()) == 2)
    assert hashes(scene) == [("a.csv", sha256("filled")), ("empty.csv", sha256(""))]


def test_a_file_that_is_written_in_pieces_can_be_given_time_to_settle(scene: Scene) -> None:
    scene.watch({"csv": [scene.task("tell.py")]}, settle=1.5)
    for number in range(4):
        with (scene.inbox / "a.csv").open("a", encoding="utf-8") as file:
            file.write(f"{number}")
        time.sleep(0.3)
    wait_until(scene.told)
    assert hashes(scene) == [("a.csv", sha256("0123"))]


def test_folders_below_are_watched_when_asked(scene: Scene) -> None:
    (scene.inbox / "there").mkdir()
    scene.watch({"csv": [scene.task("tell.py")]}, recursive=True)
    (scene.inbox / "there" / "a.csv").write_text("a", encoding="utf-8")
    made = scene.inbox / "new" / "deep"
    made.mkdir(parents=True)
    (made / "b.csv").write_text("b", encoding="utf-8")
    outside = scene.home / "outside"
    outside.mkdir()
    (outside / "c.csv").write_text("c", encoding="utf-8")
    outside.rename(scene.inbox / "moved")
    wait_until(lambda: len(scene.told()) == 3)
    assert scene.told_of() == ["a.csv", "b.csv", "c.csv"]


def test_logs_below_a_watched_folder_start_nothing(scene: Scene) -> None:
    scene.logs = scene.inbox / "logs"
    scene.watch({"tell": [scene.task("tell.py")]}, recursive=True, rescan=0.2)
    scene.drop("tell.csv")
    wait_until(scene.history)
    time.sleep(0.6)
    scene.drop("tell2.csv")
    wait_until(lambda: len(scene.history()) == 2)
    assert scene.told_of() == ["tell.csv", "tell2.csv"]


def test_folders_below_are_left_alone_otherwise(scene: Scene) -> None:
    (scene.inbox / "below").mkdir()
    (scene.inbox / "below" / "a.csv").write_text("a", encoding="utf-8")
    scene.watch({"csv": [scene.task("tell.py")]}, rescan=0.2)
    scene.drop("b.csv")
    wait_until(scene.told)
    assert scene.told_of() == ["b.csv"]


@pytest.mark.parametrize("unmatched", ["log", "delete", "move"])
def test_what_no_tag_matches(scene: Scene, unmatched: str) -> None:
    other = scene.home / "other"
    other.mkdir()
    (other / "photo.jpg").write_text("was here", encoding="utf-8")
    settings: dict[str, Any] = {"unmatched": unmatched, **({"unmatched_folder": str(other)} if unmatched == "move" else {})}
    scene.watch({"csv": [scene.task("tell.py")]}, **settings)
    scene.drop("photo.jpg", "new")
    wait_until(lambda: "photo.jpg has no tag" in scene.log_lines())
    wait_until(lambda: (scene.inbox / "photo.jpg").exists() == (unmatched == "log"))
    moved = {path.name: path.read_text(encoding="utf-8") for path in other.iterdir()}
    assert moved == {"photo.jpg": "was here", **({"photo.2.jpg": "new"} if unmatched == "move" else {})}
    assert scene.told() == []


def test_a_folder_that_vanishes_pauses_the_watcher(scene: Scene) -> None:
    scene.watch({"csv": [scene.task("tell.py")]})
    scene.drop("a.csv")
    wait_until(scene.history)
    away = scene.home / "away"
    scene.inbox.rename(away)
    wait_until(lambda: f"the watched folder {scene.inbox} is not there; waiting for it" in scene.log_lines())
    (away / "b.csv").write_text("b", encoding="utf-8")
    away.rename(scene.inbox)
    wait_until(lambda: len(scene.told()) == 2)
    scene.drop("c.csv")
    wait_until(lambda: len(scene.told()) == 3)
    assert scene.told_of() == ["a.csv", "b.csv", "c.csv"]
    assert f"{scene.inbox} is back" in scene.log_lines()


def test_a_polled_folder_misses_nothing_and_runs_nothing_twice(scene: Scene) -> None:
    scene.drop("before.csv")
    scene.watch({"csv": [scene.task("tell.py")]}, polling=True, poll=0.2)
    writer = scene.start_process([sys.executable, "-c", SLOWLY, scene.inbox / "slow.csv"])
    scene.drop("renamed.csv")
    assert writer.wait(60) == 0
    wait_until(lambda: len(scene.told()) == 3)
    assert hashes(scene)[-1] == ("slow.csv", sha256(WHOLE))
    assert scene.told_of() == ["before.csv", "renamed.csv", "slow.csv"]


def test_events_that_the_system_dropped_are_made_up_for(scene: Scene) -> None:
    """The watcher is held while more events come than the kernel keeps: whatever was dropped, nothing is missed."""
    process = scene.start({"last": [scene.task("tell.py")]}, rescan=3600)
    os.kill(process.pid, signal.SIGSTOP)
    # Of temporary files, which cost the watcher least, and of two: of what happens to one again and again the kernel keeps one event.
    names = [scene.inbox / "a.tmp", scene.inbox / "b.tmp"]
    for number in range(MOST_EVENTS + 1):
        os.close(os.open(names[number % 2], os.O_WRONLY | os.O_CREAT))
    scene.drop("last.csv")
    os.kill(process.pid, signal.SIGCONT)
    wait_until(scene.told)
    assert scene.told_of() == ["last.csv"]
    assert "looking at the whole folder: the system may have dropped file events" in scene.log_lines()
