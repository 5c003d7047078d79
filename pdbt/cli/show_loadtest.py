"""What `pdbt stream loadtest` prints."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..engine.errors import PIPELINE_FAILED
from .words import counted

if TYPE_CHECKING:
    from ..handlers.loadtest.running import Level, Load

_HEADINGS = ("clients", "mean ms", "p50 ms", "p95 ms", "p99 ms", "rows/s", "errors", "rows acknowledged", "rows found")
_BAR = "█"
_WIDEST, _BESIDE = 60, 24


class Shown:
    """A load test that is run before somebody's eyes."""

    def __init__(self, load: Load, folder: Path) -> None:
        """Keep what is to be done."""
        self._load = load
        self._folder = folder

    def run(self) -> None:
        """Run it; print each measurement as it comes, then the plot and where the files are."""
        from ..handlers.loadtest.report import PLOT, need_plots, write_plot, write_table
        from ..handlers.loadtest.running import LOGS, load_test

        need_plots()
        batches, rows = counted(self._load.batches, "batch", "batches"), counted(self._load.rows, "row")
        typer.echo(f"{batches} of {rows} from each client to {self._load.url}")
        typer.echo("  ".join(_HEADINGS))
        levels = load_test(self._load, self._folder, _show)
        table = write_table(levels, self._folder)
        plot = write_plot(levels, self._folder / PLOT, f"{self._load.rows} rows a batch, {self._load.batches} batches a client")
        typer.echo("")
        for line in bars(levels):
            typer.echo(line)
        typer.echo(f"\nWritten: {table}, {plot}, {self._folder / LOGS}")
        _judge(levels)


def _show(level: Level) -> None:
    found = "no table" if level.found is None else f"{level.found:,}"
    times = (f"{seconds * 1e3:.1f}" for seconds in (level.mean, level.p50, level.p95, level.p99))
    cells = (str(level.clients), *times, f"{level.rows_per_second:,.0f}", str(level.errors), f"{level.acknowledged:,}", found)
    typer.echo("  ".join(cell.rjust(len(heading)) for cell, heading in zip(cells, _HEADINGS, strict=True)))


def bars(levels: list[Level]) -> list[str]:
    """Return the mean round trips as bars, a line for each number of clients."""
    width = min(_WIDEST, max(1, shutil.get_terminal_size().columns - _BESIDE))
    longest = max((level.mean for level in levels), default=0.0) or 1.0
    return ["mean round trip"] + [
        f"{level.clients:>4} {_BAR * max(1, round(level.mean / longest * width))} {level.mean * 1e3:.1f} ms" for level in levels
    ]


def _judge(levels: list[Level]) -> None:
    """End with 1 when a batch was not acknowledged, or what was acknowledged is not there."""
    for level in levels:
        clients = counted(level.clients, "client")
        if level.errors:
            typer.echo(f"{clients}: {counted(level.errors, 'batch was', 'batches were')} not acknowledged; the logs say why.", err=True)
        if level.found is not None and level.found != level.stored:
            stored = counted(level.stored, "row was", "rows were")
            typer.echo(f"{clients}: {stored} acknowledged as stored, {level.found:,} came.", err=True)
    if not all(level.complete for level in levels):
        raise typer.Exit(PIPELINE_FAILED)
