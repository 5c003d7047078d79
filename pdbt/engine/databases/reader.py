"""DuckDB connections that read source files, and DuckDB's errors as sentences."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BuildError

if TYPE_CHECKING:
    import duckdb

# Begins what an expression of ours says of a value that it refuses, so that it can be told from DuckDB's own errors.
REFUSED = "Refused: "
_PLACE = re.compile(r"\n+LINE (\d+):.*", re.DOTALL)
_KIND = re.compile(r"^(?:[A-Z][\w-]*(?: [A-Z]\w*)*) (?:Error|exception): ", re.IGNORECASE)


def connect(temporary: Path) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB in memory that spills into the folder `temporary`.

    It downloads nothing, never takes a Python variable for a table, and computes in UTC, so that a result does not depend on
    the machine's time zone.
    """
    import duckdb  # where it is used: a run with nothing to do does not pay for loading it

    settings = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
        "temp_directory": str(temporary),
    }
    connection = duckdb.connect(":memory:", config=dict(settings))
    # The time zone makes results independent of the machine; the progress bar is read, not printed, by `report`.
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = true; SET enable_progress_bar_print = false")
    return connection


@contextlib.contextmanager
def told(what: str, lines_before: int = 0) -> Iterator[None]:
    """Turn DuckDB's errors into a BuildError that begins with what failed; `lines_before` as in `sentence`."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        said = sentence(error, lines_before)
        raise BuildError(f"{what}: {said}" if what else said) from error


def finish(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return the connection, free of a result not fetched to its end: DuckDB 2.0 refuses `sql` and `register` until then."""
    connection.execute("SELECT NULL").fetchall()
    return connection


def count(connection: duckdb.DuckDBPyConnection, statement: str) -> int | None:
    """Run a statement whose one answer is a number of rows; None when it answers nothing."""
    answer = connection.execute(statement).fetchall()
    return int(answer[0][0]) if answer else None


def sentence(error: duckdb.Error, lines_before: int = 0) -> str:
    """Return what DuckDB's error says, with the line instead of a drawing of the place.

    Args:
        error: what DuckDB raised.
        lines_before: how many lines stood before the person's own SQL.
    """
    said = str(error)
    place = _PLACE.search(said)
    reason = _KIND.sub("", said[: place.start()] if place else said).strip()
    line = int(place[1]) - lines_before if place else 0
    reason = reason.removeprefix(REFUSED)
    return f"{reason} (line {line})" if line > 0 else reason


@contextlib.contextmanager
def refusals_told(what: str, hint: str = "") -> Iterator[None]:
    """Turn the refusal of a value into a BuildError that begins with what failed; every other error of DuckDB stays as it is."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        if REFUSED not in str(error):
            raise
        raise BuildError(f"{what}: {sentence(error)}.", hint) from error
