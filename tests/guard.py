"""Processes that tests start: they begin with default signals, and end with the process that runs the tests, however that ends."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from types import FrameType

import psutil

# Whatever a test starts inherits this variable, also a daemon of a daemon; its name is none that a test leaves out of an environment.
MARK = "STARTED_BY_TESTS"
LOOK_SECONDS = 0.5
END_SECONDS = 30.0
# Python itself ignores these, and gives them back to the processes that it starts.
_PYTHONS_OWN = {getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ", "SIGXFZ") if hasattr(signal, name)}


def default_signals() -> None:
    """Let processes that this one starts begin with default signals, though it was started with ignored ones, as nohup does.

    What is ignored stays ignored in a new program, what is handled does not: so a handler that does nothing goes on ignoring here.
    """
    for number in signal.valid_signals() - _PYTHONS_OWN:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _ignore)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing."""


def start() -> None:
    """Start a process that ends, once this process is gone, all that it started and that is left."""
    mark = f"{os.getpid()}-{secrets.token_hex(8)}"
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    subprocess.Popen(
        [sys.executable, __file__, str(os.getpid()), mark],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    # All marks, since a worker of pytest-xdist is started by a pytest too, and its guard may be ended together with it.
    os.environ[MARK] = f"{os.environ.get(MARK, '')} {mark}".strip()


def watch(parent: int, mark: str) -> None:
    """Wait for the end of the parent; then end what bears the mark, with its children, until nothing is left."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    deadline = time.monotonic() + END_SECONDS
    while (left := _marked(mark)) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, LOOK_SECONDS)


def _marked(mark: str) -> list[psutil.Process]:
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        # Another user's process, or one that ends while it is looked at.
        with contextlib.suppress(psutil.Error, OSError):
            if mark in process.environ().get(MARK, "").split() and process.status() != psutil.STATUS_ZOMBIE:
                # A child may have overwritten its environment with its title, as PostgreSQL's do.
                found.update((one.pid, one) for one in (process, *process.children(recursive=True)))
    return list(found.values())


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2])
