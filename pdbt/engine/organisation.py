"""What the projects of an organisation share: files in the folder that holds them, inside a workspace.

``constants.toml`` gives values for ``$name``, ``schedules.toml`` names schedules, ``connections.toml`` names databases, ``sql/`` holds
tables that a project has as soon as it reads them, ``python/`` holds helpers that its Python tables can import. A project that leaves
the workspace leaves these behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import GraphError, SettingsError, close_words
from .toml import read_toml

PROJECT_FILE = "pdbt.toml"
WORKSPACE_FILE = "pdbt-workspace.toml"
CONSTANTS_FILE = "constants.toml"
SCHEDULES_FILE = "schedules.toml"
CONNECTIONS_FILE = "connections.toml"
SQL_FOLDER = "sql"
PYTHON_FOLDER = "python"
_SCHEDULE_KEYS = ("schedule", "timezone")
# A cron expression has spaces, and its short forms begin with @: a word like this one can only be a name.
_NAME = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True)
class NamedSchedule:
    """A schedule of schedules.toml: a cron expression, and its time zone if it says one."""

    cron: str
    timezone: str | None = None


def organisation_of(project: Path) -> Path | None:
    """Return the organisation's folder that a project is in; None for one that is in none, and for a sample."""
    folder = project.parent
    if (folder / PROJECT_FILE).is_file() or not (folder.parent / WORKSPACE_FILE).is_file():
        return None
    return folder


def read_constants(organisation: Path) -> dict[str, Any]:
    """Return what constants.toml says; nothing when there is none. The values are not checked.

    Raises:
        SettingsError: it is no TOML.
    """
    return _read_if_there(organisation / CONSTANTS_FILE)


def workspace_of(project: Path) -> Path | None:
    """Return the workspace's folder that a project is in, with an organisation or without; None for one in none, and for a sample."""
    if (project.parent / PROJECT_FILE).is_file():
        return None
    return next((folder for folder in (project.parent, project.parent.parent) if (folder / WORKSPACE_FILE).is_file()), None)


def inherited_connections(project: Path) -> dict[str, tuple[str, Path]]:
    """Return the connections that a project has from its organisation or workspace: URL and file by name; the organisation's go before.

    Raises:
        SettingsError: a file is no TOML, or one of its connections has no URL.
    """
    workspace, organisation = workspace_of(project), organisation_of(project)
    found: dict[str, tuple[str, Path]] = {}
    if workspace is not None:
        document = _read_if_there(workspace / WORKSPACE_FILE)
        found |= _urls(document.get("connections", {}), workspace / WORKSPACE_FILE, "connections.")
    if organisation is not None:
        found |= _urls(_read_if_there(organisation / CONNECTIONS_FILE), organisation / CONNECTIONS_FILE, "")
    return found


def _urls(sections: object, path: Path, prefix: str) -> dict[str, tuple[str, Path]]:
    for name, keys in sections.items() if isinstance(sections, dict) else [("", sections)]:
        if not isinstance(keys, dict) or set(keys) != {"url"} or not isinstance(keys["url"], str) or not keys["url"]:
            raise SettingsError(
                f"{path}: {prefix}{name} is no connection.", f'Write [{prefix}{name or "NAME"}] url = "postgresql://…".', key=name
            )
    return {name: (keys["url"], path) for name, keys in sections.items()} if isinstance(sections, dict) else {}


def _read_if_there(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except FileNotFoundError:
        return {}


def find_schedule(organisation: Path, word: str) -> NamedSchedule | None:
    """Return the schedule of this name; None when the word is no name but a cron expression.

    Raises:
        SettingsError: there is no such schedule, or schedules.toml is at fault.
    """
    if not _NAME.fullmatch(word):
        return None
    schedules = _read_schedules(organisation / SCHEDULES_FILE)
    if word not in schedules:
        close = close_words(word, schedules)
        named = f"It has: {', '.join(sorted(schedules))}." if schedules else "It names none."
        raise SettingsError(
            f'{PROJECT_FILE}: dagster.schedule is "{word}", which {organisation / SCHEDULES_FILE} does not name.',
            f"Did you mean {close[0]}? {named}" if close else named,
            key="dagster.schedule",
            received=word,
            allowed=sorted(schedules),
        )
    return schedules[word]


def _read_schedules(path: Path) -> dict[str, NamedSchedule]:
    document = _read_if_there(path)
    return {name: _schedule(path, name, value) for name, value in document.items()}


def _schedule(path: Path, name: str, value: object) -> NamedSchedule:
    keys = {"schedule": value} if isinstance(value, str) else value
    fits = isinstance(keys, dict) and set(keys) <= set(_SCHEDULE_KEYS) and all(isinstance(text, str) and text for text in keys.values())
    if not fits or not isinstance(keys, dict) or "schedule" not in keys:
        raise SettingsError(
            f"{path}: {name} is no schedule.",
            f'Write {name} = "0 2 * * *", or {name} = {{ schedule = "0 2 * * *", timezone = "Europe/Paris" }}.',
            key=name,
        )
    return NamedSchedule(keys["schedule"], keys.get("timezone"))


def shared_tables(project: Path) -> dict[str, Path]:
    """Return the SQL files that the organisation of a project shares, by the name of the table that each makes, without case.

    Raises:
        GraphError: the names of two files differ only in case.
    """
    organisation = organisation_of(project)
    tables: dict[str, Path] = {}
    for path in sorted((organisation / SQL_FOLDER).glob("*.sql")) if organisation is not None else ():
        if path.name.startswith((".", "_")):
            continue
        other = tables.setdefault(path.stem.casefold(), path)
        if other is not path:
            raise GraphError(f"{other} and {path} both define the table {path.stem}.", "Rename one of them.")
    return tables


def helper_folders(folder: Path) -> tuple[Path, ...]:
    """Return where the helpers of a Python table are looked for: beside it, then in the organisation's ``python/``.

    Args:
        folder: the folder of the table's file, ``scripts/processed`` or ``scripts/final`` of a project; or of a helper.
    """
    organisation = organisation_of(folder.parent.parent)
    return (folder,) if organisation is None else (folder, organisation / PYTHON_FOLDER)


def shared_files(project: Path) -> Iterator[Path]:
    """Yield the files that the organisation of a project shares: what the project's definitions depend on beside its own files."""
    workspace, organisation = workspace_of(project), organisation_of(project)
    if workspace is not None:
        yield workspace / WORKSPACE_FILE
    if organisation is None:
        return
    yield from (organisation / CONSTANTS_FILE, organisation / SCHEDULES_FILE, organisation / CONNECTIONS_FILE)
    yield from sorted((organisation / SQL_FOLDER).glob("*.sql"))
    yield from sorted((organisation / PYTHON_FOLDER).glob("*.py"))
