"""Reads besides tables, as the text of a table or a check shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

CLOCK = "reads the clock"
CATALOG = "reads the catalog of the database"
ELSEWHERE = "reads from elsewhere"
FILES = "reads files that only its code names"


@dataclass(frozen=True)
class Outside:
    """The reads of one text.

    Attributes:
        always: why it gives something else in every run; empty when it does not.
        day: depends on the date, not on the time.
        files: files or patterns of files, as written.
        tables: names of tables, as ``query_table`` is given them.
        queries: texts of SELECTs, as ``query`` is given them.
        environment: names of environment variables.
        unclear: the function that is given the name of a table as an expression; empty when there is none.
    """

    always: str = ""
    day: bool = False
    files: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    unclear: str = ""


NOTHING = Outside()


def calls(name: str) -> str:
    """Return the reason of what gives something else at each call."""
    return f"calls {name}(), which gives something else in every run"


def merged(parts: Iterable[Outside]) -> Outside:
    """Return the reads of several texts as those of one."""
    found = [part for part in parts if part != NOTHING]
    if not found:
        return NOTHING
    return Outside(
        next((part.always for part in found if part.always), ""),
        any(part.day for part in found),
        _all(part.files for part in found),
        _all(part.tables for part in found),
        _all(part.queries for part in found),
        _all(part.environment for part in found),
        next((part.unclear for part in found if part.unclear), ""),
    )


def _all(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for group in groups for item in group))
