"""What a ledger says of a watched folder, also while its watcher runs: states, the last runs; and putting failed tasks back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..engine.errors import PdbtError
from .ledger import FILE_NAME, Ledger, TaskRow
from .place import holder
from .settings import STATE_FOLDER, load_watch_settings


@dataclass(frozen=True)
class Overview:
    """The state of one watched folder.

    Attributes:
        state: the folder of the ledger.
        pid: the watcher's process; None when none runs.
        tasks: how many there are, by state.
        files: how many arrivals there are: ``matched``, ``unmatched``, or there ``before``.
        running: the tasks that run.
    """

    state: Path
    pid: int | None
    tasks: dict[str, int]
    files: dict[str, int]
    running: tuple[TaskRow, ...]


def find_ledger(settings_file: Path, folder: Path | None) -> Path:
    """Return the folder of the ledger that a watcher with these settings uses.

    Args:
        settings_file: as `pdbt watch` is given it.
        folder: what is watched; None means what the settings say, or the only folder that was ever watched with them.

    Raises:
        PdbtError: no watcher was ever started, or there are several to choose from.
    """
    known = sorted(path.parent for path in (settings_file.absolute().parent / STATE_FOLDER).glob(f"*/{FILE_NAME}"))
    if folder is None and len(known) == 1:
        return known[0]
    try:
        state = load_watch_settings(settings_file, folder).state
    except PdbtError:
        if folder is None and len(known) > 1:
            names = ", ".join(path.name for path in known)
            raise PdbtError(f"Several folders were watched: {names}.", "Name the folder.") from None
        raise
    if not (state / FILE_NAME).is_file():
        raise PdbtError(f"No watcher was started yet: there is no ledger in {state}.", "Start one with: pdbt watch FOLDER")
    return state


def overview(state: Path) -> Overview:
    """Return what the ledger in this folder says now."""
    ledger = Ledger(state, read_only=True)
    try:
        return Overview(state, holder(state), ledger.counts(), ledger.file_counts(), tuple(ledger.running()))
    finally:
        ledger.close()


def history(state: Path, limit: int, task_state: str | None = None) -> list[TaskRow]:
    """Return the tasks that began last, the newest first.

    Args:
        state: the folder of the ledger.
        limit: how many at most.
        task_state: only those in this state, as ``failed``.
    """
    ledger = Ledger(state, read_only=True)
    try:
        return ledger.history(limit, task_state)
    finally:
        ledger.close()


def retry(state: Path, files: Sequence[Path] = ()) -> int:
    """Put tasks that failed back into the queue; a watcher that runs begins them within a second.

    Args:
        state: the folder of the ledger.
        files: only those of these files; none means of all.

    Returns:
        how many failed tasks there were.
    """
    ledger = Ledger(state, read_only=True)
    try:
        return ledger.retry([os.path.abspath(path) for path in files])  # noqa: PTH100 - a link stays a link, as the watcher recorded it
    finally:
        ledger.close()
