"""Dispatch: the next tasks of the queue begin, as many at once as there may be, and how they end is recorded."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from . import process
from .execution import Attempt, Execution, Outcome, file_stat, log_path, task_id
from .journal import Journal
from .ledger import Ledger, Stat, TaskRow
from .place import RUN_FILES
from .settings import WatchSettings

MISSING_TASK = "it is no longer in the pipeline"
MISSING_FILE = "its file is not there any more"


class Dispatch:
    """The tasks that run now. Used by the scheduler's thread alone."""

    def __init__(self, settings: WatchSettings, ledger: Ledger, journal: Journal, report: Callable[[Outcome], None]) -> None:
        """Begin with nothing running.

        Args:
            settings: of the watcher.
            ledger: the queue.
            journal: told what begins.
            report: told each outcome, from another thread, to be given to `record` and `forget`.
        """
        self._settings, self._ledger, self._journal, self._report = settings, ledger, journal, report
        self._run_files = settings.state / RUN_FILES
        self._executions: dict[int, Execution] = {}
        self._look = True
        self._allowed = True
        self._retries: list[float] = []
        self.ending = False

    @property
    def running(self) -> int:
        """How many tasks run."""
        return len(self._executions)

    @property
    def next_due(self) -> float | None:
        """When the next retry is due, in seconds since the epoch; None while there is none, or no room for it."""
        room = self._allowed and len(self._executions) < self._settings.max_workers
        return min(self._retries, default=None) if room else None

    def look(self) -> None:
        """Look at the queue again: something was put into it that may begin at once."""
        self._look = True

    def queue_changed(self) -> None:
        """Look at the queue again: it was changed from outside, or a retry is due."""
        self._look = True
        due = self._ledger.next_due()
        self._retries = [] if due is None else [due]

    # At the start -----------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Take up what an earlier watcher left: what still runs is waited for, what has ended is recorded, the rest begins again."""
        self._run_files.mkdir(parents=True, exist_ok=True)
        for row in self._ledger.running():
            run_file = self._run_file(row)
            trace = process.read_trace(run_file)
            ended_unseen = trace.exit_code is not None
            task = self._settings.pipeline.task(row.tag, row.position, row.run_text)
            if task is not None and trace.pid is not None and (ended_unseen or process.lives(trace.pid, run_file)):
                self._adopt(Attempt(row, task, Path(row.log or log_path(task, row)), run_file, row.attempts, self._settings.folder))
            else:
                with self._ledger.transaction():
                    self._ledger.put_back(row.id)
        self.queue_changed()

    def _adopt(self, attempt: Attempt) -> None:
        execution = Execution(attempt, self._settings.connections, self._report)
        self._executions[attempt.row.id] = execution
        self._journal.tell(
            "adopted", f"task {task_id(attempt)} was begun by an earlier watcher", task=task_id(attempt), file=attempt.row.path
        )
        execution.adopt()

    # Beginning --------------------------------------------------------------------------------------------------------

    def begin_due(self, *, allowed: bool, folder_is_there: Callable[[], bool], changed: Callable[[str], None]) -> None:
        """Begin tasks as long as there is room and there are some that are due.

        Args:
            allowed: whether tasks may begin now.
            folder_is_there: asked when a file is missing: a share that was unmounted takes all its files with it.
            changed: told a file that is no longer as it arrived; its new content is to be looked at.

        Raises:
            sqlite3.Error: the ledger could not be written; nothing was begun that is not on record.
        """
        self._allowed = allowed
        if allowed and self._retries and min(self._retries) <= time.time():
            self.queue_changed()
        while allowed and self._look and len(self._executions) < self._settings.max_workers:
            room = self._settings.max_workers - len(self._executions)
            rows = self._ledger.due(room, time.time())
            if not rows:
                self._look = False
                return
            stats = {row.id: _stat(row) for row in rows}
            gone = [row for row in rows if stats[row.id] is None]
            if gone and not folder_is_there():
                return
            # Once a task of a run has begun, the others follow, whatever the tasks themselves did to the file.
            fresh = [row for row in rows if row not in gone and not row.stage and not row.attempts]
            other = [row for row in fresh if stats[row.id] != row.stat]
            self._begin([row for row in rows if row not in gone and row not in other])
            self._drop(gone)
            self._supersede(other, changed)

    def _begin(self, rows: list[TaskRow]) -> None:
        attempts: list[Attempt] = []
        unknown: list[TaskRow] = []
        with self._ledger.transaction():
            for row in rows:
                task = self._settings.pipeline.task(row.tag, row.position, row.run_text)
                if task is None:
                    self._ledger.end(row.id, "failed", error=MISSING_TASK)
                    unknown.append(row)
                    continue
                log, run_file = log_path(task, row), self._run_file(row)
                attempts.append(Attempt(row, task, log, run_file, row.attempts + 1, self._settings.folder))
                self._ledger.begin(row.id, str(attempts[-1].log))
        for row in unknown:
            sentence = f"{row.run_text} ({row.tag}, {row.path}) did not begin: {MISSING_TASK}"
            self._journal.tell("fault", sentence, warning=True, file=row.path, tag=row.tag)
        for attempt in attempts:
            attempt.run_file.unlink(missing_ok=True)
            self._executions[attempt.row.id] = execution = Execution(attempt, self._settings.connections, self._report)
            execution.start()
            row = attempt.row
            self._journal.tell(
                "started", task=task_id(attempt), run=row.run, tag=row.tag, group=attempt.task.group, file=row.path, log=str(attempt.log)
            )

    def _drop(self, rows: list[TaskRow]) -> None:
        """Record that the files of these tasks are gone; a person may have taken them back."""
        if not rows:
            return
        with self._ledger.transaction():
            for row in rows:
                self._ledger.end(row.id, "gone", error=MISSING_FILE)
        for row in rows:
            self._journal.tell("gone", f"{row.path} was gone before {row.run_text} began", warning=True, file=row.path, tag=row.tag)

    def _supersede(self, rows: list[TaskRow], changed: Callable[[str], None]) -> None:
        """Record that what these tasks were for is no longer there; the new content has tasks of its own."""
        if not rows:
            return
        with self._ledger.transaction():
            for row in rows:
                self._ledger.end(row.id, "superseded")
        for row in rows:
            changed(row.path)

    # Ending -----------------------------------------------------------------------------------------------------------

    def record(self, outcome: Outcome) -> str:
        """Record an outcome, within the ledger's transaction; returns ``done``, ``failed``, ``waiting`` or ``unfinished``."""
        row, task = outcome.attempt.row, outcome.attempt.task
        if outcome.sha256 is not None:
            self._ledger.set_hash(row.file, outcome.sha256)
        if outcome.unbegun or (outcome.stopped and outcome.exit_code != 0):
            self._ledger.put_back(row.id)
            return "unfinished"
        if outcome.error is None:
            self._ledger.end(row.id, "done", outcome.exit_code)
            return "done"
        if outcome.attempt.number <= task.retries:
            due = time.time() + task.delay(outcome.attempt.number)
            self._ledger.try_again(row.id, due, outcome.exit_code, outcome.error)
            self._retries.append(due)
            return "waiting"
        self._ledger.end(row.id, "failed", outcome.exit_code, outcome.error)
        return "failed"

    def forget(self, outcome: Outcome) -> None:
        """Let go of an attempt whose outcome is on record."""
        self._executions.pop(outcome.attempt.row.id, None)
        with contextlib.suppress(OSError):
            outcome.attempt.run_file.unlink()
        self._look = True

    def begin_ending(self) -> None:
        """End all that runs, without waiting for it."""
        if not self.ending:
            self.ending = True
            for execution in self._executions.values():
                threading.Thread(target=execution.stop, name="end").start()

    def end_all(self) -> None:
        """End all that runs, and wait for it; what is not on record is taken up at the next start."""
        for execution in self._executions.values():
            execution.stop()

    # Files ------------------------------------------------------------------------------------------------------------

    def _run_file(self, row: TaskRow) -> Path:
        return self._run_files / f"{row.id}"


def _stat(row: TaskRow) -> Stat | None:
    """Return the stat of a task's file; None if it is gone."""
    try:
        return file_stat(row.path)
    except OSError:
        return None
