"""The process that is the instance: it says who it is, serves, and takes its leave."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType

from ..errors import PdbtError
from .identity import FOREGROUND, PORT, record_of, remove_record, write_record
from .place import MARKER, InstancePlace

DAGSTER_HOME = "DAGSTER_HOME"
# The PID of who launched the instance, and looked first whether it may be; one that was started by itself has its own there.
LAUNCHER = "PDBT_DAGSTER_LAUNCHER"

if sys.platform == "win32":  # pragma: no cover - what a session of its own is elsewhere
    _APART = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
else:
    _APART = 0


def command_line(command: Sequence[str], port: int) -> list[str]:
    """Return the command of the process, whatever command launches its instance."""
    return [*command, FOREGROUND, PORT, str(port)]


def environment(place: InstancePlace) -> dict[str, str]:
    """Return the environment of the process, which all that it starts inherit."""
    return {**os.environ, MARKER: str(place.home), DAGSTER_HOME: str(place.home), LAUNCHER: str(os.getpid())}


def was_launched(place: InstancePlace) -> bool:
    """Whether this process was started by a launcher of the instance that is still there."""
    return _is_marked(place) and os.environ.get(LAUNCHER) == str(os.getppid())


def become_marked(place: InstancePlace, command: Sequence[str], port: int) -> None:
    """Begin this process anew with the mark in its environment, where others can see it; returns when it has done so before."""
    if _is_marked(place) and os.environ.get(LAUNCHER) == str(os.getpid()):
        return
    if os.name == "posix":
        os.execve(sys.executable, command_line(command, port), environment(place))  # noqa: S606 - this Python, and no shell
    os.environ.update(environment(place))


def _is_marked(place: InstancePlace) -> bool:
    return os.environ.get(MARKER) == os.environ.get(DAGSTER_HOME) == str(place.home)


def claim(place: InstancePlace, port: int) -> None:
    """Write this process into the PID file."""
    write_record(place, record_of(os.getpid(), port, place))


def serve_until_ended(place: InstancePlace, port: int) -> None:
    """Be the instance until SIGTERM or SIGINT, then remove the PID file."""
    os.chdir(place.folder)  # wherever it was started: relative paths in the project's own code mean the same at every run
    try:
        with _ended_by_sigterm():
            from .server import serve

            serve(place, port)
    except Exception as error:
        if was_launched(place) and not isinstance(error, PdbtError):
            traceback.print_exc()  # nobody sees it but who looks into the log for it
        raise
    finally:
        remove_record(place, os.getpid())


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end this process in order also before the server looks after that itself."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def start(place: InstancePlace, command: Sequence[str], port: int) -> subprocess.Popen[bytes]:
    """Start the process in the background: it outlives this one and its terminal, and writes to the log."""
    with place.log_file.open("ab") as log:
        return subprocess.Popen(
            command_line(command, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environment(place), "PYTHONUNBUFFERED": "1"},
            cwd=place.folder,
            start_new_session=True,
            creationflags=_APART,
        )
