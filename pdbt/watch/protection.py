"""Files that a watcher never puts away, though no tag matches them: its settings and scripts, secrets, and whole projects."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.environment import ENVIRONMENT_FILE
from ..engine.errors import SettingsError
from ..engine.settings import FILE_NAME
from .rules import Pipeline

if TYPE_CHECKING:
    from .settings import WatchSettings

_PROJECT = "a file of a project"
# Folders of a project that hold its own files; others of `data` may well be where files arrive.
_OWN_FOLDERS = frozenset({"scripts", "macro", "sample", "db", "env", ".pdbt"})
_DATA, _RESULTS = "data", (("processed",), ("final",))
_LOOK_AT_ENTRIES = 20


def own_files(pipeline: Pipeline, base: Path, state: Path, source: Path) -> dict[Path, str]:
    """Return the files and folders that a watcher needs, links resolved, each with what it is.

    Args:
        pipeline: its tasks.
        base: the folder of the settings.
        state: the folder of the ledger.
        source: the file of the settings, or the program that has them.
    """
    own = {source: "the file of the settings", base / ENVIRONMENT_FILE: "the file of the secrets", state: "the ledger"}
    for task in (task for tag in pipeline.tags for task in tag.tasks):
        for word in task.words:
            path = task.base / Path(word).expanduser()
            if task.kind not in ("project", "dagster") and path.is_file():
                own[path] = f"a script of the task {task.run!r}"
    return {path.resolve(): what for path, what in own.items() if path.exists() or path == source}


def require_expendable(settings: WatchSettings) -> None:
    """Refuse to delete or move what arrives in a folder that holds more than that.

    Raises:
        SettingsError: names what the folder holds.
    """
    if settings.unmatched == "log":
        return
    folder = settings.folder.resolve()
    found = [(path, what) for path, what in settings.own.items() if _holds(folder, path, settings.recursive)]
    found = found or [(path, "a project") for path in _projects_in(folder, settings.recursive)]
    held = found[0] if found else _part_of_project(folder, settings.recursive)
    if held is not None:
        raise SettingsError(
            f'watch.unmatched is "{settings.unmatched}", and {settings.folder} holds {held[1]}: {held[0]}.',
            'Watch a folder in which files arrive and nothing else lies, or set unmatched = "log".',
            key="watch.unmatched",
            received=settings.unmatched,
        )


def what_it_is(path: Path, settings: WatchSettings) -> str:
    """Return what a file is that may not be put away; empty for any other one."""
    real = path.resolve()
    if real in settings.own:
        return settings.own[real]
    if path.name == FILE_NAME or path.name.startswith(ENVIRONMENT_FILE):
        return f"a {path.name}"
    inner = [folder for folder in path.parents if folder == settings.folder or folder.is_relative_to(settings.folder)]
    return _PROJECT if any((folder / FILE_NAME).is_file() for folder in inner) else ""


def ignores_case(folder: Path) -> bool:
    """Return True if the file system of a folder takes capitals and small letters for the same; changes nothing in it."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry, _ in zip(entries, range(_LOOK_AT_ENTRIES), strict=False)]
    except OSError:
        names = []
    for path in [folder / name for name in names] + [folder]:
        other = path.with_name(path.name.swapcase())
        if other.name == path.name or not path.name.isascii():
            continue
        try:
            found = path.lstat()
        except OSError:  # it went while it was looked at
            continue
        try:
            return os.path.samestat(found, other.lstat())
        except OSError:
            return False
    return sys.platform in ("darwin", "win32")


def _holds(folder: Path, path: Path, recursive: bool) -> bool:
    return path.is_relative_to(folder) if recursive or (path.is_dir() and path == folder) else path.parent == folder


def _projects_in(folder: Path, recursive: bool) -> list[Path]:
    """Return the file that makes the folder a project, with `recursive` also those of the folders below."""
    places: list[str | Path] = [place for place, _, names in os.walk(folder) if FILE_NAME in names] if recursive else [folder]
    return [Path(place) / FILE_NAME for place in sorted(places, key=str) if (Path(place) / FILE_NAME).is_file()]


def _part_of_project(folder: Path, recursive: bool) -> tuple[Path, str] | None:
    """Return the folder and what it holds if it is one of the own folders of a project around it; None if files may arrive there."""
    project = next((found for found in folder.parents if (found / FILE_NAME).is_file()), None)
    parts = folder.relative_to(project).parts if project is not None else ()
    if parts and parts[0] in _OWN_FOLDERS:
        return folder, "files of a project"
    results = parts[:1] == (_DATA,) and (parts[1:2] in _RESULTS or (recursive and len(parts) == 1))
    return (folder, "the data of a project") if results else None
