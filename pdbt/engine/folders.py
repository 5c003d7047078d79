"""Folders as they are: what is in them, links followed; only what is really gone counts as not there.

Python's own walks leave out what they may not look at. A table would be dropped because a share was away for a minute.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import SourceError

_HINT = "Check that it is there and that you may read it."


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder in name order; one that is really not there is empty.

    Raises:
        SourceError: it cannot be looked at, or is a link to what is not there.
    """
    try:
        with os.scandir(folder) as scanned:
            found = sorted(scanned, key=lambda entry: entry.name)
    except FileNotFoundError as error:
        link = next((place for place in (folder, *folder.parents) if place.is_symlink() and not place.exists()), None)
        if link is not None:
            raise _away(link, error) from None
        return []
    except OSError as error:
        raise unreadable(folder, error) from None
    if found and not os.access(folder, os.X_OK):  # its names can be read, and nothing of what they name
        raise unreadable(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return found


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return True for a folder and for a link to one; a link to nothing may have been either, and is none of a file that is gone.

    Raises:
        SourceError: it cannot be looked at.
    """
    try:
        if entry.is_dir():
            return True
        if entry.is_symlink():
            Path(entry.path).stat()
    except OSError as error:
        raise _away(Path(entry.path), error) from None
    return False


def folders_below(
    folder: Path, is_folder: Callable[[os.DirEntry[str]], bool], leave_out: Callable[[str], bool]
) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Yield a folder and every folder below it, links followed, each with what is in it and is not a folder.

    Args:
        folder: where to begin.
        is_folder: says of an entry whether it is a folder.
        leave_out: says of a name whether what has it is passed over.

    Raises:
        SourceError: one cannot be looked at, or is a link to a folder that it is in.
    """
    ahead: list[tuple[Path, frozenset[tuple[int, int]]]] = [(folder, frozenset())]
    while ahead:
        place, above = ahead.pop()
        inner: list[os.DirEntry[str]] = []
        others: list[os.DirEntry[str]] = []
        for entry in entries(place):
            if not leave_out(entry.name):
                (inner if is_folder(entry) else others).append(entry)
        yield place, others
        if inner:
            within = above | {_identity(place)}
            ahead += [(_entered(place / entry.name, within), within) for entry in reversed(inner)]


def _entered(path: Path, above: frozenset[tuple[int, int]]) -> Path:
    """Return a folder to go on with; one that is in itself is an error: its rows would be counted without end."""
    if _identity(path) in above:
        target = path.readlink() if path.is_symlink() else path
        raise SourceError(f"{path} is a link to {target}, a folder that it is in: a cycle.", "Remove the link.", path=str(path))
    return path


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    return found.st_dev, found.st_ino


def unreadable(path: Path, error: OSError) -> SourceError:
    """Return the error of a file or folder that cannot be looked at, with what a person can do."""
    from .rights import refused

    said = refused(path, "read") if isinstance(error, PermissionError) else ""
    return SourceError(said or f"{path} cannot be read: {error.strerror}.", _HINT, path=str(path))


def _away(path: Path, error: OSError) -> SourceError:
    """Return the error of a folder, or of a link that may be to one."""
    if not isinstance(error, FileNotFoundError) or not path.is_symlink():
        return unreadable(path, error)
    message = f"{path} is a link to {path.readlink()}, which is not there."
    return SourceError(message, "Bring it back, or remove the link if its table is to be dropped.", path=str(path))
