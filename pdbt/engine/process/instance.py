"""Dagster's instance of a project: its settings, its history, and the runs that a crash left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterInstance, RunsFilter
from dagster._core.instance.ref import InstanceRef

from ..files import write_durably
from ..orchestration.automation import GOING
from .place import InstancePlace

SETTINGS = """\
# Dagster's own settings for this instance, written at each launch.
telemetry:
  enabled: false
nux:  # no window that asks for a mail address
  enabled: false
{coordinator}
retention:
  schedule:
    purge_after_days: {skipped: 2, failure: 30, success: 30}
  sensor:
    purge_after_days: {skipped: 1, failure: 30, success: 30}
"""
_AT_ONCE = """\
run_coordinator:  # a run starts at once, and waits by itself for another one of this project to end
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator"""
_IN_TURN = """\
run_coordinator:  # all projects at their schedule's minute would otherwise ask for the whole machine
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
  config: {{max_concurrent_runs: {runs}, dequeue_interval_seconds: 1}}"""
# The page's own process starts the runs; whoever else opens this history (the `dagster` command) needs nothing of ours for it.
_OVERRIDES = {"run_launcher": {"module": f"{__package__}.runs", "class": "ForkedRunLauncher"}}


@contextmanager
def open_instance(place: InstancePlace) -> Iterator[DagsterInstance]:
    """Open the history of an instance; made if it is not there."""
    runs = place.runs_at_once
    coordinator = _AT_ONCE if runs is None else _IN_TURN.format(runs=runs)
    write_durably(place.home / "dagster.yaml", SETTINGS.replace("{coordinator}", coordinator))
    with DagsterInstance.from_ref(InstanceRef.from_dir(str(place.home), overrides=_OVERRIDES)) as instance:
        yield instance


def fail_lost_runs(instance: DagsterInstance) -> int:
    """Mark the runs that were going when the last instance ended as failed; returns how many."""
    lost = instance.get_run_records(filters=RunsFilter(statuses=GOING))
    for record in lost:
        message = (
            "Dagster, or the machine, ended while this run was going. Readers see what was published last; the next run goes on from there."
        )
        instance.report_run_failed(record.dagster_run, message)
    return len(lost)
