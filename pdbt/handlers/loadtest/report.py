"""What a load test leaves: a table of its measurements, and a plot of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...engine.csv_writer import CsvWriter
from ...engine.errors import MissingLibrary
from .running import Level

TABLE, PLOT = "loadtest.csv", "loadtest.png"
_INCHES = (9.0, 4.0)
_DOTS_PER_INCH = 150


def need_plots() -> None:
    """Find what draws the plot: before a test of many minutes, not after it.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401 - looked for
    except ModuleNotFoundError:
        raise MissingLibrary("matplotlib", "The plot of a load test") from None


def write_table(levels: Sequence[Level], folder: Path) -> Path:
    """Write the measurements as CSV: a line for each number of clients, times in seconds."""
    path = folder / TABLE
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = CsvWriter(file)
        writer.write([field.name for field in dataclasses.fields(Level)])
        writer.write_all(dataclasses.astuple(level) for level in levels)
    return path


def write_plot(levels: Sequence[Level], path: Path, title: str, rival: tuple[str, Sequence[tuple[int, float]]] | None = None) -> Path:
    """Draw round trip and rows a second over the number of clients.

    Args:
        levels: the measurements.
        path: the PNG file.
        title: what stands above.
        rival: what else is drawn beside: its name, and its mean round trips in seconds by number of clients.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    clients = [level.clients for level in levels]
    times: Any = figure.add_subplot(1, 2, 1)
    for name in ("mean", "p50", "p95", "p99"):
        times.plot(clients, [getattr(level, name) * 1e3 for level in levels], marker="o", label=name)
    if rival is not None:
        times.plot(*zip(*((count, mean * 1e3) for count, mean in rival[1]), strict=True), marker="s", color="grey", label=rival[0])
        times.set_yscale("log")
    times.set(xlabel="clients", ylabel="round trip, ms", xticks=clients)
    figure.legend(loc="outside lower center", ncols=5)
    rates: Any = figure.add_subplot(1, 2, 2)
    rates.plot(clients, [level.rows_per_second for level in levels], marker="o")
    rates.set(xlabel="clients", ylabel="rows acknowledged a second", xticks=clients, ylim=(0, None))
    figure.savefig(path, dpi=_DOTS_PER_INCH)
    return path
