"""What a run tells: progress and a table of steps for a person, lines for the log, one JSON line for programs."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

LOG_BYTES = 10 * 1024 * 1024
LOG_BACKUPS = 1
PROGRESS_AFTER_SECONDS = 0.5
PROGRESS_EVERY_SECONDS = 0.2


@dataclass(frozen=True)
class StepResult:
    """What became of one step.

    Attributes:
        step: ``import``, ``build``, ``check``, ``publish``, ``export`` or ``drop``.
        name: the table, check or file.
        result: ``rebuilt``, ``reused``, ``passed``, ``failed``, ``written``, ``dropped``, ``skipped``, ``published``.
        rows: rows of the table or file, or rows that a failed check returned; None where there are none to count.
        seconds: how long it took.
        rejected: source rows set aside.
        reason: why it was done, or why it was not.
    """

    step: str
    name: str
    result: str
    rows: int | None = None
    seconds: float = 0.0
    rejected: int = 0
    reason: str = ""


class Report:
    """The one place where the engine speaks; `quiet` leaves only errors, the files are written all the same."""

    def __init__(self, project: Path, command: str, *, quiet: bool = False, redact: Callable[[str], str] = str) -> None:
        """Begin a report.

        Args:
            project: the project's folder; its ``macro/`` receives the log.
            command: the script that runs.
            quiet: print nothing but errors.
            redact: masks the secrets of a text.
        """
        self.redact = redact
        self.steps: list[StepResult] = []
        self._folder = project / "macro"
        self._project = project.name
        self._command = command
        self._quiet = quiet
        self._start = datetime.datetime.now().astimezone()
        self._clock = time.perf_counter()
        self._log: list[str] = []
        self._progress = sys.stderr.isatty() and not quiet

    # During a run -----------------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Tell a person something that is worth a line."""
        self.log(text)
        if not self._quiet:
            print(self.redact(text), file=sys.stderr, flush=True)

    def log(self, text: str) -> None:
        """Keep a line for the log."""
        stamp = datetime.datetime.now().isoformat(" ", timespec="milliseconds")
        self._log.append(f"{stamp} {os.getpid()} {self.redact(text)}\n")

    def add(self, step: StepResult) -> None:
        """Record what became of a step."""
        self.steps.append(step)
        rows = "" if step.rows is None else f" {step.rows} rows"
        why = f" ({step.reason})" if step.reason else ""
        self.log(f"{step.step} {step.name}: {step.result}{rows} in {step.seconds:.3f} s{why}")

    @contextlib.contextmanager
    def working(self, what: str, percent: Callable[[], float]) -> Iterator[None]:
        """Show on a terminal that something long goes on.

        Args:
            what: what goes on, as ``importing ORDERS``.
            percent: how much of it is done, 0 to 100; negative when that is not known.
        """
        if not self._progress:
            yield
            return
        done = threading.Event()
        thread = threading.Thread(target=_show_progress, args=(sys.stderr, what, percent, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    # At its end -------------------------------------------------------------------------------------------------------

    def finish(self, status: str, error: str = "") -> None:
        """Print the table of steps, append the log, and append the run's JSON line."""
        if error:
            self.log(f"{status}: {error}")
        if not self._quiet and self.steps:
            print(self.redact(self.table()), flush=True)
            print(self.summary(status), flush=True)
        self._write_log()
        self._write_json_line(status, error)

    def summary(self, status: str) -> str:
        """Say in one line how the run ended."""
        made = sum(step.result in ("rebuilt", "written") for step in self.steps)
        reused = sum(step.result == "reused" for step in self.steps)
        rejected = sum(step.rejected for step in self.steps)
        set_aside = f", {rejected:,} source rows rejected (data/rejected)" if rejected else ""
        return f"{self._project}: {status} in {time.perf_counter() - self._clock:.2f} s, {made} made, {reused} reused{set_aside}"

    def table(self) -> str:
        """Return the steps as a table for a person."""
        header = ("step", "table", "rows", "seconds", "")
        lines = [
            (
                step.step,
                step.name,
                "" if step.rows is None else f"{step.rows:,}",
                f"{step.seconds:.2f}" if step.seconds >= 0.005 else "",
                step.result + (f", {step.rejected:,} rejected" if step.rejected else ""),
            )
            for step in self.steps
        ]
        widths = [max(len(row[column]) for row in (header, *lines)) for column in range(len(header))]
        return "\n".join(_align(row, widths) for row in (header, tuple("─" * width for width in widths), *lines))

    def _write_log(self) -> None:
        from logging import LogRecord
        from logging.handlers import RotatingFileHandler

        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "execution.log"
        handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_BACKUPS, encoding="utf-8", delay=True)
        handler.terminator = ""
        try:
            handler.handle(LogRecord(self._project, 20, "", 0, "".join(self._log), None, None))
        finally:
            handler.close()
        self._log.clear()

    def _write_json_line(self, status: str, error: str) -> None:
        now = datetime.datetime.now().astimezone()
        line = {
            "start": self._start.isoformat(timespec="milliseconds"),
            "end": now.isoformat(timespec="milliseconds"),
            "seconds": round(time.perf_counter() - self._clock, 3),
            "status": status,
            "command": self._command,
            "pid": os.getpid(),
            "steps": [{**asdict(step), "seconds": round(step.seconds, 4)} for step in self.steps],
            "error": self.redact(error) or None,
        }
        # One write of one line: two processes that append at once do not mix.
        with (self._folder / "runs.jsonl").open("ab", buffering=0) as file:
            file.write(self.redact(json.dumps(line, ensure_ascii=False)).encode() + b"\n")


def _align(row: tuple[str, ...], widths: list[int]) -> str:
    step, name, rows, seconds, result = row
    return f"{step:<{widths[0]}}  {name:<{widths[1]}}  {rows:>{widths[2]}}  {seconds:>{widths[3]}}  {result}".rstrip()


def _show_progress(stream: TextIO, what: str, percent: Callable[[], float], done: threading.Event) -> None:
    """Rewrite one line of the terminal until `done`, and leave it empty."""
    start = time.perf_counter()
    if done.wait(PROGRESS_AFTER_SECONDS):
        return
    while not done.wait(PROGRESS_EVERY_SECONDS):
        share = percent()
        bar = f"{'█' * int(share / 5):<20} {share:3.0f} %" if share >= 0 else "…"
        stream.write(f"\r\x1b[2K{what}  {bar}  {time.perf_counter() - start:.0f} s")
        stream.flush()
    stream.write("\r\x1b[2K")
    stream.flush()
