"""Runs that a test kills: publishes one run after the other and says each step that it has done.

Run as: killed_process.py KIND PROJECT URL FIRST_RUN [STEP]. With a step, it goes no further than that.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

from tests.databases.reader_process import rows
from tests.databases.subjects import Subject


def main() -> None:
    """Publish until killed."""
    kind, project, url, first, *last = sys.argv[1:]

    def say(run: int, step: str) -> None:
        sys.stdout.write(f"{run} {step}\n")
        sys.stdout.flush()
        while step in last:
            time.sleep(60)

    subject = Subject(kind, Path(project), url or None)
    for run in itertools.count(int(first)):
        start = ("empty", "published")[run % 2]
        with subject.run(start, ["FIRST", "SECOND"]) as database:
            say(run, "open")
            database.build("FIRST", rows(run))
            say(run, "built")
            database.build("SECOND", rows(run))
            database.seal()
            say(run, "sealed")
            database.publish(["FIRST", "SECOND"], [])
            say(run, "published")


if __name__ == "__main__":
    main()
