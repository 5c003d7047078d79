"""Rights of the user of this process on a path: which one is missing, and where."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_MODES = {"read": os.R_OK, "write": os.W_OK}


def refused(path: Path, right: str) -> str:
    """Return a sentence that says which right is missing on which path; empty when none seems to be.

    Args:
        path: the file or folder that could not be used; it need not exist.
        right: ``read`` or ``write``.
    """
    for folder in reversed(path.parents):
        if folder.is_dir() and not _may(folder, os.X_OK):
            return f"{path} cannot be {_past(right)}: {user()} may not enter {folder}."
    place = path
    if right == "read" and not path.exists():
        return ""
    if right == "write":
        place = next((parent for parent in (path, *path.parents) if parent.exists()), path)
    if not _may(place, _MODES[right]):
        verb = "write in" if right == "write" and place.is_dir() else right
    elif place.is_dir() and not _may(place, os.X_OK):
        verb = "enter"
    else:
        return ""
    return f"{path} cannot be {_past(right)}: {user()} may not {verb} {place}."


def user() -> str:
    """Return the user of this process by name."""
    with contextlib.suppress(ImportError, KeyError):
        import pwd

        return f"the user {pwd.getpwuid(os.geteuid()).pw_name}"
    return f"the user with the number {os.geteuid()}" if hasattr(os, "geteuid") else "this user"


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _past(right: str) -> str:
    return "read" if right == "read" else "written"
