"""A workspace, and commands typed in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pdbt.project.workspace import Workspace, add_project, init_workspace
from pdbt.scaffold import NewProject
from tests.conftest import Ended
from tests.process.conftest import end_marked, free_port
from tests.project.diagnosis import write
from tests.typed import typed

ROOT = Path(__file__).resolve().parents[2]
TYPES = ("duckdb", "sqlite", "commune")
ORGANISATIONS = ("acme", "beta", "gamma")
__all__ = ["free_port"]  # a fixture of this room too

Pdbt = Callable[..., Ended]
Add = Callable[..., Path]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace without projects; what is launched in it ends with the test."""
    yield init_workspace(tmp_path / "ws")
    end_marked(tmp_path)


@pytest.fixture
def add(workspace: Workspace) -> Add:
    """Make a project in the workspace; return its folder."""

    def make(name: str, organisation: str | None = None, *, database: str = "duckdb", **wanted: object) -> Path:
        return add_project(workspace, NewProject(name, database, **wanted), organisation).target  # type: ignore[arg-type] # as given

    return make


@pytest.fixture
def orders(add: Add, free_port: Callable[[], int]) -> Path:
    """A project with nothing wrong."""
    project = add("orders", "acme", port=free_port())
    write(project / "data" / "source" / "orders.csv", "id,amount\n1,2\n")
    return project


@pytest.fixture
def pdbt(workspace: Workspace) -> Pdbt:
    """Type a command in the workspace."""

    def run(*words: str | Path, cwd: Path | None = None) -> Ended:
        return typed(*words, cwd=cwd or workspace.root)

    return run


def listed(pdbt: Pdbt) -> dict[str, dict[str, Any]]:
    """Return what the list says of each project, by its name."""
    return {project["name"]: project for project in json.loads(pdbt("list-projects", "--json").stdout)["projects"]}
