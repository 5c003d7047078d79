"""The work database: who holds it, and what the last run left."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...engine.databases.files import DatabaseFiles
from ...engine.lock import run_in_progress
from ...engine.process.libraries import is_installed
from ...engine.process.logfile import last_lines
from ...engine.process.ports import describe
from ...engine.publish import WorkFolder
from ..databases import database_files
from .check import ERROR, OK, WARNING, Check, Patient

_RUN_AGAIN = "Run it again: pdbt run"


def examine_lock(patient: Patient) -> Iterable[Check]:
    """Check who holds the work database."""
    return [lock_check(WorkFolder(patient.home / "db" / ".work"), _holders(database_files(patient.home)))]


def lock_check(folder: WorkFolder, holders: Iterable[str]) -> Check:
    """Say who holds the lock of the runs, or has a database of the work folder open.

    Args:
        folder: the project's work folder.
        holders: the processes that have such a file open.
    """
    holder = run_in_progress(folder.lock)
    if holder:
        return Check("lock", WARNING, f"A run is in progress: {holder}.", "Another run waits for it. If it hangs, end that process.")
    others = " and ".join(holders)
    if others:
        return Check("lock", ERROR, f"The work database is open in {others}, which is no run.", "Close it there: a run needs it alone.")
    return Check("lock", OK, "Nobody holds the work database.")


def _holders(files: DatabaseFiles) -> list[str]:
    """Return who has the work database open, finished or not, as far as this user may see it."""
    there = {path.resolve() for path in (files.building, files.sealed) if path.exists()}
    if not there or not is_installed("psutil"):
        return []
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            opened = {Path(file.path) for file in process.open_files()}
        except (psutil.Error, OSError):
            continue
        if opened & there:
            found.append(describe(process))
    return found


def examine_last_run(patient: Patient) -> Iterable[Check]:
    """Check how the last run ended, and whether one was killed."""
    folder = WorkFolder(patient.home / "db" / ".work")
    if run_in_progress(folder.lock):
        return []
    killed = killed_run(folder)
    if killed:
        text = f"The run of {killed} was killed. Readers see what was published before."
        return [Check("last run", ERROR, text, f"{_RUN_AGAIN}; it goes on from there.")]
    return [last_run_check(_last_line(patient.home), patient)]


def killed_run(folder: WorkFolder) -> str:
    """Return who held the lock of the runs when it was killed: one that ends in order empties the lock's file; empty when none was."""
    try:
        said = json.loads(folder.lock.read_text(encoding="utf-8"))
        return f"PID {said['pid']}, started {said['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def last_run_check(line: dict[str, Any] | None, patient: Patient) -> Check:
    """Say how the run of a line of runs.jsonl ended; None when there was none."""
    if line is None:
        return Check("last run", OK, "There was none yet.")
    ended = f"{line.get('status')} at {line.get('start')}"
    if line.get("status") == "done":
        return Check("last run", OK, f"{ended}.")
    said = patient.redact(" ".join(str(line.get("error") or "").split()))
    text = f"{ended}{': ' if said else '.'}{said}"
    if line.get("status") == "partial":
        return Check("last run", WARNING, text, "Mend the files that were left out; macro/execution.log names them.")
    return Check("last run", ERROR, text, _RUN_AGAIN)


def _last_line(home: Path) -> dict[str, Any] | None:
    for text in reversed(last_lines(home / "macro" / "runs.jsonl", 2)):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            return line
    return None
