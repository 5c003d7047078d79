"""The commands of pdbt, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from .add import add
from .new import new
from .run import run

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pdbt {__version__}")
        raise typer.Exit


@app.callback()
def _pdbt(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show pdbt's version.")] = False,
) -> None:
    """The Python data build tool: turns files and databases into a data pipeline."""
    context.obj = {"debug": debug}


app.command("new")(new)
app.command("run")(run)
app.add_typer(add, name="add")
