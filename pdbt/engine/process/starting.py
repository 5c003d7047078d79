"""An instance that is being started: watched until its page can list what it runs, and told of when it cannot."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import PIPELINE_FAILED, PdbtError
from . import page
from .identity import Record, read_record, remove_record
from .logfile import last_lines
from .place import InstancePlace
from .progress import Progress

POLL_SECONDS = 0.05
ANSWER_SECONDS = 10.0
READ_LINES, SHOWN_LINES = 100, 12
# The lines of a traceback; what it ends with, the error, is none of them.
_TRACEBACK = (" ", "\t", "Traceback (", "The above exception was", "During handling of")


class DiedStarting(PdbtError):
    """What was started ended before its page answered.

    Attributes:
        lines: the last lines that it wrote, without tracebacks.
    """

    def __init__(self, place: InstancePlace, code: int, lines: Sequence[str]) -> None:
        """Name the exit code, and what it said of it."""
        self.lines = [line for line in lines if line.strip() and not line.startswith(_TRACEBACK)][-SHOWN_LINES:]
        last = self.lines[-1] if self.lines else ""
        reason = next((line.removeprefix("error: ") for line in reversed(self.lines) if line.startswith("error: ")), last)
        message = f"{place.name}: Dagster ended with exit code {code} while it was starting{': ' if reason else '.'}{reason}"
        super().__init__(message, f"Look at {place.log_file}.", PIPELINE_FAILED)


@dataclass(frozen=True)
class Starting:
    """An instance that was started and is waited for.

    Attributes:
        place: where it lives.
        process: what was started.
        log_start: what the log held before, in bytes.
        deadline: until when it is waited for, of the monotonic clock.
    """

    place: InstancePlace
    process: subprocess.Popen[bytes]
    log_start: int
    deadline: float

    def wait_for_record(self) -> Record:
        """Wait until the process has said who it is."""
        while True:
            record = read_record(self.place)
            if record is not None and record.pid == self.process.pid:
                return record
            self._check()
            time.sleep(POLL_SECONDS)

    def wait_for_page(self, port: int) -> page.Loaded:
        """Wait until the page has every project, or why it cannot have it."""
        with Progress(f"{self.place.name}: Dagster is starting") as progress:
            while True:
                progress.show()
                with contextlib.suppress(page.NoAnswer):
                    loaded = page.look(port, min(ANSWER_SECONDS, max(POLL_SECONDS, self.deadline - time.monotonic())))
                    if loaded.whole:
                        return loaded
                self._check()
                time.sleep(POLL_SECONDS)

    def _check(self) -> None:
        code = self.process.poll()
        if code is not None:
            remove_record(self.place, self.process.pid)
            lines = last_lines(self.place.log_file, READ_LINES, self.log_start)
            raise DiedStarting(self.place, code, [self.place.redact(line) for line in lines])
        if time.monotonic() >= self.deadline:
            raise PdbtError(
                f"Dagster (PID {self.process.pid}) does not answer yet; it goes on starting.",
                f"Look at {self.place.log_file}. To wait longer: --timeout SECONDS.",
                PIPELINE_FAILED,
            )
