"""Projects read by Dagster in the test's own process, with an instance whose history is thrown away."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import dagster
import pytest

from pdbt.engine import Run
from pdbt.engine.orchestration import definitions
from tests.conftest import RUN_SCRIPT, RUN_SECONDS, Ended, RunProcess, RunProject
from tests.pipeline.conftest import MakeProject, make_project, pristine
from tests.pipeline.projects import Project, shop
from tests.typed import classic_run

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
def run_project(run_project: RunProject) -> RunProject:
    """Run a project in the test's own process, which has what runs need loaded; another of its scripts in one of its own."""

    def run(
        project: Path, *words: str, script: str = RUN_SCRIPT, env: Mapping[str, str] | None = None, timeout: float = RUN_SECONDS
    ) -> Ended:
        if script == RUN_SCRIPT:
            return classic_run(project, *words, env=env)
        return run_project(project, *words, script=script, env=env, timeout=timeout)

    return run


@pytest.fixture
def apart(run_process: RunProcess, tmp_path: Path) -> RunProject:
    """Run a project in a process of its own, as its owner does."""

    def run(
        project: Path, *words: str, script: str = RUN_SCRIPT, env: Mapping[str, str] | None = None, timeout: float = RUN_SECONDS
    ) -> Ended:
        return run_process([sys.executable, project / script, *words], cwd=tmp_path, env=env, timeout=timeout)

    return run


@pytest.fixture
def load() -> Load:
    """Read a project as its macro/dagster-run-process.py does."""
    return lambda path: definitions(path, [import_data, transform_data, export_results]).get_repository_def()


OVERRIDES = {"telemetry": {"enabled": False}}


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an instance that has run nothing: to make its databases takes longer than most tests."""
    folder = tmp_path_factory.mktemp("fresh")
    with dagster.DagsterInstance.local_temp(str(folder), overrides=OVERRIDES) as instance:
        for ask in (instance.get_runs, instance.all_asset_keys, instance.all_instigator_state):  # each is made when it is asked first
            ask()
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of the instance that is kept."""
    return tmp_path / "home"


@pytest.fixture
def kept(fresh: Path, home: Path) -> Iterator[dagster.DagsterInstance]:
    """An instance with a home, as a launched one has."""
    shutil.copytree(fresh, home)
    with dagster.DagsterInstance.local_temp(str(home), overrides=OVERRIDES) as instance:
        yield instance


def in_memory(folder: Path) -> dagster.DagsterInstance:
    """Return a Dagster instance in memory: to write each event to a disk takes longer than all the rest of a run."""
    return dagster.DagsterInstance.ephemeral(str(folder), settings=OVERRIDES)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dagster.DagsterInstance]:
    """A Dagster instance of the test's own."""
    with in_memory(tmp_path) as temporary:
        yield temporary


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """The shop of the pipeline's tests, in DuckDB; what fails is tried again at once."""
    made = make_project("duckdb")
    shop(made)
    made.setting("dagster", "retry_delay = 0")
    return made
