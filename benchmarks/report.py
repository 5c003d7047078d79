"""The table on the terminal and the page benchmarks/results.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.contest import MEGABYTE, Outcome, Quantity
from benchmarks.record import Measurement

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
- "mean round trip": a served pipeline of an entry node, three handlers and a SQLite table, with the clients of `pdbt stream loadtest`,
  against `benchmarks/bare/stream_naive.py`, which does the same with a forked process for each node and batch. All rows must
  be stored. "four pass-through nodes": seconds from the first batch given in to the last one done, workers started before,
  against a `multiprocessing` pipe that each table is handed through four times; the CPU-bound handler alike
  (`benchmarks/bare/stream_throughput.py`).
- "launch", "job", "memory" and "idle": the sample by `dagster-run-process-sample-launch.py`, against `dagster dev` with the same
  definitions and Dagster's default executor, in turn. A launch is over when the page lists the project's assets; a job begins
  with nothing published, and is timed from the request to SUCCESS; memory is the sum over the resident memory of all processes,
  10 seconds after the job; idle is their processor time in the 30 seconds after that, with the sensor running on both sides.
- "close of a file": single files are dropped in turn into the folder of each side; the task is a Python script whose first line reads
  the clock. The bare handler is `benchmarks/bare/with_watchdog.py`: it starts the task on the event, and remembers nothing. What is
  allowed is computed from its p95 of the same round. The ideal of the burst is the tasks' sleep over the number of cores; their
  start is not in it. The killed watcher is killed with -9 when half of the files are done, and another one started; each file's
  task must have run once.
- "list-projects": 199 of the 200 projects are what the list reads of one, its pdbt.toml and its runs.jsonl; their Dagster does not run.
- `python -c "import duckdb"` is the smallest program that has DuckDB at hand, run by the same Python.
"""


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a table of plain text."""
    rows = [HEADINGS, *(_row(outcome) for outcome in outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def page(measured: Mapping[str, Measurement], names: Sequence[str]) -> str:
    """Return what was measured as a page of Markdown.

    Args:
        measured: by contest, in the order of the page.
        names: all contests.
    """
    outcomes = [outcome for measurement in measured.values() for outcome in measurement.outcomes]
    missed = [outcome.bar.title for outcome in outcomes if not outcome.met]
    left_out = [name for name in names if name not in measured]
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(_row(outcome) for outcome in outcomes)]
    lines = [
        "# Benchmarks: results",
        "",
        "Written by `python benchmarks/run.py`, from `results.json`, which has every single figure; never by hand.",
        "",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        f"Missed: {'; '.join(missed)}." if missed else "Every bar that was measured is met.",
        *([f"Not measured: {', '.join(left_out)}."] if left_out else []),
        "",
        "## When and where",
        "",
        "| contest | measured | runs | load before | compared |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {name} | {found.day} | {found.runs} | {found.load:.2f} | {', '.join(found.versions)} |" for name, found in measured.items()),
        "",
        *(f"- {described}" for described in dict.fromkeys(found.machine for found in measured.values())),
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
