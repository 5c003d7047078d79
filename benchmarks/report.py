"""The table on the terminal and the page benchmarks/results.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.contest import MEGABYTE, Outcome, Quantity

HEADINGS = ("what", "pdbt", "rival", "figure", "bar", "")
METHOD = """\
## How it is measured

- A figure is the median over the runs of pdbt divided by the median over the runs of its rival, measured in the same run of
  the benchmark, taking turns: pdbt, rival, pdbt, rival. In brackets: the lowest and highest run. Seconds are the wall time of
  the whole process, from before it is started until it is gone; memory is the peak resident memory of its largest process,
  as the kernel counted it.
- Every contestant runs once unmeasured first, so that files are in memory and Python's bytecode is written for all of them.
  Then the results are compared, before and after measuring: the CSV file of ORDERS_CLEAN byte for byte, ORDERS_SUMMARY value
  by value (sums of doubles within 1e-9), the SQLite table row by row.
- Each measured run starts with no database, no state and no exports (except "nothing changed", where all of it is there and
  must be left untouched), and after a sync, so that nobody pays for writing another's files. dbt keeps its parsed project.
- The orders are generated, the same bytes on every machine: 9 columns, 2 million rows in 162 MB, 20 million in 1.64 GB.
- "2 million orders": CREATE TABLE ORDERS from read_csv, CREATE TABLE ORDERS_CLEAN (three computed columns, a filter), CREATE TABLE
  ORDERS_SUMMARY (a group-by), and the export as the fourth step. The export is two COPY statements for everyone, because a
  pdbt project exports both tables and all contestants must leave the same files. pdbt runs as `macro/python-run-process.py`
  of a project made by `pdbt new`; the bare script is `benchmarks/bare/with_duckdb.py`; dbt has one model a table and
  the COPY as post-hooks, with the same DuckDB.
- pdbt does more than the bare script in that time: it verifies the type of every value, builds in a work database that replaces
  the published one in one step, and records the run. The bare script leaves a half-made database when it fails.
- "import into SQLite": pdbt's classic run of a project that has the source and no SQL, against `benchmarks/bare/with_pandas.py`.
- `create-dagster` looks for a newer version of itself on the network each time. Its second line is without that, because a
  figure should not depend on a network; the first is the command as people type it. Nobody sends telemetry.
- `python -c "import duckdb"` is the smallest program that has DuckDB at hand, run by the same Python.
"""


@dataclass(frozen=True)
class Report:
    """All that was measured, and where.

    Attributes:
        outcomes: one per bar, in order.
        runs: how many measured runs each contestant had.
        machine: the machine, in one line.
        versions: what was compared.
        load: the load average of the machine before the first run.
        left_out: names of the comparisons that were not run.
    """

    outcomes: Sequence[Outcome]
    runs: int
    machine: str
    versions: Sequence[str]
    load: float
    left_out: Sequence[str] = ()


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a table of plain text."""
    rows = [HEADINGS, *(_row(outcome) for outcome in outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def page(report: Report) -> str:
    """Return the report as a page of Markdown."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(_row(outcome) for outcome in report.outcomes)]
    missed = [outcome.bar.title for outcome in report.outcomes if not outcome.met]
    lines = [
        "# Benchmarks: results",
        "",
        "Written by `python benchmarks/run.py`; never by hand.",
        "",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        f"Missed: {'; '.join(missed)}." if missed else "Every bar that was measured is met.",
        *([f"Not run: {', '.join(report.left_out)}."] if report.left_out else []),
        "",
        f"- Machine: {report.machine}. Load before the first run: {report.load:.2f}.",
        f"- Compared: {', '.join(report.versions)}.",
        f"- Measured runs of each contestant: {report.runs}.",
        "",
        METHOD,
    ]
    return "\n".join(lines)


def _row(outcome: Outcome) -> tuple[str, ...]:
    bar = outcome.bar
    if bar.rival:
        figure, limit = f"{outcome.figure:.2f} x", f"{bar.limit:g} x"
    else:
        figure, limit = _amount(outcome.figure, bar.quantity), _amount(bar.limit, bar.quantity)
    ours, rival = _spread(outcome.ours, bar.quantity), _spread(outcome.rival, bar.quantity)
    return (bar.title, ours, rival, figure, f"at most {limit}", "met" if outcome.met else "MISSED")


def _spread(figures: Sequence[float], quantity: Quantity) -> str:
    if not figures:
        return "-"
    low, high = (_amount(figure, quantity) for figure in (min(figures), max(figures)))
    return f"{_amount(median(figures), quantity)} ({low} to {high})"


def _amount(figure: float, quantity: Quantity) -> str:
    return f"{figure:.3f} s" if quantity == "seconds" else f"{figure / MEGABYTE:.0f} MB"
