"""A project whose schedule a test lets tick, as often and as soon as it wants."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from pdbt.engine.process.place import MARKER
from tests.conftest import project_environment
from tests.process.instances import dagster_settings

PROGRAM = Path(__file__).with_name("ticking_process.py")
READY_SECONDS = 120.0
MARK = "ticking: "  # the runs print to the same place


class Ticking:
    """The scheduler of one project."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def tick(self) -> list[str]:
        """Let a minute pass; return how the runs ended that it started."""
        assert self._process.stdin is not None
        self._process.stdin.write("tick\n")
        self._process.stdin.flush()
        ended: list[str] = json.loads(self.line())
        return ended

    def line(self) -> str:
        """Return the next line of its own, or fail with what it said instead."""
        assert self._process.stdout is not None
        timer = threading.Timer(READY_SECONDS, self._process.kill)
        timer.start()
        try:
            said = (line for line in self._process.stdout if line.startswith(MARK))
            line = next(said, "")
        finally:
            timer.cancel()
        assert line, self._log.read_text(encoding="utf-8")
        return line.removeprefix(MARK).strip()


@contextlib.contextmanager
def ticking(project: Path, env: Mapping[str, str] | None = None) -> Iterator[Ticking]:
    """Give a project's scheduler, every minute due; its processes end with the block."""
    dagster_settings(project, schedule="* * * * *", schedule_status="running", sensor_status="stopped")
    home = project / "macro" / ".dagster"
    log = project / "ticking.log"
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(project)],
            cwd=project,
            env=project_environment({MARKER: str(home), "DAGSTER_HOME": str(home), **(env or {})}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        found = Ticking(process, log)
        assert found.line() == "ready"
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
