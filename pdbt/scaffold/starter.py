"""Starters: SQL to begin with for a source table, written from what it holds; it runs as it is in all three databases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..engine.reading.model import Column
from .identifiers import MAX_BYTES, stored_names, written
from .profile import TableProfile, clean_select
from .summary import choose_group, choose_measures

_WIDEST_COMMENT = 100


@dataclass(frozen=True)
class Starter:
    """The files to begin with for one source table.

    Attributes:
        files: path in the project and text of each.
        tables: the names of the tables that they make.
    """

    files: tuple[tuple[str, str], ...]
    tables: tuple[str, ...]


def write_starters(tables: Sequence[TableProfile], taken: Iterable[str], *, in_postgresql: bool = False) -> list[Starter]:
    """Write the starters of several source tables.

    A source ORDERS gets ORDERS_CLEAN, as two tables cannot both be ORDERS, and of that ORDERS_SUMMARY.

    Args:
        tables: the sources.
        taken: names of other sources, which no starter may make.
        in_postgresql: whether the project's tables are in PostgreSQL, where long names of columns are cut: then as they are stored.
    """
    names = {name.casefold() for name in taken} | {table.table.casefold() for table in tables}
    return [_write_starter(table, names, in_postgresql) for table in tables]


def _write_starter(table: TableProfile, taken: set[str], in_postgresql: bool) -> Starter:
    clean = _free_name(table.table, "_CLEAN", taken)
    summary = _free_name(table.table, "_SUMMARY", taken)
    files = [
        (f"scripts/processed/{clean}.sql", _clean_sql(table, clean, in_postgresql)),
        (f"scripts/final/{summary}.sql", _summary_sql(table, clean, summary)),
    ]
    if table.rows:
        files.append((f"scripts/checks/{table.table}_HAS_ROWS.sql", _rows_check(clean)))
    if table.key:
        files.append((f"scripts/checks/{table.table}_KEY.sql", _key_check(table, clean)))
    return Starter(tuple(files), (clean, summary))


def _free_name(table: str, suffix: str, taken: set[str]) -> str:
    """Return a name for a table made of another one, short enough for PostgreSQL, that no other table has; and take it."""
    base, number = _shortened(table, MAX_BYTES - len(suffix) - 3), 1
    name = f"{base}{suffix}"
    while name.casefold() in taken:
        number += 1
        name = f"{base}{suffix}_{number}"
    taken.add(name.casefold())
    return name


def _shortened(name: str, most_bytes: int) -> str:
    return name.encode()[:most_bytes].decode(errors="ignore")


def _clean_sql(table: TableProfile, clean: str, in_postgresql: bool) -> str:
    sources = [column.source for column in table.columns]
    names = stored_names(sources) if in_postgresql else sources
    columns = [Column(name, column.type) for name, column in zip(names, table.columns, strict=True)]
    items = list(clean_select(columns, [column.name for column in table.columns]))
    lines = [f"    {item}{',' if position < len(items) else ' '}" for position, item in enumerate(items, 1)]
    width = min(max(len(line) for line in lines), _WIDEST_COMMENT)
    return "\n".join(
        [
            f"-- {clean}: the rows of {_comment(table.table)} ({_comment(table.label)}) with clean names of columns and trimmed text;",
            "-- a text of spaces alone is NULL. The types behind the columns are those that the file was found to hold.",
            "-- This is written once, to begin with, and yours to change.",
            "SELECT",
            *(f"{line:<{width}}  -- {_comment(column.type)}" for line, column in zip(lines, table.columns, strict=True)),
            f"FROM {written(table.table)}",
            "",
        ]
    )


def _summary_sql(table: TableProfile, clean: str, summary: str) -> str:
    group = choose_group(table)
    taken = {group.name} if group else set()
    rows = "row_count" if "row_count" not in taken else "number_of_rows"
    taken.add(rows)
    selected = [f"{group.expression} AS {group.name}" if group.expression != group.name else group.name] if group else []
    measures = list(choose_measures(table, taken))
    selected += [f"count(*) AS {rows}", *(f"{measure.expression} AS {measure.name}" for measure in measures)]
    figures = "; sums of what adds up, averages of other numbers" if measures else ""
    what = f"how many rows of {clean} each {group.name} has" if group else f"all rows of {clean} in one line"
    return "\n".join(
        [
            f"-- {summary}: {what}{figures}.",
            "-- This is written once, to begin with, and yours to change: another column to group by, other figures.",
            "SELECT",
            ",\n".join(f"    {item}" for item in selected),
            f"FROM {written(clean)}",
            *([f"GROUP BY {group.expression}", f"ORDER BY {rows} DESC, {group.name}"] if group else []),
            "",
        ]
    )


def _rows_check(clean: str) -> str:
    return "\n".join(
        [
            f"-- {clean} has rows; without any, the file was cut short or its filter is wrong.",
            f"SELECT 'no rows' AS wrong WHERE NOT EXISTS (SELECT 1 FROM {written(clean)})",  # noqa: S608 - every name in it is our own or quoted
            "",
        ]
    )


def _key_check(table: TableProfile, clean: str) -> str:
    names = ", ".join(table.key)
    empty = " OR ".join(f"{name} IS NULL" for name in table.key)
    what = "is filled and different" if len(table.key) == 1 else "are filled, and together different,"
    return "\n".join(
        [
            f"-- {names} {what} in every row of {clean}, as it was in the first file.",
            f"SELECT {names}, count(*) AS row_count",
            f"FROM {written(clean)}",
            f"GROUP BY {names}",
            f"HAVING count(*) > 1 OR {empty}",
            "",
        ]
    )


def _comment(text: str) -> str:
    """Return the text on one line, as a comment ends with its line."""
    return " ".join(text.split())
