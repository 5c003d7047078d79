"""Interrupted updates: the journal of what an update changes, and how whoever comes next finishes one that was killed.

An update stages every new file in ``.pdbt/update``, and then writes the journal: from that moment it is to be finished, and
whoever finds the journal can do so, as often as needed. This module and the package's ``__init__`` are put in place before all
else: what starts before them sees the old project whole, and what starts after them finishes the update first. Thus nothing
ever runs on half of an update. It needs no other module, as those may be of another version while it is at work.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

BASE_FOLDER = ".pdbt"
UPDATE_FOLDER = ".pdbt/update"
JOURNAL = ".pdbt/update/journal.json"
NEW_SUFFIX = ".pdbt-new"
_BASE_FILE = ".pdbt/base.json.zst"
_CANNOT = 2
# What the project's base was when this process began to use the engine: every update replaces it.
_began: dict[Path, tuple[int, ...] | None] = {}


def finish_before_use(package: str, file: str) -> None:
    """Finish an interrupted update before the project's engine is used, and start this process again on the new one.

    Args:
        package: the engine's name where it is imported; only a project's own copy, ``engine``, belongs to a project.
        file: the engine's ``__init__.py``.
    """
    if package != "engine":
        return
    project = Path(file).resolve().parents[2]
    _began[project] = _base_stat(project)
    if not (project / JOURNAL).exists():
        return
    try:
        finish_update(project)
    except (OSError, ValueError) as error:
        print(f"error: An update of {project} was interrupted, and cannot be finished: {error}.", file=sys.stderr)
        print("hint: Mend that, or run pdbt update as somebody who may write there.", file=sys.stderr)
        sys.exit(_CANNOT)
    _start_again()


def finish_update(project: Path) -> bool:
    """Finish an update of the project that was killed after its journal was written; returns whether there was one.

    A file that its owner changed since then is kept, and the update's is put beside it under the ending ``.pdbt-new``.

    Raises:
        OSError: the file system refuses; nothing is lost, and it can be finished later.
        ValueError: the journal is none.
    """
    if not (project / JOURNAL).exists():
        return False
    with update_turn(project):
        if not (project / JOURNAL).exists():
            return False  # whoever had the turn before has finished it
        carry_out(project)
    return True


def updated_meanwhile() -> bool:
    """Whether the project was updated since this process began to use its engine: what it has loaded and what it will load differ."""
    return any(_base_stat(project) != before for project, before in _began.items())


def carry_out(project: Path) -> None:
    """Do what the journal says, as far as it is not done yet, and remove it; only for who has the turn."""
    for entry in json.loads((project / JOURNAL).read_text(encoding="utf-8"))["entries"]:
        _carry_out_one(project, entry["path"], entry["staged"], entry["old"])
    (project / JOURNAL).unlink()
    shutil.rmtree(project / UPDATE_FOLDER, ignore_errors=True)


def digest(path: Path) -> str | None:
    """Return the hash of a file's content; None when there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextlib.contextmanager
def update_turn(project: Path) -> Iterator[None]:
    """Wait until nobody else changes the project by an update, and be the one who may; whoever is killed lets go of it."""
    import fcntl

    descriptor = os.open(project / BASE_FOLDER, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _carry_out_one(project: Path, name: str, staged: str | None, old: str | None) -> None:
    """Put a staged file in its place, or remove one, unless it is done already; `old` is the hash of what it replaces."""
    path = project / name
    if staged is None:
        if path.is_file() and not path.is_symlink() and digest(path) == old:
            path.unlink()
            _remove_empty(path.parent, project)
        return
    source = project / UPDATE_FOLDER / staged
    if not source.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or digest(path) != old:
        path = path.with_name(path.name + NEW_SUFFIX)  # the owner changed it since the update read it
    source.replace(path)


def _remove_empty(folder: Path, project: Path) -> None:
    """Remove a folder, and those above it, that hold nothing any more but what Python made of what was there."""
    while folder != project and {entry.name for entry in folder.iterdir()} <= {"__pycache__"}:
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        folder.rmdir()
        folder = folder.parent


def _base_stat(project: Path) -> tuple[int, ...] | None:
    try:
        found = (project / _BASE_FILE).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _start_again() -> NoReturn:
    """Start this process anew with the same words, as modules of the engine of before may be loaded."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this Python, and no shell
