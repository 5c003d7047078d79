"""Projects read by Dagster in the test's own process, with an instance whose history is thrown away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster
import pytest

from pdbt.engine import Run
from pdbt.engine.orchestration import definitions
from tests.pipeline.conftest import MakeProject, make_project, pristine
from tests.pipeline.projects import Project, shop

__all__ = ["make_project", "pristine"]

Repository = dagster.RepositoryDefinition
Load = Callable[[Path], Repository]


def import_data(run: Run) -> None:
    run.import_sources()


def transform_data(run: Run) -> None:
    run.build_tables()


def export_results(run: Run) -> None:
    run.check()
    run.publish()


@pytest.fixture
def load() -> Load:
    """Read a project as its macro/dagster-run-process.py does."""
    return lambda path: definitions(path, [import_data, transform_data, export_results]).get_repository_def()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dagster.DagsterInstance]:
    """A Dagster instance of the test's own."""
    with dagster.DagsterInstance.local_temp(str(tmp_path), overrides={"telemetry": {"enabled": False}}) as temporary:
        yield temporary


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """The shop of the pipeline's tests, in DuckDB; what fails is tried again at once."""
    made = make_project("duckdb")
    shop(made)
    made.setting("dagster", "retry_delay = 0")
    return made
