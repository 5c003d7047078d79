"""The plan of an update: what becomes of each file, by what the templates had made, what the owner made of it, and what they make now."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from ..engine.errors import DONE, PIPELINE_FAILED, PdbtError
from ..engine.interrupted import NEW_SUFFIX
from .base import Base
from .merge import merge_texts, same_text

Verb = Literal["create", "replace", "merge", "conflict", "beside", "left", "remove", "kept"]
WRITTEN: tuple[Verb, ...] = ("create", "replace", "merge", "conflict", "beside", "remove")
CONFLICTS: tuple[Verb, ...] = ("conflict", "beside", "left")
UNKNOWN_BASE = "unknown"


@dataclass(frozen=True)
class FileUpdate:
    """What becomes of one file.

    Attributes:
        verb: ``create`` it; ``replace`` it, which its owner never touched; ``merge`` both sides; merge them with a marked ``conflict``;
            keep the owner's and put the new one ``beside`` it; ``left`` alone, for it cannot be reached; ``remove`` it, which the
            templates no longer have; ``kept`` as the owner left it, with a note.
        path: the file, relative to the project.
        target: what is written or removed; empty when nothing is.
        content: what `target` will hold; None when it is removed.
        note: why, where the verb does not say it all.
        owners: what the owner's file held when the plan was made.
        former: the name that the owner's file has until now, when the templates renamed it.
    """

    verb: Verb
    path: str
    target: str = ""
    content: bytes | None = field(default=None, repr=False)
    note: str = ""
    owners: bytes | None = field(default=None, repr=False)
    former: str = ""


@dataclass(frozen=True)
class UpdatePlan:
    """What an update would do.

    Attributes:
        project: the project's folder, absolute.
        old_version: the pdbt whose templates the project has; ``unknown`` without a base.
        new_version: the pdbt whose templates it gets.
        files: what becomes of each file that something becomes of, or that is worth a word, in the order of their paths.
        base: the content of the new base; None when the project has it.
        unresolved: files that still hold conflicts of an earlier update.
    """

    project: Path
    old_version: str
    new_version: str
    files: tuple[FileUpdate, ...]
    base: bytes | None = field(default=None, repr=False)
    unresolved: tuple[str, ...] = ()

    @property
    def writes(self) -> tuple[FileUpdate, ...]:
        """The files for which something is written or removed."""
        return tuple(file for file in self.files if file.verb in WRITTEN)

    @property
    def conflicts(self) -> tuple[FileUpdate, ...]:
        """The files that a person has to look at."""
        return tuple(file for file in self.files if file.verb in CONFLICTS)

    @property
    def exit_code(self) -> int:
        """The exit code of the command: 1 when a person has to look at something."""
        return PIPELINE_FAILED if self.conflicts or self.unresolved else DONE


@dataclass(frozen=True)
class Owners:
    """What lies at a file's place: its content, nothing, or something that an update must not touch, and why."""

    content: bytes | None = None
    reason: str = ""

    @property
    def free(self) -> bool:
        """Return True if nothing lies there."""
        return self.content is None and not self.reason


def read_owners(project: Path, path: str) -> Owners:
    """Return what lies at a path of the project; a symbolic link, also one on the way there, is not followed.

    Raises:
        PdbtError: a file cannot be read.
    """
    try:
        return _found(project, path)
    except OSError as error:
        raise PdbtError(f"{project / path} cannot be read: {error.strerror}. Nothing was changed.", "Check its permissions.") from None


def _found(project: Path, path: str) -> Owners:
    # Texts and one look at each: paths made of parts took most of the time of an update.
    folders = path.split("/")[:-1]
    for depth in range(len(folders), 0, -1):
        folder = "/".join(folders[:depth])
        mode = _mode(f"{project}/{folder}")
        if stat.S_ISLNK(mode):
            return Owners(reason=f"{folder} is a symbolic link")
        if mode and not stat.S_ISDIR(mode):
            return Owners(reason=f"{folder} is a file")
    mode = _mode(f"{project}/{path}")
    if stat.S_ISLNK(mode):
        return Owners(reason="it is a symbolic link")
    if stat.S_ISDIR(mode):
        return Owners(reason="it is a folder")
    return Owners((project / path).read_bytes()) if mode else Owners()


def _mode(path: str) -> int:
    """Return the mode of what lies at a place, of a link its own; 0 when nothing does."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def plan_files(
    project: Path, base: Base, new: Mapping[str, bytes], new_version: str, without: Collection[str] = ()
) -> tuple[FileUpdate, ...]:
    """Decide what becomes of every file that the templates made, or make now, but for those `without` which it is planned."""
    planned = []
    for path in sorted({*base.files, *new}.difference(without)):
        before, after = base.files.get(path), new.get(path)
        if before != after:
            file = _plan_one(path, before, after, read_owners(project, path), base.version, new_version)
            removed = _removed_folder(project, base.files, path) if file is not None and file.verb == "create" else ""
            if removed:
                file = FileUpdate("kept", path, note=f"you removed {removed}/; pdbt {new_version} has this new file in it")
            if file is not None:
                planned.append(file)
    return tuple(planned)


def _removed_folder(project: Path, before: Collection[str], path: str) -> str:
    """Return the outermost folder of a file that the owner removed as a whole; empty when there is none.

    What runs left in such a folder, as a log, does not make it one that is still wanted.
    """
    for folder in reversed([parent.as_posix() for parent in PurePosixPath(path).parents if parent.parts]):
        made = [known for known in before if known.startswith(f"{folder}/")]
        gone = not (project / folder).exists() or len(made) > 1  # one file alone may be a .gitkeep that made room for the owner's
        if made and gone and all(read_owners(project, known).free for known in made):
            return folder
    return ""


def _plan_one(path: str, before: bytes | None, after: bytes | None, yours: Owners, old: str, version: str) -> FileUpdate | None:
    """Decide about a file whose template changed, came or went; None when there is nothing to do or say."""
    if after is None:
        return _plan_gone(path, before, yours, version)
    if yours.reason:
        return FileUpdate("left", path, note=f"{yours.reason}; pdbt {version} has a new one")
    if yours.content is None:
        if before is None:
            return FileUpdate("create", path, path, after)
        return FileUpdate("kept", path, note=f"you removed it; pdbt {version} has a new one")
    if yours.content == after:
        return None
    if yours.content == before:
        return FileUpdate("replace", path, path, after, owners=before)
    if before is None:
        if same_text(yours.content, after):
            return None
        return _beside(path, after, yours.content, f"yours; pdbt {version} brings one of the same name")
    return _plan_merge(path, before, yours.content, after, old, version)


def _plan_gone(path: str, before: bytes | None, yours: Owners, version: str) -> FileUpdate | None:
    if yours.content is None and not yours.reason:
        return None
    if before is not None and yours.content is not None and same_text(before, yours.content):
        return FileUpdate("remove", path, path, None, owners=yours.content)
    return FileUpdate("kept", path, note=f"pdbt {version} has none any more; {yours.reason or 'you edited it'}")


def _plan_merge(path: str, before: bytes, yours: bytes, after: bytes, old: str, version: str) -> FileUpdate | None:
    merged = merge_texts(path, before, yours, after, old, version)
    if merged is None:
        return _beside(path, after, yours, "edited, and cannot be merged soundly")
    if merged.conflicts:
        places = "1 place" if merged.conflicts == 1 else f"{merged.conflicts} places"
        return FileUpdate("conflict", path, path, merged.content, f"marked in {places}", yours)
    if merged.content == yours:
        return None
    return FileUpdate("replace" if same_text(before, yours) else "merge", path, path, merged.content, owners=yours)


def _beside(path: str, after: bytes, yours: bytes, note: str) -> FileUpdate:
    return FileUpdate("beside", path, path + NEW_SUFFIX, after, note, yours)
