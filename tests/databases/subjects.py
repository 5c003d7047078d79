"""One database of each kind as a test sees it: through its module, and from outside as a reader."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psycopg

from pdbt.engine.databases import DEFAULT_PATHS, Database, open_database
from pdbt.engine.reading.model import Column

KINDS = ("duckdb", "sqlite", "postgresql")
PROJECT = "shop"


@dataclass
class Subject:
    """A project's database.

    Attributes:
        kind: duckdb, sqlite or postgresql.
        project: the project's folder.
        url: of PostgreSQL.
    """

    kind: str
    project: Path
    url: str | None = None

    @property
    def published(self) -> Path:
        """The published file of a file database."""
        return self.project / DEFAULT_PATHS[self.kind]

    def database(self, *, lock_timeout: float = 5.0, project_name: str = PROJECT) -> Database:
        """Return the module for this database; nothing is open yet."""
        kind = "commune" if self.url else self.kind
        return open_database(kind, project=self.project, url=self.url, project_name=project_name, lock_timeout=lock_timeout)

    @contextlib.contextmanager
    def run(self, start: str = "empty", keep: Sequence[str] = ()) -> Iterator[Database]:
        """Open the work database, and close it when the block ends."""
        database = self.database()
        try:
            database.open(start, keep)
            yield database
        finally:
            database.close()

    def publish(self, *tables: tuple[str, str]) -> str:
        """Publish these tables (name, SELECT) and nothing else; returns the token."""
        with self.run() as database:
            for name, select in tables:
                database.build(name, select)
            token = database.seal()
            database.publish([name for name, _ in tables], [])
        return token

    def read(self, select: str) -> list[tuple[object, ...]]:
        """Read what is published as any other program does."""
        if self.kind == "duckdb":
            with duckdb.connect(str(self.published), read_only=True) as connection:
                return connection.execute(select).fetchall()
        if self.kind == "sqlite":
            with contextlib.closing(sqlite3.connect(f"{self.published.as_uri()}?mode=ro", uri=True)) as sqlite:
                return sqlite.execute(select).fetchall()
        with psycopg.connect(str(self.url)) as postgres:
            return postgres.execute(select).fetchall()

    def tables(self) -> list[str]:
        """Return the names of the published tables, in order."""
        select = {
            "duckdb": "SELECT table_name FROM duckdb_tables()",
            "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
            "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        }[self.kind]
        return sorted(str(name) for (name,) in self.read(select))


def load(database: Database, table: str, select: str) -> int:
    """Load a DuckDB SELECT as the reading room does: with the types that DuckDB finds."""
    described = database.reader.execute(f"DESCRIBE {select}").fetchall()
    return database.load(table, select, [Column(str(name), str(kind)) for name, kind, *_ in described])
