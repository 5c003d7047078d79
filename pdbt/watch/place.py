"""Where a watcher keeps what it knows, and the locks by which no folder has two watchers."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..engine.errors import RUN_IN_PROGRESS, PdbtError
from ..engine.lock import try_lock

FOLDER_LOCK = ".pdbt-watch.lock"
LEDGER_LOCK = "watch.lock"
RUN_FILES = "runs"
HISTORY = "watch.jsonl"
LOG = "watch.log"


class WatcherInProgress(PdbtError):
    """Another watcher has this folder, or this ledger.

    Attributes:
        pid: its process; None if it has not said so yet.
    """

    def __init__(self, message: str, hint: str, pid: int | None) -> None:
        """Keep the process's number beside the sentence."""
        super().__init__(message, hint, RUN_IN_PROGRESS)
        self.pid = pid


@contextlib.contextmanager
def watcher_locks(folder: Path, state: Path) -> Iterator[Callable[[], None]]:
    """Hold a folder and a ledger for this watcher alone; a killed watcher holds nothing. Yields what says that the watcher is ready.

    Args:
        folder: the watched folder; its lock lies in it, so that watchers with other settings see it, unless nothing can be written there.
        state: the folder of the ledger.

    Raises:
        WatcherInProgress: another watcher has one of them; names its process.
        PdbtError: the ledger's folder cannot be written.
    """
    if not folder.is_dir():
        raise PdbtError(f"{folder} is not there, so it cannot be watched.", "Make the folder, or name another one.")
    _make(state)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(_CannotWrite):
            stack.enter_context(_held(folder / FOLDER_LOCK, f"{folder} is watched", "Stop it first, or add your tags to its pipeline."))
        hint = "Give this watcher its own: [watch] state."
        descriptor = stack.enter_context(_held(state / LEDGER_LOCK, f"The ledger in {state} is used", hint))
        yield lambda: _write_holder(descriptor, ready=True)


def holder(state: Path) -> int | None:
    """Return the process of the watcher that has this ledger now; None when there is none."""
    path = state / LEDGER_LOCK
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        return None if try_lock(descriptor, path) else _pid(path)
    finally:
        os.close(descriptor)


def is_ready(state: Path) -> bool:
    """Whether the watcher that has this ledger observes its folder, and all that lay in it is on record."""
    return bool(_said(state / LEDGER_LOCK).get("ready"))


def _make(state: Path) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _CannotWrite(f"{state} cannot be made: {error.strerror}.", "A watcher must be able to write to that folder.") from None


class _CannotWrite(PdbtError):
    """A lock's file cannot be made."""


@contextlib.contextmanager
def _held(path: Path, what: str, hint: str) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _CannotWrite(f"{path} cannot be written: {error.strerror}.", "A watcher must be able to write to that folder.") from None
    try:
        if not try_lock(descriptor, path):
            pid = _pid(path)
            raise WatcherInProgress(f"{what} already, by PID {'unknown' if pid is None else pid}.", hint, pid)
        _write_holder(descriptor, ready=False)
        try:
            yield descriptor
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)  # who looks must not read of a watcher that has ended
    finally:
        os.close(descriptor)


def _write_holder(descriptor: int, *, ready: bool) -> None:
    written = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    text = json.dumps({"pid": os.getpid(), "written": written, "ready": ready}) + "\n"
    with contextlib.suppress(OSError):  # on a full disk the lock holds, and says less
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode())


def _pid(path: Path) -> int | None:
    pid = _said(path).get("pid")
    return pid if isinstance(pid, int) else None


def _said(path: Path) -> dict[str, Any]:
    """Return what a lock's holder wrote; nothing while it is writing."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
