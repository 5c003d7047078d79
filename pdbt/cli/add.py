"""`pdbt add`: bring something into a project that exists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .sections import SectionedGroup

add = typer.Typer(cls=SectionedGroup, help="Add data, a folder watcher or a stream to a project.", rich_markup_mode=None)


@add.command("source")
def add_source(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files, or folders of files; each is one table.", show_default=False)],
    project: Annotated[Path | None, typer.Option("--project", metavar="DIR", help="The project; by default the one you are in.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be added, and add nothing.")] = False,
) -> None:
    """Copy files into data/source/, with SQL and checks to begin with. Nothing of yours is overwritten."""
    from ..scaffold import add_sources
    from .show import show_added_sources

    plan = add_sources(files, project, dry_run=dry_run)
    show_added_sources(plan, dry_run=dry_run)


@add.command("stream")
def add_stream(
    project: Annotated[Path | None, typer.Option("--project", metavar="DIR", help="The project; by default the one you are in.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be added, and add nothing.")] = False,
) -> None:
    """Add a stream: scripts/stream/pipeline.py, and macro/stream-run-process.py with its launch and stop. Overwrites nothing of yours."""
    from ..scaffold import add_addon
    from .show import show_added_sources

    show_added_sources(add_addon("stream", project, dry_run=dry_run), dry_run=dry_run)


@add.command("watch")
def add_watch(
    project: Annotated[Path | None, typer.Option("--project", metavar="DIR", help="The project; by default the one you are in.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be added, and add nothing.")] = False,
) -> None:
    """Add a folder watcher: [watch] in pdbt.toml, and macro/watch-run-process.py with its launch and stop. Overwrites nothing of yours."""
    from ..scaffold import add_addon
    from .show import show_added_sources

    show_added_sources(add_addon("watch", project, dry_run=dry_run), dry_run=dry_run)
