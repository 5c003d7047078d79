"""Archives: a project as one dated file, without what can be made again."""

from __future__ import annotations

import contextlib
import datetime
import io
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from ..engine.errors import PdbtError, SettingsError
from ..scaffold.locate import no_folder, whole_project
from ..scaffold.staging import staging_folder
from ..scaffold.update import LOCK_SECONDS, runs_locked
from ..scaffold.update_apply import finish_interrupted
from ..scaffold.zstd import zstd_writer
from .archive_contents import Item, LeftOut, contents_of

ENDINGS = {"zst": ".tar.zst", "zip": ".zip"}
_PERMISSIONS = 0o777
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Archived:
    """An archive that was written.

    Attributes:
        path: the archive, absolute.
        files: how many files and links it holds.
        size: in bytes.
        left_out: what is not in it, and why.
    """

    path: Path
    files: int
    size: int
    left_out: tuple[LeftOut, ...]


class _Writer(Protocol):
    def folder(self, name: str, found: os.stat_result) -> None: ...
    def link(self, name: str, found: os.stat_result, target: str) -> None: ...
    def file(self, name: str, found: os.stat_result, stream: IO[bytes], size: int) -> None: ...


def archive_project(
    project: Path,
    kind: str = "zst",
    folder: Path | None = None,
    *,
    secrets: bool = False,
    waiting: Callable[[str], None] = lambda sentence: None,
) -> Archived:
    """Write a project into an archive, while nobody runs it.

    Args:
        project: the project's folder; that of a sample stands for its project, without which it does not run.
        kind: ``zst`` for a .tar.zst, ``zip`` for a .zip.
        folder: where the archive is written; None means the working folder, or beside the project when that is in it.
        secrets: whether `.env`, keys and passwords in settings go into it, too.
        waiting: told in a sentence when a run has to end first.

    Raises:
        SettingsError: there is no such kind.
        RunInProgress: a run did not end in time.
        PdbtError: something cannot be read, or the archive not be written; no archive is left.
    """
    if kind not in ENDINGS:
        raise SettingsError(f"There is no kind of archive {kind!r}.", f"Use one of: {', '.join(ENDINGS)}.", allowed=tuple(ENDINGS))
    home = whole_project(project.resolve())
    place = _place(home, folder)
    with runs_locked(home, LOCK_SECONDS, waiting):
        finish_interrupted(home)
        items, left_out = contents_of(home, secrets=secrets)
        path = place / f"{home.name}-{datetime.datetime.now().astimezone():%Y-%m-%d-%H%M%S}{ENDINGS[kind]}"
        _write(home, items, path, kind)
    return Archived(path, sum(item.kind != "folder" for item in items), path.stat().st_size, tuple(left_out))


def _place(home: Path, folder: Path | None) -> Path:
    if folder is not None:
        if not folder.is_dir():
            raise PdbtError(f"{folder} {no_folder(folder)}, so no archive can be written to it.", "Make it first, or name another one.")
        return folder.resolve()
    here = Path.cwd()
    return home.parent if here.is_relative_to(home) else here


def _write(home: Path, items: list[Item], path: Path, kind: str) -> None:
    """Write the archive under another name, and give it its own once it is whole."""
    try:
        with staging_folder(path.parent) as staging:
            staged = staging / path.name
            with staged.open("xb") as raw:
                with (_tar if kind == "zst" else _zip)(raw) as writer:
                    writer.folder(home.name, home.stat())
                    for item in items:
                        _add(writer, home, item)
                raw.flush()
                os.fsync(raw.fileno())
            if path.exists():
                raise PdbtError(f"{path} is there already.", "Try again in a second.")
            staged.rename(path)
    except OSError as error:
        if isinstance(error, PdbtError):
            raise
        reason = error.strerror or error
        raise PdbtError(f"{path} cannot be written: {reason}. No archive was written.", "Check the disk and the rights.") from error


def _add(writer: _Writer, home: Path, item: Item) -> None:
    path, name = home / item.path, f"{home.name}/{item.path}"
    if item.kind == "folder":
        writer.folder(name, path.stat())
    elif item.kind == "link":
        writer.link(name, path.lstat(), item.target)
    elif item.content is not None:
        writer.file(name, path.stat(), io.BytesIO(item.content), len(item.content))
    else:
        try:
            stream = path.open("rb")
        except OSError as error:
            raise PdbtError(f"{path} cannot be read: {error.strerror}. No archive was written.", "Get the right to read it.") from None
        with stream:
            before = os.fstat(stream.fileno())
            try:
                writer.file(name, before, stream, before.st_size)
            except UnicodeEncodeError:
                raise PdbtError(f"{path} has a name that is not UTF-8, which a .zip cannot hold.", "Use: --format zst") from None
            after = os.fstat(stream.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise PdbtError(f"{path} changed while it was read. No archive was written.", "Try again when whatever writes it is done.")


@contextlib.contextmanager
def _tar(raw: IO[bytes]) -> Iterator[_Writer]:
    with zstd_writer(raw) as compressed, tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        yield _TarWriter(archive)


@contextlib.contextmanager
def _zip(raw: IO[bytes]) -> Iterator[_Writer]:
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        yield _ZipWriter(archive)


class _TarWriter:
    """Writes a tar; of who owns a file on this machine it says nothing."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def folder(self, name: str, found: os.stat_result) -> None:
        self._archive.addfile(self._member(name, found, tarfile.DIRTYPE))

    def link(self, name: str, found: os.stat_result, target: str) -> None:
        member = self._member(name, found, tarfile.SYMTYPE)
        member.linkname = target
        self._archive.addfile(member)

    def file(self, name: str, found: os.stat_result, stream: IO[bytes], size: int) -> None:
        member = self._member(name, found, tarfile.REGTYPE)
        member.size = size
        try:
            self._archive.addfile(member, stream)
        except OSError as error:
            if error.errno is not None:
                raise
            raise PdbtError(f"{name} became shorter while it was read. No archive was written.", "Try again.") from None

    @staticmethod
    def _member(name: str, found: os.stat_result, kind: bytes) -> tarfile.TarInfo:
        member = tarfile.TarInfo(name)
        member.type, member.mode, member.mtime = kind, found.st_mode & _PERMISSIONS, int(found.st_mtime)
        return member


class _ZipWriter:
    """Writes a zip, with modes and links as Unix has them."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def folder(self, name: str, found: os.stat_result) -> None:
        self._archive.writestr(self._member(f"{name}/", found, stat.S_IFDIR), b"")

    def link(self, name: str, found: os.stat_result, target: str) -> None:
        self._archive.writestr(self._member(name, found, stat.S_IFLNK), os.fsencode(target))

    def file(self, name: str, found: os.stat_result, stream: IO[bytes], size: int) -> None:
        member = self._member(name, found, stat.S_IFREG)
        member.compress_type, member.file_size = zipfile.ZIP_DEFLATED, size
        with self._archive.open(member, "w") as target:
            shutil.copyfileobj(stream, target, _CHUNK)

    @staticmethod
    def _member(name: str, found: os.stat_result, kind: int) -> zipfile.ZipInfo:
        moment = datetime.datetime.fromtimestamp(found.st_mtime).astimezone()
        year = min(max(moment.year, 1980), 2107)  # what a zip can say
        member = zipfile.ZipInfo(name, (year, moment.month, moment.day, moment.hour, moment.minute, moment.second))
        member.create_system = 3  # Unix: the modes below are read as such
        member.external_attr = (kind | found.st_mode & _PERMISSIONS) << 16
        return member
