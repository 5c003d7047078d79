"""PyPelineWatcher: another way to write `Watcher`, for scripts that have the tags in a dict."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .watcher import Watcher


class PyPelineWatcher:
    """Watches a folder with the tasks of a dict: ``PyPelineWatcher().startWatcher(folder, pipeline=PIPELINE)``."""

    def __init__(self) -> None:
        """Begin without a watcher."""
        self._watcher: Watcher | None = None

    def startWatcher(self, folder: str | Path, pipeline: Mapping[str, Sequence[Any]], *, wait: bool = True, **settings: Any) -> None:
        """Watch the folder, until Ctrl-C or SIGTERM; called from a thread other than the main one, until `stopWatcher`.

        Args:
            folder: what is watched.
            pipeline: ``{"tag": [("/path/task.py", "group", "/path/logs"), ...]}``.
            wait: whether to return only when the watcher has stopped.
            settings: what ``[watch]`` may hold, as ``recursive=True``.

        Raises:
            PdbtError: the folder cannot be watched, or the dict says what is not allowed.
        """
        self._watcher = Watcher(folder, pipeline, **settings)
        self._watcher.start()
        if not wait:
            return
        if threading.current_thread() is threading.main_thread():
            self._watcher.wait_for_signal()
        else:
            self._watcher.wait()

    def stopWatcher(self) -> None:
        """Stop; may be called from any thread."""
        if self._watcher is not None:
            self._watcher.stop()
