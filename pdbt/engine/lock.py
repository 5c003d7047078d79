"""One run at a time: a lock on a file, which the operating system lets go of when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import PdbtError, RunInProgress

POLL_SECONDS = 0.1


@contextlib.contextmanager
def run_lock(path: Path, timeout: float, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a project's runs.

    The file's content says who holds it, for people; the lock itself is the operating system's, so a killed holder leaves none.

    Args:
        path: the lock's file, made if missing and never removed (removing it would let two runs lock two files).
        timeout: seconds to wait for another run to end; what is no positive number is no wait.
        waiting: told once, in a sentence, when there is a wait.

    Raises:
        RunInProgress: another run still holds it; names its PID and start.
        PdbtError: the file cannot be made or locked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise PdbtError(f"{path} cannot be written: {error.strerror}.", "A run must be able to write to that folder.") from None
    try:
        _wait_for(descriptor, path, timeout, waiting)
        _write_holder(descriptor)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)  # who waits must not read of a run that has ended
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def exclusive(path: Path, timeout: float, who: str) -> Iterator[bool]:
    """Hold a lock, waiting for another process that holds it; the system takes it back from one that is killed.

    Args:
        path: the lock's file, made if missing and never removed.
        timeout: seconds to wait.
        who: who must be able to write to its folder.

    Yields:
        whether it is held: False when the other process had it all the time.

    Raises:
        PdbtError: the file cannot be made, or its disk knows no locks.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise PdbtError(f"{path} cannot be written: {error.strerror}.", f"{who} must be able to write there.") from None
    try:
        deadline = time.monotonic() + timeout
        while not (held := try_lock(descriptor, path)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        yield held
    finally:
        os.close(descriptor)


def run_in_progress(path: Path) -> str:
    """Return who holds the lock of a project's runs, without waiting for it; empty when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return ""  # no run has been there yet
    try:
        return "" if try_lock(descriptor, path) else _holder(path)
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, path: Path, timeout: float, waiting: Callable[[str], None]) -> None:
    deadline = time.monotonic() + (timeout if timeout > 0 else 0.0)
    told = False
    while not try_lock(descriptor, path):
        if time.monotonic() >= deadline:
            raise RunInProgress(
                f"Another run of this project is in progress: {_holder(path)}; waited {timeout:g} s for it.",
                "Try again when it has ended, or set lock_timeout under [database] in pdbt.toml.",
            )
        if not told:
            waiting(f"waiting for another run to end: {_holder(path)}")
            told = True
        time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))


def try_lock(descriptor: int, path: Path) -> bool:
    """Lock an open file for this process alone; returns whether nobody else has it.

    Raises:
        PdbtError: the disk knows no locks.
    """
    try:
        return _try_lock(descriptor)
    except OSError as error:
        raise PdbtError(f"{path} cannot be locked: {error.strerror}.", "Put the project on a disk that knows file locks.") from None


def _write_holder(descriptor: int) -> None:
    """Write who holds the lock; of the command line only its first word, for a parameter may be a secret."""
    started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    text = json.dumps({"pid": os.getpid(), "started": started, "command": Path(sys.argv[0]).name}) + "\n"
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, text.encode())


def _holder(path: Path) -> str:
    """Describe who holds the lock; the file is empty for an instant before its holder writes it."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"PID {holder['pid']}, started {holder['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "PID unknown, just started"


if sys.platform == "win32":  # pragma: no cover - the same promise by the other system's means
    import msvcrt

    # Bytes past the text are locked, so that others can still read who holds it.
    _LOCKED_BYTE = 1 << 30

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
