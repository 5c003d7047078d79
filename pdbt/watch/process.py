"""A task's process: started so that its end is on record even when the watcher does not live to see it, and ended with its children.

The process is a shell that writes its number to the run file, runs the task, and adds the task's exit code. A watcher that was
killed and started again reads from the run file whether the task still runs and how it ended, and so runs nothing twice.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

POLITE_SECONDS = 3.0
POLL_SECONDS = 0.05
ADOPTED_POLL_SECONDS = 0.2

_SHELL = "/bin/sh"
_SCRIPT = 'echo $$ >"$0" || exit; "$@"; code=$?; echo $code >>"$0"; exit $code'


@dataclass(frozen=True)
class Trace:
    """What a run file says: the process's number, and the exit code once the task has ended; None for what it does not say."""

    pid: int | None
    exit_code: int | None


def start(words: Sequence[str], run_file: Path, log: int, environment: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a task in a session of its own, so that what ends the watcher does not end it.

    Args:
        words: the program and its arguments.
        run_file: where its number and exit code go.
        log: the open file that takes its output.
        environment: the whole of it.
        folder: where it begins.

    Raises:
        OSError: the system starts no process.
    """
    return subprocess.Popen(
        [_SHELL, "-c", _SCRIPT, str(run_file), *words],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


def read_trace(run_file: Path) -> Trace:
    """Read a run file; one that is not there, or of which a full disk left a part, says less."""
    try:
        pid, _, code = run_file.read_text(encoding="ascii").partition("\n")
        return Trace(int(pid), int(code) if code.endswith("\n") else None)
    except (OSError, ValueError):
        return Trace(None, None)


def lives(pid: int, run_file: Path) -> bool:
    """Whether the process of a run file still runs; the number alone would say nothing, for the system gives it away again."""
    import psutil

    try:
        process = psutil.Process(pid)
        return str(run_file) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_for_adopted(pid: int, run_file: Path) -> None:
    """Wait until a process that an earlier watcher started has ended."""
    while lives(pid, run_file):
        time.sleep(ADOPTED_POLL_SECONDS)


def end_family(pid: int, patience: float = POLITE_SECONDS) -> None:
    """End a task's process and all that it started: politely, then by force.

    Args:
        pid: the process, which leads its session.
        patience: seconds between the two.
    """
    strays = _descendants(pid)
    _signal(pid, strays, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and _any_lives(pid, strays):
        time.sleep(POLL_SECONDS)
    _signal(pid, [*strays, *_descendants(pid)], signal.SIGKILL)


def _descendants(pid: int) -> list[psutil.Process]:
    """Return the children and their children, also those that left the session."""
    import psutil

    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _signal(group: int, strays: Sequence[psutil.Process], number: signal.Signals) -> None:
    import psutil

    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
    for process in strays:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)  # checks that the number is still that process's


def _any_lives(group: int, strays: Sequence[psutil.Process]) -> bool:
    import psutil

    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        pass
    except PermissionError:
        return True
    else:
        return True
    for process in strays:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
