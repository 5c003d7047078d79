"""What a database must do for a run; the rest of the engine knows no more of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import NEEDS_A_HAND, PdbtError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from ..reading.model import Column


class UnusableStart(PdbtError):
    """What a run was to go on with (the published or the sealed database) cannot be opened: one may still start empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Exit with 2: a person decides what becomes of it."""
        super().__init__(message, hint, NEEDS_A_HAND)


class Database(Protocol):
    """A published database that readers open, and a work database that runs build in.

    A token is a short text that identifies what lies there now: it changes when anything else was written.
    The order of a run is: `open`, any of the building methods, `stage` work done by the caller, `seal`, `publish`; `close` at
    any moment leaves what was built for a later `open(start="work")`, if it was sealed, and never touches what is published.

    Attributes:
        name: how a person would call what is published: the file's name, or host and database, never a password.
        dialect: ``duckdb``, ``sqlite`` or ``postgresql``: the SQL that this database speaks.
        reader: the DuckDB connection that reads source files; the work database itself for duckdb, one in memory otherwise.
            Valid between `open` and `seal` or `close`.
    """

    name: str
    dialect: str

    @property
    def reader(self) -> duckdb.DuckDBPyConnection:
        """The DuckDB connection that reads source files."""
        ...

    def published_token(self) -> str | None:
        """Identify what readers see now; None when nothing was published. Cheap, and needs no `open`."""
        ...

    def work_token(self) -> str | None:
        """Identify the work database as it was sealed; None when there is none. Cheap, and needs no `open`."""
        ...

    def open(self, start: str, keep: Sequence[str] = ()) -> None:
        """Open the work database.

        Args:
            start: ``empty`` begins a new one, ``published`` begins with the tables `keep` as readers see them now,
                ``work`` goes on with the one that lies there, ``reading`` opens what is published read-only, without a copy, for
                `query`, `read`, `columns` and `export` only.
            keep: the tables that the run will not rebuild; only for ``published``.

        Raises:
            UnusableStart: ``published``, ``work`` or ``reading``, and it cannot be opened.
            RunInProgress: a run on another machine builds in the same PostgreSQL database.
        """
        ...

    def load(self, table: str, select: str, columns: Sequence[Column]) -> int:
        """Replace the table by the rows of a DuckDB SELECT over `reader`; returns rows. Raises DuckDB's own error."""
        ...

    def build(self, table: str, select: str) -> int:
        """Replace the table by the rows of a SELECT in this database's dialect; returns rows. Raises BuildError, one line."""
        ...

    def write(self, table: str, rows: pa.Table) -> int:
        """Replace the table by an Arrow table (the result of a Python table); returns rows."""
        ...

    def read(self, table: str) -> pa.Table:
        """Return the whole table (the argument of a Python table)."""
        ...

    def drop(self, table: str) -> None:
        """Remove the table if it is there."""
        ...

    def columns(self, table: str) -> list[Column]:
        """Return the table's columns with the database's own type names."""
        ...

    def relation(self, table: str) -> str:
        """Return a table's name as SQL writes it."""
        ...

    def query(self, select: str, limit: int) -> tuple[list[str], list[tuple[object, ...]], int]:
        """Run a SELECT (a check): column names, the first `limit` rows, and how many rows there are. Raises BuildError."""
        ...

    def export(self, table: str, path: Path, file_format: str) -> int:
        """Write the table to `path` as csv, parquet, json (one array) or xlsx, in its own row order; returns rows."""
        ...

    def external(self, name: str) -> bool:
        """Whether the database holds a readable table of this name that no project of pdbt made (always False for files)."""
        ...

    def seal(self) -> str:
        """Make the work database durable, close it and return its token."""
        ...

    def publish(self, changed: Sequence[str], dropped: Sequence[str]) -> None:
        """Make the sealed work database what readers see, all at once; `published_token` is then the sealed token.

        Args:
            changed: tables built since the last publication.
            dropped: tables that are no longer part of the project.
        """
        ...

    def discard(self) -> None:
        """Remove the work database, whatever state it is in."""
        ...

    def close(self) -> None:
        """Close whatever is open; safe to call twice."""
        ...
