"""What `pdbt status` and `pdbt logs` print."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import typer

from .words import counted

if TYPE_CHECKING:
    from ..engine.process.status import Status

_WIDTH = 11


def show_status(status: Status, *, as_json: bool) -> None:
    """Print how a project's Dagster is, as lines for a person or as one JSON object."""
    if as_json:
        typer.echo(status.as_json())
        return
    for name, value in _lines(status):
        typer.echo(f"{name:<{_WIDTH}}{value}")


def show_texts(texts: Iterable[str]) -> None:
    """Print texts one after the other, until there are none or nobody reads them any more."""
    stream = sys.stdout
    try:
        for text in texts:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            stream.flush()
    except BrokenPipeError:
        # As with `… | head`. What is left in the stream would fail once more, and loudly, when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _lines(status: Status) -> Iterator[tuple[str, str]]:
    yield "name", status.name
    yield "database", status.database
    yield "dagster", _state(status)
    if status.since is not None:
        yield "url", status.url
        yield "up since", _local(status.since)
        yield "memory", f"{status.memory_mb:,.0f} MB in {counted(status.processes, 'process', 'processes')}"
        yield "schedule", _schedule(status)
    else:
        yield "port", f"{status.port} at the next launch"
    yield "last run", _last_run(status)


def _state(status: Status) -> str:
    if status.running:
        return f"running, PID {status.pid}, port {status.port}"
    if status.left_behind:
        pids = ", ".join(map(str, status.left_behind))
        return f"killed; processes left behind: {pids}. End them with: pdbt stop"
    return f"not running; the workspace's runs it at {status.workspace_url}" if status.workspace_url else "not running"


def _schedule(status: Status) -> str:
    state = (status.schedule_state or "").lower()
    name = f"{status.schedule}, " if status.schedule else ""
    return f"{name}{state}{f', next at {_local(status.next_tick)}' if status.next_tick else ''}"


def _last_run(status: Status) -> str:
    run = status.last_run
    return "none yet" if run is None else f"{run.status} at {_local(run.start)} in {run.seconds:.2f} s, {run.command}"


def _local(text: str) -> str:
    """Write a time of ISO 8601 as the clock on the wall shows it."""
    return f"{datetime.datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"
