"""What goes into a project's archive: all that cannot be made again, no secret, and no link that leads out."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..engine.errors import PdbtError
from ..engine.settings import FILE_NAME
from ..engine.settings_rules import EXPORT_FORMATS
from .archive_secrets import is_secret_file, without_secrets
from .databases import database_files

Kind = Literal["file", "folder", "link"]
REBUILT = "a run makes it again"
SECRET = "it holds secrets"  # noqa: S105 - a sentence
OUTSIDE = "it leads out of the project"
SPECIAL = "it is neither file, folder nor link"

# What runs, Dagster, Python and tools write, and write again. What scripts of scripts/source have brought (db/.work/landed), what was
# delivered, and records of backfills stay in: an interface need not give the same rows twice.
_MADE = (
    "db/.work/state.json",
    "db/.work/work.json",
    "db/.work/run.lock",
    "db/.work/schedule.json",
    "db/.work/scratch",
    "db/.work/tmp",
    "macro/*.log",
    "macro/*.log.[0-9]*",
    "macro/runs.jsonl",
    "macro/runs.jsonl.[0-9]*",
    "macro/.dagster*",
    "macro/*.pid",
    "macro/watch-logs",
    "data/rejected",
)
_EXPORTS = ("processed", "final")
_CACHES = ("__pycache__", ".ipynb_checkpoints")
_UPDATE = (".pdbt/update", ".pdbt-new-*")
_BESIDE_A_DATABASE = ("", "-wal", "-shm", "-journal", ".wal")
_CACHE_TAG, _ENVIRONMENT_TAG = "CACHEDIR.TAG", "pyvenv.cfg"


@dataclass(frozen=True)
class Item:
    """One thing of a project that goes into its archive.

    Attributes:
        path: where, relative to the project, with ``/`` between folders.
        kind: what it is.
        target: where a link leads.
        content: what the archive has of a file that holds secrets among other things; None means all that is in it.
    """

    path: str
    kind: Kind
    target: str = ""
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class LeftOut:
    """One thing that does not go into it.

    Attributes:
        path: where, relative to the project; of a folder, all that is in it is left out.
        reason: why, as a sentence without its end.
    """

    path: str
    reason: str


def contents_of(project: Path, *, secrets: bool = False) -> tuple[list[Item], list[LeftOut]]:
    """Return what of a project goes into its archive, folders before what is in them, and what does not.

    Args:
        project: the project's folder.
        secrets: whether secrets go into it, too.

    Raises:
        PdbtError: something cannot be read: nothing is left out without a word.
    """
    made = [_made_in(project, ""), *([_made_in(project, "sample")] if (project / "sample" / FILE_NAME).is_file() else [])]
    left_out: list[LeftOut] = []
    items = list(_walk(project, project, [pattern for patterns in made for pattern in patterns], left_out, secrets=secrets))
    return items, left_out


def _walk(project: Path, folder: Path, made: list[str], left_out: list[LeftOut], *, secrets: bool) -> Iterator[Item]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(folder, error) from None
    for entry in entries:
        path = Path(entry.path)
        name = path.relative_to(project).as_posix()
        reason = _reason_against(project, path, name, entry.stat(follow_symlinks=False).st_mode, made)
        if reason and not (secrets and reason == SECRET):
            left_out.append(LeftOut(name, reason))
        elif entry.is_symlink():
            yield Item(name, "link", str(path.readlink()))
        elif entry.is_dir():
            yield Item(name, "folder")
            yield from _walk(project, path, made, left_out, secrets=secrets)
        else:
            if not os.access(path, os.R_OK):
                raise _unreadable(path, PermissionError(0, "Permission denied"))
            masked = None if secrets else without_secrets(path, name)
            left_out += [LeftOut(name, note) for note in (masked.notes if masked else ())]
            yield Item(name, "file", content=masked.content if masked else None)


def _reason_against(project: Path, path: Path, name: str, mode: int, made: list[str]) -> str:
    """Return why something is left out; empty when it is not."""
    if is_secret_file(path.name) and not stat.S_ISDIR(mode):
        return SECRET
    if stat.S_ISLNK(mode):
        target = path.readlink()
        inside = not target.is_absolute() and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(project))
        return "" if inside else OUTSIDE
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in made):
        return REBUILT
    if stat.S_ISDIR(mode):
        if not os.access(path, os.R_OK | os.X_OK):
            raise _unreadable(path, PermissionError(0, "Permission denied"))
        is_made = path.name in _CACHES or (path / _CACHE_TAG).is_file() or (path / _ENVIRONMENT_TAG).is_file()
        return REBUILT if is_made else ""
    return "" if stat.S_ISREG(mode) else SPECIAL


def _made_in(project: Path, inner: str) -> list[str]:
    """Return the patterns of what is made again in the project, or in its sample."""
    home = project / inner
    patterns = [*_MADE, *_UPDATE, *_databases(home), *_exports(home)]
    return [f"{inner}/{pattern}" if inner else pattern for pattern in patterns]


def _databases(home: Path) -> Iterator[str]:
    """Yield the patterns of the published database and of the work on the next one, which a run that failed leaves behind."""
    files = database_files(home)
    for path in (files.published, files.sealed, files.building, files.note):
        if path.is_relative_to(home):
            name = _quoted(path.relative_to(home).as_posix())
            yield from (f"{name}{ending}" for ending in _BESIDE_A_DATABASE)


def _exports(home: Path) -> Iterator[str]:
    for folder in _EXPORTS:
        tables = {path.stem for path in (home / "scripts" / folder).glob("*.*")}
        yield from (f"data/{folder}/{_quoted(table)}.{ending}" for table in sorted(tables) for ending in EXPORT_FORMATS)


def _quoted(name: str) -> str:
    """Return a name as a pattern that only it fits."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _unreadable(path: Path, error: OSError) -> PdbtError:
    return PdbtError(f"{path} cannot be read: {error.strerror}. No archive was written.", "Get the right to read it, or move it away.")
