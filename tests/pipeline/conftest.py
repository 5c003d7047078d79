"""Projects of each type, made once by `pdbt new` and copied for each test."""

from __future__ import annotations

import compileall
import functools
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import RunProject, project_environment
from tests.pipeline.projects import KINDS, URL_VARIABLE, Project, shop

ROOT = Path(__file__).resolve().parents[2]
NEW_SECONDS = 60
TYPE_OPTIONS = {
    "duckdb": (),
    "sqlite": ("--db", "sqlite"),
    "commune": ("--db", "commune"),
    "postgresql": ("--db", "commune", "--url", f"${{{URL_VARIABLE}}}"),
}
# For tests whose fast part need not be repeated for each type.
SLOW_BUT_DUCKDB = ["duckdb", *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind != "duckdb")]

MakeProject = Callable[[str], Project]


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give a new, empty project of a type, to be copied."""
    folder = tmp_path_factory.mktemp("pristine")

    @functools.cache
    def make(kind: str) -> Path:
        project = folder / f"{kind}_shop"
        command = [sys.executable, "-m", "pdbt", "new", str(project), *TYPE_OPTIONS[kind]]
        result = subprocess.run(command, cwd=ROOT, env=project_environment(), capture_output=True, text=True, timeout=NEW_SECONDS)
        assert result.returncode == 0, result.stdout + result.stderr
        shutil.rmtree(project / "sample")
        compileall.compile_dir(project / "scripts", quiet=2)  # each copy's first process need not do it again
        return project

    return make


@pytest.fixture
def run_project(run_project_warm: RunProject) -> RunProject:
    """Run a project's script in a process that has the libraries already: a hundred tests run it several times each."""
    return run_project_warm


@pytest.fixture
def make_project(pristine: Callable[[str], Path], run_project: RunProject, tmp_path: Path, request: pytest.FixtureRequest) -> MakeProject:
    """Make an empty project of a type; PostgreSQL gets a database of its own."""

    def make(kind: str) -> Project:
        path = tmp_path / f"{kind}_shop"
        shutil.copytree(pristine(kind), path)
        if kind != "postgresql":
            return Project(path, kind, run_project)
        url = str(request.getfixturevalue("postgres_url"))
        return Project(path, kind, run_project, url, {URL_VARIABLE: url})

    return make


@pytest.fixture(params=KINDS)
def project(make_project: MakeProject, request: pytest.FixtureRequest) -> Project:
    """An empty project, of each type in turn."""
    return make_project(request.param)


@pytest.fixture(params=["duckdb", "sqlite"])
def file_project(make_project: MakeProject, request: pytest.FixtureRequest) -> Project:
    """An empty project, of each type that publishes a file."""
    return make_project(request.param)


@pytest.fixture
def a_shop(project: Project) -> Project:
    """A project of each type in turn, with three sources, three tables and a check, that has not run yet."""
    return shop(project)


@pytest.fixture
def duckdb_shop(make_project: MakeProject) -> Project:
    """The same shop for what has nothing to do with the type of the database."""
    return shop(make_project("duckdb"))


@pytest.fixture
def a_run_shop(a_shop: Project) -> Project:
    """A shop that ran once."""
    a_shop.run()
    return a_shop


@pytest.fixture
def duckdb_run_shop(duckdb_shop: Project) -> Project:
    """The same, for what has nothing to do with the type of the database."""
    duckdb_shop.run()
    return duckdb_shop
