"""`pdbt archive` and `pdbt restore`: a project as one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def archive(
    project: Annotated[
        Path | None, typer.Argument(metavar="PROJECT", help="The project; by default the one you are in.", show_default=False)
    ] = None,
    kind: Annotated[str, typer.Option("--format", metavar="FORMAT", help="zst (a .tar.zst) or zip.")] = "zst",
    folder: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where to write it; by default the folder you are in.", show_default=False)
    ] = None,
    secrets: Annotated[bool, typer.Option("--with-secrets", help="Put .env, keys and passwords in, too.")] = False,
) -> None:
    """Write a project into one dated file, without what can be made again and without passwords."""
    from ..project.archive import archive_project
    from ..project.workspace import locate_project
    from .show_archive import show_archived
    from .show_update import show_waiting

    show_archived(archive_project(locate_project(project), kind, folder, secrets=secrets, waiting=show_waiting))


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What pdbt archive wrote.", show_default=False)],
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="The new folder; by default the project's name, here.", show_default=False)
    ] = None,
) -> None:
    """Unpack an archive into a new folder."""
    from ..project.restore import restore_archive
    from .show_archive import show_restored

    show_restored(restore_archive(file, folder))
