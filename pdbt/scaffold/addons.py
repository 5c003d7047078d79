"""Add-ons: what only some projects need. Their files are added to a project, and their settings put at the end of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..engine.errors import PdbtError
from ..engine.files import write_bytes_durably
from ..engine.settings import load_settings
from .add import against_what_is_there
from .apply import add_files
from .base import BASE_FILE, pack_base, read_base
from .generated import APPEND_SUFFIX, addon_folder, appended, with_addon
from .locate import find_project
from .plan import Plan, PlannedFile
from .templates import read_tree
from .update_apply import finish_interrupted


def add_addon(name: str, project: Path | None = None, *, dry_run: bool = False) -> Plan:
    """Bring an add-on into a project, or with `dry_run` only find out what would be written.

    Args:
        name: a folder of ``templates/addons``.
        project: the project's folder; None means the nearest one around the working folder.
        dry_run: plan only; the plan then shows conflicts instead of raising them.

    Returns:
        the plan, carried out unless it was a dry run.

    Raises:
        PdbtError: a file is there with other content; nothing was written.
    """
    home = find_project(project)
    if not dry_run:
        finish_interrupted(home)
    settings = load_settings(home)
    plan = Plan(home, tuple(_planned(name, home)), database=settings.database_type)
    if not dry_run:
        add_files(plan)
        _remember(name, home)
    return plan


def _remember(name: str, project: Path) -> None:
    """Tell the project's base of the add-on, so that an update brings its changes too; a project without a base gets none by this."""
    base = read_base(project)
    if base is None or name in base.answers.addons:
        return
    answers = replace(base.answers, addons=(*base.answers.addons, name))
    write_bytes_durably(project / BASE_FILE, pack_base(answers, with_addon(dict(base.files), name), base.version))


def _planned(name: str, project: Path) -> Iterator[PlannedFile]:
    for path, content in read_tree(addon_folder(name)):
        if path.endswith(APPEND_SUFFIX):
            yield _appended(project, path.removesuffix(APPEND_SUFFIX), content.decode())
        else:
            yield against_what_is_there(project, PlannedFile("create", path, content))


def _appended(project: Path, path: str, addition: str) -> PlannedFile:
    """Plan to put lines at the end of a file, unless the first of them stands in it already."""
    try:
        before = (project / path).read_text(encoding="utf-8") if (project / path).exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise PdbtError(f"{project / path} cannot be read: {error}.", "It must be UTF-8 text that you may read.") from None
    first, *_ = addition.splitlines()
    if first.strip() in (line.strip() for line in before.splitlines()):
        return PlannedFile("identical", path)
    return PlannedFile("extend" if before else "create", path, appended(before.encode(), addition.encode()))
