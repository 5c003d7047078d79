"""What a target's columns are to be: made for the rows that arrive, or compared with those that are there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .base import Column, Engine, Table, TransferRefused, Writing
from .kinds import UNKNOWN, element, holds, wider

OPEN_DECIMAL = "NUMERIC"  # a column that takes a decimal of any size


def decide(
    table: Table,
    columns: Sequence[Column],
    destination: Engine,
    mode: str,
    key: tuple[str, ...],
    schema: str,
    native: bool,
    casts: Mapping[str, str],
) -> Writing:
    """Return what is written: the columns as they are stored, and what has to be changed about a target that is there.

    Args:
        table: the target.
        columns: the columns that arrive, with their kinds.
        destination: the target's database.
        mode: ``replace``, ``append`` or ``upsert``.
        key: the columns that identify a row.
        schema: ``evolve`` or ``freeze``.
        native: whether both sides are the same product, so that a type may keep its own name.
        casts: the columns whose type the person chose.

    Raises:
        TransferRefused: a column does not fit; names it, with both types.
    """
    existing = destination.existing(table)
    fresh = tuple(_stored(column, destination, column.name in key, native and column.name not in casts) for column in columns)
    if existing is None:
        return Writing(table, fresh, mode, key)
    if mode == "replace":
        same = [_identity(column) for column in existing] == [_identity(column) for column in fresh]
        return Writing(table, fresh, mode, () if same else key, exists=True, same=same)
    return _compared(Writing(table, fresh, mode, key, exists=True), existing, schema)


def _identity(column: Column) -> tuple[str, str]:
    """Return what makes two columns the same: the name and the type, without what a server adds to it when it is asked."""
    if column.kind in ("JSON", "UUID"):
        return column.name, column.kind
    plain = column.native.lower().partition(" character set")[0]
    return column.name, re.sub(r"^(tinyint(?!\(1\))|smallint|mediumint|int|bigint)\(\d+\)", r"\1", plain)


def _stored(column: Column, destination: Engine, is_key: bool, native: bool) -> Column:
    found = destination.stored(column.kind, key=is_key) if column.kind != UNKNOWN else None
    if found is None:
        other = "JSON" if element(column.kind) is not None and column.kind else "VARCHAR"
        raise TransferRefused(
            f"Column {column.name} is of type {column.native}, which {destination.address.driver.name} cannot hold unchanged.",
            f"To send it as something else: --cast {column.name}={other}",
            column=column.name,
            kind=column.kind,
            in_script=f"Cast {column.name} to another type in the SELECT.",
        )
    declared, kind = found
    keeps = native and kind == column.kind and not is_key and _names_a_type(column.native)
    return Column(column.name, kind, column.native if keeps else declared)


def _names_a_type(native: str) -> bool:
    """Whether a source's own words for a type can stand in DDL; what a reader says of a query's values cannot."""
    told_apart_by_more = native in ("numeric", "char(36)", "longtext")
    return not (told_apart_by_more or "declared" in native or " with values" in native or native.lower().startswith(("enum", "set", "bit")))


def _compared(writing: Writing, existing: Sequence[Column], schema: str) -> Writing:
    """Fit what arrives to the columns that are there; add and widen columns where the rule allows it."""
    there = {column.name: column for column in existing}
    columns: list[Column] = []
    added: list[Column] = []
    widened: list[Column] = []
    for column in writing.columns:
        mine = there.get(column.name)
        if mine is None:
            if schema == "freeze":
                raise _differs(writing, column, "does not have", f"a column {column.name} of type {column.native}")
            added.append(column)
            columns.append(column)
        elif mine.kind == OPEN_DECIMAL and (column.kind.startswith("DECIMAL") or holds("DECIMAL(38,0)", column.kind)):
            columns.append(Column(column.name, column.kind if column.kind.startswith("DECIMAL") else "DECIMAL(38,0)", mine.native))
        elif holds(mine.kind, column.kind):
            columns.append(Column(column.name, mine.kind, mine.native))
        elif schema == "evolve" and column.name not in writing.key and wider(mine.kind, column.kind) == column.kind:
            widened.append(column)
            columns.append(column)
        else:
            raise _differs(writing, column, "has", f"{column.name} as {mine.native}; what arrives is {column.native}")
    return Writing(writing.table, tuple(columns), writing.mode, writing.key, exists=True, added=tuple(added), widened=tuple(widened))


def _differs(writing: Writing, column: Column, has: str, what: str) -> TransferRefused:
    return TransferRefused(
        f"{writing.table} {has} {what}.",
        f"Send it as another type with --cast {column.name}=TYPE, or replace the table.",
        column=column.name,
        kind=column.kind,
        in_script=f"Cast {column.name} to that type in the SELECT, or write -- mode: replace.",
    )
