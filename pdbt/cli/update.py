"""`pdbt update`: a newer pdbt's templates for projects that exist."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def update(
    project: Annotated[
        Path | None, typer.Argument(metavar="PROJECT", help="The project; by default the one you are in.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Update all projects of the workspace that you are in.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would become of each file, and change nothing.")] = False,
) -> None:
    """Bring the templates of this pdbt into a project, and keep what you edited: merged, or marked where both changed the same lines."""
    from ..project.updating import update_all
    from ..project.workspace import find_workspace, locate_project
    from ..scaffold import update_project
    from .dagster import refuse_with_all
    from .show_update import show_member_update, show_update, show_waiting

    if everything:
        refuse_with_all(project, sample=False)
        codes = [show_member_update(done, dry_run=dry_run) for done in update_all(find_workspace(), dry_run=dry_run, waiting=show_waiting)]
        raise typer.Exit(max(codes, default=0))
    plan = update_project(locate_project(project), dry_run=dry_run, waiting=show_waiting)
    show_update(plan, dry_run=dry_run)
    raise typer.Exit(plan.exit_code)
