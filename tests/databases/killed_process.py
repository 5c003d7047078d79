"""Runs that a test kills: publishes one run after the other and says each step that it has done.

The process that `tests.warm` describes: it publishes to the database of `kind`, `project` and `url`, beginning with run `first`, and
goes no further than the step that is `last`, if any. Each step is a line of the file `steps`.
"""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.databases.reader_process import rows
from tests.databases.subjects import Subject
from tests.warm import serve


def publish(asked: Mapping[str, Any]) -> None:
    """Publish until killed."""
    steps = Path(asked["steps"])

    def say(run: int, step: str) -> None:
        with steps.open("a") as file:
            file.write(f"{run} {step}\n")
        while step == asked["last"]:
            time.sleep(60)

    subject = Subject(asked["kind"], Path(asked["project"]), asked["url"])
    for run in itertools.count(asked["first"]):
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
    for module in ("duckdb_file", "sqlite_file", "postgres"):
        importlib.import_module(f"pdbt.engine.databases.{module}")
    serve(publish)
