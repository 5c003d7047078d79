"""Updates that end themselves with kill -9 just before their n-th act upon the world, each in a child of this process.

Usage: killed_update.py PROJECT WORK STEP. WORK is made of links to the files of PROJECT for every STEP-th act: a call of the
operating system that writes. An update puts whole files in the place of others, so that PROJECT stays as it is. After each kill
it looks at what is there, lets whoever comes next finish, and looks again. Prints a JSON list of [act, code, digest when killed,
whether there was a journal, digest when finished], the last one of an update that nobody killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType

from pdbt.engine.interrupted import JOURNAL, UPDATE_FOLDER
from pdbt.scaffold.update import plan_update
from pdbt.scaffold.update_apply import apply_update, finish_interrupted
from pdbt.scaffold.update_plan import UpdatePlan

CHANGING = frozenset("replace rename unlink remove mkdir rmdir fsync chmod".split())
OPENING = frozenset(("open", "write"))


class Ender:
    """Counts acts, and ends the process before the one that was asked for."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.acts = 0

    def watch(self, frame: FrameType, event: str, argument: object) -> None:
        """Look at one call, for `sys.setprofile`."""
        name = getattr(argument, "__name__", "")
        if event == "c_call" and (name in CHANGING or (name in OPENING and of_the_update(frame))):
            self.acts += 1
            if self.acts == self.last:
                os.kill(os.getpid(), signal.SIGKILL)


def of_the_update(frame: FrameType) -> bool:
    """Whether a call is made by the update's own module, or by what that called: all else only reads."""
    callers = (frame, frame.f_back)
    return any(caller is not None and caller.f_code.co_filename.endswith("update_apply.py") for caller in callers)


def digest_of(project: Path) -> str:
    """Return one hash of all that a project holds but what an update prepares and runs leave."""
    found = hashlib.sha256()
    for path in sorted(project.rglob("*")):
        name = path.relative_to(project).as_posix()
        if path.is_file() and not name.startswith((UPDATE_FOLDER, "db/", "sample/db/")) and "__pycache__" not in path.parts:
            found.update(f"{name}\0{path.stat().st_mode}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def update_until(plan: UpdatePlan, last: int) -> int:
    """Update in a child that ends before act number `last`; return how it ended."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            sys.setprofile(Ender(last).watch)
            apply_update(plan)
            code = 0
        finally:
            sys.setprofile(None)
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """Kill before each act in turn, until an update reaches its end."""
    original, work = Path(sys.argv[1]), Path(sys.argv[2])
    plan = replace(plan_update(original), project=work)  # once: planning writes nothing, and the project is the same each time
    before = digest_of(original)
    said = []
    for last in range(1, 10_000, int(sys.argv[3])):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(original, work, copy_function=os.link)
        code = update_until(plan, last)
        killed, journal = digest_of(work), (work / JOURNAL).exists()
        finish_interrupted(work)
        said.append((last, code, killed, journal, digest_of(work)))
        if code != -signal.SIGKILL:
            break
    assert digest_of(original) == before, "an update wrote into a file"
    print(json.dumps(said))


if __name__ == "__main__":
    main()
