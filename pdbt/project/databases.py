"""Where the databases of a project lie, also when its settings are at fault."""

from __future__ import annotations

from pathlib import Path

from ..engine.databases.files import DatabaseFiles
from ..engine.errors import PdbtError
from ..engine.settings import FILE_NAME
from ..engine.settings_rules import DATABASE_FILES
from ..engine.toml import read_toml


def database_files(project: Path) -> DatabaseFiles:
    """Return the files of a project's published database and of the work on the next one; in their usual places if pdbt.toml says none."""
    return DatabaseFiles.of(project, _published(project), ())


def _published(project: Path) -> str:
    try:
        said = read_toml(project / FILE_NAME).get("database", {})
        return str(said.get("path") or DATABASE_FILES[said["type"]])
    except (PdbtError, KeyError, AttributeError, TypeError):
        return DATABASE_FILES["duckdb"]
