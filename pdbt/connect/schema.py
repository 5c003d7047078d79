"""What a target's columns are to be: made for the rows that arrive, or compared with those that are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from .base import Column, Engine, Table, TransferRefused, Writing
from .kinds import UNKNOWN, decimal, element, holds, own, own_kind, wider, with_decimals_of

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
    unfit: Collection[str] = (),
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
        unfit: columns of a replaced target that were found not to hold what arrives.

    Raises:
        TransferRefused: a column does not fit; names it, with both types.
    """
    existing = destination.existing(table)
    if native and existing is not None:
        existing = [as_itself(column, destination.address.driver.name) for column in existing]
    fresh = tuple(_stored(column, destination, column.name in key, native and column.name not in casts) for column in columns)
    if existing is None:
        return Writing(table, fresh, mode, key)
    if mode == "replace":
        if destination.address.driver.generic:  # which finds out itself what fits
            return Writing(table, fresh, mode, key, exists=True)
        return _replaced(Writing(table, fresh, mode, exists=True), existing, unfit)
    return _compared(Writing(table, fresh, mode, key, exists=True), existing, schema, destination)


def _replaced(writing: Writing, existing: Sequence[Column], unfit: Collection[str]) -> Writing:
    """Keep a target whose columns hold what arrives, and those that its database fills by itself; else say what has to be changed."""
    there = {column.name: column for column in existing}
    columns, added, widened = [], [], []
    for column in writing.columns:
        mine = there.get(column.name)
        fitted = None if mine is None or column.name in unfit else _fitted(mine, column)
        if mine is None:
            added.append(column)
        elif fitted is None:
            widened.append(column)
        columns.append(fitted or column)
    arriving = {column.name for column in writing.columns}
    dropped = tuple(column.name for column in existing if column.name not in arriving and not column.filled)
    same = not (added or widened or dropped)
    return replace(writing, columns=tuple(columns), same=same, added=tuple(added), widened=tuple(widened), dropped=dropped)


def _fitted(mine: Column, column: Column) -> Column | None:
    """Return a target's column as it takes what arrives, in the kind that its rows are sent as; None when it does not."""
    if mine.kind == OPEN_DECIMAL and (column.kind.startswith("DECIMAL") or holds("DECIMAL(38,0)", column.kind)):
        return replace(mine, kind=column.kind if column.kind.startswith("DECIMAL") else "DECIMAL(38,0)")
    return mine if holds(mine.kind, column.exact or column.kind) else None


def as_itself(column: Column, product: str) -> Column:
    """Return a column of which nothing is known but its type as one that travels between two databases of a product."""
    return replace(column, kind=own_kind(product, column.native)) if column.kind == UNKNOWN else column


def _stored(column: Column, destination: Engine, is_key: bool, native: bool) -> Column:
    if (itself := own(column.kind)) is not None:
        return Column(column.name, column.kind, itself)
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
    keeps = native and kind == column.kind and not is_key and (_names_a_type(column.native) or bool(column.exact))
    return Column(column.name, kind, column.native if keeps else declared, exact=column.exact)


def _names_a_type(native: str) -> bool:
    """Whether a source's own words for a type can stand in DDL; what a reader says of a query's values cannot."""
    told_apart_by_more = native in ("numeric", "char(36)", "longtext")
    return not (told_apart_by_more or "declared" in native or " with values" in native)


def _compared(writing: Writing, existing: Sequence[Column], schema: str, destination: Engine) -> Writing:
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
        elif (fitted := _fitted(mine, column)) is not None:
            columns.append(fitted)
        elif schema == "evolve" and column.name not in writing.key and (wide := _widened(mine, column, destination)) is not None:
            widened.append(wide)
            columns.append(wide)
        else:
            raise _differs(writing, column, "has", f"{column.name} as {mine.native}; what arrives is {column.native}")
    return Writing(writing.table, tuple(columns), writing.mode, writing.key, exists=True, added=tuple(added), widened=tuple(widened))


def _widened(mine: Column, column: Column, destination: Engine) -> Column | None:
    """Return a target's column in a type that holds what it has and what arrives; None when there is none."""
    arriving = column.exact or column.kind
    kind = wider(mine.kind, arriving)
    if kind is None and column.exact:
        kind = with_decimals_of(mine.kind, arriving)
    if kind == column.kind:
        return column
    if kind is None or decimal(kind) is None:
        return None
    found = destination.stored(kind)
    return Column(column.name, found[1], found[0]) if found is not None else None


def _differs(writing: Writing, column: Column, has: str, what: str) -> TransferRefused:
    return TransferRefused(
        f"{writing.table} {has} {what}.",
        f"Send it as another type with --cast {column.name}=TYPE, or replace the table.",
        column=column.name,
        kind=column.kind,
        in_script=f"Cast {column.name} to that type in the SELECT, or write -- mode: replace.",
    )
