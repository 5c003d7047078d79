"""The lock of a project's runs, between real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pdbt.engine.errors import PdbtError, RunInProgress
from pdbt.engine.lock import run_lock
from tests.conftest import ROOT, StartProcess

# Well below what a person notices, well above what a busy machine takes.
SLACK_SECONDS = 10.0

HOLDER = """
import sys
from pathlib import Path
from pdbt.engine.lock import run_lock
with run_lock(Path(sys.argv[1]), 5.0, print):
    print("holding", flush=True)
    sys.stdin.readline()
"""

Hold = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "db" / ".work" / "run.lock"


@pytest.fixture
def hold(lock: Path) -> Hold:
    """Start a process that holds the lock until a line is written to it."""

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(lock), "--param", "key=secret"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        assert process.stdout.readline() == "holding\n"
        return process

    return start


@pytest.fixture
def holder(hold: Hold) -> object:
    """A process that holds the lock."""
    with hold() as process:
        yield process
        process.kill()


def take(lock: Path, timeout: float) -> list[str]:
    """Take the lock and let go of it; return what was said of a wait."""
    said: list[str] = []
    with run_lock(lock, timeout, said.append):
        pass
    return said


def test_a_free_lock_is_taken_again_and_again_without_a_word(lock: Path) -> None:
    assert [take(lock, 0) for _ in range(3)] == [[], [], []]
    assert lock.exists()


def test_while_it_is_held_its_file_says_by_whom_and_no_secret(lock: Path, holder: subprocess.Popen[str]) -> None:
    text = lock.read_text(encoding="utf-8")
    assert json.loads(text)["pid"] == holder.pid
    assert "secret" not in text


def test_who_may_not_wait_is_told_the_pid_and_the_start_at_once(lock: Path, holder: subprocess.Popen[str]) -> None:
    started = json.loads(lock.read_text(encoding="utf-8"))["started"]
    for timeout in (0.0, -1.0, float("nan")):
        with pytest.raises(RunInProgress) as caught:
            take(lock, timeout)
        assert f"PID {holder.pid}, started {started}; waited {timeout:g} s for it." in caught.value.message
        assert caught.value.hint == "Try again when it has ended, or set lock_timeout under [database] in pdbt.toml."
        assert caught.value.exit_code == 75


def test_who_waits_in_vain_is_told_so_when_the_time_is_over(lock: Path, holder: subprocess.Popen[str]) -> None:
    said: list[str] = []
    started = time.monotonic()
    with pytest.raises(RunInProgress, match=rf"PID {holder.pid}, "), run_lock(lock, 0.5, said.append):
        raise AssertionError
    assert 0.5 <= time.monotonic() - started < SLACK_SECONDS
    assert len(said) == 1
    assert said[0].startswith(f"waiting for another run to end: PID {holder.pid}, started ")


def test_who_waits_gets_it_when_the_other_ends(lock: Path, holder: subprocess.Popen[str]) -> None:
    said: list[str] = []

    def let_go(sentence: str) -> None:
        said.append(sentence)
        assert holder.stdin
        holder.stdin.write("\n")
        holder.stdin.flush()

    with run_lock(lock, SLACK_SECONDS, let_go):
        assert json.loads(lock.read_text(encoding="utf-8"))["pid"] == os.getpid()
    assert len(said) == 1


def test_a_killed_holder_leaves_no_lock(lock: Path, hold: Hold) -> None:
    with hold() as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait(SLACK_SECONDS)
    assert json.loads(lock.read_text(encoding="utf-8"))["pid"] == holder.pid
    assert take(lock, 0) == []


@pytest.mark.parametrize("content", ['{"pid": 1, "started": "2020-01-01T00:00:00+00:00"}', "nonsense", "[]", "5", "\udcff", ""])
def test_what_the_file_says_keeps_nobody_out(lock: Path, content: str) -> None:
    lock.parent.mkdir(parents=True)
    lock.write_text(content, encoding="utf-8", errors="surrogateescape")
    assert take(lock, 0) == []
    assert lock.read_text(encoding="utf-8") == ""


def test_a_holder_who_has_not_said_who_it_is_is_unknown(lock: Path, holder: subprocess.Popen[str]) -> None:
    for content in ("nonsense", "[]", "5", '{"pid": 1}', ""):
        lock.write_text(content, encoding="utf-8")
        with pytest.raises(RunInProgress) as caught:
            take(lock, 0)
        assert "PID unknown, just started" in caught.value.message, content


def test_an_error_inside_lets_go(lock: Path) -> None:
    with pytest.raises(ZeroDivisionError), run_lock(lock, 0, print):
        raise ZeroDivisionError
    assert take(lock, 0) == []


def test_a_process_does_not_hold_it_twice(lock: Path) -> None:
    with run_lock(lock, 0, print), pytest.raises(RunInProgress, match=f"PID {os.getpid()}"):
        take(lock, 0)


def test_a_program_that_a_run_starts_does_not_inherit_it(lock: Path, start_process: StartProcess) -> None:
    with run_lock(lock, 0, print):
        child = start_process([sys.executable, "-c", "import time; time.sleep(30)"])
    assert take(lock, 0) == []
    assert child.poll() is None


TAKES_TURNS = """
import sys, time
from pathlib import Path
from pdbt.engine.lock import run_lock
lock, counter = map(Path, sys.argv[1:])
for _ in range(10):
    with run_lock(lock, 60, lambda _: None):
        count = int(counter.read_text())
        time.sleep(0.001)
        counter.write_text(str(count + 1))
"""


def test_no_two_processes_are_ever_inside_together(lock: Path, tmp_path: Path, start_process: StartProcess) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", TAKES_TURNS, lock, counter]
    for process in [start_process(command, env={"PYTHONPATH": str(ROOT)}) for _ in range(3)]:
        assert process.wait(60) == 0
    assert counter.read_text() == "30"


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("a file")
    with pytest.raises(PdbtError, match=r"run\.lock cannot be written: .*\. A run must be able to write to that folder\."):
        take(tmp_path / "db" / ".work" / "run.lock", 0)
