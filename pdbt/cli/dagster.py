"""`pdbt launch`, `stop`, `status` and `logs`: a project's Dagster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Project = Annotated[Path | None, typer.Argument(metavar="PROJECT", help="The project; by default the one you are in.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="The whole workspace that you are in, as one Dagster.")]
Sample = Annotated[bool, typer.Option("--sample", help="Use the project's sample.")]


def launch(
    context: typer.Context,
    project: Project = None,
    port: Annotated[int | None, typer.Option("--port", metavar="PORT", help="The page's port, this time.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until the page can list the assets.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="How long to wait for the page; 120 by default.")
    ] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Run in this terminal until Ctrl-C.")] = False,
    everything: All = False,
    sample: Sample = False,
) -> None:
    """Start Dagster in the background: the same as python3 macro/dagster-run-process-launch.py."""
    from ..project import launch_dagster

    if everything:
        from .workspace_dagster import launch_all

        refuse_with_all(project, sample=sample)
        raise typer.Exit(launch_all(port, timeout, wait=not no_wait, foreground=foreground))

    flags = {"--no-wait": no_wait, "--foreground": foreground, "--debug": context.obj["debug"]}
    options = [*_given("--port", port), *_given("--timeout", timeout), *(flag for flag, wanted in flags.items() if wanted)]
    raise typer.Exit(launch_dagster(project, options, sample=sample))


def stop(
    context: typer.Context,
    project: Project = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", help="How long its processes may take before they are killed; 15 by default."),
    ] = None,
    everything: All = False,
    sample: Sample = False,
) -> None:
    """Stop Dagster, with all its processes: the same as python3 macro/dagster-run-process-stop.py."""
    from ..project import stop_dagster

    if everything:
        from .workspace_dagster import stop_all

        refuse_with_all(project, sample=sample)
        raise typer.Exit(stop_all(timeout))

    options = [*_given("--timeout", timeout), *(["--debug"] if context.obj["debug"] else [])]
    raise typer.Exit(stop_dagster(project, options, sample=sample))


def status(
    project: Project = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    everything: All = False,
    sample: Sample = False,
) -> None:
    """Show whether Dagster is running, where, what its schedule does, and how the last run ended."""
    from ..project import dagster_status
    from .show_status import show_status

    if everything:
        from .workspace_dagster import status_all

        refuse_with_all(project, sample=sample)
        status_all(as_json=as_json)
        return

    show_status(dagster_status(project, sample=sample), as_json=as_json)


def logs(
    project: Project = None,
    lines: Annotated[int, typer.Option("--lines", "-n", metavar="COUNT", min=0, help="How many lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing what is added, until Ctrl-C.")] = False,
    everything: All = False,
    sample: Sample = False,
) -> None:
    """Show the end of Dagster's log, macro/dagster.log."""
    from ..project import dagster_log
    from .show_status import show_texts

    if everything:
        from .workspace_dagster import log_of_all

        refuse_with_all(project, sample=sample)
        show_texts(log_of_all(lines, follow=follow))
        return

    show_texts(dagster_log(project, lines, following=follow, sample=sample))


def refuse_with_all(project: Path | None, *, sample: bool) -> None:
    """Refuse a command line that means one and all.

    Raises:
        PdbtError: it does.
    """
    if project is not None or sample:
        from ..engine.errors import PdbtError

        raise PdbtError(f"--all means every project, and {project or '--sample'} one.", "Leave one of them out.")


def _given(option: str, value: float | None) -> list[str]:
    return [] if value is None else [option, str(value)]
