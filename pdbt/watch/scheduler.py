"""The scheduler: one thread that takes files in, begins tasks in order and records how they end. It alone writes the ledger."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..engine.errors import PdbtError
from .dispatch import Dispatch
from .execution import Outcome
from .guard import Guard
from .intake import Intake
from .journal import Journal
from .ledger import Ledger, Stat
from .scanning import forgettable_files, unknown_files
from .settings import WatchSettings
from .unmatched import put_away

TICK_SECONDS = 1.0
LOOK_SECONDS = 0.2
LEDGER_RETRY_SECONDS = 1.0
FORGET_SECONDS = 3600.0
DAY_SECONDS = 86_400.0
MOST_MESSAGES = 2_000


@dataclass(frozen=True)
class Seen:
    """A path that an event named."""

    path: str
    closed: bool


@dataclass(frozen=True)
class Listed:
    """Paths that a look at the whole folder found; `last` of that look."""

    paths: tuple[str, ...]
    last: bool
    fault: str = ""


@dataclass(frozen=True)
class Hashed:
    """The hash of a large file."""

    path: str
    stat: Stat
    sha256: str | None


@dataclass(frozen=True)
class Lost:
    """Files may have come without an event."""

    why: str


@dataclass(frozen=True)
class Forgettable:
    """Files, by their numbers, that need not be on record any more."""

    files: tuple[int, ...]


@dataclass(frozen=True)
class Stop:
    """The watcher is to stop."""

    grace: float


Message = Seen | Listed | Hashed | Lost | Forgettable | Stop | Outcome


class Scheduler:
    """Runs the tasks of one folder until it is told to stop."""

    def __init__(self, settings: WatchSettings, ledger: Ledger, journal: Journal, ready: Callable[[], None]) -> None:
        """Prepare; `run` does the work.

        Args:
            settings: of the watcher.
            ledger: open for writing.
            journal: told what happens.
            ready: called once the folder is observed and all that lay in it is on record.
        """
        self._settings, self._ledger, self._journal, self._ready = settings, ledger, journal, ready
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._guard = Guard(
            settings, lambda path, closed: self._messages.put(Seen(path, closed)), lambda why: self._messages.put(Lost(why))
        )
        self._intake = Intake(settings, ledger, polled=self._guard.polled, hashed=lambda *found: self._messages.put(Hashed(*found)))
        self._dispatch = Dispatch(settings, ledger, journal, self._messages.put)
        self._outcomes: list[Outcome] = []
        self._is_ready = False
        self._scanning = False
        self._scan_again = ""
        self._next_scan = 0.0
        self._next_forgetting = 0.0
        self._next_tick = 0.0
        self._ledger_fault = ""
        self._folder_fault = ""
        self._data_version = 0
        self._stop_at: float | None = None

    def stop(self, grace: float) -> None:
        """Begin no more tasks; end those that still run after `grace` seconds. May be called from any thread, and again to hurry."""
        self._messages.put(Stop(grace))

    def run(self) -> None:
        """Watch until told to stop.

        Raises:
            PdbtError: the folder cannot be observed.
            sqlite3.Error: the ledger cannot be read at the start.
        """
        self._guard.arm()
        try:
            self._dispatch.recover()
            self._begin_scan()
            while not self._finished():
                self._turn(self._receive())
        finally:
            self._guard.disarm()
            self._dispatch.end_all()

    # One turn ---------------------------------------------------------------------------------------------------------

    def _receive(self) -> list[Message]:
        """Wait for something to do, and return what there is, but not so much that tasks would wait for it."""
        messages: list[Message] = []
        with contextlib.suppress(queue.Empty):
            messages.append(self._messages.get(timeout=self._patience()))
            while len(messages) < MOST_MESSAGES and not isinstance(messages[-1], Listed):
                messages.append(self._messages.get_nowait())
        return messages

    def _patience(self) -> float:
        """Return the seconds until something is due without a message."""
        now = time.monotonic()
        until = [self._next_tick - now, *([LOOK_SECONDS] if self._intake.waiting else [])]
        if self._stop_at is not None and not self._dispatch.ending:
            until.append(self._stop_at - now)
        if self._dispatch.next_due is not None and not self._ledger_fault:
            until.append(self._dispatch.next_due - time.time())
        return max(0.001, min(until))

    def _turn(self, messages: list[Message]) -> None:
        for message in messages:
            with self._noticing_a_full_disk():
                self._take(message)
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + TICK_SECONDS
            self._tick()
        if self._ledger_fault:
            return
        with self._noticing_a_full_disk():
            self._intake.look_again()
            self._record()
            self._dispatch.begin_due(
                allowed=not self._folder_fault and self._stop_at is None,
                folder_is_there=self._guard.is_there,
                changed=self._intake.consider,
            )

    def _take(self, message: Message) -> None:
        match message:
            case Seen(path, closed):
                self._intake.consider(path, closed=closed)
            case Listed(paths, last, fault):
                for path in paths:
                    self._intake.consider(path)
                if last:
                    self._end_scan(fault)
            case Hashed(path, stat, sha256):
                self._intake.compare(path, stat, sha256)
            case Lost(why):
                self._begin_scan(why)
            case Forgettable(files):
                self._forget(files)
            case Stop(grace):
                self._begin_stop(grace)
            case Outcome():
                self._outcomes.append(message)

    def _record(self) -> None:
        """Write down what arrived and what ended, in one transaction; what no tag matches is put away after it."""
        arrivals = self._intake.take()
        if not arrivals and not self._outcomes:
            return
        with self._ledger.transaction():
            self._ledger.add(arrivals)
            states = [self._dispatch.record(outcome) for outcome in self._outcomes]
        for outcome, state in zip(self._outcomes, states, strict=True):
            self._dispatch.forget(outcome)
            self._journal.record(outcome, state)
            if outcome.unbegun:
                self._pause_for_ledger(str(outcome.error))
        self._outcomes.clear()
        self._dispatch.look()
        for arrival in arrivals:
            if arrival.standing == "unmatched":
                put_away(arrival.path, self._settings, self._journal)
            elif arrival.standing == "matched":
                self._journal.tell("arrived", file=arrival.path, tags=[tag.name for tag in arrival.tags])

    # Looking at the whole folder --------------------------------------------------------------------------------------

    def _begin_scan(self, why: str = "") -> None:
        """Look at the whole folder, in a thread; one that is under way is followed by another, as it may have passed the place."""
        if why and not (self._scanning and self._scan_again):
            self._journal.tell("rescan", f"looking at the whole folder: {why}", reason=why)
        if self._scanning:
            self._scan_again = why or "the last look had begun before"
            return
        self._scanning, self._scan_again = True, ""
        self._next_scan = time.monotonic() + self._settings.rescan
        threading.Thread(target=self._scan, name="scan", daemon=True).start()

    def _scan(self) -> None:
        fault = ""
        forgetting = time.monotonic() >= self._next_forgetting
        try:
            for paths in unknown_files(self._settings.folder, self._settings.recursive, self._settings.state):
                self._messages.put(Listed(tuple(paths), last=False))
            if forgetting:
                self._next_forgetting = time.monotonic() + FORGET_SECONDS
                for files in forgettable_files(self._settings.state, time.time() - self._settings.keep_days * DAY_SECONDS):
                    self._messages.put(Forgettable(tuple(files)))
        except OSError as error:
            fault = f"{error.filename or self._settings.folder}: {error.strerror}"
        except (PdbtError, sqlite3.Error) as error:
            fault = str(error)
        self._messages.put(Listed((), last=True, fault=fault))

    def _end_scan(self, fault: str) -> None:
        self._scanning = False
        if fault and not self._folder_fault:
            self._journal.tell("fault", f"the folder could not be looked at: {fault}", warning=True)
        for path in self._intake.take_unnameable():
            self._journal.tell("fault", f"{path!r} is left alone: its name is no Unicode. Rename it.", warning=True, file=repr(path))
        if self._scan_again:
            self._begin_scan()
        elif not self._is_ready and not fault:
            self._get_ready()

    def _forget(self, files: tuple[int, ...]) -> None:
        """Take files off the record, unless all of them seem to be gone because the folder is."""
        if self._guard.is_there():
            with self._ledger.transaction():
                self._ledger.forget(files)

    def _get_ready(self) -> None:
        self._record()
        with self._ledger.transaction():
            self._ledger.mark_first_look()
        self._intake.first_look = False
        self._is_ready = True
        how = "polling it" if self._guard.polled else "by events"
        self._journal.tell(
            "ready", f"watching {self._settings.folder} ({how})", folder=str(self._settings.folder), polled=self._guard.polled
        )
        self._ready()

    # Every second -----------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self._ledger_fault:
            self._try_ledger()
        if self._stop_at is not None:
            return
        self._look_at_folder()
        if not self._folder_fault and not self._scanning and time.monotonic() >= self._next_scan:
            self._begin_scan()
        with self._noticing_a_full_disk():
            version = self._ledger.data_version()
            if version != self._data_version:  # `pdbt watch retry` wrote
                self._data_version = version
                self._dispatch.queue_changed()

    def _look_at_folder(self) -> None:
        """Pause while the folder is not there, and go on when it is back."""
        fault = self._guard.fault()
        if fault and not self._folder_fault:
            self._guard.disarm()
            self._folder_fault = fault
            self._journal.tell("paused", f"{fault}; waiting for it", warning=True, folder=str(self._settings.folder), reason=fault)
        if not fault and (self._folder_fault or not self._guard.armed):
            try:
                self._guard.arm()
            except PdbtError as error:
                if not self._folder_fault:
                    self._journal.tell("fault", str(error), warning=True)
                return
            if self._folder_fault:
                self._journal.tell("resumed", f"{self._settings.folder} is back", folder=str(self._settings.folder))
            self._folder_fault = ""
            self._begin_scan("events may have been missed")

    @contextlib.contextmanager
    def _noticing_a_full_disk(self) -> Iterator[None]:
        """Pause when the ledger cannot be written: a task that nobody could write down would run twice."""
        try:
            yield
        except sqlite3.OperationalError as error:
            self._pause_for_ledger(str(error))

    def _pause_for_ledger(self, fault: str) -> None:
        if not self._ledger_fault:
            sentence = f"the ledger {self._ledger.path} cannot be written: {fault}; no task begins until it can. Make room on that disk"
            self._journal.tell("paused", sentence, warning=True, reason=fault)
        self._ledger_fault = fault

    def _try_ledger(self) -> None:
        try:
            self._ledger.probe()
        except sqlite3.OperationalError:
            return
        self._ledger_fault = ""
        self._journal.tell("resumed", f"the ledger {self._ledger.path} can be written again")
        self._dispatch.queue_changed()
        self._begin_scan("what arrived meanwhile is not on record")

    # The end ----------------------------------------------------------------------------------------------------------

    def _begin_stop(self, grace: float) -> None:
        deadline = time.monotonic() + grace
        if self._stop_at is None and self._dispatch.running:
            sentence = f"stopping: {self._dispatch.running} running tasks have {grace:g} s to end"
            self._journal.tell("stopping", sentence, running=self._dispatch.running)
        self._stop_at = min(deadline, self._stop_at or deadline)
        self._guard.disarm()

    def _finished(self) -> bool:
        """Whether all is done after a stop; ends what still runs when the time is up."""
        if self._stop_at is None:
            return False
        if time.monotonic() >= self._stop_at:
            self._dispatch.begin_ending()
        unfinished = self._dispatch.running - len(self._outcomes)
        return not unfinished and (not self._outcomes or bool(self._ledger_fault))
