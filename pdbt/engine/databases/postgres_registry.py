"""The schema pdbt of a PostgreSQL database: which project published what, and who is building."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from typing import TYPE_CHECKING

from ..errors import RunInProgress
from .names import quoted
from .postgres_names import fitted

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

DEFAULT_SCHEMA = "public"
SEALED = "pdbt sealed"  # holds the token of a finished work schema; unlogged, so that a crash of the server empties it with the rest
RETRY_SECONDS = 0.2
CREATE = """
CREATE TABLE IF NOT EXISTS pdbt.projects (
    project text PRIMARY KEY,
    published_token text,
    tables json NOT NULL DEFAULT '{}',
    run_pid integer,
    run_host text,
    run_started timestamptz
)
"""


class Registry:
    """What the database knows of one project.

    Attributes:
        schema: where the project publishes.
        work: the schema that its runs build in.
    """

    def __init__(self, connection: Connection, project: str, schema: str) -> None:
        """Look at a project that publishes to `schema`; writes nothing yet."""
        self._connection = connection
        self._project = project
        self._key = project if schema == DEFAULT_SCHEMA else f"{project}@{schema}"
        self.schema = schema
        self.work = fitted(f"pdbt_work_{self._key}")

    def published_token(self) -> str | None:
        """Return the token of the last publication; None when there is none, or a table of it is no longer there."""
        if not self._exists("pdbt", "projects"):
            return None
        select = """
            SELECT published_token FROM pdbt.projects WHERE project = %s AND NOT EXISTS (
                SELECT FROM json_object_keys(tables) made WHERE made NOT IN (SELECT tablename FROM pg_tables WHERE schemaname = %s))
        """
        found = self._connection.exec_driver_sql(select, (self._key, self.schema)).fetchone()
        return str(found[0]) if found and found[0] else None

    def work_token(self) -> str | None:
        """Return the token of the sealed work schema; None when there is none."""
        if not self._exists(self.work, SEALED):
            return None
        found = self._connection.exec_driver_sql(f"SELECT token FROM {quoted(self.work)}.{quoted(SEALED)}").fetchone()
        return str(found[0]) if found else None

    def seal(self, token: str) -> None:
        """Mark the work schema as finished."""
        sealed = f"{quoted(self.work)}.{quoted(SEALED)}"
        self._connection.exec_driver_sql(f"CREATE UNLOGGED TABLE {sealed} AS SELECT %s::text AS token", (token,))

    def unseal(self) -> None:
        """Mark the work schema as under work."""
        self._connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quoted(self.work)}.{quoted(SEALED)}")

    def tables(self) -> dict[str, str]:
        """Return the tables that the project has published: PostgreSQL's name to the project's."""
        if not self._exists("pdbt", "projects"):
            return {}
        found = self._connection.exec_driver_sql("SELECT tables FROM pdbt.projects WHERE project = %s", (self._key,)).fetchone()
        return dict(found[0]) if found else {}

    def record(self, token: str, tables: dict[str, str]) -> None:
        """Write down a publication; part of its transaction."""
        update = "UPDATE pdbt.projects SET published_token = %s, tables = %s::json WHERE project = %s"
        self._connection.exec_driver_sql(update, (token, json.dumps(tables), self._key))

    def owners(self, table: str) -> list[str]:
        """Return the projects that have published a table of this name."""
        if not self._exists("pdbt", "projects"):
            return []
        select = "SELECT project FROM pdbt.projects WHERE %s IN (SELECT json_object_keys(tables))"
        return [str(project) for (project,) in self._connection.exec_driver_sql(select, (table,))]

    def lock(self, seconds: float) -> None:
        """Keep other runs of this project out, on whichever machine they are, until the connection ends.

        Raises RunInProgress after so many seconds.
        """
        number = int.from_bytes(hashlib.sha256(f"pdbt {self._key}".encode()).digest()[:8], signed=True)
        deadline = time.monotonic() + seconds
        while not self._connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (number,)).scalar():
            if time.monotonic() >= deadline:
                raise RunInProgress(f"Another run of {self._project} is in progress: {self._run()}.", "Wait for it to end, then run again.")
            time.sleep(RETRY_SECONDS)

    def enter(self) -> None:
        """Write down who is building, for those who wait."""
        if not self._exists("pdbt", "projects"):
            self._connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS pdbt")
            self._connection.exec_driver_sql(CREATE)
        insert = """
            INSERT INTO pdbt.projects (project, run_pid, run_host, run_started) VALUES (%s, %s, %s, now())
            ON CONFLICT (project) DO UPDATE
            SET run_pid = excluded.run_pid, run_host = excluded.run_host, run_started = excluded.run_started
        """
        self._connection.exec_driver_sql(insert, (self._key, os.getpid(), socket.gethostname()))

    def _run(self) -> str:
        """Name the run that holds the lock."""
        found = None
        if self._exists("pdbt", "projects"):
            select = "SELECT run_pid, run_host, to_char(run_started, 'YYYY-MM-DD HH24:MI:SS TZ') FROM pdbt.projects WHERE project = %s"
            found = self._connection.exec_driver_sql(select, (self._key,)).fetchone()
        return f"PID {found[0]} on {found[1]}, started {found[2]}" if found and found[0] else "its PID is not known yet"

    def _exists(self, schema: str, table: str) -> bool:
        found = self._connection.exec_driver_sql("SELECT to_regclass(%s)", (f"{quoted(schema)}.{quoted(table)}",))
        return found.scalar() is not None
