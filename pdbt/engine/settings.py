"""The settings of a project: pdbt.toml, read, checked against what is allowed, with the environment filled in."""

from __future__ import annotations

import datetime
import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import PdbtError, SettingsError
from .reading.model import ReadOptions

FILE_NAME = "pdbt.toml"
LOCK_TIMEOUT_SECONDS = 30.0
DATABASE_FILES = {"duckdb": "db/database.duckdb", "sqlite": "db/database.sqlite", "commune": "db/database.db"}
EXPORT_FORMATS = ("csv", "parquet", "json", "xlsx")
ON_ERROR = ("fail", "reject")
NOTIFY_ON = ("failure", "late", "empty")
MAX_HEADER_ROWS = 3

Parameter = str | int | float | bool | datetime.date | datetime.time | list[Any]

_COLUMN_TYPE = re.compile(
    r"(?i)(BOOLEAN|TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|FLOAT|REAL|DOUBLE|VARCHAR|TEXT|DATE|TIME|TIMESTAMP|TIMESTAMPTZ"
    r"|DECIMAL\(\d{1,2}(,\s*\d{1,2})?\))"
)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_URL_PASSWORD = re.compile(r"(?P<head>[a-zA-Z][\w+.-]*://[^\s/:@]*:)(?P<password>[^\s@]+)(?=@)")
_MASK = "***"


@dataclass(frozen=True)
class DagsterSettings:
    """How Dagster runs the project; None means the default of the database type."""

    port: int | None = None
    schedule: str = "*/5 * * * *"
    timezone: str = "UTC"
    retries: int = 0


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
    notification_urls: tuple[str, ...] = ()
    notify_on: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    def options_for(self, table: str) -> ReadOptions:
        """Return how the source of this table is read."""
        return self.read_options.get(table, self.default_options)

    def redact(self, text: str) -> str:
        """Return the text with every secret of the settings, and every password of a URL, masked."""
        for secret in self.secrets:
            text = text.replace(secret, _MASK)
        return _URL_PASSWORD.sub(rf"\g<head>{_MASK}", text)


# What is allowed ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rule:
    """What one key may hold: how a person reads it, and the test of a value."""

    allowed: str
    fits: Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _one_of(*choices: str) -> _Rule:
    return _Rule(" | ".join(f'"{choice}"' for choice in choices), lambda value: isinstance(value, str) and value in choices)


_TEXT = _Rule("a text", _is_text)
_SECONDS = _Rule("a number of seconds, 0 or more", lambda value: (_is_integer(value) or isinstance(value, float)) and value >= 0)
_TYPES = _Rule(
    'column = "TYPE" pairs, TYPE one of BOOLEAN, INTEGER, BIGINT, DOUBLE, DECIMAL(p,s), VARCHAR, DATE, TIME, TIMESTAMP, TIMESTAMPTZ',
    lambda value: isinstance(value, dict) and all(isinstance(kind, str) and _COLUMN_TYPE.fullmatch(kind) for kind in value.values()),
)
_HEADER = _Rule(
    "true, false, or the number of header rows (0 to 3)",
    lambda value: isinstance(value, bool) or (_is_integer(value) and 0 <= value <= MAX_HEADER_ROWS),
)
_PORT = _Rule("a port, 1024 to 65535", lambda value: _is_integer(value) and 1024 <= value <= 65535)
_COUNT = _Rule("a whole number, 0 or more", lambda value: _is_integer(value) and value >= 0)
_TEXTS = _Rule("a list of texts", lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value))
_EVENTS = _Rule('a list of "failure", "late", "empty"', lambda value: isinstance(value, list) and all(item in NOTIFY_ON for item in value))

SOURCE_KEYS: Mapping[str, _Rule] = {
    "delimiter": _TEXT,
    "decimal": _one_of(".", ","),
    "encoding": _TEXT,
    "header": _HEADER,
    "types": _TYPES,
    "on_error": _one_of(*ON_ERROR),
}
SECTIONS: Mapping[str, Mapping[str, _Rule]] = {
    "project": {"name": _TEXT, "template_version": _TEXT},
    "database": {"type": _one_of(*DATABASE_FILES), "path": _TEXT, "url": _TEXT, "lock_timeout": _SECONDS},
    "source": {"on_error": _one_of(*ON_ERROR)},
    "export": {"format": _one_of(*EXPORT_FORMATS)},
    "parameters": {},
    "dagster": {"port": _PORT, "schedule": _TEXT, "timezone": _TEXT, "retries": _COUNT},
    "connections": {},
    "notifications": {"urls": _TEXTS, "on": _EVENTS},
}
CONNECTION_KEYS: Mapping[str, _Rule] = {"url": _TEXT}


# Reading --------------------------------------------------------------------------------------------------------------


def load_settings(project: Path) -> Settings:
    """Read and check the settings of the project in this folder.

    Raises:
        SettingsError: pdbt.toml is missing, is no TOML, or holds a key or a value that is not allowed.
    """
    project = project.resolve()
    path = project / FILE_NAME
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(f"{project} is not a pdbt project: it has no {FILE_NAME}.", "Make one with: pdbt new NAME") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.", 'Texts stand in quotes: name = "value".') from None
    _check_document(document)
    environment = _Environment(project)
    return _settings(project, document, environment)


def _settings(project: Path, document: Mapping[str, Any], environment: _Environment) -> Settings:
    database = document.get("database", {})
    database_type = str(database.get("type", "duckdb"))
    url = environment.fill(database["url"], "database.url") if "url" in database else None
    if url is not None and database_type != "commune":
        raise _wrong("database.url", f'a key of type = "commune"; this project is "{database_type}"', database["url"])
    source = dict(document.get("source", {}))
    default_options = ReadOptions(on_error=source.pop("on_error", "fail"))
    dagster = document.get("dagster", {})
    notifications = document.get("notifications", {})
    parameters = {name: environment.fill_value(value, f"parameters.{name}") for name, value in document.get("parameters", {}).items()}
    return Settings(
        project=project,
        name=document.get("project", {}).get("name", project.name),
        template_version=document.get("project", {}).get("template_version", ""),
        database_type=database_type,
        database_path=project / environment.fill(database.get("path", DATABASE_FILES[database_type]), "database.path"),
        database_url=url,
        lock_timeout=float(database.get("lock_timeout", LOCK_TIMEOUT_SECONDS)),
        default_options=default_options,
        read_options={table.upper(): _read_options(keys, default_options.on_error) for table, keys in source.items()},
        export_format=document.get("export", {}).get("format", "csv"),
        parameters=parameters,
        dagster=DagsterSettings(**dagster),
        connections={name: keys["url"] for name, keys in document.get("connections", {}).items()},
        notification_urls=tuple(notifications.get("urls", ())),
        notify_on=tuple(notifications.get("on", ())),
        secrets=tuple(sorted(environment.used | _passwords(url), key=len, reverse=True)),
    )


def _read_options(keys: Mapping[str, Any], on_error: str) -> ReadOptions:
    return ReadOptions(
        delimiter=keys.get("delimiter"),
        decimal=keys.get("decimal"),
        encoding=keys.get("encoding"),
        header=keys.get("header"),
        types={column: str(kind).upper() for column, kind in keys.get("types", {}).items()},
        on_error=keys.get("on_error", on_error),
    )


def _passwords(url: str | None) -> set[str]:
    return {match["password"] for match in _URL_PASSWORD.finditer(url or "")}


# Checking -------------------------------------------------------------------------------------------------------------


def _check_document(document: Mapping[str, Any]) -> None:
    for section, keys in document.items():
        if section not in SECTIONS:
            raise _unknown(f"[{section}]", f"[{section}]", [f"[{name}]" for name in SECTIONS])
        if not isinstance(keys, dict):
            raise _wrong(section, f"a section: [{section}]", keys)
        _check_section(section, keys)


def _check_section(section: str, keys: Mapping[str, Any]) -> None:
    rules = SECTIONS[section]
    for key, value in keys.items():
        name = f"{section}.{key}"
        if section == "parameters":
            _check_parameter(key, value)
        elif section in ("connections", "source") and isinstance(value, dict):
            _check_keys(name, value, SOURCE_KEYS if section == "source" else CONNECTION_KEYS)
            if section == "connections" and "url" not in value:
                raise _wrong(f"{name}.url", "a text", None)
        elif key not in rules:
            raise _unknown(name, key, rules, section)
        elif not rules[key].fits(value):
            raise _wrong(name, rules[key].allowed, value)


def _check_keys(section: str, keys: Mapping[str, Any], rules: Mapping[str, _Rule]) -> None:
    for key, value in keys.items():
        if key not in rules:
            raise _unknown(f"{section}.{key}", key, rules, section)
        if not rules[key].fits(value):
            raise _wrong(f"{section}.{key}", rules[key].allowed, value)


def _check_parameter(name: str, value: object) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise SettingsError(
            f'{FILE_NAME}: parameter "{name}" cannot be written as $name in SQL.', "Use letters, digits and _.", key=f"parameters.{name}"
        )
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, (str, int, float, datetime.date, datetime.time)) for item in values):
        raise _wrong(f"parameters.{name}", "a text, number, true or false, date, time, or a list of these", value)


def _unknown(name: str, key: str, allowed: Mapping[str, object] | list[str], section: str = "") -> SettingsError:
    choices = list(allowed)
    close = difflib.get_close_matches(key, choices, n=1)
    where = f"[{section}] has no key {key!r}" if section else f"there is no section {key}"
    hint = f"Did you mean {close[0]}? " if close else ""
    return SettingsError(
        f"{FILE_NAME}: {where}.", f"{hint}Allowed: {', '.join(choices) or 'tables, as [source.ORDERS]'}.", key=name, allowed=choices
    )


def _wrong(name: str, allowed: str, received: object) -> SettingsError:
    shown = "nothing" if received is None else _URL_PASSWORD.sub(rf"\g<head>{_MASK}", repr(received))
    return SettingsError(f"{FILE_NAME}: {name} is {shown}.", f"It must be {allowed}.", key=name, received=received, allowed=allowed)


# The environment ------------------------------------------------------------------------------------------------------


class _Environment:
    """Values for ``${NAME}``: the process's environment first, then the project's .env file."""

    def __init__(self, project: Path) -> None:
        self._file = project / ".env"
        self._values: dict[str, str] | None = None
        self.used: set[str] = set()

    def fill(self, text: str, key: str) -> str:
        """Replace each ``${NAME}`` of a setting; a name that is nowhere set is an error."""

        def value_of(match: re.Match[str]) -> str:
            value = self._lookup(match[1])
            if not value:
                raise SettingsError(
                    f"{FILE_NAME}: {key} uses ${{{match[1]}}}, which is not set.",
                    f"Set {match[1]} in the environment or in {self._file.name}.",
                    key=key,
                )
            self.used.add(value)
            return value

        return _VARIABLE.sub(value_of, text)

    def fill_value(self, value: Parameter, key: str) -> Parameter:
        """Fill texts; leave every other value as it is."""
        return self.fill(value, key) if isinstance(value, str) else value

    def _lookup(self, name: str) -> str | None:
        if name in os.environ:
            return os.environ[name]
        if self._values is None:
            self._values = _read_env_file(self._file)
        return self._values.get(name)


def _read_env_file(path: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines; ``export``, quotes around the value, blank lines and # comments are understood."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        raise PdbtError(f"{path} cannot be read.", "It must be UTF-8 text that you may read.") from None
    values: dict[str, str] = {}
    for line in lines:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            values[name.strip()] = value
    return values
