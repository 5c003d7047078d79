"""Intake: a path that was seen becomes an arrival once its file is whole, and only if its content is new."""

from __future__ import annotations

import os
import stat as modes
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..engine.files import is_temporary, writer_of
from .execution import SMALL_BYTES, content_hash
from .ledger import Arrival, Ledger, Stat
from .settings import WatchSettings

# Where the system does not tell who writes a file, it counts as whole when it has not changed for this long.
STABLE_SECONDS = 1.0
# Many programs make a file first and fill it then.
EMPTY_SECONDS = 1.0


@dataclass
class _Pending:
    """A file that is not known to be whole.

    Attributes:
        stat: as it was when it was last looked at.
        since: since when it has been so, by the monotonic clock.
        still: seconds that it must lie still.
    """

    stat: Stat
    since: float
    still: float


class Intake:
    """Decides which of the paths that were seen have arrived."""

    def __init__(
        self,
        settings: WatchSettings,
        ledger: Ledger,
        *,
        polled: bool,
        hashed: Callable[[str, Stat, str | None], None],
    ) -> None:
        """Begin with nothing pending.

        Args:
            settings: of the watcher.
            ledger: says what is known; only read here, but for a file whose content did not change.
            polled: whether the folder is on a file system that does not tell who writes a file.
            hashed: told, from another thread, the hash of a large file, to be given to `compare`.
        """
        self._settings, self._ledger, self._polled, self._hashed = settings, ledger, polled, hashed
        self._begun = ledger.begun
        self._still = max(STABLE_SECONDS, settings.poll) if polled else STABLE_SECONDS
        self._pending: dict[str, _Pending] = {}
        self._root = str(settings.folder).rstrip(os.sep) + os.sep
        self._log_folders = tuple({f"{task.logs}{os.sep}" for tag in settings.pipeline.tags for task in tag.tasks})
        self._hashing: set[tuple[str, Stat]] = set()
        self._arrived: dict[str, Arrival] = {}
        self._unnameable: set[str] = set()
        self._told: set[str] = set()
        self.first_look = not ledger.first_look_marked()
        """Whether no watcher has looked at the whole of this folder yet."""

    @property
    def waiting(self) -> bool:
        """Whether some file has to be looked at again."""
        return bool(self._pending)

    def take(self) -> list[Arrival]:
        """Return the arrivals since the last time, in their order."""
        arrived = list(self._arrived.values())
        self._arrived.clear()
        return arrived

    def consider(self, path: str, *, closed: bool = False) -> None:
        """Look at a file that was seen.

        Args:
            path: the file.
            closed: whether a writer just closed it.
        """
        found = self._look(path)
        if found is None:
            self._pending.pop(path, None)
            return
        stat = _stat_of(found)
        writer = None if self._polled else writer_of(path)
        still = max(
            self._settings.settle,
            self._still if writer is None and not (closed and not self._polled) else 0.0,
            EMPTY_SECONDS if not found.st_size else 0.0,
        )
        if writer or (still and not self._has_lain(found, still)):
            self._pending[path] = _Pending(stat, time.monotonic(), still)
        else:
            self._accept(path, stat)

    def look_again(self) -> None:
        """Accept the pending files that are whole by now."""
        now = time.monotonic()
        for path, pending in list(self._pending.items()):
            found = self._look(path)
            stat = _stat_of(found) if found else None
            if stat is None:
                del self._pending[path]
            elif stat != pending.stat or (not self._polled and writer_of(path)):
                pending.stat, pending.since = stat, now
            elif now - pending.since >= pending.still:
                self._accept(path, stat)

    def compare(self, path: str, stat: Stat, sha256: str | None) -> None:
        """Accept a file whose stat is new if its content is, too.

        Args:
            path: the file.
            stat: as it was when it was hashed.
            sha256: the hash; None if it changed meanwhile.
        """
        self._hashing.discard((path, stat))
        known = self._ledger.find(path)
        if sha256 is None:
            self.consider(path)
        elif known is not None and known.sha256 == sha256:
            self._ledger.touch(known.id, stat)
        else:
            self._arrive(path, stat)

    def take_unnameable(self) -> list[str]:
        """Return the files, not told of before, whose names are no Unicode, which no ledger can hold; they are left alone."""
        found = sorted(self._unnameable - self._told)
        self._told.update(found)
        return found

    def _has_lain(self, found: os.stat_result, still: float) -> bool:
        """Whether a file has not changed for this long; another machine's clock is not asked."""
        return not self._polled and time.time() - max(found.st_mtime, found.st_ctime) >= still

    def _accept(self, path: str, stat: Stat) -> None:
        """Take a whole file in, unless the ledger knows it, or its content, already."""
        self._pending.pop(path, None)
        known = self._ledger.find(path)
        if known is not None and known.stat == stat:
            return
        if known is None or known.sha256 is None:
            self._arrive(path, stat)
        elif stat[0] <= SMALL_BYTES:
            self.compare(path, stat, content_hash(path, stat))
        elif (path, stat) not in self._hashing:
            self._hashing.add((path, stat))
            work = threading.Thread(target=lambda: self._hashed(path, stat, content_hash(path, stat)), daemon=True)
            work.start()

    def _arrive(self, path: str, stat: Stat) -> None:
        if self.first_look and not self._settings.existing and self._lay_there(path):
            self._arrived[path] = Arrival(path, stat, (), "before")
            return
        tags = self._settings.pipeline.matching(os.path.basename(path))  # noqa: PTH119 - see _look
        self._arrived[path] = Arrival(path, stat, tags, "matched" if tags else "unmatched")

    def _lay_there(self, path: str) -> bool:
        """Whether a file was there, as it is, before the folder was first watched; a rename changes a file's status, too."""
        found = self._look(path)
        return found is not None and found.st_ctime < self._begun

    def _is_log(self, path: str) -> bool:
        """Whether a file is the log of a task, in a folder below the watched one."""
        return path.startswith(self._log_folders)

    def _look(self, path: str) -> os.stat_result | None:
        """Return a file's status; None for what is gone, is no file, or has a temporary name.

        Paths are texts here: to make a Path of each would take half of the time that a folder of 100,000 files takes.
        """
        if not path.startswith(self._root) or self._is_log(path):
            return None
        if any(map(is_temporary, path[len(self._root) :].split(os.sep))):  # noqa: PTH206 - see above
            return None
        try:
            path.encode()
            found = os.stat(path)  # noqa: PTH116 - see above
        except UnicodeEncodeError:
            self._unnameable.add(path)
            return None
        except OSError:
            return None
        return found if modes.S_ISREG(found.st_mode) else None


def _stat_of(found: os.stat_result) -> Stat:
    return found.st_size, found.st_mtime_ns, found.st_ino
