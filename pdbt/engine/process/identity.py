"""Who runs an instance: the PID file, and the family of processes that carry the instance's mark.

A PID alone names nobody, for the system gives it away again. The process of the PID file is the instance's only when its start time
and command line agree too, and it carries the mark; every other one is somebody else's and is never touched.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import write_durably
from .libraries import is_installed, require
from .place import MARKER, InstancePlace, page_url

if TYPE_CHECKING:
    import psutil

FOREGROUND = "--foreground"
PORT = "--port"
# The system tells a start time by its clock, which may be set right by a little while the process lives.
START_TOLERANCE_SECONDS = 1.0


@dataclass(frozen=True)
class Record:
    """What the PID file says.

    Attributes:
        pid: the process that runs the instance.
        started: when it began, in seconds since the epoch, as psutil tells it.
        command: its command line.
        port: where the page answers.
        since: when the instance began, ISO 8601.
        home: the instance's home; another one means that the file was copied or moved with its project.
    """

    pid: int
    started: float
    command: tuple[str, ...]
    port: int
    since: str
    home: str

    @property
    def since_text(self) -> str:
        """When the instance began, for a person."""
        return f"{datetime.datetime.fromisoformat(self.since):%Y-%m-%d %H:%M:%S}"

    @property
    def url(self) -> str:
        """Where the page is."""
        return page_url(self.port)


@dataclass(frozen=True)
class Instance:
    """The processes of one project's Dagster as they are now.

    Attributes:
        record: who runs it; None when nobody does.
        root: the process that runs it; None when it is gone.
        members: all its processes, the root first; without a root, what a killed one left behind.
    """

    record: Record | None
    root: psutil.Process | None
    members: tuple[psutil.Process, ...]


# The PID file ---------------------------------------------------------------------------------------------------------


def record_of(pid: int, port: int, place: InstancePlace) -> Record:
    """Describe a process that runs the instance.

    Raises:
        psutil.NoSuchProcess: it is gone.
    """
    import psutil

    process = psutil.Process(pid)
    started = process.create_time()
    since = datetime.datetime.fromtimestamp(started).astimezone().isoformat(timespec="seconds")
    return Record(pid, started, tuple(process.cmdline()), port, since, str(place.home))


def write_record(place: InstancePlace, record: Record) -> None:
    """Write the PID file, so that a crash leaves the whole of it or none."""
    write_durably(place.pid_file, json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n")


def read_record(place: InstancePlace) -> Record | None:
    """Return what the PID file says; None when there is none, or it says nothing that could be checked."""
    try:
        said = json.loads(place.pid_file.read_text(encoding="utf-8"))
        record = Record(
            int(said["pid"]), float(said["started"]), tuple(said["command"]), int(said["port"]), str(said["since"]), str(said["home"])
        )
        datetime.datetime.fromisoformat(record.since)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if record.pid > 0 else None


def remove_record(place: InstancePlace, pid: int | None = None) -> bool:
    """Remove the PID file; with `pid` only if it still says that one. Returns whether it was there."""
    if pid is not None:
        record = read_record(place)
        if record is None or record.pid != pid:
            return False
    try:
        place.pid_file.unlink()
    except FileNotFoundError:
        return False
    return True


# The processes --------------------------------------------------------------------------------------------------------


def find_instance(place: InstancePlace) -> Instance:
    """Find the processes of a project's Dagster, whether or not its PID file is there and right; this process is none of them.

    Raises:
        MissingRequirements: psutil is not installed, and there may be an instance.
    """
    return find_instances([place])[0]


def running_record(place: InstancePlace) -> Record | None:
    """Return who runs an instance as its PID file says, if that is so: quicker than `find_instance`, for who asks often."""
    import psutil

    record = read_record(place)
    if record is None:
        return None
    try:
        process = psutil.Process(record.pid)
        return record if _root_of_file(record, {record.pid: process} if _mark(process) in _homes(place, record) else {}) else None
    except (psutil.Error, OSError):
        return None


def _mark(process: psutil.Process) -> str:
    """Return the home whose mark a process carries; empty for none, and for one that may not be looked into."""
    import psutil

    try:
        return process.environ().get(MARKER, "")
    except psutil.AccessDenied:
        return ""


def find_instances(places: Sequence[InstancePlace]) -> list[Instance]:
    """Find the processes of several projects' Dagster, as `find_instance` does, looking at the system's processes once."""
    if not any(place.home.exists() or place.pid_file.exists() for place in places) and not is_installed("psutil"):
        return [Instance(None, None, ()) for _ in places]  # none was ever launched
    require("Finding the processes of Dagster", ["psutil"])
    records = [read_record(place) for place in places]
    homes = [_homes(place, record) for place, record in zip(places, records, strict=True)]
    marked = list(_marked(set().union(*homes)))
    return [
        _instance(place, record, {process.pid: process for home, process in marked if home in own})
        for place, record, own in zip(places, records, homes, strict=True)
    ]


def _instance(place: InstancePlace, record: Record | None, members: Mapping[int, psutil.Process]) -> Instance:
    root = _root_of_file(record, members) if record is not None else None
    if root is None:
        root = _root_without_file(members)
        record = None if root is None else _record_again(root, place)
    first = [] if root is None else [root]
    return Instance(record, root if record else None, (*first, *(process for process in members.values() if process != root)))


def _homes(place: InstancePlace, record: Record | None) -> set[str]:
    """Return the homes whose mark an instance's processes may carry: its own, and the one that its project was moved away from.

    A PID file that came with a copy names a home that is still there, and another instance.
    """
    own = str(place.home)
    return {own} if record is None or Path(record.home).exists() else {own, record.home}


def _root_of_file(record: Record, members: Mapping[int, psutil.Process]) -> psutil.Process | None:
    """Return the process of the PID file, if it is still the one that the file was written of, and carries the mark."""
    import psutil

    try:
        process = psutil.Process(record.pid)
        same_start = abs(process.create_time() - record.started) <= START_TOLERANCE_SECONDS
        if not same_start or tuple(process.cmdline()) != record.command:
            return None
        if process.pid not in members:
            process.environ()  # another user's, whose mark cannot be seen, is the instance all the same
            return None
    except psutil.AccessDenied:
        return process
    except psutil.Error:
        return None
    return process


def _marked(homes: Set[str]) -> Iterator[tuple[str, psutil.Process]]:
    """Yield the processes that carry the mark of one of these homes, each with it; one that ended and waits for its parent has none."""
    import psutil

    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):
            home = process.environ().get(MARKER, "")
            if home in homes and process.status() != psutil.STATUS_ZOMBIE:
                yield home, process


def _root_without_file(members: Mapping[int, psutil.Process]) -> psutil.Process | None:
    """Find the process that runs the instance among its family: it was started to, and by nobody of the family.

    So one that runs in a container is found from outside of it too, where its PID is another one.
    """
    import psutil

    for process in members.values():
        with contextlib.suppress(psutil.Error, OSError):
            if FOREGROUND in process.cmdline() and process.ppid() not in members:
                return process
    return None


def _record_again(root: psutil.Process, place: InstancePlace) -> Record | None:
    """Describe a root whose PID file was lost; its command line says the port. None when it has ended meanwhile."""
    import psutil

    try:
        command = root.cmdline()
        return record_of(root.pid, int(command[command.index(PORT) + 1]), place)
    except (psutil.Error, ValueError, IndexError):
        return None
