"""A SQL file as a task: its statements on a connection, in one transaction, with $file, $tag, $run_id and $task_id as parameters.

A file's name is chosen by whoever sends the file. So it never becomes part of the SQL: it is bound, and reaches the database as a value.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...engine.environment import redact
from ...engine.errors import BuildError, PdbtError, SettingsError
from ...engine.lexer import DUCKDB, MYSQL, POSTGRESQL, SQLITE, Dialect, Token, dialect_of
from ...engine.sql import literal
from ...engine.statements import Script, Statement, statements
from . import carry_out

if TYPE_CHECKING:
    import duckdb
    from sqlalchemy import Connection, Engine

URL_VARIABLE = "PDBT_CONNECTION_URL"
# What a URL without a driver stands for: those that pdbt brings, or its extras.
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
_PARAMETERS = {"file": "PDBT_FILE", "tag": "PDBT_TAG", "run_id": "PDBT_RUN_ID", "task_id": "PDBT_TASK_ID"}
# A name that is a reserved word of no database.
_PREFIX = "pdbt_"
# How the drivers of Python write a parameter, by the name that PEP 249 gives to the way.
_PLACEHOLDERS = {"qmark": "?", "format": "%s", "pyformat": "%({name})s", "named": ":{name}", "numeric": ":{number}"}
_BY_NAME = ("pyformat", "named")
# Statements of SQLite that a transaction would refuse or pass over, and those that begin or end one.
_OUTSIDE_TRANSACTIONS = frozenset({"PRAGMA", "ATTACH", "DETACH", "VACUUM", "BEGIN", "COMMIT", "END", "ROLLBACK"})
# Settings by which a session reads texts otherwise than its server does by default.
_MODES = ("SQL_MODE", "STANDARD_CONFORMING_STRINGS")
_KEPT_NOTHING = "Nothing of it was kept."
_KEPT_TABLES = "No row of it was kept; CREATE, ALTER and DROP are, as MySQL commits them at once."


def main(words: Sequence[str]) -> int:
    """Execute a SQL file.

    Args:
        words: the SQL file, and the file that arrived, which the environment names, too.

    Raises:
        PdbtError: the file cannot be read, or the database refuses a statement; nothing was kept then.
    """
    path = Path(words[0])
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PdbtError(f"{path} cannot be read: {error}.", "It must be UTF-8 text that you may read.") from None
    url = os.environ[URL_VARIABLE]
    dialect = dialect_of(url.partition("://")[0])
    _require_known_parameters(statements(text, dialect), path)
    values = {name: os.environ[variable] for name, variable in _PARAMETERS.items()}
    execute = _execute_duckdb if dialect is DUCKDB else _execute
    number = execute(Script(text), dialect, url, path, values)
    print(f"{path.name}: {number} statements", flush=True)
    return 0


def _require_known_parameters(found: Iterable[Statement], path: Path) -> None:
    """Refuse a parameter that there is not, before anything is executed."""
    for name in (token.text[1:] for statement in found for token in statement.tokens if token.kind == "parameter"):
        if name not in _PARAMETERS:
            known = ", ".join(f"${known}" for known in _PARAMETERS)
            raise SettingsError(f"{path.name}: there is no parameter ${name}.", f"There are {known}.", key=name)


def with_parameters(statement: Statement, values: Mapping[str, str], style: str) -> tuple[str, Any]:
    """Return a statement with placeholders, and the values for them as a driver takes them; None where there is no parameter.

    Args:
        statement: with ``$name``.
        values: by name, without the dollar sign.
        style: how the driver writes a parameter: the ``paramstyle`` of PEP 249.
    """
    names = [token.text[1:] for token in statement.tokens if token.kind == "parameter"]
    if not names:
        return statement.text, None
    numbers = iter(range(1, len(names) + 1))

    def written(token: Token) -> str:
        if token.kind == "parameter":
            # Blanks keep the value apart from what it touches.
            return f" {_PLACEHOLDERS[style].format(name=_PREFIX + token.text[1:], number=next(numbers))} "
        return token.text.replace("%", "%%") if style in ("format", "pyformat") else token.text

    sql = "".join(map(written, statement.tokens)).strip()
    return sql, {_PREFIX + name: values[name] for name in names} if style in _BY_NAME else tuple(values[name] for name in names)


def _with_literals(statement: Statement, values: Mapping[str, str], dialect: Dialect) -> str:
    """Write values into a definition, which takes no parameters in DuckDB and SQLite; a text of theirs has only quotes to double."""
    return "".join(
        f" {literal(values[token.text[1:]], dialect.name)} " if token.kind == "parameter" else token.text for token in statement.tokens
    ).strip()


# All databases but DuckDB ---------------------------------------------------------------------------------------------


def _execute(script: Script, dialect: Dialect, url: str, path: Path, values: Mapping[str, str]) -> int:
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        with contextlib.ExitStack() as stack:
            engine = _engine(url)
            stack.callback(engine.dispose)
            connection = stack.enter_context(engine.begin())
            return sum(1 for _ in _executed(script, dialect, connection, values))
    except DBAPIError as error:
        hint = _KEPT_TABLES if dialect is MYSQL else _KEPT_NOTHING
        raise BuildError(f"{path.name}: {redact(str(error.orig))}", hint) from None
    except (SQLAlchemyError, ImportError) as error:
        raise PdbtError(f"{path.name}: {redact(str(error))}", "Check the connection's URL, and install its driver.") from None


def _executed(script: Script, dialect: Dialect, connection: Connection, values: Mapping[str, str]) -> Iterator[Statement]:
    """Execute the statements, and yield each that is done."""
    style = connection.dialect.paramstyle
    style = "numeric" if style == "numeric_dollar" else style
    session = _as_the_session_reads(dialect, connection)
    while statement := script.next(session):
        word = statement.words[0]
        if dialect is SQLITE and word not in _OUTSIDE_TRANSACTIONS and not _in_transaction(connection):
            connection.exec_driver_sql("BEGIN")  # its driver would begin one before the first INSERT only
        if dialect is SQLITE and word == "CREATE":
            sql, parameters = _with_literals(statement, values, dialect), None
        else:
            sql, parameters = with_parameters(statement, values, style)
        connection.exec_driver_sql(sql, parameters, execution_options={"no_parameters": parameters is None})
        if any(mode in sql.upper() for mode in _MODES):
            session = _as_the_session_reads(dialect, connection)
        yield statement


def _as_the_session_reads(dialect: Dialect, connection: Connection) -> Dialect:
    """Return the dialect as this session reads it: a mode decides where a text ends."""
    if dialect is MYSQL:
        modes = str(connection.exec_driver_sql("SELECT @@SESSION.sql_mode").scalar()).upper().split(",")
        return replace(dialect, backslashes="NO_BACKSLASH_ESCAPES" not in modes, double_quotes_texts="ANSI_QUOTES" not in modes)
    if dialect is POSTGRESQL:
        return replace(dialect, backslashes=connection.exec_driver_sql("SHOW standard_conforming_strings").scalar() == "off")
    return dialect


def _in_transaction(connection: Connection) -> bool:
    driver = connection.connection.dbapi_connection
    return bool(getattr(driver, "in_transaction", True))


def _engine(url: str) -> Engine:
    from sqlalchemy import create_engine, make_url

    parsed = make_url(url)
    if parsed.drivername in _DRIVERS:
        parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
    options: dict[str, Any] = {}
    if parsed.get_driver_name() == "psycopg":
        import psycopg

        # The server takes no parameters in COPY and in definitions; this cursor binds them with the server's own rules for texts.
        options["cursor_factory"] = psycopg.ClientCursor
    elif parsed.get_backend_name() == "sqlite":
        options["isolation_level"] = None
    return create_engine(parsed, connect_args=options)


# DuckDB ---------------------------------------------------------------------------------------------------------------


def _execute_duckdb(script: Script, dialect: Dialect, url: str, path: Path, values: Mapping[str, str]) -> int:
    import duckdb

    number = 0
    try:
        with duckdb.connect(url.partition("://")[2].removeprefix("/")) as connection:
            connection.execute("BEGIN")
            while statement := script.next(dialect):
                _execute_in_duckdb(connection, statement, values)
                number += 1
            connection.execute("COMMIT")
    except duckdb.Error as error:
        raise BuildError(f"{path.name}: {error}", _KEPT_NOTHING) from None
    return number


def _execute_in_duckdb(connection: duckdb.DuckDBPyConnection, statement: Statement, values: Mapping[str, str]) -> None:
    import duckdb

    names = {token.text[1:] for token in statement.tokens if token.kind == "parameter"}
    if not names:
        connection.execute(statement.text)
        return
    try:
        parsed = connection.extract_statements(statement.text)
        takes = len(parsed) == 1 and parsed[0].type.name != "CREATE" and parsed[0].named_parameters == names
    except duckdb.Error:  # FROM $file, COMMENT ON … IS $file: its grammar has no parameter there
        takes = False
    if takes:
        connection.execute(statement.text, {name: values[name] for name in names})
    else:
        connection.execute(_with_literals(statement, values, DUCKDB))


if __name__ == "__main__":
    carry_out(main)
