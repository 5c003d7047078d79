"""`pdbt watch` as a person types it."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import sys
import time
from pathlib import Path

import pytest

from pdbt.cli import main
from tests.conftest import Ended, RunProcess
from tests.watch.conftest import ROOT, Scene, wait_until

FAILING_ONCE = """
import os, sys
if not os.path.exists(os.environ["MENDED"]):
    sys.exit(1)
"""


@pytest.fixture
def settings_file(scene: Scene) -> Path:
    """Settings whose tasks tell, one tag failing until it is mended."""
    scene.script("tell.py")
    scene.script("fails.py", FAILING_ONCE)
    path = scene.home / "watch.toml"
    path.write_text(
        '[watch]\nfolder = "inbox"\nlogs = "logs"\n[watch.tags]\ncsv = [["tell.py"]]\ntxt = [["fails.py"], ["tell.py", "2"]]\n',
        encoding="utf-8",
    )
    return path


class Typed:
    """Types commands in the folder of the settings: within this process, or each in one of its own."""

    def __init__(self, scene: Scene, run_process: RunProcess, capsys: pytest.CaptureFixture[str]) -> None:
        self._scene, self._run, self._capsys = scene, run_process, capsys
        self.environment = {"PYTHONPATH": str(ROOT), "TOLD": str(scene.told_file), "MENDED": str(scene.home / "mended")}

    def __call__(self, *words: str) -> Ended:
        code = main(["watch", *words])
        seen = self._capsys.readouterr()
        return Ended(code, seen.out, seen.err)

    def apart(self, *words: str) -> Ended:
        """Type a command whose process something is left of."""
        return self._run([sys.executable, "-m", "pdbt", "watch", *words], cwd=self._scene.home, env=self.environment, timeout=60)

    def start(self, *words: str) -> None:
        """Start a watcher and wait until it has a ledger."""
        command = [sys.executable, "-m", "pdbt", "watch", *words]
        process = self._scene.start_process(command, cwd=self._scene.home, env=self.environment)
        self._scene.processes.append(process)
        wait_until(lambda: list(self._scene.home.glob(".pdbt/watch/*/watch.log")) or process.poll() is not None)
        assert process.poll() is None, process.communicate()


@pytest.fixture
def typed(scene: Scene, run_process: RunProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    monkeypatch.chdir(scene.home)
    return Typed(scene, run_process, capsys)


def test_status_history_and_retry_while_the_watcher_runs(scene: Scene, settings_file: Path, typed: Typed) -> None:
    typed.start("inbox", "--pipeline", settings_file.name)
    scene.drop("a.csv")
    scene.drop("b.txt")
    wait_until(lambda: len(scene.history()) == 2)
    status = typed("status", "--pipeline", settings_file.name)
    assert status.stdout.splitlines()[:3] == [
        f"watcher: PID {scene.processes[0].pid}",
        "tasks:   1 done, 1 failed, 1 skipped",
        "files:   2 matched",
    ]
    told = json.loads(typed("status", "--pipeline", settings_file.name, "--json").stdout)
    assert (told["pid"], told["tasks"]) == (scene.processes[0].pid, {"done": 1, "failed": 1, "skipped": 1})
    history = typed("history", "--pipeline", settings_file.name, "--failed").stdout
    assert history.count("\n") == 1
    assert history.endswith(f"fails.py (txt, {scene.inbox / 'b.txt'}): it ended with exit code 1\n")
    lines = [json.loads(line) for line in typed("history", "--pipeline", settings_file.name, "--json", "-n", "5").stdout.splitlines()]
    assert sorted(line["state"] for line in lines) == ["done", "failed"]
    (scene.home / "mended").touch()
    again = typed("retry", "--pipeline", settings_file.name)
    assert again.stdout == "Failed tasks put back into the queue: 1; the watcher takes it up now.\n"
    wait_until(lambda: len(scene.told()) == 2)
    assert scene.told_of() == ["a.csv", "b.txt"]
    assert typed("retry", "--pipeline", settings_file.name).stdout == "No task failed.\n"


def test_retry_of_one_file_without_a_watcher(scene: Scene, settings_file: Path, typed: Typed) -> None:
    typed.start("--pipeline", settings_file.name)
    scene.drop("a.txt")
    scene.drop("b.txt")
    wait_until(lambda: len(scene.history()) == 2)
    scene.stop(scene.processes[0])
    (scene.home / "mended").touch()
    again = typed("retry", "inbox/b.txt", "--pipeline", settings_file.name)
    assert again.stdout == "Failed tasks put back into the queue: 1; it is taken up at the next start.\n"
    assert typed("status", "--pipeline", settings_file.name).stdout.startswith("watcher: not running\n")
    typed.start("--pipeline", settings_file.name)
    wait_until(scene.told)
    assert scene.told_of() == ["b.txt"]


def test_events_as_json(scene: Scene, settings_file: Path, typed: Typed) -> None:
    typed.start("--pipeline", settings_file.name, "--json")
    scene.drop("a.csv")
    wait_until(scene.history)
    process = scene.processes[0]
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    events = [json.loads(line) for line in stdout.splitlines()]
    assert [event["event"] for event in events] == ["ready", "arrived", "started", "ended"]
    assert (events[1]["file"], events[1]["tags"]) == (str(scene.inbox / "a.csv"), ["csv"])
    assert events[3]["exit_code"] == 0


def test_a_terminal_shows_a_table(scene: Scene, settings_file: Path, typed: Typed) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(scene.home)
        os.environ.update({**typed.environment, "TERM": "xterm", "COLUMNS": "120"})
        os.execv(sys.executable, [sys.executable, "-m", "pdbt", "watch", "--pipeline", settings_file.name])
    shown = b""
    deadline = time.monotonic() + 60
    try:
        scene.drop("a.csv")
        while not (b"done 1" in shown and b"since" in shown) and time.monotonic() < deadline:  # a frame may come in pieces
            shown += os.read(terminal, 65536)
    finally:
        os.kill(pid, signal.SIGINT)
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            assert time.monotonic() < deadline + 30
            try:
                os.read(terminal, 65536)
            except OSError:
                time.sleep(0.05)
        os.close(terminal)
    text = shown.decode()
    assert "waiting 0  running 0  done 1  failed 0" in text
    assert "since" in text


def test_a_launched_watcher_is_stopped_by_the_command_that_is_printed(
    scene: Scene, settings_file: Path, typed: Typed, run_process: RunProcess
) -> None:
    """From any folder, with settings that are no project's; and a second watcher says why it ended without error: and hint: of its own."""
    for words in ((), ("inbox",)):
        launched = typed.apart("launch", *words, "--pipeline", "watch.toml")
        try:
            _, _, stop = launched.stdout.splitlines()
            assert stop == f"Stop: pdbt watch stop {''.join(f'{scene.inbox} ' for _ in words)}--pipeline {settings_file}"
            pid = launched.stdout.partition("PID ")[2].partition(")")[0]
            if not words:
                (scene.home / "other.toml").write_text('[watch]\nstate = "other"\n[watch.tags]\ncsv = [["tell.py"]]\n', encoding="utf-8")
                second = typed.apart("launch", "inbox", "--pipeline", "other.toml")
                assert (second.code, second.stderr) == (
                    1,
                    f"error: The watcher ended while it was starting: {scene.inbox} is watched already, by PID {pid}.\n"
                    "hint: Stop it first, or add your tags to its pipeline.\n",
                )
        finally:
            command = [sys.executable, "-m", *shlex.split(launched.stdout.rpartition("Stop: ")[2])]
            stopped = run_process(command, cwd=Path("/"), env=typed.environment, timeout=60)
        assert (stopped.code, stopped.stdout) == (0, f"The watcher (PID {pid}) was stopped.\n")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, "error: {home} is not in a pdbt project: there is no pdbt.toml here or above."),
        (("gone", "--pipeline", "watch.toml"), 2, "error: {home}/gone does not exist, so it cannot be watched.\nhint: Make the folder"),
        (("inbox", "--pipeline", "gone.toml"), 2, "error: {home}/gone.toml does not exist.\nhint: Name the file with the tags"),
        (("status", "--pipeline", "watch.toml"), 2, "error: No watcher was started yet: there is no ledger in "),
        (("history", "--pipeline", "watch.toml", "-n", "0"), 2, "error: Invalid value for '--lines'"),
        (("inbox", "--grace", "-1"), 2, "error: Invalid value for '--grace'"),
    ],
)
def test_a_mistake_is_a_sentence(scene: Scene, settings_file: Path, typed: Typed, words: tuple[str, ...], code: int, sentence: str) -> None:
    ended = typed(*words)
    assert ended.code == code
    assert ended.stderr.startswith(sentence.format(home=scene.home))
    assert "Traceback" not in ended.stderr
    assert settings_file.exists()


def test_a_project_has_its_rules_in_pdbt_toml(scene: Scene, typed: Typed) -> None:
    scene.script("tell.py")
    (scene.home / "pdbt.toml").write_text(
        '[project]\nname = "x"\n[watch]\nfolder = "inbox"\n[watch.tags]\ncsv = [["tell.py"]]\n', encoding="utf-8"
    )
    typed.start()
    scene.drop("a.csv")
    wait_until(scene.told)
    assert typed("status").stdout.startswith(f"watcher: PID {scene.processes[0].pid}\n")
