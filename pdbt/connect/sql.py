"""SQL that several kinds of database are sent: names, what stands behind FROM, DDL, and the merging of rows by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from .base import Column, Reading, Table, TransferRefused, Writing

# For a target whose rows other tables refer to: what arrives under the same key stays the same row.
DELETE_OTHERS = "DELETE FROM {target} AS t WHERE NOT EXISTS (SELECT 1 FROM {staging} AS s WHERE {on})"
UPDATE = "UPDATE {target} AS t SET {set} FROM {staging} AS s WHERE {on}"


def quoted(name: str, mark: str = '"') -> str:
    """Return an identifier as SQL writes it."""
    return mark + name.replace(mark, mark * 2) + mark


def listed(names: Iterable[str]) -> str:
    """Return identifiers with commas between them."""
    return ", ".join(map(quoted, names))


def table_name(table: Table, mark: str = '"') -> str:
    """Return a table's name, with its schema where it says one."""
    return ".".join(quoted(part, mark) for part in (table.schema, table.name) if part)


def relation(reading: Reading, mark: str = '"') -> str:
    """Return what stands behind FROM; a comment at the end of what a person wrote ends with its line."""
    found = table_name(reading.table, mark) if reading.table is not None else f"(\n{reading.select}\n) AS q"
    return f"(SELECT * FROM {found} WHERE {reading.where}\n) AS q" if reading.where else found


def create_table(head: str, columns: Sequence[Column], key: Sequence[str] = ()) -> str:
    """Return the DDL of a table; `head` is what stands before its columns."""
    lines = [f"{quoted(column.name)} {column.native}" for column in columns]
    if key:
        lines.append(f"PRIMARY KEY ({listed(key)})")
    return f"{head} (\n  " + ",\n  ".join(lines) + "\n)"


def alter_statements(
    target: str, writing: Writing, add: str = "ADD COLUMN {name} {native}", widen: str = "ALTER COLUMN {name} TYPE {native}"
) -> list[str]:
    """Return the DDL that adds and widens columns of a target, whose name is quoted; each change as its database writes it."""
    changes = [(add, column) for column in writing.added] + [(widen, column) for column in writing.widened]
    return [f"ALTER TABLE {target} {change.format(name=quoted(column.name), native=column.native)}" for change, column in changes]


def merge_statements(
    target: str,
    staging: str,
    columns: Sequence[Column],
    key: Sequence[str],
    update: str = UPDATE,
    changes: str = "",
    overriding: str = "",
    forget: str = "",
    on: str = "",
) -> list[str]:
    """Return the UPDATE, where there is something to update, and the INSERT that bring staged rows into a target by key.

    Args:
        target: the target's name, quoted.
        staging: the staged rows' table, quoted.
        columns: the columns that arrive.
        key: the columns that identify a row.
        update: the shape of the UPDATE, with {target}, {staging}, {set} and {on}.
        changes: what the UPDATE writes before a column that it changes, where its name alone could be that of either table.
        overriding: what an INSERT says to give values to columns that the database would fill by itself.
        forget: the shape of a DELETE of the staged rows that the target has, with {target}, {staging} and {on}; for a database that
            looks through the whole target for each row that it is to leave out of an INSERT.
        on: when a row of the target, t, and a staged one, s, have the same key; by default when all its columns are equal.
    """
    names = [column.name for column in columns]
    on = on or same_key(key)
    changed = ", ".join(f"{changes}{quoted(name)} = s.{quoted(name)}" for name in names if name not in key)
    given = ", ".join(f"s.{quoted(name)}" for name in names)
    statements = [update.format(target=target, staging=staging, set=changed, on=on)] if changed else []
    insert = f"INSERT INTO {target} ({listed(names)}) {overriding}SELECT {given} FROM {staging} AS s"
    if forget:
        return [*statements, forget.format(target=target, staging=staging, on=on), insert]
    # A join, because SQLite makes itself an index for it, and none for each turn of NOT EXISTS.
    return [*statements, f"{insert} LEFT JOIN {target} AS t ON {on} WHERE t.{quoted(key[0])} IS NULL"]


def same_key(key: Sequence[str], as_bytes: Mapping[str, str] | None = None, *, indexed: bool = True) -> str:
    """Return the condition that a row of t and one of s have the same key.

    Args:
        key: its columns.
        as_bytes: the shape, with {}, of the expression by whose value a column compares by its bytes, for columns whose collation may
            take two texts for one.
        indexed: whether these compare by their collation first, by which an index finds them.
    """
    conditions = []
    for column in key:
        one, other, shape = f"t.{quoted(column)}", f"s.{quoted(column)}", (as_bytes or {}).get(column)
        if shape is None or indexed:
            conditions.append(f"{one} = {other}")
        if shape is not None:
            conditions.append(f"{shape.format(one)} = {shape.format(other)}")
    return " AND ".join(conditions)


def keyed(writing: Writing, referred: Sequence[str]) -> Writing | None:
    """Return how rows are replaced one by one, by the key that other tables refer to; None where that need not or cannot be."""
    arriving = {column.name for column in writing.columns}
    return replace(writing, key=tuple(referred)) if referred and writing.same and arriving.issuperset(referred) else None


def texts_of(writing: Writing, shape: str) -> dict[str, str]:
    """Return the shape of an expression for each text column of the key."""
    return {column.name: shape for column in writing.columns if column.name in writing.key and column.kind in ("VARCHAR", "JSON")}


def nulls_of(key: Sequence[str]) -> str:
    """Return the condition that a row has no value in a column of the key."""
    return " OR ".join(f"{quoted(name)} IS NULL" for name in key)


def bad_keys_select(staging: str, key: Sequence[str], as_bytes: Mapping[str, str] | None = None) -> str:
    """Return the SELECT that counts the staged rows without a key, and those whose key another row has too."""
    keys = ", ".join(f"{(as_bytes or {}).get(name, '{}').format(quoted(name))} AS k{place}" for place, name in enumerate(key))
    rows = f"(SELECT count(*) FROM {staging})"
    nulls = f"(SELECT count(*) FROM {staging} WHERE {nulls_of(key)})"
    return f"SELECT {nulls} AS nulls, {rows} - (SELECT count(*) FROM (SELECT DISTINCT {keys} FROM {staging}) AS q) AS twice"


def refuse_bad_keys(writing: Writing, nulls: int, twice: int) -> None:
    """Refuse rows that an upsert could not tell apart."""
    keys = ", ".join(writing.key)
    if nulls:
        raise TransferRefused(
            f"{nulls:,} of the rows have no value in the key {keys}.",
            "Leave them out with --where, or take another key.",
            in_script="Leave them out with WHERE in the SELECT, or take another key.",
        )
    if twice:
        raise TransferRefused(
            f"{twice:,} of the rows have a key {keys} that another row has too.", "Take a key that is unique in the source."
        )
