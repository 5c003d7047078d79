"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contest import Disagreement, Outcome, hold
from benchmarks.contests import CONTESTS, LARGE, Ground
from benchmarks.machine import load, machine, versions
from benchmarks.measure import CommandFailed
from benchmarks.report import Report, page, table
from benchmarks.rivals import Interpreter, environment

RESULTS = Path(__file__).resolve().parent / "results.md"
RUNS = 5
ALL_MET, MISSED, FAILED = 0, 1, 2  # exit codes


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for; returns 0 when every bar is met, 1 when one is missed, 2 when measuring failed."""
    asked = _parser().parse_args(arguments)
    chosen = [name for name in dict.fromkeys(asked.only or CONTESTS) if not (asked.skip_large and name in LARGE)]
    asked.cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="run-", dir=asked.cache))
    ground = Ground(Interpreter(asked.python), asked.cache, work)
    before = load()
    try:
        outcomes = _measure(ground, chosen, asked.runs)
    except (CommandFailed, Disagreement, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return FAILED
    finally:
        shutil.rmtree(work, ignore_errors=True)
    left_out = [name for name in CONTESTS if name not in chosen]
    report = Report(outcomes, asked.runs, machine(), versions(ground.interpreter, ground.installed), before, left_out)
    output = asked.output or (RESULTS if not asked.only else None)
    if output:
        output.write_text(page(report), encoding="utf-8")
    print(table(outcomes))
    return ALL_MET if all(outcome.met for outcome in outcomes) else MISSED


def _measure(ground: Ground, chosen: Sequence[str], runs: int) -> list[Outcome]:
    """Build, hold and clear away one contest after the other."""
    outcomes: list[Outcome] = []
    for name in chosen:
        contest = CONTESTS[name](ground)
        outcomes += hold(contest, runs, environment(), lambda line: print(line, file=sys.stderr, flush=True))
        shutil.rmtree(ground.work / name)
    return outcomes


def _parser() -> argparse.ArgumentParser:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pdbt-benchmarks"
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description="Measure pdbt against its rivals.")
    parser.add_argument("--only", action="append", choices=CONTESTS, metavar="NAME", help=f"one of {', '.join(CONTESTS)}; may be repeated")
    parser.add_argument("--runs", type=_positive, default=RUNS, help="measured runs of each contestant (%(default)s)")
    parser.add_argument("--skip-large", action="store_true", help="leave out what needs the 1.6 GB file and 10 GB of free disk")
    parser.add_argument("--python", type=_executable, default=sys.executable, help="the Python that has pdbt (this one)")
    parser.add_argument("--cache", type=_folder, default=cache, help="where rivals are installed and contestants run (%(default)s)")
    parser.add_argument("--output", type=Path, help="the page to write (benchmarks/results.md; none with --only)")
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
