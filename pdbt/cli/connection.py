"""`pdbt connection`: the databases that a project reads from and writes to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .sections import SectionedGroup
from .words import counted

connection = typer.Typer(cls=SectionedGroup, help="The databases that a project reads from and writes to.", rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The connection's name in pdbt.toml.", show_default=False)]
Project = Annotated[Path | None, typer.Option("--project", metavar="DIR", help="The project; by default the one you are in.")]


@connection.command("add")
def add_connection(
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the database is.", show_default=False)],
    project: Project = None,
) -> None:
    """Write a connection into pdbt.toml; a password goes into .env, which stays out of version control."""
    from ..connect import add_connection as add
    from ..scaffold import find_project

    added = add(find_project(project), name, url)
    typer.echo(f"Added {added.name}: {added.url}")
    typer.echo(f"\nNext:\n  pdbt connection test {added.name}")


@connection.command("list")
def list_connections(project: Project = None) -> None:
    """Show the project's connections, its own and inherited ones, and the file of each; passwords are masked."""
    from ..connect import list_connections as listed
    from ..scaffold import find_project
    from .show import from_here

    found = listed(find_project(project))
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        missing = "" if one.installed or not one.kind else "  (its library is not installed)"
        typer.echo(f"{one.name:<{width}}  {one.kind or '?':<10}  {one.url}  ({from_here(one.file)}){missing}")
    if not found:
        typer.echo("There are no connections. Add one with: pdbt connection add NAME URL")


@connection.command("test")
def try_connection(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A connection's name, or a URL.", show_default=False)],
    project: Project = None,
) -> None:
    """Connect, and say what failed: name, port, TLS, password, database or privilege."""
    from ..connect import resolve_name, test_connection

    found = test_connection(resolve_name(name, project))
    create = "may" if found.writable else "may not"
    typer.echo(f"{found.label} works: {found.version}, {counted(found.tables, 'table')}; you {create} create tables.")


@connection.command("remove")
def remove_connection(name: Name, project: Project = None) -> None:
    """Remove a connection from pdbt.toml; .env stays as it is."""
    from ..connect import remove_connection as remove
    from ..scaffold import find_project

    remove(find_project(project), name)
    typer.echo(f"Removed {name}.")
