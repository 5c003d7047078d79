"""A project in Dagster: its tables and exports as assets, its checks, its job, its schedule, its sensor.

One step makes them all, by the same functions as the classic run, and reports each table as it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dagster

from ..command import StepFunction
from ..parameters import accepted_parameters
from ..schedule import note_schedule
from ..session import read_project
from .assets import describe
from .automation import JOB, late_sensor_of, schedule_of, sensor_of, tells_of_late
from .execution import pipeline_assets, pipeline_job
from .metadata import of_job

__all__ = ["definitions"]


def definitions(project: Path, steps: Sequence[StepFunction]) -> dagster.Definitions:
    """Return the Dagster definitions of a project.

    Args:
        project: the project's folder.
        steps: the functions of a classic run, in order.

    Raises:
        PdbtError: the settings, a file of the scripts or the order of the tables is at fault.
    """
    settings, graph = read_project(project)
    note_schedule(settings)
    described = describe(settings, graph)
    accepted = accepted_parameters(settings, graph)
    if described.assets:
        assets = [pipeline_assets(settings, described, steps)]
        job: dagster.JobDefinition | dagster.UnresolvedAssetJobDefinition = dagster.define_asset_job(
            JOB,
            selection=dagster.AssetSelection.all(),
            description="Import, transform, audit, publish, export.",
            executor_def=dagster.in_process_executor,
            metadata=of_job(settings.name, accepted),
            tags=described.run_tags,
        )
    else:
        assets, job = [], pipeline_job(settings, described, steps, accepted)
    return dagster.Definitions(
        assets=assets,
        jobs=[job],
        schedules=[schedule_of(settings)],
        sensors=[sensor_of(settings), *([late_sensor_of(settings)] if tells_of_late(settings) else [])],
        executor=dagster.in_process_executor,
    )
