"""Adding data: files are copied into data/source/ and given SQL and checks to begin with."""

from __future__ import annotations

import filecmp
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..engine.errors import PdbtError
from ..engine.reading.model import ReadOptions
from ..engine.settings import load_settings
from .apply import add_files
from .inputs import gathered_inputs, source_names
from .locate import find_project
from .plan import Action, Plan, PlannedFile, PlannedTable
from .profile import TableProfile, profile_table
from .staging import staging_folder
from .starter import Starter, write_starters
from .update_apply import finish_interrupted


def add_sources(paths: Sequence[Path], project: Path | None = None, *, dry_run: bool = False) -> Plan:
    """Bring files, and folders of files, into a project as source tables, or with `dry_run` only find out what would be written.

    Args:
        paths: what is copied into data/source/; each is one table.
        project: the project's folder; None means the nearest one around the working folder.
        dry_run: plan only; the plan then shows conflicts instead of raising them.

    Returns:
        the plan, carried out unless it was a dry run.

    Raises:
        PdbtError: a path is not read, two would make one table, or a file is there with other content; nothing was written.
    """
    home = find_project(project)
    if not dry_run:
        finish_interrupted(home)
    settings = load_settings(home)
    planned, tables = plan_data(paths, home, settings.options_for, in_postgresql=settings.database_url is not None)
    files = tuple(against_what_is_there(home, file) for file in planned)
    plan = Plan(home, files, tables, settings.database_type)
    if not dry_run:
        add_files(plan)
    return plan


def plan_data(
    paths: Sequence[Path], project: Path | None, options_for: Callable[[str], ReadOptions], *, in_postgresql: bool
) -> tuple[tuple[PlannedFile, ...], tuple[PlannedTable, ...]]:
    """Read the data once and decide which files it brings, data before SQL, as SQL without its data would not run.

    Args:
        paths: files, and folders of files.
        project: the project that they are added to; None when it is about to be made.
        options_for: how the source of a table is read.
        in_postgresql: whether the project's tables are in PostgreSQL.
    """
    if not paths:
        return (), ()
    with staging_folder(Path(tempfile.gettempdir())) as scratch, gathered_inputs(paths, scratch, project) as inputs:
        profiles = [profile_table(item.source, options_for(item.source.name), scratch) for item in inputs]
    starters = write_starters(profiles, source_names(project), in_postgresql=in_postgresql)
    copies = [PlannedFile("create", place, copy_of=path) for item in inputs for place, path in item.files]
    texts = [PlannedFile("create", path, text.encode()) for starter in starters for path, text in starter.files]
    tables = tuple(_table(profile, starter) for profile, starter in zip(profiles, starters, strict=True))
    return (*copies, *texts), tables


def _table(profile: TableProfile, starter: Starter) -> PlannedTable:
    return PlannedTable(profile.table, profile.label, profile.rows, len(profile.columns), starter.tables, profile.notes)


def against_what_is_there(project: Path, file: PlannedFile) -> PlannedFile:
    """Return the planned file with what becomes of it, given what the project has at its place."""
    path = project / file.path
    action: Action = "create"
    if path.is_symlink() or path.exists():
        action = "identical" if path.is_file() and _holds(path, file) else "conflict"
    return PlannedFile(action, file.path, file.content, file.copy_of, file.private)


def _holds(path: Path, file: PlannedFile) -> bool:
    try:
        return path.read_bytes() == file.content if file.copy_of is None else filecmp.cmp(path, file.copy_of, shallow=False)
    except OSError as error:
        raise PdbtError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
