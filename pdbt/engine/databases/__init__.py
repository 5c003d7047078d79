"""The databases that a run builds in: one interface, a module for each, loaded only when it is the project's."""

from __future__ import annotations

from pathlib import Path

from ..errors import SettingsError
from .base import Database, UnusableStart
from .files import DatabaseFiles

TYPES = ("duckdb", "sqlite", "commune")
DEFAULT_PATHS = {"duckdb": "db/database.duckdb", "sqlite": "db/database.sqlite", "commune": "db/database.db"}

__all__ = ["DEFAULT_PATHS", "TYPES", "Database", "UnusableStart", "open_database"]


def open_database(
    database_type: str,
    *,
    project: Path,
    path: str | None = None,
    url: str | None = None,
    project_name: str = "",
    lock_timeout: float = 30.0,
) -> Database:
    """Return the project's database; nothing is opened or connected yet.

    Args:
        database_type: duckdb, sqlite or commune.
        project: the project's folder.
        path: where the published file lies, relative to the project; None for the type's own place.
        url: postgresql://… for commune; None makes commune a file.
        project_name: tells projects apart that share a PostgreSQL database.
        lock_timeout: seconds to wait for other programs that hold the database.

    Raises:
        SettingsError: the type is unknown, or it takes no url.
        MissingLibrary: a library of this type is not installed.
    """
    if database_type not in TYPES:
        message = f"[database] type is {database_type!r}; it can be {', '.join(TYPES)}."
        raise SettingsError(message, key="database.type", received=database_type, allowed=TYPES)
    if url and database_type != "commune":
        message = f"[database] url is set, but the type is {database_type}, which is a file."
        raise SettingsError(message, 'Set type = "commune", or remove url.', key="database.url", allowed=())
    if url:
        from .postgres import PostgreSQL

        return PostgreSQL(url, project, project_name, lock_timeout)
    if database_type == "duckdb":
        from . import duckdb_file

        return duckdb_file.DuckDBFile(DatabaseFiles.of(project, path or DEFAULT_PATHS["duckdb"], duckdb_file.SIDE_ENDINGS), lock_timeout)
    from . import sqlite_file

    files = DatabaseFiles.of(project, path or DEFAULT_PATHS[database_type], sqlite_file.SIDE_ENDINGS)
    return sqlite_file.SQLiteFile(files, lock_timeout)
