"""Transfers that a test kills, each in a child of this process, so that libraries are loaded once.

Each line of standard input is a transfer: [ACT, ORIGIN, TARGET, MODE] as JSON. It ends itself with kill -9 just before its act of that
number; with 0 it goes on to its end. An act is a line of pdbt/connect that gives a database something to do, or the next batch. For
each transfer a line of JSON tells how it ended, and the acts of one that came to its end.
"""

from __future__ import annotations

import functools
import importlib
import json
import linecache
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType

from pdbt.connect import choose, execution
from pdbt.connect.execution import carry_out

FOLDER = str(Path(execution.__file__).parent)
LIBRARIES = (
    "adbc_driver_manager adbc_driver_postgresql adbc_driver_sqlite pyarrow.compute "
    "pdbt.connect.duck pdbt.connect.mysql pdbt.connect.postgresql pdbt.connect.sqlite"
).split()
ACT = re.compile(r"\b(execute\w*|executemany|commit|rollback|register|unregister|write_packet|_force_close|close)\(|\byield batch\b")
READING = re.compile(r"\(select, values")
Tracer = Callable[[FrameType, str, object], "Tracer | None"]


@functools.cache
def acts_in(code: CodeType) -> frozenset[int]:
    """Return the lines of a function that are acts; a helper that executes what it is given is one act with the line that calls it."""
    if not code.co_filename.startswith(FOLDER) or code.co_name == "execute":
        return frozenset()
    numbers = {number for _, _, number in code.co_lines() if number}
    lines = {number: linecache.getline(code.co_filename, number) for number in numbers}
    return frozenset(number for number, line in lines.items() if ACT.search(line) and not READING.search(line))


class Counter:
    """Counts acts, and ends the process before the one that was asked for."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.acts: list[str] = []

    def watch(self, frame: FrameType, event: str, _argument: object) -> Tracer | None:
        """Look at what happens, for `sys.settrace`."""
        code = frame.f_code
        lines = acts_in(code)
        if event == "line" and frame.f_lineno in lines:
            self.acts.append(f"{Path(code.co_filename).name}: {linecache.getline(code.co_filename, frame.f_lineno).strip()}")
            if len(self.acts) == self.last:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.watch if lines else None


def transfer_until(last: int, origin: str, target: str, mode: str) -> list[str]:
    """Transfer, and end before an act; return the acts of one that came to its end."""
    (chosen,) = choose(origin, target, table="origin", target="t", mode=mode, key=["id"] if mode == "upsert" else [])
    counter = Counter(last)
    sys.settrace(counter.watch)
    try:
        carry_out(chosen)
    finally:
        sys.settrace(None)
    return counter.acts


def main() -> None:
    """Do what is asked, one after another."""
    for name in LIBRARIES:
        importlib.import_module(name)
    for line in sys.stdin:
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                acts = transfer_until(*json.loads(line))
                os.write(tell, json.dumps(acts).encode())
                code = 0
            finally:
                os._exit(code)
        os.close(tell)
        with os.fdopen(told, "rb") as said:
            acts = json.loads(said.read() or b"[]")
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), acts]), flush=True)


if __name__ == "__main__":
    main()
