"""Names in SQL that PostgreSQL cuts: one that could mean several columns stops the run, instead of the first of them being read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from ..errors import BuildError
from ..lexer import POSTGRESQL, Token, tokens
from ..sql import table_names
from .postgres_names import NAME_BYTES, folded, numbered

MOST_ALIKE = 99  # columns whose names share so many bytes, each with a number of its own
_MAY_BE_LONG = re.compile(r"\w{16}|\"[^\"]{16}")  # so many characters may have more bytes than a name keeps
_BEFORE_OTHER_NAMES = ("AS", "FROM", "JOIN", "ONLY")  # of what is made, and of tables
_WITH_NAMES = """
    SELECT relname::text, array_agg(attname::text ORDER BY attnum) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE relname = ANY(%s) AND pg_table_is_visible(c.oid) AND attnum > 0 AND NOT attisdropped AND attname = ANY(%s)
    GROUP BY c.oid, relname ORDER BY 1
"""

Rows = Callable[[str, Sequence[object]], Iterable[Sequence[object]]]


def refuse_ambiguous(sql: str, rows: Rows) -> None:
    """Refuse SQL with a name that PostgreSQL would cut, where a table that it reads has several columns that are called so then.

    Args:
        sql: a SELECT.
        rows: runs a SELECT with parameters.

    Raises:
        BuildError: there is such a name; says in which line, and the names that the columns have.
    """
    if not _MAY_BE_LONG.search(sql):
        return
    read = {name for _, name in table_names(sql)}
    tables = sorted(map(folded, read))
    for name, kept, line in _long_names(sql, read):
        alike = [kept, *(numbered(kept, number) for number in range(2, MOST_ALIKE + 1))]
        for table, columns in rows(_WITH_NAMES, (tables, alike)):
            found = list(columns) if isinstance(columns, list) else []
            if len(found) > 1:
                raise BuildError(
                    f'PostgreSQL cuts the name "{name}" to "{kept}", and {len(found)} columns of {table} may be meant (line {line}).',
                    f"Write the name that the column has there: {', '.join(found)}.",
                )


def _long_names(sql: str, read: Collection[str]) -> Iterator[tuple[str, str, int]]:
    """Yield the names of columns that PostgreSQL would cut: each as it is written, as it is cut, and its line.

    Args:
        sql: a SELECT.
        read: the tables that it reads, of which none is a column where one may stand.
    """
    meant: list[tuple[Token, int]] = []
    line = 1
    for token in tokens(sql, POSTGRESQL):
        if token.meant:
            meant.append((token, line))
        line += token.text.count("\n")
    texts = ["", *(token.text.upper() for token, _ in meant), ""]
    for place, (token, line) in enumerate(meant):
        name, before, after = token.name, texts[place], texts[place + 2]
        if token.kind not in ("quoted", "word") or len(name.encode()) <= NAME_BYTES or before in _BEFORE_OTHER_NAMES:
            continue
        if name in read and (before == "," or after == "."):
            continue
        kept = name if token.kind == "quoted" else name.lower()
        yield name, kept.encode()[:NAME_BYTES].decode(errors="ignore"), line
