"""What a watcher says: events for whoever listens, a log for people, one JSON line for each run of a task."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..engine.notices import Sender
from .execution import CONTROLS, Outcome, task_id
from .place import HISTORY, LOG
from .telling import Telling

Event = Mapping[str, Any]
Listener = Callable[[Event], None]

LOG_BYTES = 10_000_000

_logger = logging.getLogger("pdbt.watch")


class Journal:
    """Writes down what happens; nothing that it writes is needed to go on, so a full disk loses lines and no more."""

    def __init__(self, state: Path, listener: Listener | None, sender: Sender | None = None) -> None:
        """Begin.

        Args:
            state: the folder of the ledger; the log and the history lie there.
            listener: told every event, in the watcher's thread; without one, the logger pdbt.watch is told the sentences.
            sender: who is sent notices; None means nobody.
        """
        self._state, self._listener = state, listener
        self._telling = Telling(sender, state, state / LOG, self._warn) if sender is not None and sender.urls else None

    def close(self) -> None:
        """Send the notices that are left."""
        if self._telling is not None:
            self._telling.close()

    def tell(self, event: str, sentence: str = "", *, warning: bool = False, **data: Any) -> None:
        """Tell of an event.

        Args:
            event: its name.
            sentence: for people; without one it is not logged.
            warning: whether a person has something to look at.
            data: its data.
        """
        if self._telling is not None and event == "paused":
            self._telling.paused(sentence)
        elif self._telling is not None and event == "resumed":
            self._telling.resumed()
        if not sentence and self._listener is None:
            return
        moment = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
        if sentence:
            if self._listener is None:
                _logger.log(logging.WARNING if warning else logging.INFO, "%s", sentence)
            self._append(LOG, f"{moment} {'warning: ' if warning else ''}{sentence.translate(CONTROLS)}\n")
        if self._listener is not None:
            try:
                self._listener({"event": event, "time": moment, **({"message": sentence} if sentence else {}), **data})
            except Exception as error:  # who listens may have gone; the tasks go on
                self._append(LOG, f"{moment} warning: the listener failed: {type(error).__name__}: {error}\n")

    def record(self, outcome: Outcome, state: str) -> None:
        """Write the line of an attempt that ended, and tell of it."""
        row, task = outcome.attempt.row, outcome.attempt.task
        ended = datetime.datetime.now().astimezone()
        data = {
            "task": task_id(outcome.attempt),
            "run": row.run,
            "tag": row.tag,
            "group": task.group,
            "command": task.run,
            "file": row.path,
            "attempt": outcome.attempt.number,
            "state": state,
            "exit_code": outcome.exit_code,
            "error": outcome.error,
            "started": (ended - datetime.timedelta(seconds=outcome.seconds)).isoformat(timespec="milliseconds"),
            "ended": ended.isoformat(timespec="milliseconds"),
            "seconds": round(outcome.seconds, 3),
            "log": str(outcome.attempt.log),
        }
        self._append(HISTORY, json.dumps(data, ensure_ascii=False) + "\n")
        if self._telling is not None:
            self._telling.ended(data)
        sentence = ""
        if state != "done":
            after = {"waiting": "; it is tried again", "unfinished": "; it is taken up at the next start"}.get(state, "")
            sentence = f"task {data['task']} ({row.tag}, {row.path}): {outcome.error}{after}. Log: {outcome.attempt.log}"
        self.tell("ended", sentence, warning=state == "failed", **data)

    def _warn(self, sentence: str) -> None:
        moment = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
        self._append(LOG, f"{moment} warning: {sentence}\n")

    def _append(self, name: str, text: str) -> None:
        path = self._state / name
        with contextlib.suppress(OSError):
            if path.exists() and path.stat().st_size > LOG_BYTES:
                path.replace(path.with_name(f"{name}.1"))
            with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
