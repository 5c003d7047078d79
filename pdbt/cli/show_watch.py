"""What `pdbt watch` prints: a live table in a terminal, lines elsewhere, JSON when asked."""

from __future__ import annotations

import contextlib
import datetime
import json as json_format
import shlex
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..watch import Launched, Overview, WatchSettings, overview

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from ..watch.ledger import TaskRow

_STATES = ("waiting", "running", "done", "failed")
_LAST_LINES = 8
_SHOWN_TASKS = 12


class WatchView:
    """Shows what a watcher tells."""

    def __init__(self, *, json: bool) -> None:
        """Begin.

        Args:
            json: print events as they are.
        """
        self._json = json
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._live: Live | None = None
        self._settings: WatchSettings | None = None

    @contextlib.contextmanager
    def shown(self, settings: WatchSettings) -> Iterator[None]:
        """Show the live table meanwhile, where there is a terminal for it."""
        self._settings = settings
        if self._json or not sys.stdout.isatty():
            yield
            return
        from rich.live import Live

        with Live(auto_refresh=False, transient=False) as self._live:
            yield

    def tell(self, event: Mapping[str, Any]) -> None:
        """Show an event."""
        if self._json:
            typer.echo(json_format.dumps(event, ensure_ascii=False))
            return
        line = _line(event)
        if self._live is not None:
            self._lines.extend([line] if line else [])
        elif line:
            typer.echo(line)

    def refresh(self) -> None:
        """Draw the table again."""
        if self._live is not None and self._settings is not None:
            self._live.update(_table(self._settings, overview(self._settings.state), list(self._lines)), refresh=True)


def show_launched(found: Launched, folder: Path | None, pipeline: Path | None) -> None:
    """Print what runs, and what stops it: with all that was named to start it, in full."""
    what = "is watched already" if found.before else "is watched"
    named = [] if folder is None else [str(folder.expanduser().absolute())]
    named += [] if pipeline is None else ["--pipeline", str(pipeline.absolute())]
    stop = shlex.join(["pdbt", "watch", "stop", *named])
    typer.echo(f"{found.folder} {what} (PID {found.pid}).\nLog:  {found.state / 'watch.log'}\nStop: {stop}")


def show_stopped(pid: int | None) -> None:
    """Print which watcher was stopped."""
    typer.echo("No watcher runs." if pid is None else f"The watcher (PID {pid}) was stopped.")


def show_overview(found: Overview, *, json: bool) -> None:
    """Print the state of a watched folder."""
    if json:
        tasks = [asdict(row) for row in found.running]
        told = {"state": str(found.state), "pid": found.pid, "tasks": found.tasks, "files": found.files, "running": tasks}
        typer.echo(json_format.dumps(told, ensure_ascii=False))
        return
    typer.echo(f"watcher: {'not running' if found.pid is None else f'PID {found.pid}'}")
    typer.echo(f"tasks:   {_counted(found.tasks)}")
    typer.echo(f"files:   {_counted(found.files)}")
    for row in found.running:
        typer.echo(f"running: {_described(row)}, since {_clock(row.began)}")
    typer.echo(f"ledger:  {found.state}")


def show_history(rows: Sequence[TaskRow], *, json: bool) -> None:
    """Print tasks, a line each."""
    for row in rows:
        if json:
            typer.echo(json_format.dumps(asdict(row), ensure_ascii=False))
            continue
        seconds = f"{row.ended - row.began:8.2f} s" if row.began and row.ended else " " * 10
        typer.echo(f"{_clock(row.began)}  {row.state:<10} {seconds}  {_described(row)}{f': {row.error}' if row.error else ''}")
    if not rows and not json:
        typer.echo("Nothing yet.")


def show_retried(count: int, state: Path) -> None:
    """Print how many tasks were put back."""
    if not count:
        typer.echo("No task failed.")
        return
    what = "the watcher takes it up now" if overview(state).pid is not None else "it is taken up at the next start"
    typer.echo(f"Failed tasks put back into the queue: {count}; {what}.")


def _line(event: Mapping[str, Any]) -> str:
    """Return an event as a line for a person; empty for one that needs none."""
    clock = str(event["time"])[11:19]
    if "message" in event:
        return f"{clock}  {event['message']}"
    if event["event"] == "started":
        return f"{clock}  {event['task']} began: {event['tag']}, {event['file']}"
    if event["event"] == "ended":
        return f"{clock}  {event['task']} {event['state']} in {event['seconds']:.2f} s: {event['tag']}, {event['file']}"
    return ""


def _table(settings: WatchSettings, found: Overview, lines: Sequence[str]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    counts = "  ".join(f"{state} {found.tasks.get(state, 0):,}" for state in _STATES)
    title, caption = escape(f"{settings.folder}   {counts}"), escape("\n".join(lines))
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left", expand=True)
    for column in ("task", "tag", "file", "since"):
        table.add_column(column)
    for row in found.running[:_SHOWN_TASKS]:
        table.add_row(escape(row.run_text), escape(row.tag), escape(Path(row.path).name), _clock(row.began))
    return table


def _described(row: TaskRow) -> str:
    return f"{row.run_text} ({row.tag}, {row.path})"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"


def _clock(moment: float | None) -> str:
    return "" if moment is None else f"{datetime.datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S}"
