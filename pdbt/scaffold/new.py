"""A new project: what was asked for, checked, becomes a plan, and the plan one folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..engine.errors import SettingsError
from ..engine.settings_rules import DATABASE_FILES, HIGHEST_PORT, LOWEST_PORT, PORTS
from .apply import make_project
from .base import BASE_FILE, pack_base
from .generated import Answers, generated_files
from .names import find_target
from .plan import Plan, PlannedFile, PlannedTable
from .urls import URL_VARIABLE, has_password, has_variable, is_postgresql

DATABASE_TYPES = tuple(DATABASE_FILES)


@dataclass(frozen=True)
class NewProject:
    """What a person asks for.

    Attributes:
        name: the project's name, or a path whose last part is it.
        database: ``duckdb``, ``sqlite`` or ``commune``.
        url: where a commune's PostgreSQL is; may hold a password, or ``${NAME}``.
        port: the port of the project's Dagster; the sample takes the next one. None means the type's own.
        data: files, and folders of files, to begin with.
    """

    name: str
    database: str = "duckdb"
    url: str | None = None
    port: int | None = None
    data: tuple[Path, ...] = ()


def new_project(wanted: NewProject, *, dry_run: bool = False) -> Plan:
    """Make a project, or with `dry_run` only find out what would be made.

    Returns:
        the plan, carried out unless it was a dry run.

    Raises:
        PdbtError: the name, a setting, the data or the place cannot be; nothing is left behind.
    """
    plan = plan_project(wanted)
    if not dry_run:
        make_project(plan)
    return plan


def plan_project(wanted: NewProject) -> Plan:
    """Decide every file of a new project; reads the data, writes nothing."""
    _check(wanted)
    target = find_target(wanted.name, Path.cwd())
    data, tables = _planned_data(wanted.data, wanted.url)
    files = [*_template_files(wanted, target.name), *data]
    return Plan(target, tuple(sorted(files, key=lambda file: file.path)), tables, wanted.database)


def _planned_data(paths: tuple[Path, ...], url: str | None) -> tuple[tuple[PlannedFile, ...], tuple[PlannedTable, ...]]:
    if not paths:
        return (), ()
    from ..engine.reading.model import ReadOptions
    from .add import plan_data

    return plan_data(paths, None, lambda table: ReadOptions(), in_postgresql=url is not None)


def _check(wanted: NewProject) -> None:
    if wanted.database not in DATABASE_TYPES:
        raise SettingsError(
            f"There is no database type {wanted.database!r}.", f"Use one of: {', '.join(DATABASE_TYPES)}.", key="database.type"
        )
    if wanted.port is not None and not LOWEST_PORT <= wanted.port <= HIGHEST_PORT:
        raise SettingsError(
            f"{wanted.port} is no port that a project can have.", f"Use {LOWEST_PORT} to {HIGHEST_PORT}.", key="dagster.port"
        )
    if wanted.url is None:
        return
    if wanted.database != "commune":
        raise SettingsError(
            f"A project of type {wanted.database} has no URL.", "The shared database has one: --db commune --url URL", key="database.url"
        )
    if not is_postgresql(wanted.url):
        raise SettingsError("The URL is not one of PostgreSQL.", "It looks like postgresql://user@host:5432/name", key="database.url")
    if has_password(wanted.url) and has_variable(wanted.url):
        raise SettingsError(
            "The URL holds a password beside a ${NAME}.", "Put the password into a ${NAME} too, or the whole URL.", key="database.url"
        )


def _template_files(wanted: NewProject, name: str) -> Iterator[PlannedFile]:
    """Yield what the templates make, the base that `pdbt update` compares with, and a secret that none of both may hold."""
    secret = wanted.url is not None and has_password(wanted.url)
    answers = Answers(name, wanted.database, f"${{{URL_VARIABLE}}}" if secret else wanted.url, _port(wanted))
    files = generated_files(answers)
    for path, content in files.items():
        yield PlannedFile("create", path, content)
    yield PlannedFile("create", BASE_FILE, pack_base(answers, files))
    if secret:
        yield PlannedFile("create", ".env", f"{URL_VARIABLE}={wanted.url}\n".encode(), private=True)


def _port(wanted: NewProject) -> int:
    return PORTS[wanted.database] if wanted.port is None else wanted.port
