"""A run that ends itself with kill -9 just before its n-th act upon the world, so that every window can be hit for sure.

Each line of standard input is a run, as JSON: [N, SCRIPT, its arguments]. It is made in a child of this process, which has loaded
the libraries that all runs need; a line of JSON says how it ended: [exit code, standard output, standard error]. With 0 a run goes
on to its end and prints its acts as a JSON list of [name, whether publication had begun]; with -1 nothing is counted. An act is a
call that a file, a database or a server could notice: calls of the operating system, which Python's profiler sees before they
happen, and lines of the engine that talk to a database, which its tracer sees.
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
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType

SYSTEM_CALLS = frozenset(
    ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "open", "fsync", "ftruncate", "pwrite", "chmod", "utime")
)
LIBRARIES = "duckdb pyarrow adbc_driver_manager adbc_driver_postgresql adbc_driver_sqlite".split()
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


def run(last: int, script: str, arguments: list[str]) -> None:
    """Run a script; it ends with SystemExit, as scripts do, or with kill -9."""
    sys.argv = [script, *arguments]
    if last < 0:
        runpy.run_path(script, run_name="__main__")
        return
    counter = Counter(last)
    sys.settrace(counter.watch_engine)
    sys.setprofile(counter.watch_calls)
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        sys.setprofile(None)
        sys.settrace(None)
        if ended.code:
            raise
    print(json.dumps(counter.acts))


def main() -> None:
    """Run what is asked, one after another; a child returns from here, and ends as every Python does."""
    for name in LIBRARIES:
        importlib.import_module(name)
    for line in sys.stdin:
        last, script, arguments = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                os.setsid()  # as a process that a test starts
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                run(last, script, arguments)
                return
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode())
        print(json.dumps([code, *said]), flush=True)


if __name__ == "__main__":
    main()
