"""What a run tells: progress and a table of steps for a person, lines for the log, one JSON line for programs."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

LOG_BYTES = 10 * 1024 * 1024
LOG_EVERY_SECONDS = 1.0
LEAST_NAME_WIDTH = 16
PROGRESS_AFTER_SECONDS = 0.5
PROGRESS_EVERY_SECONDS = 0.2
# What a terminal or a file that knows no more than ASCII is given instead.
_PLAIN = str.maketrans({"─": "-", "█": "#", "…": "~"})


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
    """The one place where the engine speaks; `quiet` leaves only errors, the files are written all the same.

    Attributes:
        redact: masks the secrets of a text.
        steps: what became of each step so far.
        doing: what long work goes on, or what the run ended at; empty when there is none.
    """

    def __init__(
        self,
        project: Path,
        command: str,
        *,
        quiet: bool = False,
        redact: Callable[[str], str] = str,
        on_step: Callable[[StepResult], None] | None = None,
    ) -> None:
        """Begin a report.

        Args:
            project: the project's folder; its ``macro/`` receives the log.
            command: the script that runs.
            quiet: print nothing but errors.
            redact: masks the secrets of a text.
            on_step: is told each step as it is done.
        """
        self.redact = redact
        self.steps: list[StepResult] = []
        self._on_step = on_step
        self._folder = project / "macro"
        self._project = project.name
        self._command = command
        self._quiet = quiet
        self._start = datetime.datetime.now().astimezone()
        self._clock = time.perf_counter()
        self._log: list[str] = []
        self._logged = self._clock
        self._writable = True
        self.doing = ""
        self.published = False
        self._progress = sys.stderr.isatty() and not quiet

    # During a run -----------------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Tell a person something that is worth a line."""
        self.log(text)
        if not self._quiet:
            say(self.redact(text), sys.stderr)

    def log(self, text: str) -> None:
        """Keep a line for the log."""
        stamp = datetime.datetime.now().isoformat(" ", timespec="milliseconds")
        self._log.append(f"{stamp} {os.getpid()} {_printable(self.redact(text))}\n")
        if time.perf_counter() - self._logged >= LOG_EVERY_SECONDS:  # who follows the log of a long run sees it go on
            self._write_log()

    def add(self, step: StepResult) -> None:
        """Record what became of a step."""
        self.steps.append(step)
        rows = "" if step.rows is None else f" {step.rows} rows"
        why = f" ({step.reason})" if step.reason else ""
        self.log(f"{step.step} {step.name}: {step.result}{rows} in {step.seconds:.3f} s{why}")
        if self._on_step is not None:
            self._on_step(step)

    @contextlib.contextmanager
    def working(self, what: str, percent: Callable[[], float]) -> Iterator[None]:
        """Show on a terminal that something long goes on.

        Args:
            what: what goes on, as ``importing ORDERS``.
            percent: how much of it is done, 0 to 100; negative when that is not known.
        """
        self.doing = what
        with self._shown(what, percent):
            yield
        self.doing = ""  # an error leaves it as it is: that is where the run ended

    @contextlib.contextmanager
    def _shown(self, what: str, percent: Callable[[], float]) -> Iterator[None]:
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
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
            say(self.redact(self.table(width)), sys.stdout)
            say(self.redact(self.summary(status)), sys.stdout)
        self._write_log()
        self._append("runs.jsonl", self._json_line(status, error), LOG_BYTES)

    def summary(self, status: str) -> str:
        """Say in one line how the run ended."""
        made = sum(step.result in ("rebuilt", "written") for step in self.steps)
        reused = sum(step.result == "reused" for step in self.steps)
        rejected = sum(step.rejected for step in self.steps)
        set_aside = f", {rejected:,} source rows rejected (data/rejected)" if rejected else ""
        return f"{self._project}: {status} in {time.perf_counter() - self._clock:.2f} s, {made} made, {reused} reused{set_aside}"

    def table(self, terminal_width: int | None = None) -> str:
        """Return the steps as a table for a person; names are shortened to keep it within a terminal's width."""
        header = ("step", "table", "rows", "seconds", "")
        lines = [
            (
                step.step,
                _printable(step.name),
                "" if step.rows is None else f"{step.rows:,}",
                f"{step.seconds:.2f}" if step.seconds >= 0.005 else "",
                step.result + (f", {step.rejected:,} rejected" if step.rejected else ""),
            )
            for step in self.steps
        ]
        widths = [max(_width(row[column]) for row in (header, *lines)) for column in range(len(header))]
        if terminal_width is not None:
            others = sum(widths) - widths[1] + len(_GAP) * (len(widths) - 1)
            widths[1] = min(widths[1], max(LEAST_NAME_WIDTH, terminal_width - others))
        return "\n".join(_align(row, widths) for row in (header, tuple("─" * width for width in widths), *lines))

    def _write_log(self) -> None:
        self._append("execution.log", "".join(self._log), LOG_BYTES)
        self._log.clear()
        self._logged = time.perf_counter()

    def _append(self, name: str, text: str, limit: int | None = None) -> None:
        """Append to a file of ``macro/``; one that would grow beyond `limit` bytes is put aside first, in place of the one before.

        A file that cannot be written is told once: what the run did holds, whether or not it was written down.
        """
        path = self._folder / name
        data = text.encode(errors="backslashreplace")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if limit is not None and path.exists() and path.stat().st_size + len(data) > limit:
                path.replace(path.with_name(f"{name}.1"))
            # One write: what two processes append at once does not mix.
            with path.open("ab", buffering=0) as file:
                file.write(data)
        except OSError as error:
            if self._writable:
                say(f"{path} cannot be written ({error.strerror}); the run itself is not affected.", sys.stderr)
            self._writable = False

    def _json_line(self, status: str, error: str) -> str:
        now = datetime.datetime.now().astimezone()
        line = {
            "start": self._start.isoformat(timespec="milliseconds"),
            "end": now.isoformat(timespec="milliseconds"),
            "seconds": round(time.perf_counter() - self._clock, 3),
            "status": status,
            "published": self.published,
            "command": self._command,
            "pid": os.getpid(),
            "steps": [self._json_step(step) for step in self.steps],
            "error": self.redact(error) or None,
        }
        return json.dumps(line, ensure_ascii=False) + "\n"

    def _json_step(self, step: StepResult) -> dict[str, object]:
        """Mask secrets value by value: in the finished line one could be part of the JSON itself."""
        masked = {key: self.redact(value) if isinstance(value, str) else value for key, value in vars(step).items()}
        return {**masked, "seconds": round(step.seconds, 4)}


def say(text: str, stream: TextIO) -> None:
    """Print to a stream whatever it can show, also when nobody reads it any more."""
    try:
        try:
            print(text, file=stream, flush=True)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            print(text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except BrokenPipeError:
        # As with `… | head`. What is left in the stream would fail once more, and loudly, when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


# The look of things ---------------------------------------------------------------------------------------------------

_GAP = "  "


def _align(row: tuple[str, ...], widths: list[int]) -> str:
    """Lay out one row: texts to the left, numbers to the right, the last column as it is."""
    step, name, rows, seconds, result = row
    cells = (_filled(step, widths[0]), _filled(_shortened(name, widths[1]), widths[1]), rows.rjust(widths[2]), seconds.rjust(widths[3]))
    return _GAP.join((*cells, result)).rstrip()


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for a Chinese character, none for an accent of its own."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF") for character in text)


def _filled(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _shortened(text: str, width: int) -> str:
    """Leave out the end of a text that is wider than this."""
    if _width(text) <= width:
        return text
    while _width(text) >= width:
        text = text[:-1]
    return f"{text}…"


def _printable(text: str) -> str:
    """Write what would move a cursor, break a line or be no Unicode as an escape, so that one thing said is one line."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode() for character in text
    )


def _show_progress(stream: TextIO, what: str, percent: Callable[[], float], done: threading.Event) -> None:
    """Rewrite one line of the terminal until `done`, and leave it empty."""
    start = time.perf_counter()
    if done.wait(PROGRESS_AFTER_SECONDS):
        return
    while not done.wait(PROGRESS_EVERY_SECONDS):
        share = percent()
        bar = f"{'█' * int(share / 5):<20} {share:3.0f} %" if share >= 0 else "…"
        line = f"{_printable(what)}  {bar}  {time.perf_counter() - start:.0f} s"
        _rewrite(stream, _shortened(line, shutil.get_terminal_size().columns - 1))
    _rewrite(stream, "")


def _rewrite(stream: TextIO, line: str) -> None:
    """Replace the terminal's current line; a terminal that is gone does not stop the work."""
    with contextlib.suppress(OSError):
        encoding = stream.encoding or "ascii"
        try:
            line.encode(encoding)
        except UnicodeEncodeError:
            line = line.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
        stream.write(f"\r\x1b[2K{line}")
        stream.flush()
