"""`pdbt stream`: serve a pipeline of handlers, replay what it set aside, and test it under load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .sections import SectionedGroup

stream = typer.Typer(
    cls=SectionedGroup, help="Serve a pipeline of handlers, and look after it.", rich_markup_mode=None, no_args_is_help=True
)


@stream.command("serve")
def serve(
    file: Annotated[Path, typer.Argument(metavar="FILE.py", help="The Python file whose `pipeline` is served.")],
    port: Annotated[int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="The port of Arrow Flight; 0 chooses one.")] = 50051,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    http_port: Annotated[
        int | None,
        typer.Option("--http-port", metavar="PORT", min=0, max=65535, help="The port of health, metrics and triggers.", show_default=False),
    ] = None,
    token_env: Annotated[
        str, typer.Option("--token-env", metavar="NAME", help="The environment variable with the token that clients must send.")
    ] = "",
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="The PEM of the TLS certificate.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="The PEM of its private key.")] = None,
    max_batch_mb: Annotated[float, typer.Option("--max-batch-mb", metavar="MB", min=0.001, help="How large a batch may be.")] = 64,
    max_clients: Annotated[int, typer.Option("--max-clients", metavar="N", min=1, help="How many may send at a time.")] = 100,
    patience: Annotated[
        float, typer.Option("--patience", metavar="SECONDS", min=0, help="How long a batch waits for room before it is refused.")
    ] = 10,
) -> None:
    """Serve a pipeline as an Arrow Flight endpoint until Ctrl-C or SIGTERM."""
    from ..handlers import Limits, Serving, load_pipeline
    from ..handlers import serve as serve_pipeline
    from .show_stream import show_serving

    limits = Limits(max_batch_mb, max_clients, patience)
    serving = Serving(host, port, http_port, token_env, tls_cert, tls_key, limits)
    serve_pipeline(load_pipeline(file), serving, show_serving(serving))


@stream.command("launch", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def launch(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.py", help="The Python file whose `pipeline` is served.")],
    state: Annotated[Path, typer.Option("--state", metavar="FOLDER", help="Where stream.pid and stream.log are.")] = Path(),
) -> None:
    """Serve a pipeline in the background, unless it is being served; takes the options of `pdbt stream serve` too."""
    from ..handlers.background import launch as launch_stream
    from .show_stream import show_launched

    show_launched(launch_stream(file, state, context.args), state)


@stream.command("stop")
def stop(
    state: Annotated[Path, typer.Option("--state", metavar="FOLDER", help="Where stream.pid is.")] = Path(),
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=0, help="How long it may take before it is killed.")] = 60,
) -> None:
    """Stop a pipeline that was launched; what is under way is finished first."""
    from ..handlers.background import stop as stop_stream

    typer.echo(stop_stream(state, timeout))


@stream.command("replay")
def replay(
    place: Annotated[Path, typer.Argument(metavar="FILE.py|FOLDER", help="The pipeline, or the folder of its dead letters.")],
    node: Annotated[str, typer.Option("--node", metavar="NODE", help="Only batches that failed at this node.", show_default=False)] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be replayed, and replay nothing.")] = False,
) -> None:
    """Send dead letters to their nodes again, and remove those that succeed."""
    from ..handlers.replay import plan_replay
    from ..handlers.replay import replay as give_again
    from .show_stream import show_replayed, show_waiting

    pipeline, waiting = plan_replay(place, node)
    if dry_run:
        show_waiting(waiting)
    else:
        show_replayed(give_again(pipeline, waiting))


@stream.command("loadtest")
def loadtest(
    url: Annotated[str, typer.Argument(metavar="URL", help="The served pipeline: grpc://host:port, or grpc+tls://host:port.")],
    clients: Annotated[str, typer.Option("--clients", metavar="N,N", help="The numbers of clients to try, one after the other.")] = (
        "1,2,5,10,15,20"
    ),
    batches: Annotated[int, typer.Option("--batches", metavar="N", min=1, help="How many batches each client sends.")] = 100,
    rows: Annotated[int, typer.Option("--rows", metavar="N", min=1, help="How many rows a batch has.")] = 200,
    node: Annotated[str, typer.Option("--node", metavar="NODE", help="The node to send to, if several take batches.")] = "",
    token_env: Annotated[str, typer.Option("--token-env", metavar="NAME", help="The environment variable with the server's token.")] = "",
    tls_ca: Annotated[Path | None, typer.Option("--tls-ca", metavar="FILE", help="The PEM that signed the server's certificate.")] = None,
    folder: Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where logs, CSV and plot go.")] = Path("loadtest"),
) -> None:
    """Send batches from real client processes, and show round trips, rates, and whether all that was acknowledged is stored."""
    from ..handlers.loadtest.command import counts, load_test_of
    from ..handlers.tokens import token_of
    from .show_loadtest import Shown

    asked = load_test_of(url, counts(clients), batches, rows, node, token_of(token_env), tls_ca)
    Shown(asked, folder).run()
