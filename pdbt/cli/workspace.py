"""`pdbt init-workspace`, `add-project` and `list-projects`: many projects in one folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from .new import Data, Database, DryRun, More, Url, files_of


def init_workspace(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; by default the one you are in.", show_default=False)] = Path(),
) -> None:
    """Mark a folder as a workspace."""
    from ..project.workspace import init_workspace as init
    from .show import from_here

    place = from_here(init(folder).root)
    typer.echo(f"{place if place != '.' else 'This folder'} is a workspace.\n\nNext:")
    if place != ".":
        typer.echo(f"  cd {shlex.quote(place)}")
    typer.echo("  pdbt add-project NAME")


def add_project(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The project's name, in snake_case.", show_default=False)],
    more: More = None,
    organisation: Annotated[str | None, typer.Option("--org", metavar="ORG", help="The organisation that it belongs to.")] = None,
    database: Database = "duckdb",
    url: Url = None,
    data: Data = None,
    port: Annotated[int | None, typer.Option("--port", metavar="PORT", help="Dagster's port, instead of the next pair.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Make a project in the workspace that you are in."""
    from ..project.workspace import add_project as add
    from ..project.workspace import find_workspace
    from ..scaffold import NewProject
    from .show import show_new_project

    wanted = NewProject(name, database, url, port, files_of(data, more))
    plan = add(find_workspace(), wanted, organisation, dry_run=dry_run)
    show_new_project(plan, dry_run=dry_run)


def list_projects(
    organisation: Annotated[str | None, typer.Option("--org", metavar="ORG", help="Only the projects of this organisation.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the projects of the workspace that you are in: what they are, whether they run, how the last run ended."""
    from ..project.listing import list_projects as listed
    from ..project.workspace import find_workspace
    from .show_workspace import show_listing

    show_listing(listed(find_workspace(), organisation), as_json=as_json)
