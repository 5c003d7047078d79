"""Notices of a watcher: a task that fails for the last time, or a watcher that has to pause, tells once, and once when it goes on.

They are sent by a thread of their own: a target that does not answer keeps no task waiting.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..engine.notices import Notices, Sender

STOP_SECONDS = 20.0
_WATCHER = "watcher"


class Telling:
    """Sends what the journal of one watcher says that others should know."""

    def __init__(self, sender: Sender, state: Path, log: Path, warn: Callable[[str], None]) -> None:
        """Begin.

        Args:
            sender: who is told of what.
            state: the folder of the ledger; the incidents are kept there.
            log: the watcher's own log.
            warn: told what could not be sent, in the thread that sends.
        """
        self._notices = Notices(sender, state, warn)
        self._log = log
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="notices", daemon=True)
        self._thread.start()

    def ended(self, task: Mapping[str, Any]) -> None:
        """Tell how an attempt at a task ended: as ``failed``, ``done``, or something that is not the end."""
        job, name = f"task {task['tag']} {task['command']}", str(task["task"]).rpartition("-")[0]
        if task["state"] == "done":
            self._waiting.put(lambda: self._notices.succeeded(job, f"{name} works again"))
        elif task["state"] == "failed":
            step = f"Step: {task['command']} (tag {task['tag']})"
            lines = [f"File: {task['file']}", step, f"Error: {task['error']}", f"Log: {task['log']}"]
            self._waiting.put(lambda: self._notices.failed(job, f"{name} failed", lines))

    def paused(self, reason: str) -> None:
        """Tell that no task begins any more."""
        lines = ["Step: watching", f"Error: {reason}", f"Log: {self._log}"]
        self._waiting.put(lambda: self._notices.failed(_WATCHER, "the watcher pauses", lines))

    def resumed(self) -> None:
        """Tell that it goes on."""
        self._waiting.put(lambda: self._notices.succeeded(_WATCHER, "the watcher goes on"))

    def close(self) -> None:
        """Send what is left; waits a little for it."""
        self._waiting.put(None)
        self._thread.join(STOP_SECONDS)

    def _work(self) -> None:
        while (tell := self._waiting.get()) is not None:
            tell()
