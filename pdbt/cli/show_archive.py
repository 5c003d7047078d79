"""What `pdbt archive` and `pdbt restore` print."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .show import from_here
from .words import counted

if TYPE_CHECKING:
    from ..project.archive import Archived

_KIB = 1024
_WIDTH = 10


def show_archived(archived: Archived) -> None:
    """Print where the archive is, and what is not in it."""
    from ..project.archive_contents import REBUILT

    typer.echo(f"Wrote {from_here(archived.path)} ({counted(archived.files, 'file')}, {max(1, archived.size // _KIB):,} KiB)")
    rebuilt = [item for item in archived.left_out if item.reason == REBUILT]
    if rebuilt:
        typer.echo(f"  {'left out':<{_WIDTH}}databases, exports, logs and caches: a run makes them again")
    for item in archived.left_out:
        if item.reason != REBUILT:
            typer.echo(f"  {'left out':<{_WIDTH}}{item.path}: {item.reason}")


def show_restored(project: Path) -> None:
    """Print where the project is, and what to do next."""
    typer.echo(f"Restored {from_here(project)}")
    settings = (project / "pdbt.toml").read_text(encoding="utf-8", errors="replace")
    if any("${" in line and not line.lstrip().startswith("#") for line in settings.splitlines()):
        typer.echo("Its settings take values from the environment, and an archive holds no .env: write it anew.")
    typer.echo(f"\nNext:\n  pdbt run {shlex.quote(from_here(project))}")
