"""The commands of pdbt, put together."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

from ..version import __version__
from .sections import SectionedGroup

# Every command under its heading, in the order of `pdbt --help`, and the module whose function or group of commands has its name.
_SECTIONS = {
    "Project": {"new": "new", "add": "add", "update": "update", "archive": "archive", "restore": "archive"},
    "Run": {"run": "run", "backfill": "backfill"},
    "Dagster": {"launch": "dagster", "stop": "dagster", "status": "dagster", "logs": "dagster"},
    "Data": {"connection": "connection", "transfer": "transfer", "watch": "watch", "stream": "stream"},
    "Workspace": {"init-workspace": "workspace", "add-project": "workspace", "list-projects": "workspace"},
    "Look after": {"doctor": "doctor", "notify": "notify"},
}
COMMANDS = {name: module for commands in _SECTIONS.values() for name, module in commands.items()}


class _Program(SectionedGroup):
    sections: ClassVar[Mapping[str, str]] = {name: heading for heading, commands in _SECTIONS.items() for name in commands}


def make_app(word: str | None = None) -> typer.Typer:
    """Return the program, with one command or with all.

    Args:
        word: the command that is asked for. To read the options of all of them takes a quarter of the time of `pdbt new`;
            they are needed for the help, and to say what is like a word that is no command.
    """
    app = typer.Typer(
        cls=_Program,
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
