"""`pdbt notify`: whether notices reach whom they should."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .sections import SectionedGroup

notify = typer.Typer(cls=SectionedGroup, help="Test whether notices arrive.", rich_markup_mode=None)


@notify.callback()
def _notify() -> None:
    """Keep `test` a command of its own: a group of one would swallow its name."""


@notify.command("test")
def try_targets(
    project: Annotated[Path | None, typer.Option("--project", metavar="DIR", help="The project; by default the one you are in.")] = None,
) -> None:
    """Send a test to every target of [notifications], and say which accepted it."""
    from ..engine.errors import PIPELINE_FAILED
    from ..engine.notices.runs import sender_of
    from ..engine.settings import load_settings
    from ..scaffold import find_project

    results = sender_of(load_settings(find_project(project))).try_targets()
    for target, reason in results:
        typer.echo(reason if reason else f"{target} accepted the test.", err=bool(reason))
    if any(reason for _, reason in results):
        raise typer.Exit(PIPELINE_FAILED)
