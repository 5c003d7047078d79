"""A run that ends itself with kill -9 just before its n-th act upon the world, so that every window can be hit for sure.

The process that `tests.warm` describes, for one project, whose engine it has loaded, too: `act` is N, `command` a script with its
arguments. With 0 a run goes on to its end and prints its acts as a JSON list of [name, whether publication had begun]; with -1 nothing
is counted. An act is a call that a file, a database or a server could notice: calls of the operating system, which Python's profiler
sees before they happen, and lines of the engine that talk to a database, which its tracer sees.

Run as: python -m tests.pipeline.killed_process PROJECT.
"""

from __future__ import annotations

import functools
import importlib
import json
import linecache
import os
import re
import runpy
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.warm import serve

SYSTEM_CALLS = frozenset(
    ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "open", "fsync", "ftruncate", "pwrite", "chmod", "utime")
)
NEEDS_DAGSTER = frozenset({"process", "orchestration"})
DATABASE_LINE = re.compile(r"\.(exec\w*|commit|rollback|adbc_\w+)\(")


@functools.cache
def database_lines(code: CodeType) -> frozenset[int]:
    """Return the lines of a function that talk to a database; those of a comprehension run too often to be told apart."""
    if code.co_name.startswith("<"):
        return frozenset()
    numbers = {number for _, _, number in code.co_lines() if number}
    return frozenset(number for number in numbers if DATABASE_LINE.search(linecache.getline(code.co_filename, number)))


class Counter:
    """Counts acts, and ends the process before the one that was asked for."""

    def __init__(self, last: int) -> None:
        """End before act number `last`, counted from 1; 0 means never."""
        self.last = last
        self.publishing = False
        self.acts: list[tuple[str, bool]] = []

    def watch_calls(self, _frame: FrameType, event: str, argument: object) -> None:
        """Look at one call, for `sys.setprofile`."""
        if event == "c_call" and getattr(argument, "__module__", "") == "posix":
            name = getattr(argument, "__name__", "")
            if name in SYSTEM_CALLS:
                self.act(name)

    def watch_engine(self, frame: FrameType, event: str, _argument: object) -> Tracer | None:
        """Look at what happens in the engine, for `sys.settrace`."""
        code = frame.f_code
        if "/scripts/engine/" not in code.co_filename:
            return None
        if code.co_name == "publish" and code.co_filename.endswith("engine/publish.py"):
            self.publishing = True
        lines = database_lines(code)
        if event == "line" and frame.f_lineno in lines:
            self.act(f"{Path(code.co_filename).name}: {linecache.getline(code.co_filename, frame.f_lineno).strip()}")
        return self.watch_engine if lines else None

    def act(self, name: str) -> None:
        """Count an act, and end here if it was the one."""
        self.acts.append((name, self.publishing))
        if len(self.acts) == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


Tracer = Callable[[FrameType, str, object], "Tracer | None"]


def run(asked: Mapping[str, Any]) -> None:
    """Run a script; it ends with SystemExit, as scripts do, or with kill -9."""
    last, sys.argv = asked["act"], asked["command"]
    if last < 0:
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    counter = Counter(last)
    sys.settrace(counter.watch_engine)
    sys.setprofile(counter.watch_calls)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        sys.setprofile(None)
        sys.settrace(None)
        if ended.code:
            raise
    print(json.dumps(counter.acts))


def load_engine(scripts: Path) -> None:
    """Load what a run loads of a project's engine."""
    sys.path.insert(0, str(scripts))
    for path in sorted(scripts.glob("engine/**/*.py")):
        names = path.relative_to(scripts).with_suffix("").parts
        if names[1] not in NEEDS_DAGSTER:
            importlib.import_module(".".join(names).removesuffix(".__init__"))


if __name__ == "__main__":
    load_engine(Path(sys.argv[1], "scripts"))
    serve(run)
