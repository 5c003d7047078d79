"""How a project's Dagster is: where it answers, what it takes, what its schedule does, how the last run ended."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import load_settings
from . import page
from .identity import find_instance
from .logfile import last_lines
from .place import Place, page_url

if TYPE_CHECKING:
    import psutil

ANSWER_SECONDS = 3.0
UNKNOWN = "unknown"


@dataclass(frozen=True)
class LastRun:
    """The last run of the project, of Dagster or of the classic scripts.

    Attributes:
        start: when it began, ISO 8601.
        status: ``done``, ``partial``, ``failed``, ``refused`` or ``interrupted``.
        seconds: how long it took.
        command: the script that ran.
    """

    start: str
    status: str
    seconds: float
    command: str


@dataclass(frozen=True)
class Status:
    """How a project's Dagster is; what is not known, or is not there, is None.

    Attributes:
        name: the project's name.
        project: its folder.
        database: its database's type.
        running: whether the process that runs it is there.
        port: where the page answers, or would.
        url: the page's address, or what it would be.
        pid: the process that runs it.
        since: when that began, ISO 8601.
        processes: how many processes it has.
        memory_mb: the resident memory of all of them, in MB of a million bytes; what they share counts once for each.
        left_behind: processes that are still there though the one that ran them was killed.
        schedule: the name of its schedule.
        schedule_state: ``RUNNING``, ``STOPPED`` or, when the page does not answer, ``unknown``.
        next_tick: when the schedule is due next, ISO 8601.
        last_run: the last run that ended.
        workspace_url: where the workspace's Dagster answers, when that runs the project and its own does not.
    """

    name: str
    project: str
    database: str
    running: bool
    port: int
    url: str
    pid: int | None
    since: str | None
    processes: int
    memory_mb: float | None
    left_behind: tuple[int, ...]
    schedule: str | None
    schedule_state: str | None
    next_tick: str | None
    last_run: LastRun | None
    workspace_url: str | None = None

    def as_json(self) -> str:
        """Return it as one JSON object, whose keys are these attributes."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def status(project: Path) -> Status:
    """Return how a project's Dagster is.

    Args:
        project: the project's folder.

    Raises:
        PdbtError: the settings are at fault, or psutil is not installed where there may be an instance.
    """
    place = Place(load_settings(project))
    instance = find_instance(place)
    record = instance.record
    port = record.port if record is not None else place.port
    schedule = _schedule(port) if record is not None else None
    return Status(
        name=place.settings.name,
        project=str(place.settings.project),
        database=place.settings.database_type,
        running=record is not None,
        port=port,
        url=page_url(port),
        pid=record.pid if record is not None else None,
        since=record.since if record is not None else None,
        processes=len(instance.members),
        memory_mb=memory(instance.members) if instance.members else None,
        left_behind=() if record is not None else tuple(process.pid for process in instance.members),
        schedule=schedule.name or None if schedule else None,
        schedule_state=schedule.state if schedule else None,
        next_tick=schedule.next_tick if schedule else None,
        last_run=last_run(place),
    )


def last_run(place: Place) -> LastRun | None:
    """Return the last run of macro/runs.jsonl; None when there was none."""
    for line in reversed(last_lines(place.macro / "runs.jsonl", 2)):
        with contextlib.suppress(ValueError, KeyError, TypeError):  # a line that the machine could not write to its end
            said = json.loads(line)
            return LastRun(str(said["start"]), str(said["status"]), float(said["seconds"]), str(said["command"]))
    return None


def _schedule(port: int) -> page.Schedule:
    try:
        found = page.schedules(port, ANSWER_SECONDS)
    except page.NoAnswer:
        found = []
    return found[0] if found else page.Schedule("", UNKNOWN, None)


def memory(processes: Iterable[psutil.Process]) -> float:
    """Return the resident memory of processes in MB of a million bytes; what they share counts once for each."""
    import psutil

    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return round(total / 1e6, 1)
