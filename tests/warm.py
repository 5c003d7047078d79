"""Runs of scripts in children of one process that has loaded their libraries: to load them takes a new Python longer than a small run.

As a script it is that process: each line of standard input is a run, as JSON, and is made in a child. A line says the child's number
when it begins, and one its exit code, standard output and standard error when it has ended.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# What the engine of a project loads. pandas is not in it: a table in Python has to load it by itself.
LIBRARIES = (
    *("duckdb", "pyarrow", "adbc_driver_manager", "adbc_driver_postgresql", "adbc_driver_sqlite"),
    *("psycopg", "sqlalchemy.dialects.postgresql.psycopg"),
)
MODULES = "argparse difflib email.parser glob graphlib gzip importlib.metadata json tomllib xml.etree.ElementTree".split()
READ_BYTES = 1 << 16
KILLED_SECONDS = 10.0

Run = Callable[[dict[str, Any]], None]


class Warm:
    """The process that has loaded the libraries, and the runs that were made in its children."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Make runs in children of a process that was started to `serve`, with pipes for its input and output."""
        self._process = process
        self._unread = b""
        self._under_way = False
        self._started: list[int] = []

    def start(self, **asked: object) -> int:
        """Start a run, and return its process number. One that is under way is killed."""
        if self._under_way:  # a test failed before its end
            self._kill()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        self._under_way = True
        self._started.append(int(self._line(None)))
        return self._started[-1]

    def ended(self, timeout: float | None = None) -> tuple[int, str, str]:
        """Wait for the end of the run, and return its exit code, standard output and standard error.

        Raises:
            subprocess.TimeoutExpired: it takes longer; it has been killed.
        """
        try:
            code, stdout, stderr = json.loads(self._line(timeout))
        except TimeoutError:
            raise subprocess.TimeoutExpired(self._kill(), timeout or 0.0) from None
        self._under_way = False
        return code, stdout, stderr

    def end_what_is_left(self) -> None:
        """End what runs have left running."""
        for number in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(number, signal.SIGKILL)
        self._started.clear()

    def _kill(self) -> str:
        for kill in (os.kill, os.killpg):  # it may have no group yet
            with contextlib.suppress(ProcessLookupError):
                kill(self._started[-1], signal.SIGKILL)
        self._under_way = False
        return self._line(KILLED_SECONDS)

    def _line(self, timeout: float | None) -> str:
        """Read a line, in so many seconds; not through the stream, which may hold a second one that nothing waits for then."""
        assert self._process.stdout is not None
        while b"\n" not in self._unread:
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise TimeoutError
            read = os.read(self._process.stdout.fileno(), READ_BYTES)
            assert read, f"the process that makes runs has ended: {self._process.communicate()[1]}"
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()


def run_script(asked: Mapping[str, Any]) -> None:
    """Run a script as `python SCRIPT ARGUMENTS` does: `command`, in `folder`, with `environment`."""
    script, *arguments = asked["command"]
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    sys.argv = [script, *arguments]
    sys.orig_argv = [sys.executable, *sys.argv]
    sys.path[0] = str(Path(script).resolve().parent)
    runpy.run_path(script, run_name="__main__")


def serve(run: Run) -> None:
    """Make the runs that standard input asks for, one after another; a child returns from here, and ends as every Python does."""
    for name in (*LIBRARIES, *MODULES):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a child that looks for garbage copies no page of this process
    for line in sys.stdin:
        with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
            child = os.fork()
            if child == 0:
                os.setsid()  # as a process that a test starts
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                run(json.loads(line))
                return
            print(child, flush=True)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            print(json.dumps([code, *(file.seek(0) or file.read() for file in (out, err))]), flush=True)


if __name__ == "__main__":
    serve(run_script)
