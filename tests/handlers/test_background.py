"""A pipeline in the background is found again by its PID file."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from pdbt.cli.show_stream import show_launched
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


def test_what_is_printed_can_be_typed_whatever_the_folder_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    served = background.Served(4711, "Serving scores at grpc://127.0.0.1:50051", before=True)
    show_launched(served, Path("my shop/macro"))
    assert capsys.readouterr().out == (
        "The stream is already running (PID 4711). Serving scores at grpc://127.0.0.1:50051\n"
        "Log:  my shop/macro/stream.log\nStop: pdbt stream stop --state 'my shop/macro'\n"
    )
