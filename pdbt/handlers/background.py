"""A served pipeline in the background: launched in a session of its own, found by more than its PID, and stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.errors import PIPELINE_FAILED, PdbtError
from ..engine.files import write_durably
from ..engine.lock import exclusive
from ..engine.process import libraries
from ..project.last_words import ended_while_starting

if TYPE_CHECKING:
    import psutil

PID_FILE, LOG_FILE, LOCK_FILE = "stream.pid", "stream.log", "stream.lock"
READY_SECONDS = 120.0
STOP_SECONDS = 60.0
START_TOLERANCE_SECONDS = 1.0
POLL_SECONDS = 0.1
_READY = "Serving "


@dataclass(frozen=True)
class Served:
    """A pipeline that is served in the background.

    Attributes:
        pid: its process.
        said: where it is served, as it says itself.
        before: whether it ran before.
    """

    pid: int
    said: str
    before: bool


def launch(file: Path, folder: Path, options: Sequence[str] = ()) -> Served:
    """Serve a pipeline in the background, unless it is served.

    Args:
        file: the Python file of the pipeline.
        folder: where stream.pid and stream.log are.
        options: of `pdbt stream serve`.

    Raises:
        PdbtError: what was started ended, or does not begin to serve, and said why.
    """
    libraries.require("pdbt stream launch", ["psutil"])
    # Of two launches at once the second waits, and finds what the first has started.
    with exclusive(folder / LOCK_FILE, READY_SECONDS, "The stream") as held:
        if not held:
            raise PdbtError(
                f"Another launch of the stream in {folder} is still under way.", f"Look at {folder / LOG_FILE}.", PIPELINE_FAILED
            )
        return _launched(file, folder, options)


def _launched(file: Path, folder: Path, options: Sequence[str]) -> Served:
    running = _running(folder)
    log = folder / LOG_FILE
    if running is not None:
        return Served(running.pid, _ready_line(log), before=True)
    words = [sys.executable, "-P", "-m", "pdbt", "stream", "serve", str(file.resolve()), *options]
    with log.open("wb") as output:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    _note(folder, child.pid, words)
    deadline = time.monotonic() + READY_SECONDS
    while not _ready_line(log):
        if child.poll() is not None:
            (folder / PID_FILE).unlink(missing_ok=True)
            raise ended_while_starting("The stream", log)
        if time.monotonic() > deadline:
            raise PdbtError(f"The stream (PID {child.pid}) is still starting.", f"Look at {log}.", PIPELINE_FAILED)
        time.sleep(POLL_SECONDS)
    return Served(child.pid, _ready_line(log), before=False)


def stop(folder: Path, timeout: float = STOP_SECONDS) -> str:
    """Stop what `launch` started; what is under way is finished first.

    Args:
        folder: where stream.pid is.
        timeout: seconds before it is killed, with all that it started.

    Returns:
        What was done, as a sentence: also that nothing runs, or that the PID file told of a process that is gone.
    """
    pid_file = folder / PID_FILE
    if not pid_file.exists():
        return "No stream runs."
    libraries.require("pdbt stream stop", ["psutil"])
    process = _running(folder)
    if process is None:
        told = _said(pid_file).get("pid", "no process")
        _forget(pid_file, told)
        return f"No stream runs: {pid_file.name} named PID {told}, which is gone or somebody else's. The file is removed."
    import psutil

    family = process.children(recursive=True)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs([process], timeout=timeout)
    _, left = psutil.wait_procs(family, timeout=timeout if not alive else 0)
    for member in (*alive, *left):
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs([*alive, *left], timeout=timeout)
    _forget(pid_file, process.pid)
    return f"Stopped the stream (PID {process.pid}){' by force' if alive else ''}."


def _note(folder: Path, pid: int, command: Sequence[str]) -> None:
    """Write the PID file; the command is the one that was given, as a process that is just becoming it has none to ask for."""
    import psutil

    said = {"pid": pid, "started": psutil.Process(pid).create_time(), "command": list(command)}
    write_durably(folder / PID_FILE, json.dumps(said, indent=1, ensure_ascii=False) + "\n")


def _forget(pid_file: Path, pid: object) -> None:
    """Remove the PID file, unless another launch has written its own meanwhile."""
    if _said(pid_file).get("pid", "no process") == pid:
        pid_file.unlink(missing_ok=True)


def _said(pid_file: Path) -> dict[str, object]:
    try:
        said = json.loads(pid_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _running(folder: Path) -> psutil.Process | None:
    """Return the process of the PID file if it is the one that was launched: the system gives numbers away again."""
    import psutil

    said = _said(folder / PID_FILE)
    pid, started = said.get("pid"), said.get("started")
    if not isinstance(pid, int) or not isinstance(started, float) or pid == os.getpid():
        return None
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < START_TOLERANCE_SECONDS and process.status() != psutil.STATUS_ZOMBIE
        return process if same and process.cmdline() == said.get("command") else None
    except psutil.Error:
        return None


def _ready_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(_READY)), "")
