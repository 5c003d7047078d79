"""Where a sink keeps its rows: a URL, a database file, a connection of a project, or a project."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...engine.environment import ENVIRONMENT_FILE, Environment, redact
from ...engine.errors import SettingsError
from ...engine.settings import FILE_NAME, Settings, load_settings
from ...scaffold import NotAProject, find_project

# A run replaces a project's published file as a whole, so that streams have one of their own beside it. It is SQLite's for DuckDB
# projects too: others can read it while a stream writes to it, which DuckDB allows nobody.
STREAM_FILE = "db/stream.sqlite"
_KINDS = {
    "sqlite": "SQLite",
    "duckdb": "DuckDB",
    "postgresql": "PostgreSQL",
    "postgres": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MySQL",
}
_ENDINGS = {".duckdb": "DuckDB", ".ddb": "DuckDB", ".sqlite": "SQLite", ".sqlite3": "SQLite", ".db": "SQLite"}


@dataclass(frozen=True)
class Target:
    """A database to store in.

    Attributes:
        kind: the product: SQLite, DuckDB, PostgreSQL or MySQL.
        path: the file of SQLite and DuckDB, absolute.
        url: the address of a server, password and all; not to be shown.
        secrets: texts that nobody may see.
    """

    kind: str
    path: str = ""
    url: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def label(self) -> str:
        """The place, as a person may see it."""
        if self.path:
            return f"{self.kind} {self.path}"
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port else ""
        return f"{self.kind} at {parts.hostname or 'localhost'}{port}{parts.path}"

    def redact(self, text: str) -> str:
        """Return a text without what is secret."""
        return redact(text, self.secrets)


def find_target(said: str | Path, project: Path | None = None) -> Target:
    """Return the database that is meant.

    Args:
        said: a URL; the path of a SQLite or DuckDB file; the name of a connection; or the folder of a project, which means the
            database that its streams share: its PostgreSQL database, or else db/stream.sqlite.
        project: the project whose connections are meant; by default that of the working folder.

    Raises:
        SettingsError: it is none of these; the sentence never repeats a password.
    """
    text = str(said)
    if "://" in text:
        return _of_url(text, Path.cwd())
    if Path(text).suffix.lower() in _ENDINGS:
        return _file(_ENDINGS[Path(text).suffix.lower()], Path(text), Path.cwd())
    settings = _settings(project)
    if settings is not None and text in settings.connections:
        environment = Environment(settings.project / ENVIRONMENT_FILE, FILE_NAME)
        return _of_url(environment.fill_url(settings.connections[text], f"connections.{text}.url"), settings.project)
    if (Path(text) / FILE_NAME).is_file():
        return _of_project(load_settings(find_project(Path(text))))
    known = ", ".join(settings.connections) if settings is not None else ""
    raise SettingsError(
        f"{redact(text)!r} is no connection, no project and no database file.",
        f"The connections are {known}." if known else "Write a path like db/stream.sqlite, or a URL like postgresql://user@host/database.",
        received=redact(text),
    )


def _settings(project: Path | None) -> Settings | None:
    try:
        return load_settings(find_project(project))
    except NotAProject:
        if project is not None:
            raise
        return None


def _of_project(settings: Settings) -> Target:
    if settings.database_url is not None:
        return _of_url(settings.database_url, settings.project)
    return _file("SQLite", Path(STREAM_FILE), settings.project)


def _of_url(url: str, base: Path) -> Target:
    scheme, _, rest = url.partition("://")
    kind = _KINDS.get(scheme.partition("+")[0].lower())
    if kind is None:
        raise SettingsError(f"{scheme}:// is no database that rows can be stored in.", f"There are: {', '.join(_KINDS)}.", received=scheme)
    if kind in ("SQLite", "DuckDB"):
        text = unquote(rest.partition("?")[0].removeprefix("/"))
        if not text or text == ":memory:":
            raise SettingsError(f"{kind}: the URL names no file.", f"Write {scheme}:///folder/file.{scheme}.", received=url)
        return _file(kind, Path(text), base)
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        raise SettingsError(f"The URL of a {kind} database cannot be read.", f"It looks like {scheme}://user@host/database.") from None
    return Target(kind, url=url, secrets=tuple({secret for secret in (password, unquote(password)) if secret}))


def _file(kind: str, path: Path, base: Path) -> Target:
    return Target(kind, path=str((base / path.expanduser()).resolve()))
