"""A new project: what was asked for, checked, becomes a plan, and the plan one folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..engine.errors import SettingsError
from ..engine.reading.model import ReadOptions
from ..engine.settings import DATABASE_FILES
from .apply import make_project
from .names import find_target
from .plan import Plan, PlannedFile, PlannedTable
from .templates import read_tree, render_tree, shipped
from .urls import URL_VARIABLE, has_password, has_variable, is_postgresql

DATABASE_TYPES = tuple(DATABASE_FILES)
PORTS = {"duckdb": 3000, "sqlite": 4000, "commune": 5000}
LOWEST_PORT, HIGHEST_PORT = 1024, 65535

_ENGINE = Path(__file__).resolve().parents[1] / "engine"
# What the sample has of the templates; its data, SQL and checks come from the folder `sample`, the rest it shares with its project.
_SAMPLE_TEMPLATES = ("pdbt.toml", "data/", "db/", "scripts/", "macro/")


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
    data, tables = _planned_data(wanted.data)
    files = [*_own_files(wanted, target.name), *_engine_files(), *_sample_files(wanted, target.name), *data]
    return Plan(target, tuple(sorted(files, key=lambda file: file.path)), tables, wanted.database)


def _planned_data(paths: tuple[Path, ...]) -> tuple[tuple[PlannedFile, ...], tuple[PlannedTable, ...]]:
    if not paths:
        return (), ()
    from .add import plan_data

    return plan_data(paths, None, lambda table: ReadOptions())


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


def _own_files(wanted: NewProject, name: str) -> Iterator[PlannedFile]:
    secret = wanted.url is not None and has_password(wanted.url)
    url = f"${{{URL_VARIABLE}}}" if secret else wanted.url
    yield from _created(_rendered(wanted, name, url, _port(wanted)))
    if secret:
        yield PlannedFile("create", ".env", f"{URL_VARIABLE}={wanted.url}\n".encode(), private=True)


def _engine_files() -> Iterator[PlannedFile]:
    yield from _created((f"scripts/engine/{path}", content) for path, content in read_tree(_ENGINE))


def _sample_files(wanted: NewProject, name: str) -> Iterator[PlannedFile]:
    """Yield the sample: the project's own templates with data, SQL and checks; never with its URL, so that no team's database gets them."""
    port = _port(wanted)
    sample_port = port + 1 if port < HIGHEST_PORT else port - 1
    for path, content in _rendered(wanted, f"{name}-sample", None, sample_port, _SAMPLE_TEMPLATES):
        place = path.removesuffix(".py") + "-sample.py" if path.startswith("macro/") else path
        yield PlannedFile("create", f"sample/{place}", content)
    yield from _created((f"sample/{path}", content) for path, content in read_tree(shipped("sample")))


def _rendered(wanted: NewProject, name: str, url: str | None, port: int, only: tuple[str, ...] = ("",)) -> Iterator[tuple[str, bytes]]:
    values = {
        "name": name,
        "database": wanted.database,
        "database_file": DATABASE_FILES[wanted.database],
        "url": url,
        "port": port,
        "template_version": __version__,
    }
    return render_tree(shipped("templates") / "project", values, only)


def _port(wanted: NewProject) -> int:
    return PORTS[wanted.database] if wanted.port is None else wanted.port


def _created(files: Iterator[tuple[str, bytes]]) -> Iterator[PlannedFile]:
    for path, content in files:
        yield PlannedFile("create", path, content)
