"""The connections of a project: `[connections.NAME]` of pdbt.toml, listed, added and removed with every other line left as it is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from ..engine.environment import Environment, redact
from ..engine.errors import PdbtError, SettingsError
from ..engine.files import write_durably
from ..engine.settings import FILE_NAME, Settings, load_settings
from ..scaffold import NotAProject, find_project
from .address import FILE_ENDINGS, Address, read_address
from .drivers import is_installed

ENVIRONMENT_FILE = ".env"
_QUERY_PASSWORD = re.compile(r"(?<=[?&]password=)[^&#]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Connection:
    """A named connection, as a person may see it.

    Attributes:
        name: its name in pdbt.toml.
        url: the URL as it is written, passwords masked.
        kind: the product; empty when the URL cannot be read yet, as when its ``${NAME}`` is not set.
        installed: whether the libraries that it needs are there.
        file: the file that names it: the project's pdbt.toml, or one of its organisation or workspace.
    """

    name: str
    url: str
    kind: str
    installed: bool
    file: Path


def list_connections(project: Path) -> list[Connection]:
    """Return the connections of a project, its own first, then inherited ones; connects to nothing and loads no driver."""
    settings = load_settings(project)
    found = []
    for name, url in settings.connections.items():
        file = settings.inherited.get(name, settings.project / FILE_NAME)
        try:
            driver = resolve(name, settings).driver
            found.append(Connection(name, redact(url), driver.name, is_installed(driver), file))
        except PdbtError:
            found.append(Connection(name, redact(url), "", False, file))
    return found


def resolve(name_or_url: str, settings: Settings | None = None) -> Address:
    """Return the address that a name of a connection, a URL or a database file stands for.

    Args:
        name_or_url: what the person wrote.
        settings: those of the project that the name belongs to; None outside of a project.

    Raises:
        SettingsError: there is no such connection, its ``${NAME}`` is not set, or the URL is none.
    """
    names = settings.connections if settings is not None else {}
    if settings is not None and name_or_url in names:
        environment = Environment(settings.project / ENVIRONMENT_FILE, FILE_NAME)
        return read_address(environment.fill_url(names[name_or_url], f"connections.{name_or_url}.url"), settings.project)
    if "://" in name_or_url or Path(name_or_url).suffix.lower() in FILE_ENDINGS:
        return read_address(name_or_url)
    raise _unknown(name_or_url, names)


def project_settings(project: Path | None) -> Settings | None:
    """Return the settings of the project that is meant, by default that of the working folder; None outside of one."""
    if project is None:
        try:
            project = find_project(None)
        except NotAProject:
            return None
    return load_settings(find_project(project))


def resolve_name(name_or_url: str, project: Path | None) -> Address:
    """Return the address that a name, a URL or a file stands for, in a project or, for None, the one of the working folder.

    Raises:
        SettingsError: there is no such connection, or it cannot be read.
    """
    return resolve(name_or_url, project_settings(project))


def add_connection(project: Path, name: str, url: str) -> Connection:
    """Write a connection into pdbt.toml; a password of the URL goes into .env, and pdbt.toml names its variable.

    Raises:
        SettingsError: the name is taken or none, or the URL is no database's.
    """
    settings = load_settings(project)
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} cannot be the name of a connection.", "Use letters, digits, _ and -; begin with a letter.")
    if name in settings.connections and name not in settings.inherited:
        raise SettingsError(f"{FILE_NAME} has a connection {name} already.", f"Remove it first: pdbt connection remove {name}")
    if "${" not in url:
        read_address(url, settings.project)
    written, secret = _without_password(name, url)
    if secret is not None:
        _append_to_environment(settings.project, *secret)
    path = settings.project / FILE_NAME
    text = path.read_text(encoding="utf-8-sig")
    write_durably(path, f"{text.rstrip()}\n\n[connections.{name}]\nurl = {_toml_text(written)}\n")
    return next(found for found in list_connections(project) if found.name == name)


def remove_connection(project: Path, name: str) -> None:
    """Take a connection out of pdbt.toml; what .env holds stays, for others may use it.

    Raises:
        SettingsError: there is none of this name, or it is not written as a section of its own.
    """
    settings = load_settings(project)
    if name not in settings.connections:
        raise _unknown(name, settings.connections)
    if name in settings.inherited:
        raise SettingsError(
            f"Connection {name} is no connection of this project's own: {settings.inherited[name]} names it.", "Edit that file."
        )
    path = settings.project / FILE_NAME
    text = path.read_text(encoding="utf-8-sig")
    section = re.compile(rf"(?ms)^\[connections\.(?:{re.escape(name)}|\"{re.escape(name)}\")\][^\n]*\n.*?(?=^\[|\Z)")
    left, count = section.subn("", text)
    if count != 1:
        raise SettingsError(f"{FILE_NAME}: connection {name} is not a section of its own.", "Remove its lines with an editor.")
    write_durably(path, f"{left.rstrip()}\n")


def _without_password(name: str, url: str) -> tuple[str, tuple[str, str] | None]:
    """Return the URL with ``${NAME_PASSWORD}`` in its password's place, and the variable; None when there was no password to hide."""
    scheme, marker, rest = url.partition("://")
    userinfo, at, place = rest.rpartition("@")
    user, colon, password = userinfo.partition(":")
    variable = f"{re.sub(r'[^A-Za-z0-9_]', '_', name).upper()}_PASSWORD"
    if marker and at and colon and password:
        return (url, None) if password.startswith("${") else (f"{scheme}://{user}:${{{variable}}}@{place}", (variable, unquote(password)))
    found = _QUERY_PASSWORD.search(url)
    if found is None or found[0].startswith("${"):
        return url, None
    # There it stays encoded: what is filled in before the @ is encoded then, and nothing else is.
    return f"{url[: found.start()]}${{{variable}}}{url[found.end() :]}", (variable, found[0])


def _append_to_environment(project: Path, variable: str, value: str) -> None:
    path = project / ENVIRONMENT_FILE
    before = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    kept = [line for line in before.splitlines() if not re.match(rf"\s*(export\s+)?{variable}\s*=", line)]
    quote = next((mark for mark in ('"', "'") if mark not in value), "")  # with both in it, the value stands bare
    write_durably(path, "\n".join([*kept, f"{variable}={quote}{value}{quote}", ""]))
    path.chmod(0o600)


def _toml_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unknown(name: str, names: Mapping[str, str]) -> SettingsError:
    close = difflib.get_close_matches(name, names, n=1)
    listed = f"There are: {', '.join(names)}." if names else "Add one with: pdbt connection add NAME URL"
    hint = f"Did you mean {close[0]}?" if close else listed
    return SettingsError(f"There is no connection {redact(name)}.", hint, key=f"connections.{name}", allowed=tuple(names))
