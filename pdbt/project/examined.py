"""Which projects a person means who names none: the one around, or else all of the workspace."""

from __future__ import annotations

from pathlib import Path

from ..engine.errors import PdbtError
from ..scaffold import NotAProject
from .scripts import find_home
from .workspace import NotAWorkspace, find_workspace


def homes_to_examine(project: Path | None, *, everything: bool, sample: bool) -> list[Path]:
    """Return the folders of the projects, or of their samples, that are meant.

    Args:
        project: a project's folder or name; None means the one around the working folder, or without one all of the workspace.
        everything: all of the workspace are meant.
        sample: the samples are meant.

    Raises:
        PdbtError: there is no such project, no sample, or no workspace; or one and all are meant.
    """
    if everything and project is not None:
        raise PdbtError(f"--all means every project, and {project} one.", "Leave one of them out.")
    if not everything:
        try:
            return [find_home(project, sample=sample)]
        except NotAProject as error:
            if project is not None:
                raise
            missing: NotAProject = error
    try:
        workspace = find_workspace()
    except NotAWorkspace:
        if everything:
            raise
        raise missing from None
    folders = [member.folder for member in workspace.members()]
    if not folders:
        raise PdbtError(f"The workspace {workspace.root} has no projects yet.", "Make one with: pdbt add-project NAME")
    return [find_home(folder, sample=True) for folder in folders if (folder / "sample").is_dir()] if sample else folders
