"""The four databases that transfers run between: real servers and files, each empty for each test."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests import mysql
from tests.connect.databases import DuckDBFile, MySQLDatabase, Place, PostgreSQLDatabase, SQLiteFile
from tests.connect.own_postgres import OwnServer, own_server
from tests.postgres import NoServer

Server = TypeVar("Server")


@pytest.fixture(scope="session")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The url of a real MySQL or MariaDB server; without one the test is skipped, and fails in CI."""
    with _needed("MySQL or MariaDB", mysql.running_server(tmp_path_factory.mktemp("mysql"))) as url:
        yield url


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[OwnServer]:
    """A PostgreSQL server that asks for passwords; without one the test is skipped, and fails in CI."""
    with _needed("a PostgreSQL server of its own", own_server()) as server:
        yield server


@contextlib.contextmanager
def _needed(what: str, server: contextlib.AbstractContextManager[Server]) -> Iterator[Server]:
    """Give a server; where there is none, skip the test, and fail in CI."""
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(server)
        except NoServer as error:
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI needs {what}: {error}")
            pytest.skip(str(error))
        yield found


@pytest.fixture
def mysql_url(mysql_server: str) -> Iterator[str]:
    """The url of an empty MySQL database."""
    with mysql.new_database(mysql_server) as url:
        yield url


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
