"""A project's own scheduler whose clock a test moves: each line of standard input is a minute.

All is as in the process that serves a project's Dagster, without the page: the instance, the definitions, Dagster's scheduler with its
ticks on record, and a process for each run. Only the moment that the scheduler is asked about is the test's, as a minute of the
clock would take a minute. For each tick a line says how its runs ended.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import sys
import time
from pathlib import Path

PROJECT = Path(sys.argv[1])
sys.path.insert(0, str(PROJECT / "scripts"))
RUN_SECONDS = 90.0


def say(text: str) -> None:
    """Write a line that is told from what the runs print."""
    print(f"ticking: {text}", flush=True)


def main() -> None:
    from dagster import DagsterRunStatus
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._daemon.controller import daemon_controller_from_instance  # noqa: F401 - its room is entered by this door
    from dagster._scheduler.scheduler import launch_scheduled_runs

    from engine.process import forking  # type: ignore[import-not-found]  # the project's copy
    from engine.process.instance import open_instance  # type: ignore[import-not-found]  # the project's copy
    from engine.process.place import Place  # type: ignore[import-not-found]  # the project's copy
    from engine.process.runs import ForkedRunLauncher  # type: ignore[import-not-found]  # the project's copy
    from engine.process.workspace import ProjectsTarget  # type: ignore[import-not-found]  # the project's copy
    from engine.settings import load_settings  # type: ignore[import-not-found]  # the project's copy

    forking.begin()
    place = Place(load_settings(PROJECT))
    moment = datetime.datetime.now(datetime.UTC).replace(second=30)
    logger = logging.getLogger("ticking")
    with contextlib.ExitStack() as stack:
        instance = stack.enter_context(open_instance(place))
        workspace = stack.enter_context(WorkspaceProcessContext(instance, ProjectsTarget(place)))
        stack.callback(lambda: isinstance(instance.run_launcher, ForkedRunLauncher) and instance.run_launcher.end_all())
        list(launch_scheduled_runs(workspace, logger, moment, {}))  # the schedule begins to count here
        say("ready")
        known: set[str] = set()
        for _ in sys.stdin:
            moment += datetime.timedelta(minutes=1)
            workspace.refresh_workspace()
            list(launch_scheduled_runs(workspace, logger, moment, {}))
            deadline = time.monotonic() + RUN_SECONDS
            while True:
                fresh = {run.run_id: run.status for run in instance.get_runs() if run.run_id not in known}
                ended = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)
                if fresh and all(status in ended for status in fresh.values()):
                    break
                assert time.monotonic() < deadline, fresh
                time.sleep(0.05)
            known |= set(fresh)
            say(json.dumps([status.value for status in fresh.values()]))


if __name__ == "__main__":
    main()
