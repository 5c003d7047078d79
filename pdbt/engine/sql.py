"""SQL text as tokens: what every dialect agrees on (comments, quotes, words), so that parameters are never set inside a text."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .errors import GraphError, SettingsError
from .settings import Parameter

SELECT_WORDS = frozenset({"SELECT", "WITH", "FROM", "VALUES", "PIVOT", "UNPIVOT", "TABLE", "SUMMARIZE", "DESCRIBE"})

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<string>[eE]'(?:\\.|''|[^'\\])*'|'(?:''|[^'])*')
  | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?P=tag)\$|\$\$.*?\$\$)
  | (?P<parameter>\$[A-Za-z_]\w*)
  | (?P<quoted>"(?:""|[^"])*"|`(?:``|[^`])*`)
  | (?P<word>[^\W\d]\w*)
  | (?P<number>\d[\w.]*)
  | (?P<symbol>.)
    """,
    re.VERBOSE | re.DOTALL,
)

# Words that end the list of tables after FROM or JOIN.
_CLAUSES = frozenset(
    "WHERE GROUP HAVING ORDER LIMIT OFFSET UNION INTERSECT EXCEPT WINDOW QUALIFY SELECT ON USING SET RETURNING FETCH SAMPLE".split()
)
_BEFORE_TABLE = frozenset({"FROM", "JOIN", "PIVOT", "UNPIVOT", "SUMMARIZE", "DESCRIBE"})
# FROM inside the call of one of these is part of the function's own syntax.
_FUNCTIONS_WITH_FROM = frozenset({"EXTRACT", "SUBSTRING", "TRIM", "OVERLAY", "POSITION"})


@dataclass(frozen=True)
class Token:
    """A piece of SQL: its kind (a group name of the pattern above) and its text as written."""

    kind: str
    text: str

    @property
    def name(self) -> str:
        """The identifier that a word or a quoted name stands for."""
        if self.kind != "quoted":
            return self.text
        quote = self.text[0]
        return self.text[1:-1].replace(quote * 2, quote)


def tokens(sql: str) -> Iterator[Token]:
    """Cut SQL into tokens that join to the same text again."""
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup or "symbol"
        yield Token("dollar" if kind == "tag" else kind, match[0])


def single_select(sql: str, label: str) -> str:
    """Return the one SELECT of a file, without a closing semicolon.

    Args:
        sql: the file's text.
        label: the file as a person would name it.

    Raises:
        GraphError: the file is empty, holds several statements, or does something else than select.
    """
    parts: list[list[Token]] = [[]]
    for token in tokens(sql):
        if token.kind == "symbol" and token.text == ";":
            parts.append([])
        else:
            parts[-1].append(token)
    statements = [part for part in parts if any(token.kind not in ("space", "comment") for token in part)]
    if not statements:
        raise GraphError(f"{label} holds no SQL.", "Write one SELECT in it, or delete the file.")
    if len(statements) > 1:
        raise GraphError(f"{label} holds {len(statements)} statements; a file is one SELECT.", "Split it into one file a table.")
    first = next(token for token in statements[0] if token.kind not in ("space", "comment") and token.text != "(")
    if first.text.upper() not in SELECT_WORDS:
        raise GraphError(
            f"{label} begins with {first.text[:40]!r}; a file is one SELECT.", "The table is made for you: write only its SELECT."
        )
    return "".join(token.text for token in statements[0]).strip()


def parameter_names(sql: str) -> tuple[str, ...]:
    """Return the names of the ``$name`` parameters, in order of first appearance."""
    return tuple(dict.fromkeys(token.text[1:] for token in tokens(sql) if token.kind == "parameter"))


def set_parameters(sql: str, parameters: Mapping[str, Parameter], dialect: str) -> str:
    """Return the SQL with each ``$name`` replaced by its value as a literal; every name must be in `parameters`."""
    return "".join(literal(parameters[token.text[1:]], dialect) if token.kind == "parameter" else token.text for token in tokens(sql))


def literal(value: Parameter, dialect: str) -> str:
    """Write a value as SQL; a list becomes ``(a, b, c)``, ready for IN."""
    if isinstance(value, list):
        return "(" + ", ".join(literal(item, dialect) for item in value) + ")"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if value - value == 0 else _quoted(str(value))
    if isinstance(value, str):
        return _quoted(value)
    text = _quoted(value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat())
    if dialect == "sqlite":
        return text
    kind = "TIMESTAMP" if isinstance(value, datetime.datetime) else "DATE" if isinstance(value, datetime.date) else "TIME"
    return f"{kind} {text}"


def _quoted(text: str) -> str:
    if "\0" in text:
        raise SettingsError("A parameter holds a NUL character, which SQL cannot.", "Remove it.")
    return "'" + text.replace("'", "''") + "'"


def table_names(sql: str) -> tuple[tuple[str, str], ...]:
    """Find the tables that a SELECT may read by their place in the text, as (schema, name) pairs.

    This serves the statements that DuckDB's own parser does not take (`graph.Reader` asks that one first). It knows no
    scopes, so names that WITH defines are among the answers: a table too many is a needless order, one too few a wrong one.
    """
    words = [token for token in tokens(sql) if token.kind not in ("space", "comment")]
    found: dict[tuple[str, str], None] = {}
    levels = [_Level("")]
    index = 0
    while index < len(words):
        token, word, level = words[index], words[index].text.upper(), levels[-1]
        if token.text == "(":
            levels.append(_Level(words[index - 1].text.upper() if index else "", expecting=level.expecting))
        elif token.text == ")" and len(levels) > 1:
            levels.pop()
            levels[-1].expecting = False
        elif token.kind == "word" and word in _BEFORE_TABLE and not _part_of_an_expression(words, index, level):
            level.expecting = level.listing = True
        elif token.kind == "word" and word in _CLAUSES:
            level.expecting = level.listing = False
        elif token.text == "," and level.listing:
            level.expecting = True
        elif level.expecting and token.kind in ("word", "quoted") and word not in ("LATERAL", "ONLY"):
            path, index = _dotted_name(words, index)
            level.expecting = False
            if index + 1 == len(words) or words[index + 1].text != "(":
                found[(path[-2] if len(path) > 1 else "", path[-1])] = None
        index += 1
    return tuple(found)


@dataclass
class _Level:
    """What holds inside one pair of parentheses: the word before it, whether a table's name is next, whether a comma leads to one."""

    before: str
    expecting: bool = False
    listing: bool = False


def _part_of_an_expression(words: list[Token], index: int, level: _Level) -> bool:
    """Whether this FROM belongs to ``extract(year FROM day)`` or ``IS DISTINCT FROM``."""
    if words[index].text.upper() != "FROM":
        return False
    return level.before in _FUNCTIONS_WITH_FROM or (index > 0 and words[index - 1].text.upper() == "DISTINCT")


def _dotted_name(words: list[Token], index: int) -> tuple[list[str], int]:
    """Read ``a.b.c`` from `index` on; return its parts and the index of its last token."""
    path = [words[index].name]
    while index + 2 < len(words) and words[index + 1].text == "." and words[index + 2].kind in ("word", "quoted"):
        index += 2
        path.append(words[index].name)
    return path, index
