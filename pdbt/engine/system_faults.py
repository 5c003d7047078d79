"""Faults of the system that a run meets, as sentences: a full disk, a missing right, a library that this Python does not have."""

from __future__ import annotations

import contextlib
import errno
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from .errors import NEEDS_A_HAND, PdbtError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SAYS_FULL = ("no space left on device", "disk quota exceeded", "file too large", "database or disk is full")
_SAYS_DENIED = ("permission denied", "unable to open database file", "readonly database")
_PATH = r'"(/[^"]+)"'
_MEGABYTE = 1_000_000


class DiskFull(PdbtError):
    """A disk that does not hold what a run makes."""

    def __init__(self, message: str) -> None:
        """Exit with 2: a person makes room."""
        super().__init__(message, "Make room there, then run again: what was half made has been removed.", NEEDS_A_HAND)


@contextlib.contextmanager
def system_faults_told(work: Path, database: Path | None) -> Iterator[None]:
    """Turn what the system refused into a sentence that says how much is needed and where, or who lacks which right.

    Args:
        work: the folder in which the run builds.
        database: the published file; None for a server.

    Raises:
        DiskFull: a disk is full.
        PdbtError: a right is missing.
    """
    try:
        yield
    except Exception as error:
        causes = list(_causes(error))
        if any(map(_is_full, causes)):
            raise DiskFull(_space_needed(_place(causes, work), work, database, causes)) from error
        if isinstance(error, PermissionError) or (isinstance(error, PdbtError) and _says(error.message, _SAYS_DENIED)):
            from .rights import refused

            path = _place(causes, work)
            said = refused(path, "read") or refused(path, "write")
            if said and not isinstance(error, PdbtError):
                raise PdbtError(said, "Give that right, or run as a user who has it.") from error
            if said and isinstance(error, PdbtError):
                error.hint = f"{said} Give that right, or run as a user who has it."
                error.args = (f"{error.message} {error.hint}",)
        raise


def missing_module(error: ModuleNotFoundError) -> PdbtError:
    """Return the error of a library that is not installed for the Python that runs, which is named: there may be several."""
    version = ".".join(map(str, sys.version_info[:3]))
    message = f"{error.name} is not installed for the Python that ran this: {sys.executable}, version {version}."
    return PdbtError(message, f"Run: {sys.executable} -m pip install {error.name}, or start it with the Python of the project.")


def is_full(error: BaseException) -> bool:
    """Return True if an error, or what caused it, is that of a full disk."""
    return any(map(_is_full, _causes(error)))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_full(error: BaseException) -> bool:
    """Return True for what Python, DuckDB, SQLite and its driver say of a full disk; a server's words speak of its own disk."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    maker = type(error).__module__.partition(".")[0]
    local = maker in ("duckdb", "_duckdb", "sqlite3") or type(error).__name__ == "AdbcError"
    return local and _says(str(error), _SAYS_FULL)


def _says(message: str, words: tuple[str, ...]) -> bool:
    said = message.lower()
    return any(word in said for word in words)


def _place(causes: list[BaseException], work: Path) -> Path:
    """Return the file that the system named, if it did."""
    for error in causes:
        if isinstance(error, OSError) and isinstance(error.filename, str):
            return Path(error.filename)
        if not isinstance(error, PdbtError) and (named := re.search(_PATH, str(error))):
            return Path(named[1])
    return work


def _space_needed(place: Path, work: Path, database: Path | None, causes: list[BaseException]) -> str:
    if any((isinstance(error, OSError) and error.errno == errno.EFBIG) or "ile too large" in str(error) for error in causes):
        limit = _largest_file()
        if limit:
            return f"{place} cannot grow beyond {_shown(limit)}: this user may write no larger file (ulimit -f), and the run needs one."
    folder = next(parent for parent in (place, *place.parents) if parent.is_dir())
    import shutil

    free = shutil.disk_usage(folder).free
    used = sum(map(_size, {work, *([database.parent / ".work"] if database is not None else [])}))
    # What is half made is removed: only what is free with it counts, and a run needs room for a second database beside the first.
    needed = max(free + used, database.stat().st_size if database is not None and database.exists() else 0)
    return f"The disk of {folder} is full: the run needs more than {_shown(needed)} there, and {_shown(free + used)} were free before it."


def _largest_file() -> int:
    with contextlib.suppress(ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        return 0 if limit == resource.RLIM_INFINITY else limit
    return 0


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # a temporary file goes while this looks
            total += path.stat().st_size if path.is_file() else 0
    return total


def _shown(size: int) -> str:
    return f"{size / _MEGABYTE:,.1f} MB"
