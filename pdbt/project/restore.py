"""Restoring an archive: into a new folder, whole or not at all, and nothing of it anywhere else."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from ..engine.errors import PdbtError
from ..engine.settings import FILE_NAME
from ..scaffold.locate import no_folder
from ..scaffold.staging import staging_folder
from ..scaffold.zstd import MAGIC, ZstdError, zstd_reader

_ZIP_MAGIC = b"PK\x03\x04"
_PERMISSIONS = 0o777
_CHUNK = 1 << 20
_DAMAGE = (ZstdError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, NotImplementedError, UnicodeError)


class ArchiveRefused(PdbtError, ValueError):
    """An archive that is damaged, is none, or holds what would be written outside its folder."""


@dataclass(frozen=True)
class _Member:
    """What an archive says of one thing in it; `kind` is one of stat's file types, 0 for what a project cannot hold."""

    name: str
    kind: int
    mode: int
    modified: float
    target: str
    open: Callable[[], IO[bytes] | None]


def restore_archive(archive: Path, folder: Path | None = None) -> Path:
    """Unpack an archive of a project into a folder that is not there yet, or is empty.

    Args:
        archive: what `archive_project` wrote.
        folder: the new folder; None means the project's name, in the working folder.

    Returns:
        the project's folder, absolute.

    Raises:
        ArchiveRefused: it is no archive of a project, is damaged, or something in it would lead out of the folder.
        PdbtError: there is no such archive; or the folder is not empty, or cannot be written. In all cases nothing is left behind.
    """
    target = Path.cwd() / folder if folder is not None else None
    if target is not None:
        _check_free(target)
    parent = target.parent if target is not None else Path.cwd()
    if not parent.is_dir():
        raise PdbtError(f"{parent} {no_folder(parent)}, so nothing can be restored into it.", "Make it first, or name another place.")
    try:
        if not archive.exists():
            raise PdbtError(f"{archive} does not exist.", "Name a file that pdbt archive wrote.")
        with staging_folder(parent) as staging, _told_damage(archive):
            with archive.open("rb") as raw:
                top = _unpack(_members(archive, raw), archive, staging)
            target = target or parent / top
            _check_project(staging / top, archive)
            _check_free(target)
            (staging / top).rename(target)
    except OSError as error:
        if isinstance(error, PdbtError):
            raise
        place = error.filename or target or archive
        raise PdbtError(
            f"{archive} cannot be restored: {error.strerror or error} ({place}). Nothing was left behind.",
            "Check the file, disk and rights.",
        ) from error
    return target


@contextlib.contextmanager
def _told_damage(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ArchiveRefused(
            f"{archive} is damaged: {str(error) or type(error).__name__}. Nothing was restored.",
            "Bring the archive anew, or take another one.",
        ) from None


def _check_free(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise PdbtError(f"{target} is there already.", "Name a new folder: pdbt restore FILE DIR")
    if target.is_dir() and any(target.iterdir()):
        raise PdbtError(f"{target} exists and is not empty.", "Name a new folder: pdbt restore FILE DIR")


def _members(archive: Path, raw: IO[bytes]) -> Iterator[_Member]:
    beginning = raw.read(len(MAGIC))
    raw.seek(0)
    if beginning == MAGIC:
        yield from _tar_members(raw)
    elif beginning == _ZIP_MAGIC:
        yield from _zip_members(raw)
    else:
        raise ArchiveRefused(f"{archive} is neither a .tar.zst nor a .zip.", "Name a file that pdbt archive wrote.")


def _tar_members(raw: IO[bytes]) -> Iterator[_Member]:
    kinds = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.REGTYPE: stat.S_IFREG, tarfile.AREGTYPE: stat.S_IFREG}
    with zstd_reader(raw) as stream:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for found in archive:

                def opened(found: tarfile.TarInfo = found) -> IO[bytes] | None:
                    return archive.extractfile(found)

                yield _Member(found.name, kinds.get(found.type, 0), found.mode & _PERMISSIONS, found.mtime, found.linkname, opened)
        while stream.read(_CHUNK):
            pass  # the checksum stands at the very end


def _zip_members(raw: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(raw) as archive:
        for found in archive.infolist():

            def opened(found: zipfile.ZipInfo = found) -> IO[bytes]:
                try:
                    return archive.open(found)
                except RuntimeError as error:  # it is encrypted
                    raise zipfile.BadZipFile(str(error)) from None

            unix = found.external_attr >> 16
            kind = stat.S_IFMT(unix) or (stat.S_IFDIR if found.is_dir() else stat.S_IFREG)
            kind = kind if kind in (stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK) else 0
            target = os.fsdecode(archive.read(found)) if kind == stat.S_IFLNK else ""
            # A zip knows local times without a zone, to two seconds: the moment of unpacking is no worse.
            yield _Member(found.filename.rstrip("/"), kind, unix & _PERMISSIONS or 0o755, 0.0, target, opened)


def _unpack(members: Iterator[_Member], archive: Path, staging: Path) -> str:
    """Unpack all members below one folder of the staging folder; return that folder's name."""
    top = ""
    folders: list[tuple[Path, int]] = []
    links: list[Path] = []
    for member in members:
        parts = _checked_parts(member, archive)
        top = top or parts[0]
        if parts[0] != top:
            raise ArchiveRefused(f"{archive} holds more than one folder: {top} and {parts[0]}.", "Name a file that pdbt archive wrote.")
        path = staging.joinpath(*parts)
        if any(parent.is_symlink() for parent in path.parents if parent.is_relative_to(staging)):
            raise _leads_out(archive, member.name)
        if member.kind == stat.S_IFDIR:
            path.mkdir(parents=True, exist_ok=True)
            folders.append((path, member.mode))
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or path.exists():
            raise ArchiveRefused(f"{archive} holds {member.name!r} twice. Nothing was restored.", "Bring the archive anew.")
        if member.kind == stat.S_IFLNK:
            path.symlink_to(member.target)
            links.append(path)
        else:
            _unpack_file(member, path)
    for link in links:
        # Where it really leads, once all are there: links can lead through each other.
        if Path(link.readlink()).is_absolute() or not Path(os.path.realpath(link)).is_relative_to(os.path.realpath(staging / top)):
            raise _leads_out(archive, link.relative_to(staging).as_posix())
    for path, mode in reversed(folders):
        path.chmod(mode)
    return top


def _checked_parts(member: _Member, archive: Path) -> tuple[str, ...]:
    """Return the parts of a member's path, which stays below the folder that it is unpacked in."""
    parts = PurePosixPath(member.name).parts
    if not parts or member.name.startswith("/") or ".." in parts or "\0" in member.name:
        raise _leads_out(archive, member.name)
    if not member.kind:
        raise ArchiveRefused(f"{archive} holds {member.name!r}, which is neither file, folder nor symbolic link.", "It is no project's.")
    return parts


def _unpack_file(member: _Member, path: Path) -> None:
    stream = member.open()
    if stream is None:
        raise tarfile.ReadError(f"{member.name} has no content")
    with stream, path.open("xb") as file:
        shutil.copyfileobj(stream, file, _CHUNK)
    path.chmod(member.mode)
    if member.modified:
        os.utime(path, (member.modified, member.modified))


def _check_project(folder: Path, archive: Path) -> None:
    if not (folder / FILE_NAME).is_file():
        raise ArchiveRefused(f"{archive} holds no project: there is no {FILE_NAME} in it.", "Name a file that pdbt archive wrote.")


def _leads_out(archive: Path, name: str) -> ArchiveRefused:
    return ArchiveRefused(f"{archive} holds {name!r}, which leads out of its folder. Nothing was restored.", "Do not trust this file.")
