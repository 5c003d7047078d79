"""What `pdbt list-projects` prints."""

from __future__ import annotations

import datetime
import textwrap
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ..project.listing import ListedProject, Listing

_HEADER = ("organisation", "name", "type", "port", "schedule", "state", "last run", "result")
_COLOURS = {"running": typer.colors.GREEN, "killed": typer.colors.RED, "broken": typer.colors.RED}
_WIDTH = 100


def show_listing(listing: Listing, *, as_json: bool) -> None:
    """Print the projects of a workspace, as a table for a person or as one JSON object."""
    if as_json:
        typer.echo(listing.as_json())
        return
    rows = [_row(project) for project in listing.projects]
    # What is said of a broken project is as long as it is, and no column of the table.
    widths = [max(len(row[column]) for row in (_HEADER, *rows)) for column in range(len(_HEADER))]
    typer.echo(_line(_HEADER, widths))
    for project, row in zip(listing.projects, rows, strict=True):
        up = "; its Dagster is up: pdbt stop --all" if project.error is not None and project.dagster else ""
        text = _line(row, widths) if project.error is None else f"{_line(row[:2], widths)}  {project.state}: {project.error}{up}"
        failed = typer.colors.RED if project.result == "failed" else None
        typer.secho(text, fg=_COLOURS.get(project.state, failed))
    typer.echo(
        textwrap.fill(
            f"Reserved names: {', '.join(listing.reserved)}; Python's keywords and standard modules.", _WIDTH, subsequent_indent="  "
        )
    )


def _row(project: ListedProject) -> tuple[str, ...]:
    if project.error is not None:
        return (project.organisation or "-", project.name, "", "", "", "", "", "")
    began = f"{datetime.datetime.fromisoformat(project.last_run).astimezone():%Y-%m-%d %H:%M:%S}" if project.last_run else "-"
    where = " (all)" if project.dagster == "workspace" and project.state == "running" else ""
    told = (project.type, str(project.port), project.schedule, f"{project.state}{where}", began, project.result or "-")
    return (project.organisation or "-", project.name, *(text or "-" for text in told))


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=False)).rstrip()
