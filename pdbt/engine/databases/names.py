"""Names, texts and casts as SQL writes them."""

from __future__ import annotations


def quoted(name: str) -> str:
    """Return an identifier in double quotes, as all three databases read it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: object) -> str:
    """Return a value as a SQL text literal."""
    return "'" + str(value).replace("'", "''") + "'"


def cast(column: str, kind: str) -> str:
    """Return the DuckDB expression that casts a quoted column.

    DuckDB 2.0 takes a bare cast of a column of a CSV file for the type to read it as, and then never reads it as what it was
    said to be: the DATE of 2024-1-5, cast to VARCHAR, is '2024-1-5'. A cast of any expression stays a cast.
    """
    return f"CAST(ifnull({column}, NULL) AS {kind})"
