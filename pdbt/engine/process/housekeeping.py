"""What keeps an instance from growing without end: its history stays under a size, and its log is rotated while it is written."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from .logfile import rotate
from .place import InstancePlace

HISTORY_BYTES = 400 * 1024 * 1024
# A run every five minutes makes 105,120 runs a year. One of the sample takes about 0.2 MB, so 1,500 runs, five days of them, take
# 300 MB; of a larger project fewer are kept, for the size is what counts.
MOST_RUNS = 1500
CLEANING_SECONDS = 600.0
BATCH = 50
_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


class Housekeeping:
    """Looks after the files of one instance, now and then."""

    def __init__(self, place: InstancePlace, instance: DagsterInstance) -> None:
        """Begin; the first cleaning comes with the first tick."""
        self._place = place
        self._instance = instance
        self._cleaned = float("-inf")

    def tick(self) -> None:
        """Do what is due."""
        rotate(self._place.log_file)
        if time.monotonic() - self._cleaned >= CLEANING_SECONDS:
            forget_old_runs(self._instance, self._place.home)
            self._cleaned = time.monotonic()


def forget_old_runs(instance: DagsterInstance, home: Path, most_runs: int = MOST_RUNS, most_bytes: int = HISTORY_BYTES) -> int:
    """Remove the oldest runs that have ended, with their logs, until there are few enough and they take little enough room.

    Returns:
        how many were removed.
    """
    ended = list(reversed(instance.get_run_ids(RunsFilter(statuses=_ENDED))))
    removable = ended[:-1]  # the last one is what a person looks for
    excess, removed = len(ended) - most_runs, 0
    while removed < len(removable) and (removed < excess or used_bytes(home) > most_bytes):
        batch = removable[removed : excess if removed < excess else removed + BATCH]
        for run_id in batch:
            _forget(instance, home, run_id)
        removed += len(batch)
    return removed


def _forget(instance: DagsterInstance, home: Path, run_id: str) -> None:
    """Remove a run, and the files that Dagster leaves of one that it has removed."""
    instance.delete_run(run_id)
    shutil.rmtree(home / "storage" / run_id, ignore_errors=True)
    for file in (home / "history" / "runs").glob(f"{run_id}.db*"):
        file.unlink(missing_ok=True)


def used_bytes(folder: Path) -> int:
    """Return what the files below a folder hold; the pages that an SQLite file keeps for what comes are not counted."""
    total = 0
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                total += path.stat().st_size - (_free_bytes(path) if path.suffix == ".db" else 0)
        except OSError:  # gone meanwhile
            continue
    return total


def _free_bytes(database: Path) -> int:
    """Return the size of an SQLite file's free pages, as its header says (sqlite.org/fileformat2.html, 1.3)."""
    with database.open("rb") as file:
        header = file.read(100)
    page = int.from_bytes(header[16:18], "big")
    return int.from_bytes(header[36:40], "big") * (65536 if page == 1 else page)
