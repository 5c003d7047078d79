"""The text of a CREATE TABLE, as SQLite and DuckDB keep it, with other types or columns and everything else as it was declared."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..engine.lexer import Dialect, Token, tokens
from .base import Column
from .sql import quoted

_CONSTRAINTS = frozenset("CONSTRAINT PRIMARY UNIQUE CHECK FOREIGN".split())
_AFTER_TYPE = frozenset("CONSTRAINT PRIMARY NOT NULL UNIQUE CHECK DEFAULT COLLATE REFERENCES GENERATED AS USING".split())


def items(created: str, dialect: Dialect) -> tuple[str, list[list[Token]], str]:
    """Return what stands before the columns, the columns and constraints, and what stands behind them."""
    head, tail, depth, is_behind = "", "", 0, False
    found: list[list[Token]] = [[]]
    for token in tokens(created, dialect):
        depth += (token.text == "(") - (token.text == ")")
        if is_behind or depth == 0:
            if token.text == ")" and not is_behind:
                is_behind = True
            if is_behind:
                tail += token.text
            else:
                head += token.text
        elif depth == 1 and token.text == "(":
            head += token.text
        elif depth == 1 and token.text == ",":
            found.append([])
        else:
            found[-1].append(token)
    return head, found, tail


def column_name(item: Sequence[Token]) -> str | None:
    """Return the name of the column that an item declares; None when it is a constraint of the table."""
    first = next((token for token in item if token.meant), None)
    if first is None or (first.kind == "word" and first.text.upper() in _CONSTRAINTS):
        return None
    return first.name


def changed(created: str, dialect: Dialect, retyped: Mapping[str, str], added: Sequence[Column] = (), dropped: Collection[str] = ()) -> str:
    """Return the CREATE TABLE with other types, further columns, and without some, whose constraints of the table go with them."""
    head, found, tail = items(created, dialect)
    kept = []
    for item in found:
        name = column_name(item)
        if name in dropped or (name is None and mentions(item, dropped)):
            continue
        kept.append(_retyped(item, retyped[name]) if name is not None and name in retyped else "".join(token.text for token in item))
    columns = len([item for item in found if column_name(item) is not None and column_name(item) not in dropped])
    new = [f" {quoted(column.name)} {column.native}" for column in added]  # columns stand before constraints
    return head + ",".join([*kept[:columns], *new, *kept[columns:]]) + tail


def mentions(item: Sequence[Token], names: Collection[str]) -> bool:
    """Return True if one of the names stands in a piece of SQL, whatever its case."""
    folded = {name.casefold() for name in names}
    return any(token.kind in ("word", "quoted") and token.name.casefold() in folded for token in item)


def generated(created: str, dialect: Dialect) -> set[str]:
    """Return the names of the columns that the database computes."""
    found = set()
    for item in items(created, dialect)[1]:
        name = column_name(item)
        if name is not None and any(token.kind == "word" and token.text.upper() == "GENERATED" for token in item):
            found.add(name)
    return found


def _retyped(item: Sequence[Token], native: str) -> str:
    """Return the declaration of a column with another type."""
    start = next(place for place, token in enumerate(item) if token.meant) + 1
    end, depth = start, 0
    for end, token in enumerate(item[start:], start):  # noqa: B007 - where it stops is what is looked for
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.kind == "word" and token.text.upper() in _AFTER_TYPE:
            break
    else:
        end = len(item)
    return f"{''.join(token.text for token in item[:start])} {native} {''.join(token.text for token in item[end:])}"
