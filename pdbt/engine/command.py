"""The door of a project's own scripts: it reads the command line, runs the steps, and alone prints an error."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from .door import seconds, through_the_door
from .errors import DONE
from .plan import Step
from .report import say
from .run import Run
from .session import NOTHING_TO_RUN, RunOptions, open_run, plan_run

StepFunction = Callable[[Run], None]
STOPPED = "Stopped. Nothing was published."
STOPPED_PUBLISHED = "Stopped. What was made had been published before."


def main(project: Path, steps: Sequence[StepFunction], arguments: Sequence[str] | None = None) -> int:
    """Run some steps of a project from the command line.

    Args:
        project: the project's folder.
        steps: functions of the project's scripts, called in order with the run.
        arguments: the command line's words; those of the process by default.

    Returns:
        The exit code: 0 done, 1 the pipeline or a check failed, 2 something to mend, 75 another run is in progress.
    """
    words = _parser().parse_args(arguments)
    options = RunOptions(words.full, tuple(words.param), words.lock_timeout, words.quiet)
    signal.signal(signal.SIGTERM, _stop)

    def carry_out() -> int:
        if words.dry_run:
            say(describe_plan(plan_run(project, options)), sys.stdout)
            return DONE
        with open_run(project, options) as run:
            try:
                for step in steps:
                    step(run)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(STOPPED_PUBLISHED if run.published else STOPPED) from None
        return DONE

    return through_the_door(carry_out, debug=words.debug, interrupted=STOPPED)


def describe_plan(steps: Sequence[Step]) -> str:
    """Return a plan as lines for a person: what would be done and why, what would be reused."""
    width = max((len(step.name) for step in steps), default=0)
    lines = [f"{step.action:<6}  {step.name:<{width}}  {step.reason or 'up to date, reused'}" for step in steps]
    due = sum(bool(step.reason) for step in steps)
    return "\n".join([*lines, f"{due} of {len(steps)} steps would be done; nothing was." if steps else NOTHING_TO_RUN])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Import, transform, check, publish and export the tables of this project.")
    parser.add_argument("--full", action="store_true", help="make everything again, changed or not")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="set $NAME in SQL for this run")
    parser.add_argument("--dry-run", action="store_true", help="print what would be made again and why, and do nothing")
    parser.add_argument("--lock-timeout", type=seconds, metavar="SECONDS", help="how long to wait for another run of this project")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    return parser


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
