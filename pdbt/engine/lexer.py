"""SQL text as tokens, as a database's own lexer cuts it: comments, texts, quoted names, words. Dialects differ in all of these."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAME = r"[^\W\d][\w$]*"
# A text that goes on behind a line's end is one text, whose letter (E) holds for all of its parts.
_CONTINUED = r"[^\S\n]*(?:--[^\n]*)?\n(?:\s|--[^\n]*\n)*"
_BLOCK_MARK = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Dialect:
    """The lexical rules of a kind of database.

    Attributes:
        name: what error texts and drivers call it.
        backslashes: whether a backslash escapes the next character of any text.
        escape_strings: whether it does in ``E'…'``.
        double_quotes_texts: whether ``"…"`` is a text and not a name.
        dollars: whether ``$tag$…$tag$`` is a text.
        brackets: whether ``[…]`` is a name.
        hashes: whether ``#`` begins a comment, ``/*! … */`` is executed, and ``--`` needs a blank behind it.
        nested: whether block comments may hold block comments.
        blocks: which statements hold statements: those of ``sqlite``, ``postgresql`` or ``procedures``; none where it is empty.
    """

    name: str
    backslashes: bool = False
    escape_strings: bool = False
    double_quotes_texts: bool = False
    dollars: bool = False
    brackets: bool = False
    hashes: bool = False
    nested: bool = False
    blocks: str = ""


DUCKDB = Dialect("duckdb", escape_strings=True, dollars=True, nested=True)
SQLITE = Dialect("sqlite", brackets=True, blocks="sqlite")
POSTGRESQL = Dialect("postgresql", escape_strings=True, dollars=True, nested=True, blocks="postgresql")
MYSQL = Dialect("mysql", backslashes=True, double_quotes_texts=True, hashes=True, blocks="procedures")
# What the databases of a project agree on: a SELECT is read by it before it is known which of them runs it.
COMMON = Dialect("sql", escape_strings=True, dollars=True, nested=True)
_OTHERS = {
    "mssql": Dialect("mssql", brackets=True, nested=True, blocks="procedures"),
    **dict.fromkeys(("postgres", "redshift", "cockroachdb"), POSTGRESQL),
    **dict.fromkeys(("mariadb", "tidb", "starrocks", "doris", "singlestoredb"), MYSQL),
    **{
        name: Dialect(name, backslashes=True, dollars=name == "snowflake", blocks="procedures")
        for name in ("bigquery", "clickhouse", "databricks", "hive", "snowflake", "spark")
    },
}


def dialect_of(scheme: str) -> Dialect:
    """Return the rules of the database that a URL's scheme names; standard SQL for one that is not known."""
    name = scheme.partition("+")[0].lower()
    known = {found.name: found for found in (DUCKDB, SQLITE, POSTGRESQL, MYSQL)}
    return known.get(name) or _OTHERS.get(name) or Dialect(name, nested=True, blocks="procedures")


@dataclass(frozen=True)
class Token:
    """A piece of SQL: its kind (a group name of the pattern below) and its text as written."""

    kind: str
    text: str

    @property
    def name(self) -> str:
        """The identifier that a word, a quoted name, or a text in place of a name stands for."""
        if self.kind not in ("quoted", "string"):
            return self.text
        quote = self.text[0]
        return self.text[1:-1].replace(quote * 2, quote)

    @property
    def meant(self) -> bool:
        """Return True if a database does something with it."""
        return self.kind not in ("space", "comment")


def tokens(sql: str, dialect: Dialect = COMMON, start: int = 0) -> Iterator[Token]:
    """Cut SQL into tokens that join to the same text again."""
    pattern, position = _pattern(dialect), start
    while match := pattern.match(sql, position):
        position = _comment_end(sql, match.start(), dialect) if match[0] == "/*" else match.end()
        yield Token(match.lastgroup or "symbol", sql[match.start() : position])


@functools.cache
def _pattern(dialect: Dialect) -> re.Pattern[str]:
    single = _quoted("'", backslashes=dialect.backslashes)
    double = _quoted('"', backslashes=dialect.backslashes and dialect.double_quotes_texts)
    texts = [single, *([double] if dialect.double_quotes_texts else [])]
    if dialect.escape_strings:
        escaped = _quoted("'", backslashes=True)
        texts.insert(0, f"[eE]{escaped}(?:{_CONTINUED}{escaped})*")
    names = ["`(?:``|[^`])*`", *([] if dialect.double_quotes_texts else [double]), *([r"\[[^\]]*\]"] if dialect.brackets else [])]
    comments = [r"--(?=\s|$)[^\n]*", r"\#[^\n]*", r"/\*(?!M?!)"] if dialect.hashes else [r"--[^\n]*", r"/\*"]
    dollar = r"\$(?P<tag>[^\W\d]\w*)?\$.*?\$(?P=tag)\$|\$\$.*?\$\$" if dialect.dollars else "(?!)"
    parts = {
        "space": r"\s+",
        "comment": "|".join(comments),
        "executed": r"/\*M?!\d*|\*/" if dialect.hashes else "(?!)",
        "string": "|".join(texts),
        "dollar": dollar,
        "parameter": r"\$[A-Za-z_]\w*",
        "quoted": "|".join(names),
        "word": _NAME,
        "number": r"\d[\w.]*",
        "symbol": ":=|." if dialect.blocks == "procedures" else ".",
    }
    return re.compile("|".join(f"(?P<{kind}>{part})" for kind, part in parts.items()), re.DOTALL)


def _quoted(mark: str, *, backslashes: bool) -> str:
    return rf"{mark}(?:\\.|{mark}{mark}|[^{mark}\\])*{mark}" if backslashes else f"{mark}(?:{mark}{mark}|[^{mark}])*{mark}"


def _comment_end(sql: str, start: int, dialect: Dialect) -> int:
    """Return where the block comment that starts here ends.

    DuckDB and PostgreSQL count comments inside comments, the others end at the first ``*/``. What is balanced is read as the former
    do; what is not would be an error to them, and is read as the others do.
    """
    if not dialect.nested:
        end = sql.find("*/", start + 2)
        return len(sql) if end < 0 else end + 2
    depth, first = 0, len(sql)
    for mark in _BLOCK_MARK.finditer(sql, start):
        depth += 1 if mark[0] == "/*" else -1
        if mark[0] == "*/":
            first = min(first, mark.end())
        if depth == 0:
            return mark.end()
    return first
