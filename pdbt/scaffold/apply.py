"""Apply: carry a plan out, so that all of it is there, or nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..engine.errors import PdbtError
from .plan import Plan, PlannedFile, inside
from .staging import staging_folder

_PRIVATE = 0o600
_OPEN = 0o666  # less the person's umask
_FOLDER = 0o777


def make_project(plan: Plan) -> None:
    """Make the plan's target, which does not exist or is an empty folder, with all its files: staged beside it, moved in by one rename.

    Raises:
        PdbtError: a file system's refusal; nothing is left of what was begun.
    """
    top = _first_missing(plan.target)
    with _told(plan.target), staging_folder(top.parent) as staging:
        root = staging / top.name
        project = root / plan.target.relative_to(top)
        project.mkdir(_FOLDER, parents=True)
        for file in plan.files:
            _write(project, file)
        root.rename(top)


def add_files(plan: Plan) -> None:
    """Write the files that the plan would create or extend in a project that exists; nothing that is there is lost.

    Raises:
        PdbtError: the plan has conflicts, or a file system refuses; what was written until then is taken back.
    """
    conflicts = plan.with_action("conflict")
    if conflicts:
        raise refuse_conflicts(conflicts)
    written: list[Path] = []
    extended: list[tuple[Path, bytes]] = []
    with _told(plan.target), staging_folder(plan.target) as staging:
        try:
            for file in plan.with_action("create"):
                written += _move_in(plan.target, _write(staging, file), file)
            for file in plan.with_action("extend"):
                extended.append(_extend(plan.target, _write(staging, file), file))
        except BaseException:
            for path, before in extended:
                path.write_bytes(before)
            for path in reversed(written):
                _remove(path)
            raise


def refuse_conflicts(conflicts: Iterable[PlannedFile]) -> PdbtError:
    """Return the error that names files which are there with other content."""
    names = ", ".join(file.path for file in conflicts)
    return PdbtError(
        f"There with other content: {names}. Nothing was written.", "Rename or remove what is there, or rename the file to add."
    )


def _first_missing(target: Path) -> Path:
    """Return the topmost folder on the way to the target that has to be made: the target itself when its parent exists."""
    top = target
    while not top.parent.exists():
        top = top.parent
    return top


def _write(folder: Path, file: PlannedFile) -> Path:
    path = folder / inside(file.path)
    path.parent.mkdir(_FOLDER, parents=True, exist_ok=True)
    if file.copy_of is not None:
        shutil.copyfile(file.copy_of, path)
        return path
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE if file.private else _OPEN)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(file.content)
    return path


def _move_in(target: Path, staged: Path, file: PlannedFile) -> list[Path]:
    """Move a staged file to its place, which must be free; return what was made, folders first."""
    path = target / inside(file.path)
    folders = [parent for parent in path.parents if parent.is_relative_to(target) and not parent.exists()][::-1]
    if not path.parent.resolve().is_relative_to(target.resolve()):
        raise PdbtError(f"{path.parent} leads out of the project by a symbolic link. Nothing was written.", "Put the file there yourself.")
    path.parent.mkdir(_FOLDER, parents=True, exist_ok=True)
    try:
        # A hard link, unlike a rename, fails when the name was taken since the plan was made.
        path.hardlink_to(staged)
    except FileExistsError:
        raise refuse_conflicts([file]) from None
    except OSError:
        # This file system has no hard links (FAT, some shares): the name is asked for just before the rename.
        if path.exists():
            raise refuse_conflicts([file]) from None
        staged.rename(path)
    return [*folders, path]


def _extend(target: Path, staged: Path, file: PlannedFile) -> tuple[Path, bytes]:
    """Replace a file by one that begins with it; return its path, and what it held."""
    path = (target / inside(file.path)).resolve()
    before = path.read_bytes()
    if not file.content.startswith(before):
        raise refuse_conflicts([file])  # it was changed since the plan was made
    shutil.copymode(path, staged)
    staged.replace(path)
    return path, before


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.rmdir() if path.is_dir() else path.unlink()


@contextlib.contextmanager
def _told(target: Path) -> Iterator[None]:
    """Tell a refusal of the file system in one sentence."""
    try:
        yield
    except OSError as error:
        place = error.filename or target
        raise PdbtError(
            f"{target} cannot be written: {error.strerror or error} ({place}). Nothing was left behind.", "Check the disk and the rights."
        ) from error
