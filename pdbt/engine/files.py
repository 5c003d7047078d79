"""Files: which of them are sources, how they are told from their former selves, how others are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import sys
import threading
import time
import unicodedata
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import GraphError, SourceError
from .folders import entries, folders_below, is_folder, unreadable
from .reading.formats import stem, supported
from .reading.model import SourceTable

# A file system may stamp two writes within this time alike; a file that was this young when its stamp was taken is hashed again.
# ext4, XFS, APFS and NTFS stamp at the kernel's tick; FAT, HFS+ and some shares write whole seconds, FAT even ones only.
FINE_GRANULARITY_NS = 20_000_000
COARSE_GRANULARITY_NS = 2_000_000_000
_SECOND_NS = 1_000_000_000
# Hashing less than this takes no longer than starting a thread.
SMALL_BYTES = 1 << 20
_TEMPORARY_ENDINGS = (".part", ".tmp", ".crdownload", ".swp", "~")


@dataclass(frozen=True)
class Discovered:
    """What `data/source` holds: tables in name order, and the files that are none, each with the reason."""

    tables: tuple[SourceTable, ...]
    ignored: tuple[str, ...]


def discover_sources(project: Path) -> Discovered:
    """Find the source tables: one file, or one folder of files, is one table.

    Raises:
        GraphError: two files or folders would make the same table.
        SourceError: a folder cannot be looked at, so that it is not known which tables there are.
    """
    folder = project / "data" / "source"
    tables: dict[str, SourceTable] = {}
    ignored: list[str] = []
    for entry in entries(folder):
        if is_temporary(entry.name):
            continue
        path = folder / entry.name
        label = path.relative_to(project).as_posix()
        if _is_source_folder(entry):
            name, files = table_name(entry.name), _files_below(path, project, ignored)
            if not files:
                continue
        elif not supported(path):
            ignored.append(f"{label} is not a kind of file that is read")
            continue
        else:
            name, files = table_name(stem(path)), (path,)
        if name in tables:
            raise GraphError(f"{tables[name].label} and {label} would both make the table {name}.", "Rename or move one of them.")
        tables[name] = SourceTable(name=name, files=files, label=label)
    return Discovered(tuple(tables[name] for name in sorted(tables)), tuple(ignored))


def table_name(text: str) -> str:
    """Return the table's name for a file's or folder's name without its ending: capitals, digits and underscores."""
    name = re.sub(r"\W+", "_", unicodedata.normalize("NFC", text)).strip("_").upper()
    return f"T_{name}" if not name or name[0].isdigit() else name


def _is_source_folder(entry: os.DirEntry[str]) -> bool:
    """Return True for a folder; a link to nothing that is named as a file is a file, which the import cannot read."""
    try:
        return is_folder(entry)
    except SourceError:
        if supported(Path(entry.name)):
            return False
        raise


def _files_below(folder: Path, project: Path, ignored: list[str]) -> tuple[Path, ...]:
    found = []
    for place, inside in folders_below(folder, is_folder=_is_source_folder, leave_out=is_temporary):
        for entry in inside:
            path = place / entry.name
            if supported(path):
                found.append(path)
            else:
                ignored.append(f"{path.relative_to(project).as_posix()} is not a kind of file that is read")
    return tuple(sorted(found))


def is_temporary(name: str) -> bool:
    """Whether a file's or folder's name says that it is hidden, or somebody's temporary one."""
    return name.startswith((".", "~$")) or name.lower().endswith(_TEMPORARY_ENDINGS)


# Change ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stamp:
    """What tells a file from its former self.

    Attributes:
        stat: size in bytes, modification and change time in ns, inode.
        sha256: the content's hash.
        taken: when `stat` was read, in ns since the epoch.
    """

    stat: tuple[int, ...]
    sha256: str
    taken: int

    def certain(self, stat: tuple[int, ...]) -> bool:
        """Whether a file with this stat now is surely the one that was stamped, without reading it."""
        modified = self.stat[1]
        granularity = FINE_GRANULARITY_NS if modified % _SECOND_NS else COARSE_GRANULARITY_NS
        return self.stat == stat and self.taken - modified > granularity


def file_stat(path: Path) -> tuple[int, ...]:
    """Return size, mtime, ctime and inode of a file.

    Raises:
        SourceError: it cannot be looked at: it is gone, or a link to nothing.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def is_being_written(path: Path) -> bool:
    """Whether some process has a file open for writing, where the system can tell."""
    return writer_of(path) is True


def writer_of(path: Path | str) -> bool | None:
    """Whether some process has a file open for writing; None where the system cannot tell: it can on Linux, of files of our own.

    A read lease is refused on such a file. It is given back at once; the signal that would tell of a writer who comes in that
    moment is set to one that nobody minds.
    """
    if sys.platform != "linux":
        return None
    import fcntl
    import signal

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    finally:
        os.close(descriptor)
    return False


def stamp(path: Path) -> Stamp:
    """Hash a file; ask again later if it was written to meanwhile.

    Raises:
        SourceError: the file cannot be read, or changes while it is read.
    """
    taken, before = time.time_ns(), file_stat(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from None
    if file_stat(path) != before:
        raise _changed_meanwhile(path)
    return Stamp(before, digest, taken)


def _changed_meanwhile(path: Path) -> SourceError:
    return SourceError(f"{path} changed while it was read.", "Run again when whatever writes it is done.", path=str(path))


# Writing --------------------------------------------------------------------------------------------------------------


def hidden_sibling(path: Path) -> Path:
    """Return the temporary name beside a file under which its next version is written; one per file, so none piles up."""
    return path.with_name(f".{path.name}.next")


def write_durably(path: Path, text: str) -> None:
    """Replace a file by this text, wholly or not at all, also when the power fails."""
    write_bytes_durably(path, text.encode())


def write_bytes_durably(path: Path, content: bytes) -> None:
    """Replace a file by this content, wholly or not at all, also when the power fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = hidden_sibling(path)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def file_token(path: Path) -> str | None:
    """Identify a file as it lies there, by what a rename keeps: inode, size and modification time; None when it is missing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


@contextlib.contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Make an empty folder, and remove it with all that it holds afterwards."""
    import shutil

    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


# Hashing beside other work --------------------------------------------------------------------------------------------


class Stamping:
    """Hashes files on a thread of its own while something else reads them: hashing lets other Python code run meanwhile."""

    def __init__(self, paths: Iterable[Path]) -> None:
        """Begin to hash; small files are not worth a thread and are done at once."""
        self._paths = tuple(paths)
        self._stamps: dict[Path, Stamp] = {}
        self._errors: dict[Path, SourceError] = {}
        self._thread: threading.Thread | None = None
        # As of now: by the time the thread comes to a file, what was imported of it may no longer be what lies there.
        self._began: dict[Path, tuple[int, ...]] = {}
        for path in self._paths:
            with contextlib.suppress(SourceError):  # which hashing it says once more
                self._began[path] = file_stat(path)
        if sum(size for size, *_ in self._began.values()) < SMALL_BYTES:
            self._work()
        else:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()

    def stamps(self, leave_out: Container[Path] = ()) -> dict[Path, Stamp]:
        """Wait for the stamps of all files but some.

        Raises:
            SourceError: a file could not be read, or changed since this began.
        """
        if self._thread is not None:
            self._thread.join()
        for path in self._paths:
            if path in leave_out:
                continue
            if path in self._errors:
                raise self._errors[path]
            if not file_stat(path) == self._stamps[path].stat == self._began.get(path):
                raise _changed_meanwhile(path)
        return {path: found for path, found in self._stamps.items() if path not in leave_out}

    def _work(self) -> None:
        for path in self._paths:
            try:
                self._stamps[path] = stamp(path)
            except SourceError as error:
                self._errors[path] = error
