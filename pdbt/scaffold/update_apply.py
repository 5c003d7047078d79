"""Carrying an update out: all is staged, a journal makes it certain, then it is put in place; who comes next finishes a killed one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..engine.errors import PdbtError
from ..engine.interrupted import BASE_FOLDER, JOURNAL, UPDATE_FOLDER, carry_out, digest, finish_update, update_turn
from .base import BASE_FILE
from .update_plan import FileUpdate, UpdatePlan

# Put in place first: a project that is run from then on finishes the update before anything else of the engine is loaded.
_FIRST = ("scripts/engine/interrupted.py", "scripts/engine/__init__.py")


def apply_update(plan: UpdatePlan) -> None:
    """Carry an update's plan out.

    Killed before its journal is written, the update has not happened; killed later, whoever comes next finishes it.

    Raises:
        PdbtError: the file system refuses; says whether the update has happened.
    """
    project = plan.project
    with _told(project):
        if (project / BASE_FOLDER).is_symlink():
            raise PdbtError(f"{project / BASE_FOLDER} is a symbolic link. Nothing was changed.", "Put the folder itself there.")
        (project / BASE_FOLDER).mkdir(exist_ok=True)
        with update_turn(project):
            _stage(plan)
            carry_out(project)


def finish_interrupted(project: Path) -> None:
    """Finish an update of the project that was killed, for a command that is about to change or read its files.

    Raises:
        PdbtError: it cannot be finished.
    """
    with _told(project):
        finish_update(project)


@contextlib.contextmanager
def _told(project: Path) -> Iterator[None]:
    """Tell a refusal of the file system in one sentence."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, PdbtError):
            raise
        begun = (project / JOURNAL).exists()
        state = "It is begun: the next pdbt update, or the next run, finishes it." if begun else "Nothing was changed."
        reason = error.strerror if isinstance(error, OSError) else error
        raise PdbtError(f"{project} cannot be updated: {reason}. {state}", "Check the disk and the rights.") from error


def _stage(plan: UpdatePlan) -> None:
    """Write all new files and, at last and at once, the journal; what cannot be staged leaves nothing."""
    folder = plan.project / UPDATE_FOLDER
    shutil.rmtree(folder, ignore_errors=True)  # of an update that was killed before its journal
    folder.mkdir()
    try:
        writes = sorted(plan.writes, key=lambda file: (_rank(file), file.target))
        entries = [_staged(plan.project, file, f"{number:04}") for number, file in enumerate(writes)]
        if plan.base is not None:
            _write(folder / "base", plan.base)
            entries.append({"path": BASE_FILE, "staged": "base", "old": digest(plan.project / BASE_FILE)})
        draft = folder / "journal.draft"
        _write(draft, json.dumps({"version": plan.new_version, "entries": entries}, indent=1).encode())
        _sync(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    draft.rename(plan.project / JOURNAL)
    _sync(folder)


def _rank(file: FileUpdate) -> int:
    return _FIRST.index(file.target) if file.target in _FIRST else len(_FIRST)


def _staged(project: Path, file: FileUpdate, name: str) -> dict[str, Any]:
    """Stage a file, and return what the journal says of it."""
    there = project / (file.former or file.target)
    # A file beside the owner's replaces nothing.
    old = hashlib.sha256(file.owners).hexdigest() if file.owners is not None and file.target == file.path else None
    if file.content is None:
        return {"path": file.target, "staged": None, "old": old}
    staged = project / UPDATE_FOLDER / name
    _write(staged, file.content)
    if there.is_file():
        shutil.copymode(there, staged)
    return {"path": file.target, "staged": name, "old": old}


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
