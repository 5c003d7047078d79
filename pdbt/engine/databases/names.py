"""Names and texts as SQL writes them."""

from __future__ import annotations


def quoted(name: str) -> str:
    """Return an identifier in double quotes, as all three databases read it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: object) -> str:
    """Return a value as a SQL text literal."""
    return "'" + str(value).replace("'", "''") + "'"
