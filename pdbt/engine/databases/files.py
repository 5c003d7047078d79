"""The files of a database that is one file: the published one, the sealed work, and the one that is being built.

What state a file is in is told by its name alone, so that a crash at any moment needs no cleaning: work under way is
`building`, only a finished, durable one is renamed to `sealed`, and only a publication renames that to `published`.
Renaming keeps a file's inode, size and time, which together are its token.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import BuildError, PdbtError
from .base import UnusableStart

WORK_FOLDER = "db/.work"
RETRY_SECONDS = 0.05
COPY_BYTES = 1 << 30  # one call of copy_file_range; the kernel may copy less
COPIED_PIECE = 1 << 20
SMALL_FILE_BYTES = 8 << 20  # copied in a few milliseconds, whatever is in it


@dataclass(frozen=True)
class DatabaseFiles:
    """Where the database's files lie.

    Attributes:
        label: the published file as a person would name it.
        published: the file that readers open.
        sealed: a finished work database that waits for its publication.
        building: the work database while it is open.
        temporary: a folder for what does not fit into memory.
        note: holds the token of the last publication, by which its file is known as ours.
        side_endings: what the database appends to a file's name for its journals.
        project: the project's folder.
    """

    label: str
    published: Path
    sealed: Path
    building: Path
    temporary: Path
    note: Path
    side_endings: tuple[str, ...]
    project: Path = Path()

    @classmethod
    def of(cls, project: Path, path: str, side_endings: tuple[str, ...]) -> DatabaseFiles:
        """Lay out the files for a database published at `path`, which may be relative to the project.

        Work lies on the published file's own file system, because a rename is atomic only there.
        """
        published = (project / path).resolve()
        inside = published.is_relative_to(project.resolve())
        label = published.relative_to(project.resolve()).as_posix() if inside else str(published)
        work = project / WORK_FOLDER
        names = f"work{published.suffix}", f"building{published.suffix}"
        if published.parent != work.parent.resolve():
            work = published.parent / ".work"
            names = f"{published.name}.work", f"{published.name}.building"
        note = work / f"{published.name}.token"
        return cls(label, published, work / names[0], work / names[1], project / WORK_FOLDER / "tmp", note, side_endings, project)

    def side_files(self, path: Path) -> list[Path]:
        """Return the journals that lie beside a database file."""
        candidates = (path.with_name(path.name + ending) for ending in self.side_endings)
        return [candidate for candidate in candidates if candidate.exists()]

    def token(self, path: Path) -> str | None:
        """Return what identifies a file and its journals as they are now; None when there is no file."""
        try:
            parts = [_identity(path)]
        except FileNotFoundError:
            return None
        for side in self.side_files(path):
            with contextlib.suppress(FileNotFoundError):
                parts.append(side.name.removeprefix(path.name) + _identity(side))
        return " ".join(parts)

    def begin(self) -> None:
        """Make the folders, and remove what a killed run left half built."""
        self.building.parent.mkdir(parents=True, exist_ok=True)
        self.published.parent.mkdir(parents=True, exist_ok=True)
        self.remove(self.building)
        shutil.rmtree(self.temporary, ignore_errors=True)

    def is_ours(self) -> bool:
        """Tell whether the published file is as the last publication left it."""
        token = self.token(self.published)
        try:
            return token is not None and token == self.note.read_text(encoding="utf-8")
        except OSError:
            return False

    def begin_with_copy(self) -> None:
        """Start building from a copy of the published file."""
        before = self.token(self.published)
        if before is None:
            raise UnusableStart(f"{self.label} does not exist, so no table of it can be kept.")
        copy(self.published, self.building)
        if self.token(self.published) != before:
            raise UnusableStart(f"{self.label} was written to while it was copied.", "Let only pdbt write to it, then run again.")

    def begin_with_sealed(self) -> None:
        """Go on building in the sealed file, which is no longer sealed from here on."""
        try:
            self.sealed.replace(self.building)
        except FileNotFoundError:
            raise UnusableStart(f"There is no finished work to go on with: {self.sealed.name} does not exist.") from None

    def lengthen(self) -> None:
        """Give the building file the end that the published one has and it has not."""
        with self.published.open("rb") as old, self.building.open("r+b") as new:
            old.seek(new.seek(0, os.SEEK_END))
            shutil.copyfileobj(old, new, COPIED_PIECE)

    def seal(self) -> str:
        """Make the closed building file durable and sealed; returns its token."""
        for side in self.side_files(self.building):
            side.unlink()
        synchronise(self.building)
        self.remove(self.sealed)
        self.building.replace(self.sealed)
        token = self.token(self.sealed)
        if token is None:
            raise BuildError(f"{self.sealed.name} disappeared while it was sealed.", "Run again.")
        return token

    def publish(self, lock_timeout: float) -> None:
        """Put the sealed file in the published one's place, for new readers at once and without disturbing those that read.

        Journals of a foreign writer go first: with the old file they are lost work at worst, with the new one they would
        be applied to a database that they do not belong to.
        """
        if not self.sealed.exists():
            raise BuildError(f"There is nothing to publish: {self.sealed.name} does not exist.")
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(self.published, self.sealed)
        for side in self.side_files(self.published):
            side.unlink()
        refusal = f"{self.label} cannot be replaced: another program holds it open."
        patiently(lambda: self.sealed.replace(self.published), lock_timeout, PermissionError, lambda: refusal)
        synchronise(self.published.parent)
        self.note.write_text(self.token(self.published) or "", encoding="utf-8")

    def discard(self) -> None:
        """Remove the work database, finished or not, with its temporary files."""
        self.remove(self.building)
        self.remove(self.sealed)
        shutil.rmtree(self.temporary, ignore_errors=True)

    def remove(self, path: Path) -> None:
        """Remove a database file with its journals, if it is there."""
        for each in (path, *self.side_files(path)):
            each.unlink(missing_ok=True)


def _identity(path: Path) -> str:
    """Return inode, size in bytes and time of change in nanoseconds."""
    status = path.stat()
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def copy(source: Path, target: Path) -> None:
    """Copy a file within the kernel: file systems that can, share the blocks instead of copying them."""
    copy_range = getattr(os, "copy_file_range", None)
    if copy_range is None:
        shutil.copyfile(source, target)
        return
    try:
        with source.open("rb") as read, target.open("wb") as write:
            while copy_range(read.fileno(), write.fileno(), COPY_BYTES):
                pass
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            error.filename = str(target)
            raise
        shutil.copyfile(source, target)  # not on this file system or kernel


def synchronise(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows has no such call for folders
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def patiently(action: Callable[[], object], seconds: float, passing: type[Exception], message: Callable[[], str]) -> None:
    """Do what another program may hinder for a moment.

    Args:
        action: what to do.
        seconds: how long to try.
        passing: the error that may pass.
        message: what to tell a person when it does not.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            action()
        except passing:
            if time.monotonic() >= deadline:
                raise PdbtError(message(), "Close that program's connection to the database, then run again.") from None
            time.sleep(RETRY_SECONDS)
        else:
            return


def worth_rewriting(kept_cells: int, all_cells: int, free_share: float, copy_advantage: float) -> bool:
    """Decide whether new copies of the kept tables are cheaper than a copy of the whole file.

    Args:
        kept_cells: rows times columns of the kept tables.
        all_cells: the same of all tables in the file.
        free_share: the part of the file, 0 to 1, that holds nothing.
        copy_advantage: how many times faster a byte is copied with its file than with its table (measured, for each database).
    """
    kept_share = kept_cells / all_cells if all_cells else 0.0
    return kept_share * (1 - free_share) * copy_advantage < 1
