"""What `pdbt stream` prints."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..engine.errors import PIPELINE_FAILED
from .words import counted

if TYPE_CHECKING:
    from ..handlers import FlightServer, Serving
    from ..handlers.background import Served
    from ..handlers.replay import Replayed, Waiting

LOG = "stream.log"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def show_serving(serving: Serving) -> Callable[[FlightServer, int | None], None]:
    """Return what tells where a pipeline is served."""
    from ..handlers.flight.client import place_of

    def tell(server: FlightServer, http_port: int | None) -> None:
        if serving.host not in _LOOPBACK and not serving.token_env:
            typer.echo(f"Whoever reaches {serving.host} may send: there is no --token-env.", err=True)
        grpc, http = ("grpc+tls", "https") if serving.tls_cert else ("grpc", "http")
        nodes = [name for name in server.graph.producers if server.graph.nodes[name].asked.takes_data]
        typer.echo(f"Serving {', '.join(nodes) or 'no node that takes batches'} at {grpc}://{place_of(serving.host, server.port)}")
        if http_port is not None:
            typer.echo(f"Health, metrics and triggers at {http}://{place_of(serving.host, http_port)}")

    return tell


def show_waiting(waiting: Sequence[Waiting]) -> None:
    """Print the dead letters that a replay would give again."""
    for item in waiting:
        typer.echo(f"{item.letter.time}  {item.letter.node}  {item.letter.batch}  {counted(item.rows, 'row')}  {item.letter.error}")
    typer.echo(f"{counted(len(waiting), 'dead letter')} would be given again." if waiting else "There are no dead letters.")


def show_replayed(replayed: Sequence[Replayed]) -> None:
    """Print what became of dead letters; those that failed again end the command with 1."""
    stored = sum(batch.stored for batch in replayed)
    letters, left = sum(batch.letters for batch in replayed), sum(batch.left for batch in replayed)
    if not replayed:
        typer.echo("There are no dead letters.")
        return
    typer.echo(f"{counted(letters, 'dead letter')} given again; sinks hold {counted(stored, 'row')} of them.")
    if left:
        typer.echo(f"{left:,} failed again and are kept.", err=True)
        raise typer.Exit(PIPELINE_FAILED)


def show_launched(served: Served, folder: Path) -> None:
    """Print what runs in the background, and how it is stopped."""
    typer.echo(f"The stream is {'already ' if served.before else ''}running (PID {served.pid}). {served.said}".rstrip())
    typer.echo(f"Log:  {folder / LOG}\nStop: pdbt stream stop --state {shlex.quote(str(folder))}")
