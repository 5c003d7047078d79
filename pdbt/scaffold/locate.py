"""Where a project is: the folder with pdbt.toml."""

from __future__ import annotations

from pathlib import Path

from ..engine.errors import PdbtError
from ..engine.settings import FILE_NAME


class NotAProject(PdbtError, FileNotFoundError):
    """A folder that is no project, where one is needed."""


def find_project(folder: Path | None) -> Path:
    """Return the project in this folder, or, for None, the nearest one around the working folder; absolute.

    Raises:
        NotAProject: there is none.
    """
    if folder is not None:
        if (folder / FILE_NAME).is_file():
            return folder.resolve()
        what = "is not a pdbt project: it has no pdbt.toml" if folder.is_dir() else no_folder(folder)
        raise NotAProject(f"{folder} {what}.", "Name the project's folder, or make one with: pdbt new NAME")
    here = Path.cwd()
    for candidate in (here, *here.parents):
        if (candidate / FILE_NAME).is_file():
            return candidate
    raise NotAProject(f"{here} is not in a pdbt project: there is no pdbt.toml here or above.", "Go into a project, or name its folder.")


def no_folder(path: Path) -> str:
    """Return what keeps a path from being a folder, as the end of a sentence about it."""
    return "is no folder" if path.exists() else "does not exist"


def whole_project(home: Path) -> Path:
    """Return the project that a folder is the sample of, and any other project as it is: a sample has no engine and no base of its own."""
    is_sample = (home.parent / FILE_NAME).is_file() and not (home / "scripts" / "engine").is_dir()
    return home.parent if is_sample else home
