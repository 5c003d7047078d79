"""A pipeline in the background is found again by its PID file."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil

from pdbt.handlers import background
from tests.conftest import StartProcess

LAUNCHES = 40
DEADLINE_SECONDS = 30.0


def test_a_process_is_known_again_however_early_it_was_written_down(start_process: StartProcess, tmp_path: Path) -> None:
    """For a moment after its start the system tells no command line of a process; one of eight launches met that moment."""
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    for _ in range(LAUNCHES):
        process = start_process(command)
        background._note(tmp_path, process.pid, command)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not psutil.Process(process.pid).cmdline():
            assert time.monotonic() < deadline
        known = background._running(tmp_path)
        assert known is not None
        assert known.pid == process.pid
        process.kill()
        process.wait()
