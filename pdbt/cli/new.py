"""`pdbt new`: make a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

More = Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="More files and folders, after --data FILE.", show_default=False)]
Database = Annotated[str, typer.Option("--db", metavar="TYPE", help="duckdb, sqlite or commune (the shared database).")]
Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="Where a commune's PostgreSQL is.")]
Data = Annotated[
    list[Path] | None, typer.Option("--data", metavar="FILE_OR_FOLDER ...", help="Data to begin with; each file or folder is one table.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be made, and make nothing.")]


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The project's name, or a path whose last part is the name.", show_default=False)
    ],
    more: More = None,
    database: Database = "duckdb",
    url: Url = None,
    data: Data = None,
    port: Annotated[int | None, typer.Option("--port", metavar="PORT", help="Dagster's port; the sample takes the next one.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Make a project that runs, and that its owner keeps without pdbt.

    pdbt new shop --data orders.csv customers.csv
    """
    from ..scaffold import NewProject, new_project
    from .show import show_new_project

    plan = new_project(NewProject(name, database, url, port, files_of(data, more)), dry_run=dry_run)
    show_new_project(plan, dry_run=dry_run)


def files_of(first: list[Path] | None, more: list[Path] | None) -> tuple[Path, ...]:
    """Return what follows --data: a shell expands a pattern to many words, of which the option itself takes one.

    Raises:
        typer.BadParameter: words after the name, but no --data among them.
    """
    if more and not first:
        raise typer.BadParameter(f"{str(more[0])!r} is one word too many. Files to begin with follow --data.")
    return (*(first or ()), *(more or ()))
