"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contest import Disagreement, hold
from benchmarks.contests import CONTESTS, LARGE, Ground
from benchmarks.handlers import hold_handlers
from benchmarks.instances import hold_instances
from benchmarks.machine import load, machine, versions
from benchmarks.measure import CommandFailed
from benchmarks.record import Measurement, read, write
from benchmarks.report import page, table
from benchmarks.rivals import Interpreter, environment
from benchmarks.transfers import hold_transfers
from benchmarks.watching import hold_watching

RECORD = Path(__file__).resolve().parent / "results.json"
INSTANCES = "instances"
WATCHING = "watching"
TRANSFERS = "transfers"
HANDLERS = "handlers"
NAMES = (*CONTESTS, INSTANCES, WATCHING, TRANSFERS, HANDLERS)
PLOT = "load-test.png"
RUNS = 5
ALL_MET, MISSED, FAILED = 0, 1, 2  # exit codes


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for; returns 0 when every bar is met, 1 when one is missed, 2 when measuring failed."""
    asked = _parser().parse_args(arguments)
    chosen = [name for name in dict.fromkeys(asked.only or NAMES) if not (asked.skip_large and name in LARGE)]
    asked.cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="run-", dir=asked.cache))
    ground = Ground(Interpreter(asked.python), asked.cache, work)
    measured = read(asked.record)
    try:
        for name in chosen:
            measured[name] = _measure(ground, name, asked.runs, _plot_of(asked.record))
            write(asked.record, measured)  # what was measured is kept, whatever becomes of the next
    except (CommandFailed, Disagreement, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return FAILED
    finally:
        shutil.rmtree(work, ignore_errors=True)
    asked.record.with_suffix(".md").write_text(page({name: measured[name] for name in NAMES if name in measured}, NAMES), encoding="utf-8")
    outcomes = [outcome for name in chosen for outcome in measured[name].outcomes]
    print(table(outcomes))
    return ALL_MET if all(outcome.met for outcome in outcomes) else MISSED


def _plot_of(record: Path) -> Path:
    """Return where the plot of the load test goes: into the docs when the figures go into the repository, else beside them."""
    return RECORD.parents[1] / "docs" / PLOT if record == RECORD else record.absolute().with_name(PLOT)


def _measure(ground: Ground, name: str, runs: int, plot: Path) -> Measurement:
    """Build, hold and clear away one contest."""
    before = load()
    ground.installed.clear()
    if name == INSTANCES:
        outcomes = hold_instances(ground.interpreter, ground.folder(name), runs, environment(), _say)
    elif name == WATCHING:
        outcomes = hold_watching(ground.interpreter, ground.folder(name), runs, environment(), _say)
    elif name == TRANSFERS:
        outcomes = hold_transfers(ground, runs, environment(), _say)
    elif name == HANDLERS:
        outcomes = hold_handlers(ground.interpreter, ground.folder(name), runs, environment(), plot, _say)
    else:
        outcomes = hold(CONTESTS[name](ground), runs, environment(), _say)
    shutil.rmtree(ground.work / name)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Measurement(day, runs, round(before, 2), machine(), versions(ground.interpreter, ground.installed), outcomes)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pdbt-benchmarks"
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description="Measure pdbt against its rivals.")
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=f"one of {', '.join(NAMES)}; may be repeated")
    parser.add_argument("--runs", type=_positive, default=RUNS, help="measured runs of each contestant (%(default)s)")
    parser.add_argument("--skip-large", action="store_true", help="leave out what needs the 1.6 GB file and 10 GB of free disk")
    parser.add_argument("--python", type=_executable, default=sys.executable, help="the Python that has pdbt (this one)")
    parser.add_argument("--cache", type=_folder, default=cache, help="where rivals are installed and contestants run (%(default)s)")
    parser.add_argument(
        "--record", type=Path, default=RECORD, help="every figure, of this and of former runs; the page is written beside it (%(default)s)"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of runs")
    return number


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _executable(text: str) -> Path:
    """Return the full path of an interpreter; a link stays a link, because a virtual environment's Python is one."""
    found = shutil.which(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is not a program")
    return Path(found).absolute()
