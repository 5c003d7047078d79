"""Replacement of a table of SQLite: it stays, or is made anew as it was declared, with the new columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.lexer import SQLITE, tokens
from .base import Table, TransferRefused, Writing
from .ddl import changed, mentions
from .sql import quoted

Rows = Callable[[str], Sequence[tuple[Any, ...]]]
NamedRows = Callable[[str], list[dict[str, Any]]]


@dataclass(frozen=True)
class Anew:
    """Statements that make a table anew: those before its rows come, and those afterwards."""

    statements: list[str]
    afterwards: list[str]


def reshaped(rows: Rows, writing: Writing) -> Anew:
    """Return how a table is made anew with the columns that arrive, its indexes and the number that it counts from."""
    name = writing.table.name.replace("'", "''")
    made = rows(f"SELECT type, sql FROM sqlite_master WHERE tbl_name = '{name}' COLLATE NOCASE AND sql IS NOT NULL")
    created = next(str(sql) for kind, sql in made if kind == "table")
    retyped = {column.name: column.native for column in writing.widened}
    create = changed(created, SQLITE, retyped, writing.added, writing.dropped)
    indexes = [str(sql) for kind, sql in made if kind == "index"]
    kept = [index for index in indexes if not mentions(list(tokens(index, SQLITE)), writing.dropped)]
    afterwards = []
    if rows("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"):
        for (last,) in rows(f"SELECT seq FROM sqlite_sequence WHERE name = '{name}' COLLATE NOCASE"):
            # The highest number that it ever had is not given again.
            afterwards = [
                f"UPDATE sqlite_sequence SET seq = max(seq, {int(last)}) WHERE name = '{name}' COLLATE NOCASE",
                f"INSERT INTO sqlite_sequence (name, seq) SELECT '{name}', {int(last)}"
                f" WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = '{name}' COLLATE NOCASE)",
            ]
    return Anew([f"DROP TABLE {quoted(writing.table.name)}", create, *kept], afterwards)


def orphans_of(rows: NamedRows, table: Table) -> dict[str, int]:
    """Return how many rows of each other table refer to rows of a table that are not there."""
    found: dict[str, int] = {}
    for child in _children(rows, table):
        text, parent = (name.replace("'", "''") for name in (child, table.name))
        select = f"SELECT count(*) AS n FROM pragma_foreign_key_check('{text}') WHERE parent = '{parent}' COLLATE NOCASE"
        found[child] = int(rows(select)[0]["n"])
    return found


def refuse_orphans(rows: NamedRows, table: Table, before: dict[str, int]) -> None:
    """Refuse rows without those that other tables refer to: SQLite itself looks only where a connection asks for it."""
    for child, count in orphans_of(rows, table).items() if before else ():
        if count > before.get(child, 0):
            raise TransferRefused(
                f"Replacing {table} would leave {count:,} rows of {child} that refer to rows which are not there.",
                "Bring the rows that they refer to, or use --mode upsert with --key.",
            )


def _children(rows: NamedRows, table: Table) -> list[str]:
    """Return the tables that refer to a table."""
    name = table.name.replace("'", "''")
    select = (
        "SELECT DISTINCT m.name AS name FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f"
        f" WHERE m.type = 'table' AND f.\"table\" = '{name}' COLLATE NOCASE"
    )
    return [str(row["name"]) for row in rows(select)]
