"""The commands of pdbt, put together."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from ..version import __version__

# Every command, in the order of `pdbt --help`, and the module whose function or group of commands has its name.
COMMANDS = {
    "new": "new",
    "run": "run",
    "backfill": "backfill",
    "transfer": "transfer",
    "update": "update",
    "archive": "archive",
    "restore": "archive",
    "launch": "dagster",
    "stop": "dagster",
    "status": "dagster",
    "logs": "dagster",
    "doctor": "doctor",
    "init-workspace": "workspace",
    "add-project": "workspace",
    "list-projects": "workspace",
    "add": "add",
    "connection": "connection",
    "notify": "notify",
    "stream": "stream",
    "watch": "watch",
}


def make_app(word: str | None = None) -> typer.Typer:
    """Return the program, with one command or with all.

    Args:
        word: the command that is asked for. To read the options of all of them takes a quarter of the time of `pdbt new`;
            they are needed for the help, and to say what is like a word that is no command.
    """
    app = typer.Typer(
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_pdbt)
    for name in [word] if word in COMMANDS else COMMANDS:
        command = getattr(importlib.import_module(f".{COMMANDS[name]}", __package__), name.replace("-", "_"))
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pdbt {__version__}")
        raise typer.Exit


def _pdbt(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show pdbt's version.")] = False,
) -> None:
    """The Python data build tool: turns files and databases into a data pipeline."""
    context.obj = {"debug": debug}
