"""Runs that a test kills: publishes one run after the other and says each step that it has done.

Run as: killed_process.py KIND PROJECT URL FIRST_RUN.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from tests.databases.reader_process import rows
from tests.databases.subjects import Subject


def main() -> None:
    """Publish until killed."""
    kind, project, url, first = sys.argv[1:]
    subject = Subject(kind, Path(project), url or None)
    for run in itertools.count(int(first)):
        start = ("empty", "published")[run % 2]
        with subject.run(start, ["FIRST", "SECOND"]) as database:
            _say(run, "open")
            database.build("FIRST", rows(run))
            _say(run, "built")
            database.build("SECOND", rows(run))
            database.seal()
            _say(run, "sealed")
            database.publish(["FIRST", "SECOND"], [])
            _say(run, "published")


def _say(run: int, step: str) -> None:
    sys.stdout.write(f"{run} {step}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
