"""A SQL file as a task: its statements on a connection, in one transaction, with $file, $tag, $run_id and $task_id filled in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.environment import redact
from ...engine.errors import BuildError, PdbtError, SettingsError
from ...engine.sql import literal, tokens
from . import carry_out

if TYPE_CHECKING:
    from sqlalchemy import Engine

URL_VARIABLE = "PDBT_CONNECTION_URL"
# What a URL without a driver stands for: those that pdbt brings, or its extras.
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
_PARAMETERS = {"file": "PDBT_FILE", "tag": "PDBT_TAG", "run_id": "PDBT_RUN_ID", "task_id": "PDBT_TASK_ID"}


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
    dialect = url.partition("://")[0].partition("+")[0]
    statements = list(_statements(text, path, "sqlite" if dialect == "sqlite" else "postgresql"))
    if dialect == "duckdb":
        _execute_duckdb(statements, url, path)
    else:
        _execute(statements, url, path)
    print(f"{path.name}: {len(statements)} statements", flush=True)
    return 0


def _statements(text: str, path: Path, dialect: str) -> Iterator[str]:
    """Yield the statements with their parameters filled in; a comment alone is none."""
    parts: list[str] = []
    meant = False
    for token in tokens(text):
        if token.text == ";":
            if meant:
                yield "".join(parts).strip()
            parts, meant = [], False
            continue
        parts.append(_filled(token.text, path, dialect) if token.kind == "parameter" else token.text)
        meant = meant or (not token.text.isspace() and token.kind != "comment")
    if meant:
        yield "".join(parts).strip()


def _filled(parameter: str, path: Path, dialect: str) -> str:
    name = parameter[1:]
    if name not in _PARAMETERS:
        known = ", ".join(f"${known}" for known in _PARAMETERS)
        raise SettingsError(f"{path.name}: there is no parameter {parameter}.", f"There are {known}.", key=name)
    return f" {literal(os.environ[_PARAMETERS[name]], dialect, name)} "


def _execute(statements: Sequence[str], url: str, path: Path) -> None:
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        engine = _engine(url)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    except DBAPIError as error:
        raise BuildError(f"{path.name}: {redact(str(error.orig))}", "Nothing of it was kept.") from None
    except (SQLAlchemyError, ImportError) as error:
        raise PdbtError(f"{path.name}: {redact(str(error))}", "Check the connection's URL, and install its driver.") from None


def _engine(url: str) -> Engine:
    from sqlalchemy import create_engine, make_url

    parsed = make_url(url)
    if parsed.drivername in _DRIVERS:
        parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
    return create_engine(parsed)


def _execute_duckdb(statements: Sequence[str], url: str, path: Path) -> None:
    import duckdb

    try:
        with duckdb.connect(url.partition("://")[2].removeprefix("/")) as connection:
            connection.execute("BEGIN")
            for statement in statements:
                connection.execute(statement)
            connection.execute("COMMIT")
    except duckdb.Error as error:
        raise BuildError(f"{path.name}: {error}", "Nothing of it was kept.") from None


if __name__ == "__main__":
    carry_out(main)
