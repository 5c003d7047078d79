"""What becomes of a file that no tag matches: it is logged, deleted or moved, as the settings say."""

from __future__ import annotations

import shutil
from pathlib import Path

from .journal import Journal
from .protection import what_it_is
from .settings import WatchSettings


def put_away(path: str, settings: WatchSettings, journal: Journal) -> None:
    """Do what the settings say, and tell of it.

    Args:
        path: the file.
        settings: of the watcher.
        journal: told what was done, or why it could not be.
    """
    needed = what_it_is(Path(path), settings) if settings.unmatched != "log" else ""
    if needed:
        journal.tell("unmatched", f"{path} has no tag, and is kept: it is {needed}", warning=True, file=path, action="log")
        return
    try:
        done = _done(Path(path), settings)
    except OSError as error:
        sentence = f"{path} has no tag, and could not be put away: {error.strerror}"
        journal.tell("unmatched", sentence, warning=True, file=path, action=settings.unmatched)
        return
    journal.tell("unmatched", f"{path} has no tag{done}", file=path, action=settings.unmatched)


def _done(path: Path, settings: WatchSettings) -> str:
    if settings.unmatched == "delete":
        path.unlink(missing_ok=True)
        return " and was deleted"
    if settings.unmatched == "move" and settings.unmatched_folder is not None:
        settings.unmatched_folder.mkdir(parents=True, exist_ok=True)
        target = _free(settings.unmatched_folder / path.name)
        shutil.move(path, target)
        return f" and was moved to {target}"
    return ""


def _free(target: Path) -> Path:
    """Return the path, or the first one counted on from it, at which nothing lies."""
    free, number = target, 2
    while free.exists() or free.is_symlink():
        free = target.with_name(f"{target.stem}.{number}{target.suffix}")
        number += 1
    return free
