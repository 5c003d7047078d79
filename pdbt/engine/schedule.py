"""The moment since which a project's schedule holds: a time that passed before it was changed is not owed."""

from __future__ import annotations

import json
import time
from pathlib import Path

from .errors import PdbtError
from .files import write_durably
from .organisation import SCHEDULES_FILE, organisation_of
from .settings import FILE_NAME, Settings

FILE = "db/.work/schedule.json"


def note_schedule(settings: Settings) -> None:
    """Write down the schedule of the settings, and since when it holds, if it is another one than before.

    The first one that is written down holds since ever: Dagster itself owes nothing from before a schedule was started.
    """
    known = _known(settings.project)
    said = {"schedule": settings.dagster.schedule, "timezone": settings.dagster.timezone}
    if all(known.get(key) == value for key, value in said.items()):
        return
    since = _changed(settings.project) if known else 0.0
    try:
        write_durably(settings.project / FILE, json.dumps({**said, "since": since}))
    except OSError as error:
        raise PdbtError(f"{settings.project / FILE} cannot be written: {error.strerror}.", "Dagster must be able to write there.") from None


def holds_since(settings: Settings) -> float:
    """Return since when the schedule of the settings holds, in seconds since the epoch; 0 for since ever."""
    known = _known(settings.project)
    if (known.get("schedule"), known.get("timezone")) != (settings.dagster.schedule, settings.dagster.timezone):
        return 0.0
    since = known.get("since")
    return since if isinstance(since, float) else 0.0


def _known(project: Path) -> dict[str, object]:
    try:
        known = json.loads((project / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or one that the machine could not write to its end
        return {}
    return known if isinstance(known, dict) else {}


def _changed(project: Path) -> float:
    """Return when a file that says the schedule was last changed; a copy may bring an old time of modification with it."""
    organisation = organisation_of(project)
    files = [project / FILE_NAME, *([organisation / SCHEDULES_FILE] if organisation is not None else [])]
    found = [path.stat() for path in files if path.exists()]
    return min(time.time(), max((max(stat.st_mtime, stat.st_ctime) for stat in found), default=time.time()))
