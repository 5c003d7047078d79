"""Tasks: groups in order, logs, time-outs, retries; and whatever goes wrong with one is said, and the others go on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from pdbt.watch import overview
from pdbt.watch.place import WatcherInProgress
from tests.conftest import RunProcess
from tests.watch.conftest import Scene, wait_until

FAILING = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
HANGING = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open(os.environ["TOLD"] + ".hanging", "w").close()
time.sleep(600)
"""
FAILING_TWICE = """
import os, sys
with open(os.environ["TOLD"] + ".attempts", "a+") as file:
    file.write("x"); file.flush(); file.seek(0)
    sys.exit(len(file.read()) < 3)
"""
THE_DICT_FORM = """
import sys
from pdbt.watch import PyPelineWatcher

PIPELINE = {
    "orders": [("{home}/a.py", "1", "{home}/logs/a"), ("{home}/b.py", "1", "{home}/logs/b"), ("{home}/c.py", "2", "{home}/logs/c")],
    "customers": [("{home}/d.py", "x", "{home}/logs/d")],
}
PyPelineWatcher().startWatcher("{inbox}", pipeline=PIPELINE, max_workers=4)
"""


def named(scene: Scene, script: str) -> dict[str, float]:
    """Return when a script began and ended."""
    (line,) = [line for line in scene.told() if line["script"] == script]
    return {"began": line["began"], "ended": line["ended"]}


def processes_of(scene: Scene) -> list[psutil.Process]:
    """Return the processes of a scene's tasks, and of what they started."""
    found = []
    for process in psutil.process_iter():
        try:
            variables = process.environ()
            if variables.get("TOLD") == str(scene.told_file) and "PDBT_TASK_ID" in variables and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_the_dict_form_runs_unchanged(scene: Scene) -> None:
    for name in "abcd":
        scene.script(f"{name}.py")
    scene.script("watch.py", THE_DICT_FORM.replace("{home}", str(scene.home)).replace("{inbox}", str(scene.inbox)))
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "TOLD": str(scene.told_file), "TASK_SECONDS": "1"}
    process = scene.start_process([sys.executable, scene.home / "watch.py"], env=environment)
    scene.drop("orders.csv")
    wait_until(lambda: len(scene.told()) == 3)
    scene.drop("customers.csv")
    wait_until(lambda: len(scene.told()) == 4)
    first, second, third = (named(scene, f"{name}.py") for name in "abc")
    assert max(first["began"], second["began"]) < min(first["ended"], second["ended"]), "the tasks of a group run at the same time"
    assert third["began"] >= max(first["ended"], second["ended"]), "groups run one after another"
    wait_until(lambda: len(scene.history()) == 4)
    for name in "abcd":
        (log,) = (scene.home / "logs" / name).iterdir()
        assert re.fullmatch(rf"{name}-\d+_\d{{4}}-\d\d-\d\d_\d\d-\d\d-\d\d\.log", log.name)
        assert re.search(r"^pdbt: exit code 0, \d+\.\d\d s\n\Z", log.read_text(encoding="utf-8"), flags=re.MULTILINE)
    code, said = scene.stop(process)
    assert (code, said) == (0, "")


def span_of_two_tasks(scene: Scene, number: int) -> float:
    """Drop a file; return the seconds from the begin of its first task to the end of its second one."""
    scene.drop(f"{number}.csv")
    wait_until(lambda: len(scene.told()) == 2 * number)
    pair = scene.told()[-2:]
    return float(max(task["ended"] for task in pair) - min(task["began"] for task in pair))


def test_two_tasks_of_a_second_in_one_group_end_within_one_and_a_half(scene: Scene) -> None:
    """One of three files: what else the machine does may delay one, and one after another they take two seconds each time."""
    scene.watch({"csv": [scene.task("a.py", "1"), scene.task("b.py", "1")]}, env={"TASK_SECONDS": "1"}, max_workers=2)
    assert any(span_of_two_tasks(scene, number) <= 1.5 for number in (1, 2, 3))


def test_the_history_has_a_line_for_each_run(scene: Scene) -> None:
    scene.watch({"csv": [scene.task("tell.py", "load")]})
    path = scene.drop("a.csv")
    wait_until(scene.history)
    (line,) = scene.history()
    expected = {"task": "tell-1", "run": 1, "tag": "csv", "group": "load", "file": str(path), "attempt": 1, "state": "done", "exit_code": 0}
    assert {key: line[key] for key in expected} == expected
    assert line["error"] is None
    assert line["seconds"] > 0
    assert line["started"] < line["ended"]
    assert Path(line["log"]).is_file()


def test_failures_of_all_kinds_are_told_and_the_others_go_on(scene: Scene) -> None:
    unwritable = scene.home / "a file"
    unwritable.touch()
    pipeline = {
        "fails": [scene.task("fails.py", "1", FAILING), scene.task("never.py", "2")],
        "killed": [scene.task("killed.py", "1", KILLED)],
        "hangs": [{"run": scene.script("hangs.py", HANGING), "logs": str(scene.logs), "timeout": 1}],
        "missing": [(str(scene.home / "missing.py"), "1", str(scene.logs))],
        "program": [("no-such-program", "1", str(scene.logs))],
        "unlogged": [(scene.script("unlogged.py"), "1", str(unwritable / "logs"))],
        "fine": [scene.task("fine.py")],
    }
    scene.watch(pipeline, max_workers=2)
    for tag in pipeline:
        scene.drop(f"{tag}.csv")
    wait_until(lambda: len(scene.history()) == len(pipeline))
    errors = {line["tag"]: line["error"] for line in scene.history()}
    assert errors == {
        "fails": "it ended with exit code 3",
        "killed": "it was ended by signal 9 (exit code 137)",
        "hangs": "it was ended after its time-out of 1 s",
        "missing": f"The script {scene.home / 'missing.py'} does not exist. Mend its path, then: pdbt watch retry",
        "program": "There is no program no-such-program that can be run. Install it, or mend its name, then: pdbt watch retry",
        "unlogged": f"The log folder {unwritable / 'logs'} cannot be written: Not a directory. "
        "Mend it or name another one, then: pdbt watch retry",
        "fine": None,
    }
    assert [line["script"] for line in scene.told()] == ["fine.py"]
    said = scene.log_lines()
    assert all(f"warning: task {tag}-" in said for tag in ("fails", "killed", "hangs", "missing", "unlogged"))
    (log,) = scene.logs.glob("fails-*.log")
    lines = log.read_text(encoding="utf-8").splitlines()
    assert sorted(lines[1:3]) == ["err", "out"]
    assert re.fullmatch(r"pdbt: exit code 3, \d+\.\d\d s", lines[3])
    wait_until(lambda: not processes_of(scene))  # what hung was ended with its children


def test_a_failed_task_is_tried_again_and_waits_longer_each_time(scene: Scene) -> None:
    task = {"run": scene.script("twice.py", FAILING_TWICE), "logs": str(scene.logs), "retries": 3, "retry_delay": 0.2}
    scene.watch({"csv": [task]})
    scene.drop("a.csv")
    wait_until(lambda: len(scene.history()) == 3)
    lines = scene.history()
    assert [(line["attempt"], line["state"]) for line in lines] == [(1, "waiting"), (2, "waiting"), (3, "done")]
    assert len({line["log"] for line in lines}) == 3
    moments = [float(Path(line["log"]).stat().st_mtime) for line in lines]
    assert moments[1] - moments[0] >= 0.2
    assert moments[2] - moments[1] >= 0.4


def test_stopping_lets_running_tasks_end(scene: Scene) -> None:
    process = scene.start({"csv": [scene.task("tell.py", "1"), scene.task("later.py", "2")]}, env={"TASK_SECONDS": "1"})
    scene.drop("a.csv")
    wait_until(lambda: processes_of(scene))
    assert scene.stop(process)[0] == 0
    assert [line["script"] for line in scene.told()] == ["tell.py"]
    scene.watch({"csv": [scene.task("tell.py", "1"), scene.task("later.py", "2")]})
    wait_until(lambda: len(scene.told()) == 2)
    assert [line["script"] for line in scene.told()] == ["tell.py", "later.py"]


def test_what_does_not_end_in_time_is_ended_with_its_children_and_taken_up_again(scene: Scene) -> None:
    process = scene.start({"csv": [scene.task("task.py", "1", HANGING)]}, grace=0.5)
    scene.drop("a.csv")
    wait_until((scene.home / "told.jsonl.hanging").exists)
    wait_until(lambda: len(processes_of(scene)) >= 3)
    assert scene.stop(process)[0] == 0
    assert processes_of(scene) == []
    (line,) = scene.history()
    assert (line["state"], line["error"]) == ("unfinished", "it was ended because the watcher stopped")
    scene.watch({"csv": [scene.task("task.py", "1")]})
    wait_until(scene.told)
    assert scene.told_of() == ["a.csv"]


def test_a_second_signal_ends_the_tasks_at_once(scene: Scene) -> None:
    process = scene.start({"csv": [scene.task("task.py", "1", HANGING)]}, grace=600)
    scene.drop("a.csv")
    wait_until((scene.home / "told.jsonl.hanging").exists)
    process.send_signal(signal.SIGINT)
    wait_until(lambda: "stopping: 1 running tasks have 600 s to end" in scene.log_lines())
    assert scene.stop(process)[0] == 0
    assert processes_of(scene) == []


def test_no_more_tasks_run_at_once_than_there_are_workers(scene: Scene) -> None:
    scene.watch({"csv": [scene.task("tell.py")]}, env={"TASK_SECONDS": "0.1"}, max_workers=3)
    for number in range(12):
        scene.drop(f"{number}.csv")
    wait_until(lambda: len(scene.told()) == 12)
    moments = sorted([(line["began"], 1) for line in scene.told()] + [(line["ended"], -1) for line in scene.told()])
    running = [sum(step for _, step in moments[: number + 1]) for number in range(len(moments))]
    assert 1 < max(running) <= 3


def test_new_content_waits_for_the_task_that_runs_on_the_old(scene: Scene) -> None:
    scene.watch({"csv": [scene.task("tell.py")]}, env={"TASK_SECONDS": "0.6"}, max_workers=4)
    scene.drop("a.csv", "first")
    wait_until(lambda: processes_of(scene))
    time.sleep(0.3)
    scene.drop("a.csv", "second")
    wait_until(lambda: len(scene.told()) == 2)
    first, second = scene.told()
    assert first["sha256"] != second["sha256"]
    assert second["began"] >= first["ended"]


def test_a_file_that_is_gone_before_its_task_began_is_told(scene: Scene) -> None:
    scene.watch({"csv": [scene.task("tell.py")]}, env={"TASK_SECONDS": "0.5"}, max_workers=1)
    scene.drop("a.csv")
    wait_until(lambda: processes_of(scene))
    scene.drop("b.csv").unlink()
    scene.drop("c.csv")
    wait_until(lambda: len(scene.told()) == 2)
    assert scene.told_of() == ["a.csv", "c.csv"]


def test_two_watchers_on_one_folder(scene: Scene) -> None:
    first = scene.start({"csv": [scene.task("tell.py")]})
    choices: list[dict[str, Any]] = [{}, {"state": str(scene.home / "other state")}]
    said = f"{scene.inbox} is watched already, by PID {first.pid}. Stop it first, or add your tags to its pipeline."
    for settings in choices:
        with pytest.raises(WatcherInProgress, match=f"^{re.escape(said)}$") as refused:
            scene.watch({"csv": [scene.task("tell.py")]}, **settings)
        assert refused.value.exit_code == 75
    scene.kill(first)
    scene.watch({"csv": [scene.task("tell.py")]})


def test_two_watchers_on_one_ledger(scene: Scene) -> None:
    state = str(scene.home / "state")
    first = scene.start({"csv": [scene.task("tell.py")]}, state=state)
    (scene.home / "other").mkdir()
    scene.inbox = scene.home / "other"
    with pytest.raises(WatcherInProgress, match=rf"^The ledger in {re.escape(state)} is used already, by PID {first.pid}\.") as refused:
        scene.watch({"csv": [scene.task("tell.py")]}, state=state)
    assert refused.value.exit_code == 75


def test_a_ledger_that_cannot_be_written_pauses_and_loses_nothing(scene: Scene) -> None:
    """The limit on the size of files that a process may write stands for a full disk: both are refused by the system."""
    process = scene.start({"csv": [scene.task("tell.py")]})
    scene.drop("a.csv")
    wait_until(scene.history)
    log = (scene.state / "ledger.sqlite-wal").stat().st_size
    _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (min(log, 4096), most))
    scene.drop("b.csv")
    scene.drop("c.csv")
    wait_until(lambda: "cannot be written" in scene.log_lines())
    assert "no task begins until it can. Make room on that disk" in scene.log_lines()
    assert scene.told_of() == ["a.csv"]
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
    wait_until(lambda: len(scene.told()) == 3)
    assert scene.told_of() == ["a.csv", "b.csv", "c.csv"]
    assert "can be written again" in scene.log_lines()


def fill(path: Path) -> None:
    """Fill a disk up to its last byte."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)


def test_a_full_disk_pauses_and_loses_nothing(scene: Scene, run_process: RunProcess) -> None:
    state = scene.home / "state"
    state.mkdir()
    if run_process(["mount", "-t", "tmpfs", "-o", "size=2m", "pdbt-test", state]).code != 0:
        pytest.skip("this user may not mount file systems")
    try:
        process = scene.start({"csv": [scene.task("tell.py")]}, state=str(state))
        scene.drop("a.csv")
        wait_until(scene.told)
        fill(state / "filler")
        for number in range(10):
            scene.drop(f"{number}.csv")
        time.sleep(2.5)
        assert sum(overview(state).tasks.values()) < 11
        (state / "filler").unlink()
        wait_until(lambda: len(scene.told()) == 11)
        assert scene.told_of() == sorted(["a.csv", *(f"{number}.csv" for number in range(10))])
        code, said = scene.stop(process)
        assert code == 0
        assert f"the ledger {state / 'ledger.sqlite'} cannot be written: database or disk is full; no task begins until it can." in said
    finally:
        run_process(["umount", "-l", state])


def test_a_task_that_ends_while_the_ledger_cannot_be_written_is_recorded_later(scene: Scene) -> None:
    process = scene.start({"csv": [scene.task("tell.py")]}, env={"TASK_SECONDS": "1"})
    scene.drop("a.csv")
    wait_until(lambda: processes_of(scene))
    time.sleep(0.2)
    _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, most))
    wait_until(scene.told)
    wait_until(lambda: "cannot be written" in scene.log_lines())
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
    wait_until(scene.history)
    assert [line["state"] for line in scene.history()] == ["done"]
    assert scene.told_of() == ["a.csv"]


def test_output_is_in_the_log_as_it_comes(scene: Scene) -> None:
    text = "import os, time\nprint('begun', flush=True)\nwhile not os.path.exists(os.environ['TOLD']): time.sleep(0.05)\n"
    scene.watch({"csv": [scene.task("task.py", "1", text)]})
    scene.drop("a.csv")
    wait_until(lambda: any("begun" in log.read_text(encoding="utf-8") for log in scene.logs.glob("*.log")))
    assert scene.history() == []
    scene.told_file.touch()
    wait_until(scene.history)


@pytest.mark.parametrize("command", ["sh -c 'cat \"$1\" > copy' name", ["cp", "-t", "."]])
def test_any_command_can_be_a_task(scene: Scene, command: str | list[str]) -> None:
    scene.watch({"csv": [{"run": command, "logs": str(scene.logs)}]})
    scene.drop("a.csv", "content")
    wait_until(scene.history)
    assert [line["error"] for line in scene.history()] == [None]
    copy = scene.home / ("copy" if isinstance(command, str) else "a.csv")
    assert copy.read_text(encoding="utf-8") == "content"


NAMES = [
    "a b.csv",
    "-rf --help.csv",
    "$(touch pwned).csv",
    "`touch pwned`; touch pwned.csv",
    "a\nwarning: b.csv",
    "it's \"é😀\\.csv",
    "%s{0}*?.csv",
    "quote'\".csv",
    "-rf.csv",
    "$HOME.csv",
    "日本é.csv",
    "new\nline.csv",
    "%s.csv",
]


def test_a_name_of_any_kind_reaches_a_task_as_it_is(scene: Scene) -> None:
    shell = ["sh", "-c", 'printf "%s" "$1" >"$TOLD.said.$PDBT_RUN_ID"; printf "%s" "$PDBT_FILE" >"$TOLD.file.$PDBT_RUN_ID"', "sh"]
    scene.watch({"csv": [scene.task("a.py"), {"run": shell, "logs": str(scene.logs), "group": "2"}]})
    paths = [str(scene.drop(name, name)) for name in NAMES]
    # What is no text cannot be a value of a ledger: it is left alone, and hinders none of the others.
    Path(os.fsdecode(bytes(scene.inbox) + b"/bad\xff.csv")).write_bytes(b"x")
    wait_until(lambda: len(scene.history()) == 2 * len(NAMES))
    assert {line["error"] for line in scene.history()} == {None}
    told = scene.told()
    assert sorted(line["file"] for line in told) == sorted(paths)
    for line in told:
        said = [Path(f"{scene.told_file}.{end}.{line['PDBT_RUN_ID']}").read_text(encoding="utf-8") for end in ("said", "file")]
        assert [line["PDBT_FILE"], *line["arguments"], *said] == [line["file"]] * 4
        assert line["sha256"] == hashlib.sha256(Path(line["file"]).name.encode()).hexdigest()
    assert not list(scene.home.rglob("pwned*"))
    assert [line for line in scene.log_lines().splitlines() if line.startswith("warning")] == []
