"""`pdbt doctor`: one line a check, with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..project.doctor import Check, Diagnosis

_COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "error": typer.colors.RED}
_WIDTH = 7


def doctor(
    project: Annotated[Path | None, typer.Argument(metavar="PROJECT", help="The project; by default the one you are in.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every project of the workspace that you are in.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list with one JSON object per check.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Use the project's sample.")] = False,
) -> None:
    """Examine a project and say what to do; starts nothing, changes nothing."""
    from ..connect.checkup import examine_connections
    from ..project.doctor import as_json as written
    from ..project.doctor import diagnose, exit_code
    from ..project.examined import homes_to_examine

    found = diagnose(homes_to_examine(project, everything=everything, sample=sample), [examine_connections])
    if as_json:
        typer.echo(written(found))
    else:
        for diagnosis in found:
            _show(diagnosis)
    raise typer.Exit(exit_code(found))


def _show(diagnosis: Diagnosis) -> None:
    typer.echo(f"{diagnosis.name}  {diagnosis.folder}")
    width = max(len(check.name) for check in diagnosis.checks)
    for check in diagnosis.checks:
        typer.echo(_line(check, width))


def _line(check: Check, width: int) -> str:
    state = typer.style(f"{check.state:<{_WIDTH}}", fg=_COLOURS[check.state])
    return f"  {state}  {check.name:<{width}}  {check.text}{f' {check.hint}' if check.hint else ''}"
