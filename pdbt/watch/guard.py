"""The watched folder itself: whether it is there, and observed. A share that was unmounted leaves an empty folder behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ..engine.errors import PdbtError
from .observing import Observer, Seen, is_network, mount_point
from .settings import WatchSettings


class Guard:
    """Observes a folder as long as it is there."""

    def __init__(self, settings: WatchSettings, seen: Seen, lost: Callable[[str], None]) -> None:
        """Look at the folder as it is now; `arm` begins to observe it.

        Args:
            settings: of the watcher.
            seen: told of each path that an event names, from another thread.
            lost: told when events may have been lost, from another thread.
        """
        self._settings, self._seen, self._lost = settings, seen, lost
        self._mount = mount_point(settings.folder)
        self._armed_for: tuple[int, int] | None = None
        self._observer: Observer | None = None
        self.polled = settings.polling if settings.polling is not None else is_network(settings.folder)
        """Whether the folder is polled, as its file system tells of no events."""

    @property
    def armed(self) -> bool:
        """Whether the folder is observed."""
        return self._observer is not None and self._observer.alive

    def fault(self) -> str:
        """Say what is the matter with the folder; empty when it is there as it was when it was armed."""
        folder = self._settings.folder
        if not folder.is_dir():
            return f"the watched folder {folder} is not there"
        if mount_point(folder) != self._mount:
            return f"the watched folder {folder} is no longer mounted"
        try:
            if self._armed_for is not None and self._identity() != self._armed_for:
                self.disarm()  # another folder was put in its place: that one is watched from now on
        except OSError:  # it went away between two looks
            return f"the watched folder {folder} is not there"
        return ""

    def is_there(self) -> bool:
        """Whether the folder is there."""
        return not self.fault()

    def arm(self) -> None:
        """Begin to observe, anew if it was begun before.

        Raises:
            PdbtError: the system does not let the folder be observed.
        """
        self.disarm()
        settings = self._settings
        poll = settings.poll if self.polled else None
        observer = Observer(settings.folder, recursive=settings.recursive, poll=poll, seen=self._seen, lost=self._lost)
        try:
            self._armed_for = self._identity()
            observer.start()
        except OSError as error:
            self._armed_for = None
            hint = "Set polling = true under [watch], or raise fs.inotify.max_user_watches." if poll is None else ""
            raise PdbtError(f"{settings.folder} cannot be observed: {error.strerror}.", hint) from None
        self._observer = observer

    def disarm(self) -> None:
        """Observe no more."""
        observer, self._observer, self._armed_for = self._observer, None, None
        if observer is not None:
            with contextlib.suppress(OSError):
                observer.stop()

    def _identity(self) -> tuple[int, int]:
        found = self._settings.folder.stat()
        return found.st_dev, found.st_ino
