"""`pdbt run`: the project's own classic run, here or on a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    context: typer.Context,
    project: Annotated[
        Path | None, typer.Argument(metavar="PROJECT", help="The project; by default the one you are in.", show_default=False)
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Rebuild everything, changed or not.")] = False,
    parameters: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="The value of $NAME in SQL; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done and why, and do nothing.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Run the project's sample.")] = False,
    lock_timeout: Annotated[
        float | None, typer.Option("--lock-timeout", metavar="SECONDS", min=0, help="How long to wait for another run of the project.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    cloud: Annotated[bool, typer.Option("--cloud", help="Run it on a deployment instead of here.")] = False,
    labels: Annotated[
        list[str] | None, typer.Option("--label", metavar="LABEL", help="A label that the deployment must serve; may be repeated.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the run on the deployment has ended.")] = False,
) -> None:
    """Import, transform, audit, publish, export: the same as python3 macro/python-run-process.py."""
    from ..project import run_classic
    from .running import refuse_together, run_on_deployment

    if cloud:
        refuse_together("--cloud", {"--dry-run": dry_run, "--lock-timeout": lock_timeout is not None})
        raise typer.Exit(run_on_deployment(project, labels or (), parameters or (), full=full, wait=wait, sample=sample, quiet=quiet))
    refuse_together("a run here", {"--label": bool(labels), "--wait": wait}, "They go with --cloud: add it.")
    flags = {"--full": full, "--dry-run": dry_run, "--quiet": quiet, "--debug": context.obj["debug"]}
    options = [flag for flag, wanted in flags.items() if wanted]
    options += [f"--lock-timeout={lock_timeout}"] if lock_timeout is not None else []
    options += [word for parameter in parameters or () for word in ("--param", parameter)]
    raise typer.Exit(run_classic(project, options, sample=sample))
