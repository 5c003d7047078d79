"""Run a command and learn what it cost: wall seconds of the whole process and peak memory of its largest one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KIBIBYTE = 1024  # Linux counts ru_maxrss in kibibytes
LONGEST_RUN = 1800  # seconds; what takes longer hangs
SHOWN_LINES = 20  # of the output of a command that failed


class CommandFailed(Exception):
    """A command that did not exit with 0, or did not end in time.

    Attributes:
        command: what was run.
        output: the last lines that it wrote.
    """

    def __init__(self, command: Sequence[str], code: int, output: str) -> None:
        """Say which command failed and show the end of what it wrote."""
        self.command = tuple(command)
        self.output = output
        super().__init__(f"{' '.join(command)} ended with {code}:\n{output}")


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost.

    Attributes:
        seconds: wall time from before the process was started until it was gone.
        peak: the largest resident memory, in bytes, of any one process of the command. Linux hands the peak of the starting
            process on to its child at exec, so the caller must stay small: this package imports nothing but the standard library.
    """

    seconds: float
    peak: int


def measure(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Cost:
    """Run a command to its end and return what it cost.

    Args:
        command: the program, as a full path, and its arguments.
        folder: the working directory; what the command prints goes to ``output.log`` in it.
        environment: the whole environment of the command.

    Raises:
        CommandFailed: the command failed or took more than `LONGEST_RUN` seconds; it and its children are gone then.
    """
    log = folder / "output.log"
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            list(command), cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        status, peak = _wait(process)
        seconds = time.perf_counter() - started
    if status != 0:
        raise CommandFailed(command, status, "\n".join(log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]))
    return Cost(seconds, peak)


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Wait for a process that leads its own group; returns its exit code and peak memory in bytes."""

    def end_group() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    limit = threading.Timer(LONGEST_RUN, end_group)
    limit.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:  # Ctrl-C does not reach a group of its own
        end_group()
        process.wait()
        raise
    finally:
        limit.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss * KIBIBYTE
