"""`pdbt run`: the project's own classic run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    context: typer.Context,
    project: Annotated[
        Path | None, typer.Argument(metavar="PROJECT", help="The project; by default the one you are in.", show_default=False)
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Do everything again.")] = False,
    parameters: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="The value of $NAME in SQL; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done and why, and do nothing.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Run the project's sample.")] = False,
) -> None:
    """Import, transform, audit, publish, export: the same as python3 macro/python-run-process.py."""
    from ..project import run_classic

    options = [*(["--full"] if full else []), *(["--dry-run"] if dry_run else []), *(["--debug"] if context.obj["debug"] else [])]
    for parameter in parameters or ():
        options += ["--param", parameter]
    raise typer.Exit(run_classic(project, options, sample=sample))
