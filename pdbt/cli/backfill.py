"""`pdbt backfill`: a run for each value of a parameter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def backfill(
    project: Annotated[
        Path | None, typer.Argument(metavar="PROJECT", help="The project; by default the one you are in.", show_default=False)
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME", help="The parameter that varies; as NAME=VALUE, another one, the same for all runs."),
    ] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="VALUE", help="The first day, month or whole number.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="VALUE", help="The last one.")] = None,
    values: Annotated[str | None, typer.Option("--values", metavar="A,B,C", help="The values themselves.")] = None,
    step: Annotated[int, typer.Option("--step", metavar="COUNT", help="The step from one value to the next.")] = 1,
    full: Annotated[bool, typer.Option("--full", help="Rebuild everything in each run.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also run values that succeeded before.")] = False,
    stop_on_error: Annotated[bool, typer.Option("--stop-on-error", help="Stop at the first value that fails.")] = False,
    lock_timeout: Annotated[
        float | None, typer.Option("--lock-timeout", metavar="SECONDS", min=0, help="How long to wait for another run of the project.")
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Use the project's sample.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    cloud: Annotated[bool, typer.Option("--cloud", help="Run on a deployment instead of here.")] = False,
    labels: Annotated[
        list[str] | None, typer.Option("--label", metavar="LABEL", help="A label that the deployment must serve; may be repeated.")
    ] = None,
) -> None:
    """Run once for each value of a parameter, in order; the same command resumes where it stopped."""
    from ..project.backfill import backfill as fill
    from . import running

    name, others = running.varying(parameters or ())
    running.refuse_together(
        "--cloud" if cloud else "a backfill here",
        {"--lock-timeout": cloud and lock_timeout is not None, "--label": bool(labels) and not cloud},
    )
    with running.interruptible():
        result = fill(
            project,
            name,
            first,
            last,
            values=None if values is None else [value.strip() for value in values.split(",")],
            step=step,
            parameters=others,
            cloud=cloud,
            labels=labels or (),
            full=full,
            again=again,
            stop_on_error=stop_on_error,
            lock_timeout=lock_timeout,
            sample=sample,
            on_value=None if quiet else running.show_value,
            tell=running.tell,
        )
    running.show_backfill(result, quiet=quiet)
    raise typer.Exit(result.exit_code)
