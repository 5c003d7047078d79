"""A watcher in the background: launched in a session of its own, found by the lock that it holds, and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..engine.errors import PIPELINE_FAILED, PdbtError
from ..engine.lock import exclusive
from ..project.last_words import ended_while_starting
from . import process
from .inspection import find_ledger
from .ledger import Ledger
from .place import RUN_FILES, holder, is_ready
from .settings import WatchSettings, load_watch_settings

OUTPUT, LAUNCH_LOCK = "watch.out", "launch.lock"
READY_SECONDS = 60.0
STOP_MARGIN_SECONDS = 10.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Launched:
    """A watcher that runs.

    Attributes:
        pid: its process.
        folder: what it watches.
        state: the folder of its ledger.
        before: whether it ran before.
    """

    pid: int
    folder: Path
    state: Path
    before: bool


def launch(settings_file: Path, folder: Path | None = None) -> Launched:
    """Start a watcher in the background, unless it runs.

    Args:
        settings_file: as `pdbt watch --pipeline` takes it.
        folder: what is watched; None means what the settings say.

    Raises:
        PdbtError: the settings are wrong, and nothing was started; or what was started ended, and said why.
    """
    settings = load_watch_settings(settings_file, folder)
    # Of two launches at once the second waits, and finds what the first has started.
    with exclusive(settings.state / LAUNCH_LOCK, READY_SECONDS, "A watcher") as held:
        if not held:
            said = f"Another launch of a watcher of {settings.folder} is still under way."
            raise PdbtError(said, f"Look at {settings.state / OUTPUT}.", PIPELINE_FAILED)
        return _launched(settings, settings_file)


def _launched(settings: WatchSettings, settings_file: Path) -> Launched:
    pid = holder(settings.state)
    if pid is not None:
        return Launched(pid, settings.folder, settings.state, before=True)
    words = [sys.executable, "-P", "-m", "pdbt", "watch", "start", str(settings.folder), "--pipeline", str(settings_file.absolute())]
    output = settings.state / OUTPUT
    with output.open("wb") as log:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    deadline = time.monotonic() + READY_SECONDS
    while holder(settings.state) != child.pid or not is_ready(settings.state):
        if child.poll() is not None:
            raise ended_while_starting("The watcher", output)
        if time.monotonic() > deadline:
            raise PdbtError(f"The watcher (PID {child.pid}) is still starting.", f"Look at {output}.", PIPELINE_FAILED)
        time.sleep(POLL_SECONDS)
    return Launched(child.pid, settings.folder, settings.state, before=False)


def stop(settings_file: Path, folder: Path | None = None, timeout: float | None = None) -> int | None:
    """Stop a watcher: its running tasks may end first, within its grace.

    Args:
        settings_file: as `pdbt watch --pipeline` takes it.
        folder: what is watched; None means what the settings say.
        timeout: seconds before it is killed with its tasks; None means its grace and a little more.

    Returns:
        the process that was stopped; None when no watcher ran.
    """
    state = find_ledger(settings_file, folder)
    pid = holder(state)
    if pid is None:
        return None
    if timeout is None:
        timeout = load_watch_settings(settings_file, folder).grace + STOP_MARGIN_SECONDS
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while holder(state) == pid:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            _end_tasks(state)
            break
        time.sleep(POLL_SECONDS)
    return pid


def _end_tasks(state: Path) -> None:
    """End the tasks that a killed watcher left; they are taken up at the next start."""
    ledger = Ledger(state, read_only=True)
    try:
        run_files: Sequence[Path] = [state / RUN_FILES / str(row.id) for row in ledger.running()]
    finally:
        ledger.close()
    for run_file in run_files:
        trace = process.read_trace(run_file)
        if trace.pid is not None and trace.exit_code is None and process.lives(trace.pid, run_file):
            process.end_family(trace.pid)
