"""The incidents of a project or a watcher, on disk: who was told of which, so that nobody is told twice.

An incident is a job that does not do what it should. It is told of once to each target, and once more when it is over; a target
that could not be reached is told by the next run. All processes of a project share one file, under a lock.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..environment import ENVIRONMENT_FILE, Environment
from ..errors import MissingLibrary, PdbtError, SettingsError
from ..files import write_durably
from ..lock import try_lock
from ..settings_rules import NOTIFY_ON
from .sending import Addressee, Kind, send

FILE = "notices.json"
LOCK_SECONDS = 60.0
_LOCK_POLL_SECONDS = 0.05
_AT_ONCE = 8


@dataclass(frozen=True)
class Sender:
    """What is told, where to, and in whose name.

    Attributes:
        name: the project's or the folder's, for the title.
        urls: of the targets, as the settings write them: ``${NAME}`` is filled in when something is sent.
        on: which of ``failure``, ``late``, ``empty`` are told.
        environment: the .env file for ``${NAME}``.
        settings_file: what error texts call the settings.
    """

    name: str
    urls: tuple[str, ...]
    on: tuple[str, ...] = NOTIFY_ON
    environment: Path = Path(ENVIRONMENT_FILE)
    settings_file: str = "pdbt.toml"

    def targets(self) -> tuple[Addressee, ...]:
        """Return the targets with the environment filled in.

        Raises:
            SettingsError: a ``${NAME}`` is not set.
        """
        environment = Environment(self.environment, self.settings_file)
        filled = (environment.fill(url, "notifications.urls") for url in self.urls)
        return tuple(Addressee(url, position) for position, url in enumerate(filled, 1))

    def try_targets(self) -> list[tuple[str, str]]:
        """Send a test to every target; return each as a person may see it, with why it was not reached, or nothing.

        Raises:
            SettingsError: no target is named, or a ``${NAME}`` is not set.
            MissingLibrary: Apprise is not installed.
        """
        if not self.urls:
            raise SettingsError(
                f"{self.settings_file}: notifications.urls names nobody to tell.",
                'Write: [notifications] urls = ["mailto://…"]; see https://github.com/caronc/apprise/wiki',
                key="notifications.urls",
            )
        results = []
        for target in self.targets():
            try:
                send(target, f"{self.name}: a test", "Notices of failures would arrive here.", "info")
                results.append((target.label, ""))
            except MissingLibrary:
                raise
            except PdbtError as error:
                results.append((target.label, str(error)))
        return results


@dataclass
class Incident:
    """What is known of one job that does not do what it should.

    Attributes:
        title: what was told.
        since: when it began, ISO 8601.
        over: whether it is over, and there are targets that could not be told so.
        told: the targets that were told that it began, and not that it is over.
    """

    title: str
    since: str
    over: bool = False
    told: list[str] = field(default_factory=list)


@dataclass
class _Book:
    incidents: dict[str, Incident] = field(default_factory=dict)
    succeeded: float = 0.0
    watched: float = 0.0


class Notices:
    """Tells of incidents. None of its methods fails: what hinders it is told to `log`."""

    def __init__(self, sender: Sender, folder: Path, log: Callable[[str], None]) -> None:
        """Prepare; nothing is read or sent yet.

        Args:
            sender: what is told, and where to.
            folder: where the incidents are kept.
            log: told, in a sentence, what could not be sent.
        """
        self._sender = sender
        self._file = folder / FILE
        self._log = log

    def failed(self, job: str, title: str, lines: Sequence[str], event: str = "failure") -> None:
        """Tell that a job does not do what it should, unless that is known.

        Args:
            job: what identifies it among the jobs of this sender.
            title: what happened, in a few words.
            lines: where, why, and where to look.
            event: ``failure``, ``late`` or ``empty``; one that the settings leave out is not told.
        """
        if not self._sender.urls or event not in self._sender.on:
            return
        with self._guarded(), self._changed() as book:
            incident = book.incidents.get(job)
            if incident is None or incident.over:
                told = [] if incident is None else incident.told
                incident = book.incidents[job] = Incident(title, _now(), told=told)
            targets = {target.identity: target for target in self._sender.targets()}
            untold = [target for name, target in targets.items() if name not in incident.told]
            incident.told += self._send(untold, title, lines, "failure" if event == "failure" else "warning")

    def succeeded(self, job: str, title: str = "works again") -> None:
        """Tell that a job does what it should, if it was told that it does not."""
        if not self._sender.urls or not self._file.exists():
            return
        with self._guarded(), self._changed() as book:
            incident = book.incidents.get(job)
            if incident is None:
                return
            incident.over = True
            targets = {target.identity: target for target in self._sender.targets()}
            known = [target for name, target in targets.items() if name in incident.told]
            reached = self._send(known, title, [f"Was: {incident.title}", f"Since: {incident.since}"], "success")
            incident.told = [name for name in incident.told if name in targets and name not in reached]
            if not incident.told:
                del book.incidents[job]

    def note_success(self) -> None:
        """Remember that all of the project was published now; a job is late when that was too long ago."""
        if self._sender.urls and "late" in self._sender.on:
            with self._guarded(), self._changed() as book:
                book.succeeded = time.time()

    def last_success(self) -> float:
        """Return when all was last published, or when this was first asked: seconds since the epoch."""
        found = time.time()
        with self._guarded(), self._changed() as book:
            book.watched = book.watched or found
            found = max(book.succeeded, book.watched)
        return found

    def is_open(self, job: str) -> bool:
        """Whether a job is known not to do what it should."""
        incident = self._read().incidents.get(job)
        return incident is not None and not incident.over

    # Sending ----------------------------------------------------------------------------------------------------------

    def _send(self, targets: Sequence[Addressee], title: str, lines: Sequence[str], kind: Kind) -> list[str]:
        """Send one message to several targets at once; return those that took it, and log the others."""

        def deliver(target: Addressee) -> str:
            try:
                send(target, f"{self._sender.name}: {title}", "\n".join(lines), kind)
            except PdbtError as error:
                self._log(f"no notice was sent: {error}")
                return ""
            except Exception as error:  # whatever a service's module does, the work goes on
                self._log(f"no notice was sent to {target.label}: {type(error).__name__}")
                return ""
            return target.identity

        if not targets:
            return []
        with ThreadPoolExecutor(min(_AT_ONCE, len(targets))) as workers:
            return [reached for reached in workers.map(deliver, targets) if reached]

    # The file ---------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except PdbtError as error:
            self._log(f"no notice was sent: {error}")
        except OSError as error:
            self._log(f"no notice was sent: {error.filename or self._file}: {error.strerror}")

    @contextlib.contextmanager
    def _changed(self) -> Iterator[_Book]:
        """Give the book to one process at a time, and keep what became of it."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        lock = self._file.with_suffix(".lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            deadline = time.monotonic() + LOCK_SECONDS
            while not try_lock(descriptor, lock):
                if time.monotonic() >= deadline:
                    raise PdbtError(f"{lock} is held by another process.", "It is sending notices; look whether it hangs.")
                time.sleep(_LOCK_POLL_SECONDS)
            book = self._read()
            before = asdict(book)
            try:
                yield book
            finally:  # who was told is kept, whatever then went wrong
                if asdict(book) != before:
                    write_durably(self._file, json.dumps(asdict(book)))
        finally:
            os.close(descriptor)

    def _read(self) -> _Book:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            incidents = {job: Incident(**known) for job, known in said["incidents"].items()}
            return _Book(incidents, float(said["succeeded"]), float(said["watched"]))
        return _Book()  # none yet, or one that the machine could not write to its end


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(" ", timespec="seconds")
