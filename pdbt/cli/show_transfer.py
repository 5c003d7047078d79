"""What `pdbt transfer` prints: its plan, a bar while rows travel, and what arrived."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from .words import counted

if TYPE_CHECKING:
    from ..connect import Transfer, Transferred

_MEGABYTE = 1_000_000


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """Return ``column=type`` texts as a mapping.

    Raises:
        typer.BadParameter: one has no equals sign.
    """
    found = {}
    for text in texts:
        name, sign, kind = text.rpartition("=")
        if not (name and sign and kind):
            raise typer.BadParameter(f"--cast {text}: write COLUMN=TYPE.")
        found[name] = kind
    return found


def show_plans(transfers: Sequence[Transfer]) -> None:
    """Print what each transfer would do."""
    from ..connect import plan_transfer

    for wanted in transfers:
        plan = plan_transfer(wanted)
        about = "an unknown number of rows" if plan.rows is None else f"about {counted(plan.rows, 'row')}"
        there = "which is there" if plan.exists else "which is new"
        typer.echo(f"{wanted.reading.label}: {about} from {wanted.origin.label}")
        typer.echo(f"  {wanted.mode} {wanted.table} of {wanted.destination.label}, {there}")
        for statement in plan.statements or ("(its columns stay as they are)",):
            typer.echo(f"\n{statement}")
        typer.echo()
    typer.echo("Nothing was written.")


def carry_out_shown(transfers: Sequence[Transfer], parallel: int) -> None:
    """Carry transfers out; a terminal shows a bar for each meanwhile."""
    from ..connect import transfer_all

    results = _with_bars(transfers, parallel) if sys.stderr.isatty() else transfer_all(transfers, parallel)
    for wanted, result in zip(transfers, results, strict=True):
        again = f", at attempt {result.attempts}" if result.attempts > 1 else ""
        megabytes, seconds = result.size / _MEGABYTE, max(result.seconds, 0.001)
        rows, pace = counted(result.rows, "row"), result.rows / seconds
        typer.echo(f"{wanted.table}: {rows}, {megabytes:,.1f} MB in {seconds:.1f} s ({pace:,.0f} rows/s){again}")
        if result.note:
            typer.echo(result.note)


def _with_bars(transfers: Sequence[Transfer], parallel: int) -> Sequence[Transferred]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from ..connect import estimate_rows, transfer_all

    shown = ("{task.description}", "{task.completed:,.0f} rows", "{task.fields[megabytes]:,.1f} MB", "{task.fields[pace]:,.0f} rows/s")
    columns = [TextColumn(shown[0]), BarColumn(), *map(TextColumn, shown[1:]), TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {id(wanted): bars.add_task(str(wanted.table), total=estimate_rows(wanted), megabytes=0.0, pace=0.0) for wanted in transfers}

        def progress(wanted: Transfer, rows: int, size: int) -> None:
            task = tasks[id(wanted)]
            bars.update(task, completed=rows, megabytes=size / _MEGABYTE, pace=bars.tasks[task].speed or 0.0)

        return transfer_all(transfers, parallel, progress)
