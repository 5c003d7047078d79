"""Where a connection leads: a URL in its parts, without its password wherever a person may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from ..engine.environment import redact
from ..engine.errors import SettingsError
from .drivers import BY_SCHEME, DRIVERS, Driver

FILE_ENDINGS = {".duckdb": "duckdb", ".ddb": "duckdb", ".sqlite": "sqlite", ".sqlite3": "sqlite", ".db": "sqlite"}


@dataclass(frozen=True)
class Address:
    """A database's URL, read.

    Attributes:
        url: as it was given, password and all; not to be shown.
        driver: the kind of database.
        host: the server's name; empty for a file.
        port: the server's port; None for a file.
        user: who logs in; empty when the URL does not say.
        password: the secret; empty when there is none.
        database: the database's name on its server.
        path: the file of SQLite or DuckDB, absolute; None for a server.
        options: what stands behind the question mark.
        secrets: texts that nobody may see.
    """

    url: str = field(repr=False)
    driver: Driver
    host: str = ""
    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    path: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def label(self) -> str:
        """The place, as a person may see it."""
        if self.path is not None:
            return f"{self.driver.name} {self.path}"
        port = f":{self.port}" if self.port else ""
        return f"{self.driver.name} at {self.host}{port}/{self.database}"

    @property
    def file(self) -> Path:
        """The file of SQLite or DuckDB; raises ValueError where it is a server."""
        if self.path is None:
            raise ValueError(f"{self.driver.name} is no file")
        return self.path

    def redact(self, text: str) -> str:
        """Return a text without what this address keeps secret."""
        return redact(text, self.secrets)


def read_address(url: str, base: Path | None = None) -> Address:
    """Read a URL, or the path of a DuckDB or SQLite file.

    Args:
        url: ``scheme://…``, or a path whose ending is that of a database file.
        base: the folder that relative paths start from; the working folder by default.

    Raises:
        SettingsError: it is no URL of a database that pdbt knows; the sentence never repeats a password.
    """
    scheme, marker, rest = url.partition("://")
    if not marker:
        return _bare_file(url, base)
    driver = BY_SCHEME.get(scheme.partition("+")[0].lower())
    if driver is None:
        known = ", ".join(f"{found.schemes[0]}://" for found in DRIVERS)
        raise SettingsError(
            f"{scheme}:// is no database that pdbt knows.", f"There are: {known}", received=scheme, allowed=tuple(BY_SCHEME)
        )
    if driver.is_file:
        return _file(url, driver, rest.partition("?")[0], base)
    return _server(url, driver)


def _bare_file(text: str, base: Path | None) -> Address:
    scheme = FILE_ENDINGS.get(Path(text).suffix.lower())
    if scheme is None:
        raise SettingsError(
            f"{redact(text)!r} is neither the name of a connection nor a database's URL.",
            f"A URL looks like {DRIVERS[0].example}; a file ends in {', '.join(FILE_ENDINGS)}.",
            received=redact(text),
        )
    return _file(text, BY_SCHEME[scheme], text, base)


def _file(url: str, driver: Driver, rest: str, base: Path | None) -> Address:
    # sqlite:///relative and sqlite:////absolute, as SQLAlchemy writes them; a bare path is as it is.
    text = unquote(rest.removeprefix("/")) if "://" in url else rest
    if not text or text == ":memory:":
        raise SettingsError(f"{driver.name}: the URL names no file.", f"Write {driver.example}", received=url)
    path = ((base or Path.cwd()) / Path(text).expanduser()).resolve()
    return Address(url=url, driver=driver, path=path)


def _server(url: str, driver: Driver) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _unreadable(driver) from None
    if not parts.hostname and driver.port is not None and "host=" not in parts.query:
        raise _unreadable(driver)
    if any(character.isspace() for character in url):
        raise _unreadable(driver)
    options = dict(parse_qsl(parts.query))
    password = unquote(parts.password or options.get("password", ""))
    return Address(
        url=url,
        driver=driver,
        host=unquote(parts.hostname or options.get("host", "")),
        port=port or driver.port,
        user=unquote(parts.username or options.get("user", "")),
        password=password,
        database=unquote(parts.path.strip("/")) or options.get("dbname", ""),
        options=options,
        secrets=tuple(secret for secret in {password, parts.password or ""} if secret),
    )


def _unreadable(driver: Driver) -> SettingsError:
    return SettingsError(
        f"The URL of a {driver.name} connection cannot be read.",
        f"It should be like {driver.example}; characters such as / @ : # of a password are written %2F %40 %3A %23.",
    )
