"""A PostgreSQL server: connections to it, and its errors as sentences without a password."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import BuildError, MissingLibrary, PdbtError, SettingsError, Unreachable
from .adbc import Adbc, AdbcError

try:
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
except ImportError as error:
    raise MissingLibrary("sqlalchemy psycopg[binary]", "A database of type commune with a url") from error

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

CONNECT_SECONDS = 10
SCHEMES = ("postgresql", "postgres")
LOST_STATES = ("08", "57P")  # classes of SQLSTATE: connection exceptions, operator intervention
# What a server that refuses a connection says when it may take one a moment later.
_PASSING = ("the database system is", "too many", "remaining connection slots")


class Server:
    """One database of a PostgreSQL server.

    Attributes:
        label: host, port and database, as a person may see them.
    """

    def __init__(self, url: str) -> None:
        """Read the url; connects to nothing. Raises SettingsError."""
        self._url = _parsed(url)
        host = self._url.host or self._url.query.get("host") or "localhost"
        self.label = f"{host}:{self._url.port or 5432}/{self._url.database or self._url.username or ''}"

    def connect(self) -> Connection:
        """Connect through SQLAlchemy: each statement is a transaction of its own unless BEGIN is said.

        A statement is prepared before it is executed, so that the server refuses a text that holds two; SQL texts go as they
        are, whatever `%` and `:name` they contain, as long as no parameters are given.
        """
        engine = sqlalchemy.create_engine(
            self._url.set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            poolclass=sqlalchemy.NullPool,
            connect_args={"prepare_threshold": 0, **({} if "connect_timeout" in self._url.query else {"connect_timeout": CONNECT_SECONDS})},
        )
        try:
            return engine.connect().execution_options(no_parameters=True)
        except (DBAPIError, NoSuchModuleError, ImportError) as error:
            raise self._unreachable(error) from error

    def adbc(self, settings: Sequence[str]) -> Adbc:
        """Connect through ADBC, for rows by the million, and execute the settings."""
        url = self._url.set(drivername="postgresql")
        if "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
        try:
            return Adbc("postgresql", url.render_as_string(hide_password=False), settings)
        except AdbcError as error:
            raise self._unreachable(error) from error

    @contextlib.contextmanager
    def told(self, subject: str, lines_before: int = 0) -> Iterator[None]:
        """Turn PostgreSQL's errors into sentences.

        Args:
            subject: the table or the deed that failed; may be empty.
            lines_before: how many lines stood before the person's own SQL.
        """
        try:
            yield
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            if error.connection_invalidated or state is None or state.startswith(LOST_STATES):
                raise self._lost(error) from error
            said = sentence(error, lines_before)
            raise BuildError(f"{subject}: {said}" if subject else said) from error

    @contextlib.contextmanager
    def copied(self, subject: str) -> Iterator[None]:
        """Turn ADBC's errors into sentences."""
        try:
            yield
        except AdbcError as error:
            said = self._without_password(str(error))
            if "0x00" in said:
                message = f"{subject}: a text contains the character NUL, which PostgreSQL does not store."
                raise BuildError(message, "Remove it in the source file.") from error
            _, _, reason = said.partition("ERROR:")
            told = self._without_password(error.reason) or (reason or said).strip().partition(chr(10))[0]
            raise BuildError(f"{subject}: {told}") from error

    def _unreachable(self, error: Exception) -> PdbtError:
        """Return the sentence for a server that does not let us in."""
        if isinstance(error, (ImportError, NoSuchModuleError)):
            return MissingLibrary("psycopg[binary]", "A database of type commune with a url")
        said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        lines = [line.strip() for line in self._without_password(said).splitlines() if line.strip()]
        reason = lines[0].rpartition(" failed: ")[2] if lines else "no answer"
        message = f"PostgreSQL at {self.label} cannot be reached: {reason.rstrip('.')}."
        kind = Unreachable if "FATAL" not in said or any(word in said for word in _PASSING) else PdbtError
        return kind(message, "Check that the server runs, and the host, port, user, password and database of [database] url.")

    def _lost(self, error: DBAPIError) -> PdbtError:
        reason = self._without_password(str(error.orig)).strip().partition("\n")[0]
        message = f"The connection to PostgreSQL at {self.label} was lost: {reason.rstrip('.')}."
        return BuildError(message, "Readers see what was published before; run again.")

    def _without_password(self, said: str) -> str:
        password = self._url.password
        return said.replace(str(password), "***") if password else said


def columns_of(connection: Connection, relation: str) -> list[tuple[str, str]]:
    """Return names and types of the columns of a relation, written as in SQL; empty when there is none."""
    select = """
        SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
        WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
    """
    return [(str(name), str(kind)) for name, kind in connection.exec_driver_sql(select, (relation,)).fetchall()]


def sentence(error: DBAPIError, lines_before: int = 0) -> str:
    """Return what PostgreSQL's error says, with the line of the SQL where it saw the fault."""
    diagnosis = getattr(error.orig, "diag", None)
    parts = [getattr(diagnosis, "message_primary", None) or str(error.orig).partition("\n")[0]]
    parts += [getattr(diagnosis, field, None) for field in ("message_detail", "message_hint")]
    said = ". ".join(part.rstrip(".") for part in parts if part)
    position = getattr(diagnosis, "statement_position", None)
    if not position or not error.statement:
        return said
    line = error.statement.count("\n", 0, int(position) - 1) + 1 - lines_before
    return f"{said} (line {line})" if line > 0 else said


def sqlstate(error: DBAPIError) -> str:
    """Return the five characters that name the kind of an error; empty when the connection broke."""
    return getattr(error.orig, "sqlstate", None) or ""


def _parsed(url: str) -> URL:
    """Return the url in its parts. Raises SettingsError, which never repeats it."""
    hint = "It should be like postgresql://user:password@host:5432/database."
    try:
        parsed = sqlalchemy.make_url(url)
        drivername = parsed.drivername.partition("+")[0]
    except (ArgumentError, ValueError):
        raise SettingsError("[database] url cannot be read.", hint, key="database.url") from None
    if drivername not in SCHEMES:
        message = f"[database] url begins with {drivername}://; commune takes PostgreSQL."
        raise SettingsError(message, hint, key="database.url", allowed=SCHEMES)
    return parsed
