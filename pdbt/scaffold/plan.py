"""A plan: which files a command would write, as plain values that are shown, or carried out, and change nothing themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from ..engine.errors import PdbtError

Action = Literal["create", "extend", "identical", "conflict"]


@dataclass(frozen=True)
class PlannedFile:
    """One file of a plan.

    Attributes:
        action: ``create`` it; ``extend`` it, whose content then begins with what is there; it is there and ``identical``; it is there and
            a ``conflict``.
        path: where, relative to the plan's target, with ``/`` between folders.
        content: what it will hold, unless it is a copy.
        copy_of: the file that it will be a copy of.
        private: whether only the owner may read it.
    """

    action: Action
    path: str
    content: bytes = field(default=b"", repr=False)
    copy_of: Path | None = None
    private: bool = False


@dataclass(frozen=True)
class PlannedTable:
    """A table that a plan brings, found by reading its files once.

    Attributes:
        name: the table's name.
        label: its file or folder, relative to the project.
        rows: how many rows it has.
        columns: how many columns it has.
        made: the tables that its starters make from it.
        notes: what was found out while it was read, a sentence each.
    """

    name: str
    label: str
    rows: int
    columns: int
    made: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a command would write.

    Attributes:
        target: the project's folder, absolute.
        files: in the order in which they are written.
        tables: what `files` bring as data.
        database: the project's database type.
    """

    target: Path
    files: tuple[PlannedFile, ...]
    tables: tuple[PlannedTable, ...] = ()
    database: str = "duckdb"

    def with_action(self, action: Action) -> tuple[PlannedFile, ...]:
        """Return the files for which the plan says this."""
        return tuple(file for file in self.files if file.action == action)


def inside(path: str) -> str:
    """Return the path as it is when it stays inside whatever folder it is put in.

    Raises:
        PdbtError: it is absolute, climbs out by ``..``, or means different things on different systems.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or ":" in parts[0] or "\0" in path:
        raise PdbtError(f"The path {path!r} leads out of the project.", "Nothing was written.")
    return path
