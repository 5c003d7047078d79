"""What starts the pipeline by itself: the schedule, and the sensor that sees files arrive."""

from __future__ import annotations

import datetime
import hashlib
import json
import time
from pathlib import Path

import dagster
from dagster._core.scheduler.instigation import InstigatorStatus, InstigatorType

from ..files import discover_sources, file_stat, is_being_written
from ..lock import run_in_progress
from ..notices.late import tell_if_late
from ..process.identity import running_record
from ..process.place import Place, shared_home
from ..publish import WorkFolder
from ..schedule import holds_since
from ..settings import Settings
from ..state import load_state

JOB = "main_pipeline_job"
SCHEDULE = "main_every_5min"
SENSOR = "source_files"
SENSOR_SECONDS = 10
LATE_SENSOR = "late"
LATE_SENSOR_SECONDS = 30
STILL_SECONDS = 600  # what was open that long without a word more is as whole as it gets
GOING = [
    dagster.DagsterRunStatus.QUEUED,
    dagster.DagsterRunStatus.NOT_STARTED,
    dagster.DagsterRunStatus.STARTING,
    dagster.DagsterRunStatus.STARTED,
    dagster.DagsterRunStatus.CANCELING,
]

_SAID = (InstigatorStatus.RUNNING, InstigatorStatus.STOPPED)  # beside: as its code says


def schedule_of(settings: Settings) -> dagster.ScheduleDefinition:
    """Return the schedule of the settings."""

    @dagster.schedule(
        settings.dagster.schedule,
        job_name=JOB,
        name=SCHEDULE,
        execution_timezone=settings.dagster.timezone,
        default_status=_schedule_status(settings.dagster.schedule_status),
        description="Runs the pipeline; what did not change costs nothing.",
    )
    def run_pipeline(context: dagster.ScheduleEvaluationContext) -> dagster.RunRequest | dagster.SkipReason:
        hindered = not_owed(settings, context) or ran_elsewhere(settings) or run_going(context.instance, settings)
        return dagster.SkipReason(hindered) if hindered else dagster.RunRequest()

    return run_pipeline


def not_owed(settings: Settings, context: dagster.ScheduleEvaluationContext) -> str:
    """Return why a tick is not owed: Dagster makes up for those of a schedule that was changed, also from before the change."""
    since = holds_since(settings)
    if context.scheduled_execution_time.timestamp() >= since:
        return ""
    changed = datetime.datetime.fromtimestamp(since).astimezone()
    return f"The schedule was changed at {changed:%Y-%m-%d %H:%M:%S}, after this time had passed."


def sensor_of(settings: Settings) -> dagster.SensorDefinition:
    """Return the sensor that starts a run when files arrive or change in data/source, once they are whole."""
    running = settings.dagster.sensor_status == "running"

    @dagster.sensor(
        job_name=JOB,
        name=SENSOR,
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dagster.DefaultSensorStatus.RUNNING if running else dagster.DefaultSensorStatus.STOPPED,
        description="Runs the pipeline when files arrive or change in data/source/.",
    )
    def source_files(context: dagster.SensorEvaluationContext) -> dagster.RunRequest | dagster.SkipReason:
        elsewhere = ran_elsewhere(settings)
        if elsewhere:
            return dagster.SkipReason(elsewhere)
        changed = changed_sources(settings)
        if not changed:
            context.update_cursor("")
            return dagster.SkipReason("Nothing is new in data/source.")
        seen = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()
        names = ", ".join(sorted(changed)[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        growing = next((label for label in changed if _may_grow(settings.project / label)), "")
        if context.cursor != seen or growing:
            context.update_cursor(seen)
            return dagster.SkipReason(f"{growing or names} may still be written to.")
        going = run_going(context.instance, settings)
        return dagster.SkipReason(going) if going else dagster.RunRequest(run_key=seen, tags={"pdbt/files": names})

    return source_files


def tells_of_late(settings: Settings) -> bool:
    """Whether anybody is to be told that nothing was published when it was due."""
    return bool(settings.notification_urls) and "late" in settings.notify_on


def late_sensor_of(settings: Settings) -> dagster.SensorDefinition:
    """Return the sensor that tells, through the notices of the settings, that the schedule was due and nothing was published since."""

    @dagster.sensor(
        job_name=JOB,
        name=LATE_SENSOR,
        minimum_interval_seconds=LATE_SENSOR_SECONDS,
        default_status=dagster.DefaultSensorStatus.RUNNING,
        description="Sends a notice when nothing was published since the schedule was due. Starts nothing.",
    )
    def late(context: dagster.SensorEvaluationContext) -> dagster.SkipReason:
        if not _schedule_runs(context, settings):
            return dagster.SkipReason("The schedule is stopped.")
        said = tell_if_late(settings, context.log.warning)
        return dagster.SkipReason(settings.redact(said) or "Nothing is late.")

    return late


def _schedule_runs(context: dagster.SensorEvaluationContext, settings: Settings) -> bool:
    """Whether the schedule runs: as a person left it on the page, else as the settings say."""
    location = context.code_location_origin
    for state in context.instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        place = state.origin.repository_origin.code_location_origin
        # Several projects of one instance have schedules of one name.
        ours = location is None or place.location_name == location.location_name
        if ours and state.name == SCHEDULE and state.status in _SAID:
            return state.status is InstigatorStatus.RUNNING
    return settings.dagster.schedule_status == "running"


def changed_sources(settings: Settings) -> dict[str, tuple[int, ...]]:
    """Return the files of data/source that are not as the last published run read them, with size, times and inode."""
    state = load_state(WorkFolder(settings.project / "db" / ".work").published_state)
    stamps = state.stamps if state is not None else {}
    found = {}
    for table in discover_sources(settings.project).tables:
        for path in table.files:
            label = path.relative_to(settings.project).as_posix()
            stat = file_stat(path)
            if label not in stamps or stamps[label].stat != stat:
                found[label] = stat
    return found


def _may_grow(path: Path) -> bool:
    """Whether somebody has a file open for writing, and wrote to it lately: some network file systems say it of every file."""
    return is_being_written(path) and time.time() - path.stat().st_mtime < STILL_SECONDS


def run_going(instance: dagster.DagsterInstance, settings: Settings) -> str:
    """Return a sentence about the run that is going, of Dagster or of the classic scripts; empty when there is none."""
    for record in instance.get_run_records(filters=dagster.RunsFilter(statuses=GOING)):
        if not _is_of(record.dagster_run, settings):
            continue
        began = datetime.datetime.fromtimestamp(record.start_time or record.create_timestamp.timestamp()).astimezone()
        return f"Run {record.dagster_run.run_id[:8]} is in progress since {began:%Y-%m-%d %H:%M:%S}."
    holder = run_in_progress(WorkFolder(settings.project / "db" / ".work").lock)
    return f"Another run is in progress: {holder}." if holder else ""


def _is_of(run: dagster.DagsterRun, settings: Settings) -> bool:
    """Whether a run is one of this project, and not of another one that shares its history."""
    if shared_home(settings.project) is None or run.job_code_origin is None:
        return True
    pointer = run.job_code_origin.repository_origin.code_pointer
    return getattr(pointer, "working_directory", None) == str(settings.project)


def ran_elsewhere(settings: Settings) -> str:
    """Return a sentence when the project's own instance is up beside this one of several projects, and does what is due; or empty."""
    if shared_home(settings.project) is None:
        return ""
    own = Place(settings)
    record = running_record(own)
    return f"The project's own Dagster at {record.url} (PID {record.pid}) does this." if record is not None else ""


def _schedule_status(status: str) -> dagster.DefaultScheduleStatus:
    return dagster.DefaultScheduleStatus.RUNNING if status == "running" else dagster.DefaultScheduleStatus.STOPPED
