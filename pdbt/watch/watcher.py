"""The watcher: one folder, watched from a thread of its own until it is stopped."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from ..engine.errors import MissingLibrary, PdbtError
from ..engine.process.libraries import is_installed
from .journal import Journal, Listener
from .ledger import Ledger
from .place import watcher_locks
from .scheduler import Scheduler
from .settings import WatchSettings, load_watch_settings, settings_of_dict

_LIBRARIES = ("watchdog", "psutil")
_JOIN_SECONDS = 0.5


class Watcher:
    """Watches a folder, and runs the tasks of the files that arrive in it.

    ``with Watcher("inbox", {"orders": [("load.py", "1", "logs")]}): ...`` watches as long as the block lasts.
    """

    def __init__(
        self,
        folder: str | Path | None,
        pipeline: Mapping[str, Any] | str | Path,
        *,
        listener: Listener | None = None,
        **settings: Any,
    ) -> None:
        """Read the rules; nothing is watched yet.

        Args:
            folder: what is watched; None means what the settings say.
            pipeline: tasks by tag, or the file that says them: TOML with ``[watch]``, or Python with PIPELINE.
            listener: told every event, a mapping with ``event`` and ``time``, in the watcher's thread.
            settings: what ``[watch]`` may hold, as ``recursive=True``.

        Raises:
            SettingsError: something is not allowed, or the folder is none.
            MissingLibrary: watchdog or psutil is not installed.
        """
        for library in _LIBRARIES:
            if not is_installed(library):
                raise MissingLibrary(library, "Watching a folder")
        if isinstance(pipeline, (str, Path)):
            self.settings: WatchSettings = load_watch_settings(Path(pipeline), folder, **settings)
        else:
            self.settings = settings_of_dict(pipeline, folder, **settings)
        self._listener = listener
        self._ready = threading.Event()
        self._scheduler: Scheduler | None = None
        self._thread: threading.Thread | None = None
        self._fault: BaseException | None = None
        self._resources = contextlib.ExitStack()

    def start(self) -> None:
        """Begin to watch; returns once the folder is observed and all that lay in it is on record.

        Raises:
            WatcherInProgress: another watcher has this folder; names its process.
            PdbtError: the ledger or the folder cannot be used.
        """
        if self._thread is not None:
            raise PdbtError(f"{self.settings.folder} is watched by this watcher already.", "Stop it first.")
        with contextlib.ExitStack() as stack:
            say_ready = stack.enter_context(watcher_locks(self.settings.folder, self.settings.state))

            def ready() -> None:
                say_ready()
                self._ready.set()

            ledger = Ledger(self.settings.state)
            stack.callback(ledger.close)
            journal = Journal(self.settings.state, self._listener, self.settings.sender)
            stack.callback(journal.close)
            self._scheduler = Scheduler(self.settings, ledger, journal, ready)
            self._resources = stack.pop_all()
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, args=(self._scheduler,), name="watcher")
        self._thread.start()
        try:
            self._ready.wait()
        except BaseException:  # Ctrl-C while a large folder is looked at
            self.stop(0.0)
            raise
        if self._fault is not None:
            self.wait()

    def stop(self, grace: float | None = None) -> None:
        """Stop: no more tasks begin, those that run have `grace` seconds to end, and are ended then with their children.

        What did not come to its end is taken up at the next start.

        Args:
            grace: None means what the settings say.
        """
        self.begin_stop(grace)
        self.wait()

    def begin_stop(self, grace: float | None = None) -> None:
        """Begin to stop, without waiting; a second time with a shorter time hurries. May be called by a signal's handler."""
        if self._scheduler is not None:
            self._scheduler.stop(self.settings.grace if grace is None else grace)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the watcher has stopped; returns whether it has.

        Args:
            timeout: seconds; None means however long it takes.

        Raises:
            PdbtError: it stopped because of a fault.
        """
        thread = self._thread  # another thread may wait, too
        if thread is None:
            return True
        thread.join(timeout)
        if thread.is_alive():
            return False
        self._thread = None
        self._resources.close()
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        return True

    def wait_for_signal(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Watch until Ctrl-C or SIGTERM, then stop in order; a second one ends the running tasks at once. For the main thread.

        Args:
            meanwhile: called twice a second.
        """
        with self._stopping_on_signals():
            try:
                while not self.wait(_JOIN_SECONDS):
                    meanwhile()
            except BaseException:
                self.begin_stop(0.0)
                raise

    def __enter__(self) -> Watcher:
        """Begin to watch."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def _run(self, scheduler: Scheduler) -> None:
        try:
            scheduler.run()
        except sqlite3.Error as error:
            message = f"The ledger in {self.settings.state} cannot be used: {error}."
            self._fault = PdbtError(message, "Check its disk and its folder's permissions.")
        except BaseException as error:
            self._fault = error
        finally:
            self._ready.set()

    @contextlib.contextmanager
    def _stopping_on_signals(self) -> Iterator[None]:
        received = 0

        def stop(number: int, frame: FrameType | None) -> None:
            nonlocal received
            received += 1
            self.begin_stop(None if received == 1 else 0.0)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
