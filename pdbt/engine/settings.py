"""The settings of a project: pdbt.toml, read, checked against what is allowed, with the environment filled in."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .cron import HINT, is_cron
from .environment import Environment, passwords, redact
from .errors import SettingsError, close_words
from .files import table_name
from .organisation import (
    CONSTANTS_FILE,
    PROJECT_FILE,
    SCHEDULES_FILE,
    find_schedule,
    inherited_connections,
    organisation_of,
    read_constants,
)
from .reading.model import ReadOptions
from .settings_rules import CONNECTION_KEYS, DATABASE_FILES, ELSEWHERE, NOTIFY_ON, SECTIONS, SOURCE_KEYS, Rule
from .toml import read_toml

FILE_NAME = PROJECT_FILE
LOCK_TIMEOUT_SECONDS = 30.0

Parameter = str | int | float | bool | datetime.date | datetime.time | list[Any]

MAX_SHOWN_CHARACTERS = 80

# Whatever these hold may be a secret, also when it is the wrong thing: a notification's URL is a token by itself.
_SENSITIVE_KEYS = ("url", "urls")


@dataclass(frozen=True)
class DagsterSettings:
    """How Dagster runs the project.

    Attributes:
        port: the page's port; None means that of the database type.
        schedule: a cron expression.
        schedule_name: the name that the organisation's schedules.toml gives it; empty when pdbt.toml says the expression itself.
        timezone: the time zone of the schedule.
        schedule_status: ``running`` or ``stopped``: what the schedule is at the first launch.
        sensor_status: the same for the sensor that sees files arrive.
        retries: how often a run that failed is tried again.
        retry_delay: seconds before the first of these; each waits twice as long as the one before.
    """

    port: int | None = None
    schedule: str = "*/5 * * * *"
    schedule_name: str = ""
    timezone: str = "UTC"
    schedule_status: str = "running"
    sensor_status: str = "running"
    retries: int = 2
    retry_delay: float = 10.0


@dataclass(frozen=True)
class Settings:
    """All settings of one project, checked.

    Attributes:
        project: the project's folder, absolute.
        name: the project's name.
        database_type: ``duckdb``, ``sqlite`` or ``commune``.
        database_path: the published database's file, absolute.
        database_url: the shared database's URL; None while there is none.
        lock_timeout: seconds that a run waits for another one to end.
        read_options: how each source is read, by table name in capitals; `options_for` knows the default.
        parameters: values for ``$name`` in SQL.
        connections: URLs by name, with ``${NAME}`` not filled in yet.
        inherited: the file of each connection that pdbt.toml does not name itself, but its organisation or workspace.
        secrets: texts that no log, page or error may show.
    """

    project: Path
    name: str
    template_version: str = ""
    database_type: str = "duckdb"
    database_path: Path = Path()
    database_url: str | None = None
    lock_timeout: float = LOCK_TIMEOUT_SECONDS
    default_options: ReadOptions = field(default_factory=ReadOptions)
    read_options: Mapping[str, ReadOptions] = field(default_factory=dict)
    export_format: str = "csv"
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    dagster: DagsterSettings = field(default_factory=DagsterSettings)
    connections: Mapping[str, str] = field(default_factory=dict)
    inherited: Mapping[str, Path] = field(default_factory=dict)
    notification_urls: tuple[str, ...] = ()
    notify_on: tuple[str, ...] = NOTIFY_ON
    secrets: tuple[str, ...] = ()

    def options_for(self, table: str) -> ReadOptions:
        """Return how the source of this table is read."""
        return self.read_options.get(table, self.default_options)

    def redact(self, text: str) -> str:
        """Return the text with every secret of the settings, and every password of a URL, masked."""
        return redact(text, self.secrets)

    def stray_sources(self, tables: Iterable[str]) -> tuple[str, ...]:
        """Return a sentence for each ``[source.TABLE]`` that is the name of none of these tables, and so does nothing."""
        names = list(tables)
        sentences = []
        for table in self.read_options:
            if table not in names:
                close = close_words(table, names)
                hint = f" Did you mean {close[0]}?" if close else ""
                sentences.append(f"{FILE_NAME}: [source.{table}] does nothing: data/source makes no table {table}.{hint}")
        return tuple(sentences)


# Reading --------------------------------------------------------------------------------------------------------------


def load_settings(project: Path) -> Settings:
    """Read and check the settings of the project in this folder.

    Raises:
        SettingsError: pdbt.toml is missing, is no TOML, or holds a key or a value that is not allowed; or a file
            that its organisation shares is or does.
    """
    project = project.resolve()
    try:
        document = read_toml(project / FILE_NAME)
    except FileNotFoundError:
        raise SettingsError(f"{project} is not a pdbt project: it has no {FILE_NAME}.", "Make one with: pdbt new NAME") from None
    _check_document(document)
    return _settings(project, document, Environment(project / ".env", FILE_NAME))


def _settings(project: Path, document: Mapping[str, Any], environment: Environment) -> Settings:
    database = document.get("database", {})
    database_type = str(database.get("type", "duckdb"))
    if "url" in database and database_type != "commune":
        raise SettingsError(
            f'{FILE_NAME}: database.url is set, but database.type is "{database_type}", which is a file.',
            'Set type = "commune", or remove url.',
            key="database.url",
            allowed="commune",
        )
    url = environment.fill_url(database["url"], "database.url") if "url" in database else None
    path = environment.fill(database.get("path", DATABASE_FILES[database_type]), "database.path", secret=False)
    source = dict(document.get("source", {}))
    default_options = ReadOptions(on_error=source.pop("on_error", "fail"))
    organisation = organisation_of(project)
    constants, constant_secrets = _constants(project, organisation) if organisation is not None else ({}, set())
    notifications = document.get("notifications", {})
    own = {name: str(keys["url"]) for name, keys in document.get("connections", {}).items()}
    above = {name: found for name, found in inherited_connections(project).items() if name not in own}
    connections = own | {name: url for name, (url, _) in above.items()}
    return Settings(
        project=project,
        name=document.get("project", {}).get("name", project.name),
        template_version=document.get("project", {}).get("template_version", ""),
        database_type=database_type,
        database_path=project / path,
        database_url=url,
        lock_timeout=float(database.get("lock_timeout", LOCK_TIMEOUT_SECONDS)),
        default_options=default_options,
        read_options=_all_read_options(source, default_options.on_error),
        export_format=document.get("export", {}).get("format", "csv"),
        parameters=constants | _parameters(document.get("parameters", {}), environment),
        dagster=_dagster(document.get("dagster", {}), organisation),
        connections=connections,
        inherited={name: file for name, (_, file) in above.items()},
        notification_urls=tuple(notifications.get("urls", ())),
        notify_on=tuple(notifications.get("on", NOTIFY_ON)),
        secrets=tuple(
            sorted(
                environment.secrets.union(constant_secrets, *map(passwords, connections.values()), _tokens(notifications.get("urls", ())))
            )
        ),
    )


def _dagster(document: Mapping[str, Any], organisation: Path | None) -> DagsterSettings:
    """Return how Dagster runs the project; a schedule may be one that its organisation has named."""
    named = find_schedule(organisation, document["schedule"]) if organisation is not None and "schedule" in document else None
    if named is None:
        found = DagsterSettings(**document)
        _check_schedule("dagster.schedule", found.schedule, FILE_NAME)
        return found
    _check_schedule(document["schedule"], named.cron, f"{organisation}/{SCHEDULES_FILE}")
    rule = SECTIONS["dagster"]["timezone"]
    if named.timezone is not None and not rule.fits(named.timezone):
        raise _wrong(f"{document['schedule']}.timezone", rule.allowed, named.timezone, f"{organisation}/{SCHEDULES_FILE}")
    timezone = {} if named.timezone is None else {"timezone": named.timezone}
    return DagsterSettings(**{**timezone, **document, "schedule": named.cron, "schedule_name": document["schedule"]})


def _check_schedule(name: str, cron: str, file: str) -> None:
    if not is_cron(cron):
        message = f"{file}: {name} = {_shown(cron)} is no cron expression."
        raise SettingsError(message, HINT, key=name, received=cron)


def _constants(project: Path, organisation: Path) -> tuple[dict[str, Parameter], set[str]]:
    """Return the parameters that all projects of an organisation have, and the secrets among them; ``${NAME}`` is the project's own."""
    file = str(organisation / CONSTANTS_FILE)
    environment = Environment(project / ".env", file)
    return _parameters(read_constants(organisation), environment, file), environment.secrets


def _parameters(document: Mapping[str, Parameter], environment: Environment, file: str = FILE_NAME) -> dict[str, Parameter]:
    def filled(value: Any, key: str) -> Any:
        if isinstance(value, list):
            return [filled(item, key) for item in value]
        return environment.fill(value, key) if isinstance(value, str) else value

    parameters = {name: filled(value, f"parameters.{name}") for name, value in document.items()}
    for name, value in parameters.items():
        check_parameter(name, value, file)
    return parameters


def _all_read_options(source: Mapping[str, Mapping[str, Any]], on_error: str) -> dict[str, ReadOptions]:
    """Index what is said of each source by its table's name, which is made as that of its file is."""
    options: dict[str, ReadOptions] = {}
    for section, keys in source.items():
        table = table_name(section)
        if table in options:
            raise SettingsError(f"{FILE_NAME}: two sections are [source.{table}].", "Keep one of them.", key=f"source.{section}")
        options[table] = _read_options(keys, on_error)
    return options


def _read_options(keys: Mapping[str, Any], on_error: str) -> ReadOptions:
    return ReadOptions(
        delimiter=keys.get("delimiter"),
        decimal=keys.get("decimal"),
        date_order=keys.get("date_order"),
        encoding=keys.get("encoding"),
        header=keys.get("header"),
        types={column: str(kind).upper() for column, kind in keys.get("types", {}).items()},
        on_error=keys.get("on_error", on_error),
    )


def _tokens(urls: Iterable[str]) -> set[str]:
    """Return what a notification's URL keeps secret: all that stands behind its scheme, unless it is to be filled in later."""
    return {token for token in (url.partition("://")[2] for url in urls) if token and "${" not in token}


# Checking -------------------------------------------------------------------------------------------------------------


def _check_document(document: Mapping[str, Any]) -> None:
    for section, keys in document.items():
        if section not in SECTIONS:
            raise _unknown(f"[{section}]", f"[{section}]", [f"[{name}]" for name in SECTIONS])
        if not isinstance(keys, dict):
            raise _wrong(section, f"a section: [{section}]", keys)
        if section not in ELSEWHERE:
            _check_section(section, keys)


def _check_section(section: str, keys: Mapping[str, Any]) -> None:
    rules = SECTIONS[section]
    for key, value in keys.items():
        name = f"{section}.{key}"
        if section == "parameters":
            check_parameter(key, value)
        elif section in ("connections", "source") and isinstance(value, dict):
            _check_keys(name, value, SOURCE_KEYS if section == "source" else CONNECTION_KEYS)
            if section == "connections" and "url" not in value:
                raise _wrong(f"{name}.url", "a text", None)
        elif section == "source" and key in SOURCE_KEYS and key not in rules:
            message = f"{FILE_NAME}: {key} is set for all sources; it differs from one to the next."
            raise SettingsError(message, f"Set it for a table: [source.ORDERS] {key} = …", key=name, received=value, allowed=list(rules))
        elif key not in rules:
            raise _unknown(name, key, rules, section)
        elif not rules[key].fits(value):
            raise _wrong(name, rules[key].allowed, value)


def _check_keys(section: str, keys: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    for key, value in keys.items():
        if key not in rules:
            raise _unknown(f"{section}.{key}", key, rules, section)
        if not rules[key].fits(value):
            raise _wrong(f"{section}.{key}", rules[key].allowed, value)


def check_parameter(name: str, value: object, file: str = FILE_NAME) -> None:
    """Refuse a parameter that cannot become SQL.

    Args:
        name: its name.
        value: its value.
        file: where it stands, for error texts.

    Raises:
        SettingsError: its name is no plain identifier, or its value is of no type that all databases know.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise SettingsError(
            f'{file}: parameter "{name}" cannot be written as $name in SQL.', "Use letters, digits and _.", key=f"parameters.{name}"
        )
    for item in value if isinstance(value, list) and value else [value]:
        if not isinstance(item, (str, int, float, datetime.date, datetime.time)):
            raise _wrong(f"parameters.{name}", "a text, number, true or false, date, time, or a list of some of these", value, file)
        if isinstance(item, int) and not -(2**63) <= item < 2**63:
            raise _wrong(f"parameters.{name}", "a whole number of at most 64 bits, or a text", value, file)
        if isinstance(item, str) and not _is_unicode(item):
            raise _wrong(f"parameters.{name}", "a text without NUL characters and broken Unicode", value, file)


def _is_unicode(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _unknown(name: str, key: str, allowed: Mapping[str, object] | list[str], section: str = "") -> SettingsError:
    choices = list(allowed)
    close = close_words(key.lower(), choices)
    where = f"[{section}] has no key {key!r}" if section else f"there is no section {key}"
    hint = f"Did you mean {close[0]}? " if close else ""
    named = "tables" if section == "source" else "connections" if section == "connections" else ""
    listed = ", ".join([*choices, *([f"[{section}.NAME] for {named}"] if named else [])])
    return SettingsError(f"{FILE_NAME}: {where}.", f"{hint}Allowed: {listed}.", key=name, allowed=choices)


def _wrong(name: str, allowed: str, received: object, file: str = FILE_NAME) -> SettingsError:
    if name.rpartition(".")[2] in _SENSITIVE_KEYS:
        received = None if received is None else f"a {_kind(received)}"
        shown = received or "missing"
    else:
        shown = "missing" if received is None else _shown(received)
    return SettingsError(f"{file}: {name} is {shown}.", f"It must be {allowed}.", key=name, received=received, allowed=allowed)


def _shown(value: object) -> str:
    """Write a value as TOML would, without secrets, and not at length."""
    text = redact(str(value) if isinstance(value, float) and not math.isfinite(value) else json.dumps(value, default=str))
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"


def _kind(value: object) -> str:
    """Name a value's TOML type."""
    names = {bool: "true or false", str: "text", int: "number", float: "number", list: "list", dict: "section"}
    return names.get(type(value), "date or time")
