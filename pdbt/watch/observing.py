"""The file system's events, by watchdog: which paths to look at, and when events were lost."""

from __future__ import annotations

import array
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.errors import MissingLibrary

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver

# The kernel keeps this many bytes of events at least before it drops some (16,384 events of 16 bytes, unless set lower). The
# reader sees a queue that was full before it takes anything from it; half is far more than a reader that keeps up ever sees.
OVERFLOW_BYTES = 16_384 * 16 // 2
_HAS_INOTIFY = sys.platform.startswith("linux")
_MAX_EVENTS = Path("/proc/sys/fs/inotify/max_queued_events")
_EVENT_BYTES = 16

_NETWORK = (
    {"9p", "afpfs", "beegfs", "ceph", "cifs", "davfs", "davfs2", "drvfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "prl_fs"}
    | {"smb2", "smb3", "smbfs", "vboxsf", "vmhgfs", "webdav"}
)  # fmt: skip

Seen = Callable[[str, bool], None]
"""Told a file's path, and whether it was just closed by a writer."""


class Observer:
    """Tells which files of a folder to look at."""

    def __init__(self, folder: Path, *, recursive: bool, poll: float | None, seen: Seen, lost: Callable[[str], None]) -> None:
        """Prepare to observe; `start` begins.

        Args:
            folder: what is observed.
            recursive: whether folders below are, too.
            poll: seconds between two looks; None means that the system tells of events.
            seen: told of each file.
            lost: told, in a sentence, when files may have come without an event.

        Raises:
            MissingLibrary: watchdog is not installed.
        """
        self._folder, self._recursive, self._poll = folder, recursive, poll
        self._seen, self._lost = seen, lost
        self._observer = _make_observer(poll, lost)

    def start(self) -> None:
        """Begin to observe.

        Raises:
            OSError: the folder is not there, or the system has no more watches to give.
        """
        from watchdog.events import DirCreatedEvent, DirMovedEvent, FileClosedEvent, FileCreatedEvent, FileModifiedEvent, FileMovedEvent

        events: list[type[FileSystemEvent]] = [FileCreatedEvent, FileClosedEvent, FileMovedEvent, DirCreatedEvent, DirMovedEvent]
        if self._poll is not None or not _HAS_INOTIFY:
            events.append(FileModifiedEvent)  # where no event tells of a close
        handler = _handler(self._seen, self._lost, recursive=self._recursive)
        self._observer.schedule(handler, str(self._folder), recursive=self._recursive, event_filter=events)
        self._observer.start()

    def stop(self) -> None:
        """Stop observing."""
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()

    @property
    def alive(self) -> bool:
        """Whether it still observes: it ends when the folder goes."""
        return self._observer.is_alive() and all(_reads(emitter) for emitter in self._observer.emitters)


def is_network(folder: Path) -> bool:
    """Whether a folder is on a file system whose changes other machines make, of which this one's kernel tells nothing."""
    import psutil

    mount = mount_point(folder)
    kinds = [found.fstype.lower() for found in psutil.disk_partitions(all=True) if found.mountpoint == mount]
    return bool(kinds) and (kinds[-1] in _NETWORK or kinds[-1].startswith("fuse"))


def mount_point(folder: Path) -> str:
    """Return the nearest folder around this one, or itself, at which a file system is mounted."""
    path = Path(os.path.realpath(folder))
    while not path.is_mount() and path.parent != path:
        path = path.parent
    return str(path)


def _make_observer(poll: float | None, lost: Callable[[str], None]) -> BaseObserver:
    try:
        if poll is not None:
            from watchdog.observers.polling import PollingObserver

            return PollingObserver(timeout=poll)
        if _HAS_INOTIFY:
            return _linux_observer(lost)
        from watchdog.observers import Observer as SystemObserver

        return SystemObserver()
    except ImportError:
        raise MissingLibrary("watchdog", "Watching a folder") from None


def _handler(seen: Seen, lost: Callable[[str], None], *, recursive: bool) -> Any:
    from watchdog.events import EVENT_TYPE_CLOSED, FileSystemEventHandler

    class Handler(FileSystemEventHandler):
        """Passes on what may be a new file."""

        def dispatch(self, event: FileSystemEvent) -> None:
            path = os.fsdecode(event.dest_path or event.src_path)
            if not event.is_directory:
                seen(path, event.event_type == EVENT_TYPE_CLOSED)
            elif recursive:
                lost(f"the folder {path} came with whatever is in it")

    return Handler()


def _linux_observer(lost: Callable[[str], None]) -> BaseObserver:
    from watchdog.observers.api import BaseObserver
    from watchdog.observers.inotify import InotifyEmitter
    from watchdog.observers.inotify_c import InotifyConstants

    class Emitter(InotifyEmitter):
        """Says when the kernel dropped events, which watchdog passes over, and waits for no second half of a rename it does not need."""

        def on_thread_start(self) -> None:
            super().on_thread_start()
            inotify = self._inotify._inotify if self._inotify else None
            if inotify is not None:
                inotify._check_inotify_fd = _noticing_overflow(inotify._check_inotify_fd, inotify.fd, lost)

        def get_event_mask_from_filter(self) -> int | None:
            mask = super().get_event_mask_from_filter()
            # watchdog holds back what follows a file that leaves for half a second. Folders below are followed by both halves.
            return mask if mask is None or self.watch.is_recursive else mask & ~InotifyConstants.IN_MOVED_FROM

    return BaseObserver(Emitter)


def _noticing_overflow(check: Callable[[], bool], descriptor: int, lost: Callable[[str], None]) -> Callable[[], bool]:
    """Return the check for events of an inotify instance, which also tells when so many wait that some were dropped."""
    limit = min(OVERFLOW_BYTES, _queued_events() * _EVENT_BYTES // 2)

    def checked() -> bool:
        found = check()
        if found and _waiting_bytes(descriptor) >= limit:
            lost("the system may have dropped file events")
        return found

    return checked


def _queued_events() -> int:
    try:
        return int(_MAX_EVENTS.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return OVERFLOW_BYTES


def _waiting_bytes(descriptor: int) -> int:
    import fcntl
    import termios

    waiting = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
    return waiting[0]


def _reads(emitter: Any) -> bool:
    """Whether an emitter, and the thread that reads for it, still run."""
    reader = getattr(emitter, "_inotify", None)
    return bool(emitter.is_alive()) and (reader is None or bool(reader.is_alive()))
