"""One attempt at one task: its command, its log, its time-out, and how it ended."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO

from ..engine.environment import ENVIRONMENT_FILE, Environment
from ..engine.errors import PdbtError
from . import process
from .ledger import Stat, TaskRow
from .rules import Task

# Hashing less than this takes no longer than a thread's turn, and is done before the task begins.
SMALL_BYTES = 1 << 20
# A file's name may hold a line's end, behind which it could pretend to be a line of the log.
CONTROLS = {number: repr(chr(number))[1:-1] for number in (*range(32), 127, 0x85, 0x2028, 0x2029)}
_PROGRAMS = {"sql": "pdbt.watch.programs.sql", "project": "pdbt.watch.programs.project", "dagster": "pdbt.watch.programs.dagster"}


@dataclass(frozen=True)
class Attempt:
    """What is to be done.

    Attributes:
        row: the task in the ledger.
        task: what it runs.
        log: its log file.
        run_file: where its process leaves its trace.
        number: which attempt it is, from 1.
        folder: the watched folder.
    """

    row: TaskRow
    task: Task
    log: Path
    run_file: Path
    number: int
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        attempt: which one.
        exit_code: None when no process ended by itself.
        error: what went wrong, in a sentence; None when nothing did.
        stopped: whether it was ended because the watcher stops; it is no failure then.
        unbegun: whether it did not begin, as its process could not be put on record; it is no failure either.
        seconds: how long it took.
        sha256: the hash of the file, if it still lay there as it had arrived.
    """

    attempt: Attempt
    exit_code: int | None
    error: str | None
    stopped: bool
    unbegun: bool
    seconds: float
    sha256: str | None


class Execution:
    """An attempt under way, in a thread of its own."""

    def __init__(self, attempt: Attempt, connections: Mapping[str, str], report: Callable[[Outcome], None]) -> None:
        """Prepare it; nothing runs yet.

        Args:
            attempt: what is to be done.
            connections: URLs by name.
            report: told the outcome, in the attempt's thread.
        """
        self.attempt = attempt
        self._connections = connections
        self._report = report
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._ended_for: str | None = None
        self._ended = threading.Event()
        self._sha256: str | None = None
        self._unbegun = False

    def start(self) -> None:
        """Run it."""
        threading.Thread(target=self._perform, args=(self._run,), name=f"task {self.attempt.row.id}").start()

    def adopt(self) -> None:
        """Wait for the process that an earlier watcher started."""
        threading.Thread(target=self._perform, args=(self._wait_for_adopted,), name=f"task {self.attempt.row.id}").start()

    def stop(self) -> None:
        """End it, because the watcher stops; returns when its processes are gone."""
        self._end("stopped")

    def _perform(self, run: Callable[[IO[bytes]], int | None]) -> None:
        began = time.monotonic()
        code, error = None, None
        try:
            with _open_log(self.attempt) as log:
                code = run(log)
                error = self._fault(code)
                _write(log, f"pdbt: {_ending(code, error)}, {time.monotonic() - began:.2f} s\n")
        except PdbtError as fault:
            error = str(fault)
        except OSError as fault:
            error = f"{fault.filename or self.attempt.task.run}: {fault.strerror}."
        except Exception as fault:  # whatever it was, the other tasks go on
            error = f"{type(fault).__name__}: {fault}"
        self._ended.set()
        stopped = self._ended_for == "stopped"
        self._report(Outcome(self.attempt, code, error, stopped, self._unbegun, time.monotonic() - began, self._sha256))

    def _run(self, log: IO[bytes]) -> int | None:
        attempt = self.attempt
        words, variables = command(attempt, self._connections)
        file = attempt.row.path.translate(CONTROLS)
        _write(log, f"pdbt: task {task_id(attempt)}, run {attempt.row.run}, tag {attempt.row.tag}, file {file}\n")
        small = attempt.row.size <= SMALL_BYTES
        # Opened before the task begins, which may move the file away or delete it.
        with _opened(attempt.row.path) as content:
            if small:
                self._sha256 = _hash(content, attempt.row.stat)
            with self._lock:
                if self._ended_for:
                    return None
                child = process.start(words, attempt.run_file, log.fileno(), {**os.environ, **variables}, attempt.task.base)
                self._pid = child.pid
            with self._limited():
                if not small:
                    self._sha256 = _hash(content, attempt.row.stat)
                code = child.wait()
        if process.read_trace(attempt.run_file).pid is None and not self._ended_for:
            self._unbegun = True
            raise PdbtError(f"{attempt.run_file} could not be written, so the task did not begin.", "Make room on that disk.")
        return code

    def _wait_for_adopted(self, log: IO[bytes]) -> int | None:
        trace = process.read_trace(self.attempt.run_file)
        self._sha256 = content_hash(self.attempt.row.path, self.attempt.row.stat)
        if trace.pid is not None and trace.exit_code is None:
            self._pid = trace.pid
            with self._limited():
                process.wait_for_adopted(trace.pid, self.attempt.run_file)
            trace = process.read_trace(self.attempt.run_file)
        return trace.exit_code

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """Let the task's time-out end what is done meanwhile."""
        timer = threading.Timer(self.attempt.task.timeout, self._end, args=("timeout",)) if self.attempt.task.timeout else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    def _end(self, reason: str) -> None:
        with self._lock:
            self._ended_for = self._ended_for or reason
            pid = self._pid
        if pid is not None and not self._ended.is_set():
            process.end_family(pid)

    def _fault(self, code: int | None) -> str | None:
        if self._ended_for == "timeout":
            return f"it was ended after its time-out of {self.attempt.task.timeout:g} s"
        if self._ended_for:
            return "it was ended because the watcher stopped"
        if code is None:
            return "its process was ended from outside"
        if code < 0 or code > 128:
            return f"it was ended by signal {-code if code < 0 else code - 128} (exit code {code})"
        return _exit_error(code) if code else None


def task_id(attempt: Attempt) -> str:
    """Return the name of a task's run: that of its script or program, and its number in the ledger."""
    return f"{_stem(attempt.task)}-{attempt.row.id}"


def log_path(task: Task, row: TaskRow) -> Path:
    """Return where the log of the next attempt goes: TASKID_YYYY-MM-DD_HH-MM-SS.log; a second attempt within the second counts on."""
    moment = datetime.datetime.now().astimezone()
    path = task.logs / f"{_stem(task)}-{row.id}_{moment:%Y-%m-%d_%H-%M-%S}.log"
    number = 2
    while os.path.lexists(path):  # a Path would raise where its folder may not be looked into
        path = path.with_name(f"{path.name.partition('.')[0]}.{number}.log")
        number += 1
    return path


def command(attempt: Attempt, connections: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the words of a task's command and what its environment has beside the watcher's.

    Raises:
        PdbtError: the script, the program or the connection is not there.
    """
    task, row = attempt.task, attempt.row
    variables = {"PDBT_FILE": row.path, "PDBT_FOLDER": str(attempt.folder), "PDBT_TAG": row.tag}
    variables |= {"PDBT_RUN_ID": str(row.run), "PDBT_TASK_ID": task_id(attempt)}
    if task.kind in ("python", "sql") and not Path(task.words[0]).is_file():
        raise PdbtError(f"The script {task.words[0]} does not exist.", "Mend its path, then: pdbt watch retry")
    if task.kind == "command" and shutil.which(task.words[0]) is None:
        raise PdbtError(f"There is no program {task.words[0]} that can be run.", "Install it, or mend its name, then: pdbt watch retry")
    if task.kind == "command":
        return [*task.words, row.path], variables
    if task.kind == "python":
        return [sys.executable, *task.words, row.path], variables
    if task.connection is not None:
        variables["PDBT_CONNECTION_URL"] = _connection_url(task, connections)
    # -P: a folder called pdbt in the task's folder is not this one.
    return [sys.executable, "-P", "-m", _PROGRAMS[task.kind], *task.words, row.path], variables


def content_hash(path: str, stat: Stat) -> str | None:
    """Return the hash of a file; None if it is not there any more as it arrived, or changes meanwhile."""
    with _opened(path) as content:
        return _hash(content, stat)


def file_stat(path: str) -> Stat:
    """Return size, modification time and inode of a file.

    Raises:
        OSError: it is not there.
    """
    return _stat_of(Path(path).stat())


def _stat_of(found: os.stat_result) -> Stat:
    return found.st_size, found.st_mtime_ns, found.st_ino


def _opened(path: str) -> contextlib.AbstractContextManager[BufferedReader | None]:
    """Open a file to hash it; nothing where it cannot be read."""
    try:
        return Path(path).open("rb")
    except OSError:
        return contextlib.nullcontext()


def _hash(content: BufferedReader | None, stat: Stat) -> str | None:
    """Return the hash of an open file, and close it; None if it has not, or did not keep, this stat."""
    if content is None:
        return None
    try:
        with content:
            if _stat_of(os.fstat(content.fileno())) != stat:
                return None
            digest = hashlib.file_digest(content, "sha256").hexdigest()
            return digest if _stat_of(os.fstat(content.fileno())) == stat else None
    except OSError:
        return None


def _connection_url(task: Task, connections: Mapping[str, str]) -> str:
    """Return the URL that a task's connection names, or is."""
    name = str(task.connection)
    if "://" not in name and name not in connections:
        known = ", ".join(connections) or "none"
        raise PdbtError(f"There is no connection {name!r}; there are: {known}.", f"Add [connections.{name}] url = … to the settings.")
    return Environment(task.base / ENVIRONMENT_FILE, "[connections]").fill_url(connections.get(name, name), f"connections.{name}")


def _stem(task: Task) -> str:
    """Return the name of a task's script or program, of letters that every file system takes."""
    return re.sub(r"[^\w-]+", "_", Path(task.words[0]).stem).strip("_") or "task"


def _open_log(attempt: Attempt) -> IO[bytes]:
    """Open a log to append to.

    Raises:
        PdbtError: it cannot be written; names its folder.
    """
    try:
        attempt.log.parent.mkdir(parents=True, exist_ok=True)
        return attempt.log.open("ab", buffering=0)
    except OSError as error:
        message = f"The log folder {attempt.log.parent} cannot be written: {error.strerror}."
        raise PdbtError(message, "Mend it or name another one, then: pdbt watch retry") from None


def _write(log: IO[bytes], text: str) -> None:
    with contextlib.suppress(OSError):  # a full disk loses lines of a log, not tasks
        log.write(os.fsencode(text))


def _ending(code: int | None, error: str | None) -> str:
    shown = "no exit code" if code is None else f"exit code {code}"
    return shown if error is None or error == _exit_error(code) else f"{shown}: {error}"


def _exit_error(code: int | None) -> str:
    return f"it ended with exit code {code}"
