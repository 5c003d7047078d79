"""The ledger: which files arrived and what became of their tasks, in SQLite, so that a crash forgets nothing.

One process writes it, from one thread. Others read it, and `retry` of the command line puts failed tasks back into its queue. What was
committed survives the end of the process however it comes; after a power failure the last moments may be missing, and a task
that had ended in them runs again.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..engine.errors import PdbtError
from .rules import Tag

FILE_NAME = "ledger.sqlite"
VERSION = 1
BUSY_SECONDS = 10.0

State = Literal["waiting", "blocked", "running", "done", "failed", "skipped", "superseded", "gone"]
Standing = Literal["matched", "unmatched", "before"]
Stat = tuple[int, int, int]
"""Size in bytes, modification time in ns, inode."""

_SCHEMA = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    sha256 TEXT, arrived REAL NOT NULL, standing TEXT NOT NULL, latest INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX files_latest ON files (path) WHERE latest;
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, file INTEGER NOT NULL REFERENCES files, tag TEXT NOT NULL, position INTEGER NOT NULL,
    stage INTEGER NOT NULL, run_text TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0,
    log TEXT, exit_code INTEGER, error TEXT, began REAL, ended REAL
);
CREATE INDEX tasks_state ON tasks (state, id);
CREATE INDEX tasks_due ON tasks (due) WHERE state = 'waiting' AND due > 0;
CREATE INDEX tasks_run ON tasks (run, stage);
CREATE INDEX tasks_file ON tasks (file);
CREATE TABLE marks (name TEXT PRIMARY KEY, made REAL NOT NULL);
"""
_COLUMNS = (
    "tasks.id, tasks.run, tasks.file, files.path, files.size, files.mtime_ns, files.inode, tasks.tag, tasks.position, tasks.stage, "
    "tasks.run_text, tasks.state, tasks.attempts, tasks.log, tasks.exit_code, tasks.error, tasks.began, tasks.ended"
)
_TASKS = f"SELECT {_COLUMNS} FROM tasks JOIN files ON files.id = tasks.file "  # noqa: S608 - constants
_FAILED_RUNS = """
SELECT DISTINCT tasks.run FROM tasks JOIN files ON files.id = tasks.file
WHERE tasks.state IN ('failed', 'gone') AND files.latest AND (? IS NULL OR files.path IN (SELECT value FROM json_each(?)))
"""
_RUNNING_OLDER = """
SELECT count(*) FROM tasks JOIN files ON files.id = tasks.file WHERE files.path = ? AND NOT files.latest AND tasks.state = 'running'
"""
# The newest task stays, so that numbers go on from it and none is given twice.
_ENDED_BEFORE = """
SELECT id, path, latest FROM files WHERE arrived < ?1 AND NOT EXISTS (
    SELECT 1 FROM tasks WHERE tasks.file = files.id AND (
        tasks.state IN ('waiting', 'blocked', 'running') OR tasks.ended >= ?1 OR tasks.id = (SELECT max(id) FROM tasks)))
"""


@dataclass(frozen=True)
class KnownFile:
    """The newest content of a path that the ledger knows; `sha256` is None until one of its tasks began."""

    id: int
    path: str
    stat: Stat
    sha256: str | None
    standing: Standing


@dataclass(frozen=True)
class Arrival:
    """A file that is complete, with the tags that its name has."""

    path: str
    stat: Stat
    tags: tuple[Tag, ...]
    standing: Standing = "matched"


@dataclass(frozen=True)
class TaskRow:
    """A task of a file, as the ledger has it.

    Attributes:
        id: its number; unique in this ledger.
        run: the number that all tasks of one tag for one arrival share.
        stage: the place of its group among the tag's groups, from 0.
        attempts: how often it was begun.
    """

    id: int
    run: int
    file: int
    path: str
    size: int
    mtime_ns: int
    inode: int
    tag: str
    position: int
    stage: int
    run_text: str
    state: State
    attempts: int
    log: str | None
    exit_code: int | None
    error: str | None
    began: float | None
    ended: float | None

    @property
    def stat(self) -> Stat:
        """The file's, when it arrived."""
        return self.size, self.mtime_ns, self.inode


class Ledger:
    """The ledger of one watched folder."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Open the ledger of this folder, and make it when there is none.

        Raises:
            PdbtError: it cannot be opened, is damaged or of another version.
        """
        self.path = folder / FILE_NAME
        try:
            if read_only:
                self._database = _connect(self.path, mode="rw")  # readers of WAL write its index
            else:
                folder.mkdir(parents=True, exist_ok=True)
                self._database = _connect(self.path, mode="rwc")
                self._prepare()
            version = self._one("PRAGMA user_version")
        except (OSError, sqlite3.Error) as error:
            raise PdbtError(
                f"The ledger {self.path} cannot be opened: {error}.", "Check its folder's permissions and free space."
            ) from None
        if version != VERSION:
            raise PdbtError(f"The ledger {self.path} is of version {version}, not {VERSION}.", "Move it away to begin a new one.")
        self._next = int(self._one("SELECT coalesce(max(id), 0) FROM tasks")) + 1

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        if self._one("PRAGMA user_version") == 0:
            self._database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        self._database.execute("INSERT OR IGNORE INTO marks VALUES ('begun', ?)", (time.time(),))

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all that follows, or none of it.

        Raises:
            sqlite3.Error: it could not be written; nothing of it was.
        """
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back itself, as on a full disk
                self._database.execute("ROLLBACK")
            self._next = int(self._one("SELECT coalesce(max(id), 0) FROM tasks")) + 1
            raise

    def probe(self) -> None:
        """Write something that changes nothing.

        Raises:
            sqlite3.Error: nothing can be written.
        """
        with self.transaction():
            self._database.execute("INSERT OR REPLACE INTO marks VALUES ('probed', ?)", (time.time(),))

    @property
    def begun(self) -> float:
        """When the folder was first watched, in seconds since the epoch."""
        return float(self._one("SELECT made FROM marks WHERE name = 'begun'"))

    def first_look_marked(self) -> bool:
        """Whether all that lay in the folder when it was first watched is on record."""
        return bool(self._one("SELECT count(*) FROM marks WHERE name = 'first look'"))

    def mark_first_look(self) -> None:
        """Record that it is."""
        self._database.execute("INSERT OR IGNORE INTO marks VALUES ('first look', ?)", (time.time(),))

    # Files ------------------------------------------------------------------------------------------------------------

    def find(self, path: str) -> KnownFile | None:
        """Return the newest content known of a path."""
        row = self._database.execute(
            "SELECT id, path, size, mtime_ns, inode, sha256, standing FROM files WHERE path = ? AND latest", (path,)
        ).fetchone()
        return None if row is None else KnownFile(row[0], row[1], (row[2], row[3], row[4]), row[5], row[6])

    def stats(self) -> dict[str, Stat]:
        """Return the stat of the newest content of every path."""
        rows = self._database.execute("SELECT path, size, mtime_ns, inode FROM files WHERE latest")
        return {path: (size, modified, inode) for path, size, modified, inode in rows}

    def touch(self, file: int, stat: Stat) -> None:
        """Record that a file whose content is as it was has another stat by now."""
        self._database.execute("UPDATE files SET size = ?, mtime_ns = ?, inode = ? WHERE id = ?", (*stat, file))

    def set_hash(self, file: int, sha256: str) -> None:
        """Record the hash of a file's content."""
        self._database.execute("UPDATE files SET sha256 = ? WHERE id = ?", (sha256, file))

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Record files in order of arrival, with the tasks of their tags; what still waits for older content of a path never begins."""
        now = time.time()
        for arrival in arrivals:
            busy = self._supersede(arrival.path)
            file = self._database.execute(
                "INSERT INTO files (path, size, mtime_ns, inode, arrived, standing) VALUES (?, ?, ?, ?, ?, ?)",
                (arrival.path, *arrival.stat, now, arrival.standing),
            ).lastrowid
            for tag in arrival.tags:
                self._add_run(int(file or 0), tag, blocked=busy)

    def _supersede(self, path: str) -> bool:
        """Make room for new content of a path; returns whether tasks of older content still run."""
        if not self._database.execute("UPDATE files SET latest = 0 WHERE path = ? AND latest", (path,)).rowcount:
            return False
        self._database.execute(
            "UPDATE tasks SET state = 'superseded' WHERE state IN ('waiting', 'blocked') AND file IN (SELECT id FROM files WHERE path = ?)",
            (path,),
        )
        return bool(self._one(_RUNNING_OLDER, path))

    def _add_run(self, file: int, tag: Tag, *, blocked: bool) -> None:
        run, groups = self._next, tag.groups
        for position, task in enumerate(tag.tasks):
            stage = groups.index(task.group)
            state = "blocked" if blocked or stage else "waiting"
            self._database.execute(
                "INSERT INTO tasks (id, run, file, tag, position, stage, run_text, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (self._next, run, file, tag.name, position, stage, task.run, state),
            )
            self._next += 1

    def ended_before(self, moment: float) -> list[tuple[int, str, bool]]:
        """Return the files all of whose tasks ended before this moment: number, path, and whether it is the path's newest content."""
        return [(file, path, bool(latest)) for file, path, latest in self._database.execute(_ENDED_BEFORE, (moment,))]

    def forget(self, files: Sequence[int]) -> None:
        """Take files, with their tasks, off the record."""
        kept = {file for (file,) in self._database.execute("SELECT file FROM tasks WHERE state IN ('waiting', 'blocked', 'running')")}
        chosen = json.dumps([file for file in files if file not in kept])  # `retry` may have put some back meanwhile
        self._database.execute("DELETE FROM tasks WHERE file IN (SELECT value FROM json_each(?))", (chosen,))
        self._database.execute("DELETE FROM files WHERE id IN (SELECT value FROM json_each(?))", (chosen,))

    # Tasks ------------------------------------------------------------------------------------------------------------

    def due(self, limit: int, now: float) -> list[TaskRow]:
        """Return the next tasks to begin, in order of arrival."""
        return self._tasks("WHERE tasks.state = 'waiting' AND tasks.due <= ? ORDER BY tasks.id LIMIT ?", now, limit)

    def next_due(self) -> float | None:
        """Return when the next retry is due, in seconds since the epoch."""
        found = self._one("SELECT min(due) FROM tasks WHERE state = 'waiting' AND due > 0")
        return None if found is None else float(found)

    def running(self) -> list[TaskRow]:
        """Return the tasks that were begun and have not ended."""
        return self._tasks("WHERE tasks.state = 'running' ORDER BY tasks.id")

    def begin(self, task: int, log: str) -> None:
        """Record, before it begins, that a task begins."""
        self._database.execute(
            "UPDATE tasks SET state = 'running', attempts = attempts + 1, began = ?, ended = NULL, error = NULL, exit_code = NULL, log = ? "
            "WHERE id = ?",
            (time.time(), log, task),
        )

    def put_back(self, task: int) -> None:
        """Record that a task did not come to its end and is to begin again; the attempt does not count."""
        self._database.execute("UPDATE tasks SET state = 'waiting', attempts = max(attempts - 1, 0), due = 0 WHERE id = ?", (task,))
        self._go_on(task)

    def try_again(self, task: int, due: float, exit_code: int | None, error: str) -> None:
        """Record that a task failed and is due again at this time, unless there is newer content of its file by then."""
        self._database.execute(
            "UPDATE tasks SET state = 'waiting', due = ?, exit_code = ?, error = ?, ended = ? WHERE id = ?",
            (due, exit_code, error, time.time(), task),
        )
        self._go_on(task)

    def end(self, task: int, state: State, exit_code: int | None = None, error: str | None = None) -> None:
        """Record how a task ended, and let begin what waited for it."""
        self._database.execute(
            "UPDATE tasks SET state = ?, exit_code = ?, error = ?, ended = ? WHERE id = ?", (state, exit_code, error, time.time(), task)
        )
        run, stage = self._database.execute("SELECT run, stage FROM tasks WHERE id = ?", (task,)).fetchone()
        if state != "done":
            self._database.execute(
                "UPDATE tasks SET state = 'skipped' WHERE run = ? AND stage > ? AND state IN ('waiting', 'blocked')", (run, stage)
            )
        self._go_on(task)

    def _go_on(self, task: int) -> None:
        """Unblock the next group of the task's run, or the runs of newer content of its file."""
        file, path, latest = self._database.execute(
            "SELECT files.id, files.path, files.latest FROM tasks JOIN files ON files.id = tasks.file WHERE tasks.id = ?", (task,)
        ).fetchone()
        if not latest:
            self._database.execute("UPDATE tasks SET state = 'superseded' WHERE file = ? AND state IN ('waiting', 'blocked')", (file,))
            newest = self.find(path)
            if newest is None or self._one(_RUNNING_OLDER, path):
                return
            file = newest.id
        self._database.execute(
            "UPDATE tasks SET state = 'waiting' WHERE file = ?1 AND state = 'blocked' AND NOT EXISTS (SELECT 1 FROM tasks AS earlier "
            "WHERE earlier.run = tasks.run AND earlier.stage < tasks.stage AND earlier.state != 'done')",
            (file,),
        )

    def retry(self, paths: Sequence[str] = ()) -> int:
        """Put tasks that failed, with those that were skipped for it, back into the queue; returns how many failed ones there were.

        Args:
            paths: only those of these files; none means of all.
        """
        chosen = json.dumps([*paths]) if paths else None
        count = 0
        with self.transaction():
            for (run,) in self._database.execute(_FAILED_RUNS, (chosen, chosen)).fetchall():
                count += self._database.execute(
                    "UPDATE tasks SET state = 'waiting', attempts = 0, due = 0 WHERE run = ? AND state IN ('failed', 'gone')", (run,)
                ).rowcount
                self._database.execute(
                    "UPDATE tasks SET state = 'blocked', attempts = 0, due = 0 WHERE run = ? AND state = 'skipped'", (run,)
                )
        return count

    # Looking on -------------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Return how many tasks there are in each state."""
        return dict(self._database.execute("SELECT state, count(*) FROM tasks GROUP BY state").fetchall())

    def file_counts(self) -> dict[str, int]:
        """Return how many files there are by standing; a path with new content counts again."""
        return dict(self._database.execute("SELECT standing, count(*) FROM files GROUP BY standing").fetchall())

    def history(self, limit: int, state: str | None = None) -> list[TaskRow]:
        """Return the tasks that began last, the newest first."""
        chosen = " AND tasks.state = ?" if state else ""
        values = (state, limit) if state else (limit,)
        return self._tasks(f"WHERE tasks.began IS NOT NULL{chosen} ORDER BY tasks.began DESC, tasks.id DESC LIMIT ?", *values)

    def data_version(self) -> int:
        """Return a number that changes when another process wrote to the ledger."""
        return int(self._one("PRAGMA data_version"))

    def _tasks(self, rest: str, *values: object) -> list[TaskRow]:
        rows = self._database.execute(_TASKS + rest, values)
        return [TaskRow(*row) for row in rows]

    def _one(self, sql: str, *values: object) -> Any:
        return self._database.execute(sql, values).fetchone()[0]


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True)
