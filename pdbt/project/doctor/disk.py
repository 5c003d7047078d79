"""The disk of a project: its room, and the kind of file system that the databases lie on."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...engine.process.libraries import is_installed
from .check import ERROR, OK, WARNING, Check, Patient

MOUNTS = Path("/proc/self/mountinfo")
# A run writes a copy of the database beside it; with less room than this even a small one may not end.
LEAST_BYTES = 100_000_000
LOW_BYTES = 1_000_000_000
LEAST_FILES = 100
_NETWORK = re.compile(
    r"(?:nfs\d?|cifs|smb\d?|smbfs|sshfs|9p|afs|ceph|glusterfs|lustre|gpfs|beegfs|davfs\d?|ncpfs|acfs|ocfs2|gfs2|vboxsf|prl_fs|virtiofs"
    r"|(?:fuse\.|osxfuse|macfuse)(?:sshfs|ceph|glusterfs|s3fs|rclone|gcsfuse|goofys|davfs2?|curlftpfs|smbnetfs|vmhgfs-fuse|juicefs|mfs)\S*)"
)
_GONE_AT_REBOOT = ("tmpfs", "ramfs")


@dataclass(frozen=True)
class Mount:
    """Where a file system is: its mount point, its kind, what is mounted, and whether it can be written."""

    point: Path
    kind: str
    source: str
    writable: bool


def examine_space(patient: Patient) -> Iterable[Check]:
    """Check the room on the disk of the databases."""
    folder = _existing(database_folder(patient))
    usage = shutil.disk_usage(folder)
    files = os.statvfs(folder).f_favail if hasattr(os, "statvfs") and os.statvfs(folder).f_files else LEAST_FILES
    return [space_check(usage.free, files, _size(database_folder(patient)), folder)]


def space_check(free: int, files: int, needed: int, folder: Path) -> Check:
    """Check the room on a disk.

    Args:
        free: bytes that are left.
        files: how many more files can be made.
        needed: bytes that the databases take: a run may write them once more.
        folder: where this is, for the sentence.
    """
    text = f"{_amount(free)} are free at {folder}; the databases take {_amount(needed)}."
    if files < LEAST_FILES:
        return Check("disk", ERROR, f"Only {files} more files can be made at {folder}: it has no free inodes.", "Remove files there.")
    if free < max(LEAST_BYTES, needed):
        return Check("disk", ERROR, text, "Make room: a run writes the database once more before it publishes it.")
    return Check("disk", WARNING, text, "Make room soon.") if free < max(LOW_BYTES, 3 * needed) else Check("disk", OK, text)


def examine_file_system(patient: Patient) -> Iterable[Check]:
    """Check the kind of file system that the databases lie on."""
    folder = _existing(database_folder(patient))
    mount = find_mount(folder, read_mounts())
    if mount is None:
        return [Check("file system", WARNING, f"What {folder} lies on is not known on this system.")]
    return [file_system_check(mount, folder)]


def file_system_check(mount: Mount, folder: Path) -> Check:
    """Say what a file system means for a project's databases."""
    text = f"{folder} is on {mount.kind}, mounted at {mount.point} from {mount.source}"
    if not mount.writable:
        return Check("file system", ERROR, f"{text}, read-only.", "A run must write there; mount it for writing, or move the project.")
    if _NETWORK.fullmatch(mount.kind):
        hint = "Put the project, or [database] path, on a disk of this machine: locks and renames cannot be relied upon over a network."
        return Check("file system", WARNING, f"{text}, a network file system.", hint)
    if mount.kind in _GONE_AT_REBOOT:
        return Check("file system", WARNING, f"{text}, in memory: it is gone when the machine restarts.", "Put the project on a disk.")
    return Check("file system", OK, f"{text}.")


def read_mounts(file: Path = MOUNTS) -> list[Mount]:
    """Return what is mounted, in the order of mounting (man 5 proc_pid_mountinfo); where the system has no such file, psutil tells."""
    try:
        lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return _mounts_of_psutil()
    return [mount for line in lines if (mount := _mount(line)) is not None]


def find_mount(folder: Path, mounts: Iterable[Mount]) -> Mount | None:
    """Return the mount that a folder lies on: the deepest one above it, and of those at one point the last."""
    found: Mount | None = None
    for mount in mounts:
        deeper = found is None or len(mount.point.parts) >= len(found.point.parts)
        if folder.is_relative_to(mount.point) and deeper:
            found = mount
    return found


def database_folder(patient: Patient) -> Path:
    """Return the folder of the project's databases."""
    if patient.settings is not None and patient.settings.database_url is None:
        return patient.settings.database_path.parent
    return patient.home / "db"


def _mount(line: str) -> Mount | None:
    before, separator, after = line.partition(" - ")
    fields, rest = before.split(" "), after.split(" ")
    if not separator or len(fields) < 6 or len(rest) < 2:
        return None
    options = {*fields[5].split(","), *(rest[2].split(",") if len(rest) > 2 else ())}
    return Mount(Path(_unescaped(fields[4])), rest[0], _unescaped(rest[1]), "ro" not in options)


def _unescaped(text: str) -> str:
    r"""Put back the characters that the kernel writes as octal numbers, as \040 for a blank."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _mounts_of_psutil() -> list[Mount]:
    if not is_installed("psutil"):
        return []
    import psutil

    return [
        Mount(Path(found.mountpoint), found.fstype, found.device, "ro" not in found.opts.split(","))
        for found in psutil.disk_partitions(all=True)
    ]


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(candidate for candidate in (folder, *folder.parents) if candidate.exists()).resolve()


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # gone meanwhile
            continue
    return total


def _amount(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"
