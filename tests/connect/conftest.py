"""The four databases that transfers run between: real servers and files, each empty for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunProject, needed
from tests.connect.databases import DuckDBFile, MySQLDatabase, Place, PostgreSQLDatabase, SQLiteFile
from tests.connect.own_postgres import OwnServer, own_server


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[OwnServer]:
    """A PostgreSQL server that asks for passwords; without one the test is skipped, and fails in CI."""
    with needed("a PostgreSQL server of its own", own_server()) as server:
        yield server


@pytest.fixture
def run_project(run_project_warm: RunProject) -> RunProject:
    """Run a project's script in a child of a process that has loaded the libraries: of a run's start nothing is tested here."""
    return run_project_warm


@pytest.fixture
def places(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Place]:
    """All four databases, by name; a server is asked for when it is used."""
    return Lazily(tmp_path, request)


class Lazily(dict[str, Place]):
    """Places that are made when they are first asked for."""

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__()
        self._folder = folder
        self._request = request

    def __missing__(self, name: str) -> Place:
        made: Place
        if name == "postgresql":
            made = PostgreSQLDatabase(self._request.getfixturevalue("postgres_url"))
        elif name == "mysql":
            made = MySQLDatabase(self._request.getfixturevalue("mysql_url"))
        elif name == "sqlite":
            made = SQLiteFile(self._folder / "place.sqlite")
        else:
            made = DuckDBFile(self._folder / "place.duckdb")
        self[name] = made
        return made
