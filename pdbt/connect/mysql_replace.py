"""Replacement of a table of MySQL: a copy of it takes its place, with the columns that arrive, or only its rows are exchanged."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .base import Table, Writing
from .mysql_catalog import SCHEMA
from .mysql_types import besides_type
from .sql import quoted

# A table made LIKE another one has no foreign keys and no triggers.
TIED = f"""
    SELECT (SELECT count(*) FROM information_schema.referential_constraints
            WHERE unique_constraint_schema = {SCHEMA} AND referenced_table_name = %s)
         + (SELECT count(*) FROM information_schema.referential_constraints WHERE constraint_schema = {SCHEMA} AND table_name = %s)
         + (SELECT count(*) FROM information_schema.triggers WHERE event_object_schema = {SCHEMA} AND event_object_table = %s)
"""
CASCADES = f"""
    SELECT table_name FROM information_schema.referential_constraints
    WHERE unique_constraint_schema = {SCHEMA} AND referenced_table_name = %s AND delete_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT')
    AND NOT (constraint_schema = unique_constraint_schema AND table_name = referenced_table_name) ORDER BY 1
"""
_REFERRED = f"""
    SELECT constraint_schema, table_name, constraint_name, referenced_column_name FROM information_schema.key_column_usage
    WHERE referenced_table_schema = {SCHEMA} AND referenced_table_name = %s
    AND NOT (table_schema = referenced_table_schema AND table_name = referenced_table_name) ORDER BY 1, 2, 3, ordinal_position
"""
_UNIQUE = f"""
    SELECT index_name, column_name FROM information_schema.statistics
    WHERE table_schema = {SCHEMA} AND table_name = %s AND non_unique = 0 AND nullable <> 'YES'
    ORDER BY index_name <> 'PRIMARY', 1, seq_in_index
"""
_COUNTER = re.compile(r"^\).*?\bAUTO_INCREMENT=(\d+)", re.MULTILINE)
_COLLATED = re.compile(r"\s+(CHARACTER SET|COLLATE)\s+\w+")


def referred(rows: Callable[..., list[tuple[Any, ...]]], target: Table) -> tuple[str, ...]:
    """Return the columns by which rows of other tables refer to those of a table; none where no table does, or where they are not a key."""
    keys: dict[tuple[str, ...], list[str]] = {}
    for *name, column in rows(_REFERRED, target.schema, target.name):
        keys.setdefault(tuple(name), []).append(column)
    indexes: dict[str, list[str]] = {}
    for index, column in rows(_UNIQUE, target.schema, target.name):
        indexes.setdefault(index, []).append(column)
    found = (columns for columns in indexes.values() if any(set(columns) == set(key) for key in keys.values()))
    return tuple(next(found, ()))


def reshaping(table: str, writing: Writing, created: str) -> list[str]:
    """Return the DDL that gives an empty copy of a target, whose name is quoted, the columns that arrive, and the target's counter.

    Args:
        table: the copy.
        writing: what is written.
        created: what SHOW CREATE TABLE says of the target.
    """
    changes = [f"ADD COLUMN {quoted(column.name)} {column.native} NULL" for column in writing.added]
    for column in writing.widened:
        besides = _COLLATED.sub("", besides_type(created, column.name))  # a type of text says itself how it compares
        changes.append(f"MODIFY COLUMN {quoted(column.name)} {column.native}{besides}")
    changes += [f"DROP COLUMN {quoted(name)}" for name in writing.dropped]
    if (counter := _COUNTER.search(created)) is not None:  # the highest number that it ever had is not given again
        changes.append(f"AUTO_INCREMENT = {counter[1]}")
    return [f"ALTER TABLE {table} {', '.join(changes)}"] if changes else []
