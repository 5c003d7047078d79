"""Whether a project is late: its schedule was due, the time that a run may take has passed, and nothing was published since."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Callable

from ..schedule import holds_since
from ..settings import Settings
from .runs import LATE, RUN, log_file, notices_of

MOST_PATIENCE_SECONDS = 3600.0


def tell_if_late(settings: Settings, log: Callable[[str], None], now: float | None = None) -> str:
    """Tell that a project is late, unless that is known, or the project is known to fail.

    Args:
        settings: the project's.
        log: told what could not be sent.
        now: seconds since the epoch; by default, now.

    Returns:
        why it is late; empty when it is not.
    """
    notices = notices_of(settings, log)
    if notices.is_open(RUN):
        return ""
    last = notices.last_success()
    due, patience = last_due(settings.dagster.schedule, settings.dagster.timezone, time.time() if now is None else now)
    if last >= due or due < holds_since(settings):
        return ""
    said = f"nothing was published since {_shown(last)}, though a run was due at {_shown(due)} and had {patience / 60:.3g} minutes."
    lines = [f"Project: {settings.name} ({settings.project})", "Step: the schedule", f"Error: {said}", f"Log: {log_file(settings.project)}"]
    notices.failed(LATE, "is late", lines, event="late")
    return said


def last_due(cron: str, timezone: str, now: float) -> tuple[float, float]:
    """Return when a run was last due whose time has passed, and how long that is: the schedule's own period, at most an hour.

    Args:
        cron: the schedule.
        timezone: its time zone.
        now: seconds since the epoch.
    """
    from dagster._utils.schedules import reverse_cron_string_iterator as backwards

    ticks = [moment.timestamp() for moment in itertools.islice(backwards(now, cron, timezone), 3)]
    patience = min(ticks[0] - ticks[1], MOST_PATIENCE_SECONDS)
    # With a period of at most an hour, one of the last three is past its time.
    return next((tick for tick in ticks if tick + patience <= now), ticks[-1]), patience


def _shown(moment: float) -> str:
    return f"{datetime.datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S}"
