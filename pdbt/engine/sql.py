"""SQL of tables and checks: the one SELECT of a file, its parameters, and the tables that it reads by their place in the text."""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .errors import GraphError, SettingsError
from .lexer import Token, tokens
from .settings import Parameter, check_parameter
from .statements import statements

SELECT_WORDS = frozenset({"SELECT", "WITH", "FROM", "VALUES", "PIVOT", "UNPIVOT", "TABLE", "SUMMARIZE", "DESCRIBE"})

# Words that end the list of tables after FROM or JOIN.
_CLAUSES = frozenset(
    "WHERE GROUP HAVING ORDER LIMIT OFFSET UNION INTERSECT EXCEPT WINDOW QUALIFY SELECT SET RETURNING FETCH SAMPLE".split()
)
# Words that end the naming of one table, but not the list: a comma may lead to the next.
_CONDITIONS = frozenset({"ON", "USING"})
_BEFORE_TABLE = frozenset({"FROM", "JOIN", "PIVOT", "UNPIVOT", "SUMMARIZE", "DESCRIBE", "TABLE"})
# FROM inside the call of one of these is part of the function's own syntax.
_FUNCTIONS_WITH_FROM = frozenset({"EXTRACT", "SUBSTRING", "TRIM", "OVERLAY", "POSITION"})


def single_select(sql: str, label: str) -> str:
    """Return the one SELECT of a file, without a closing semicolon and the comments at its end.

    Args:
        sql: the file's text.
        label: the file as a person would name it.

    Raises:
        GraphError: the file is empty, holds several statements, or does something else than select.
    """
    found = list(statements(sql))
    if not found:
        raise GraphError(f"{label} holds no SQL.", "Write one SELECT in it, or delete the file.")
    if len(found) > 1:
        raise GraphError(f"{label} holds {len(found)} statements; a file is one SELECT.", "Split it into one file a table.")
    first = next(token for token in found[0].tokens if token.meant and token.text != "(")
    if first.text.upper() not in SELECT_WORDS:
        raise GraphError(
            f"{label} begins with {first.text[:40]!r}; a file is one SELECT.", "The table is made for you: write only its SELECT."
        )
    return "".join(token.text for token in _without_tail(found[0].tokens)).strip()


def _without_tail(statement: Sequence[Token]) -> Sequence[Token]:
    """Leave out what follows the last word: a comment there would swallow whatever a database writes behind the SELECT."""
    end = len(statement)
    while not statement[end - 1].meant:
        end -= 1
    return statement[:end]


@functools.lru_cache(maxsize=4)
def words_of(sql: str) -> tuple[Token, ...]:
    """Return the tokens of SQL without spaces and comments; those of the texts that were last asked for are kept."""
    return tuple(token for token in tokens(sql) if token.meant)


def parameter_names(sql: str) -> tuple[str, ...]:
    """Return the names of the ``$name`` parameters, in order of first appearance."""
    if "$" not in sql:  # most have none, and a project may have a thousand files
        return ()
    return tuple(dict.fromkeys(token.text[1:] for token in words_of(sql) if token.kind == "parameter"))


def set_parameters(sql: str, parameters: Mapping[str, Parameter], dialect: str) -> str:
    """Return the SQL with each ``$name`` replaced by its value as a literal.

    Args:
        sql: a SELECT.
        parameters: holds every name that the SELECT uses.
        dialect: ``duckdb``, ``sqlite`` or ``postgresql``.

    Raises:
        SettingsError: this dialect cannot write a value.
    """

    def text_of(token: Token) -> str:
        if token.kind != "parameter":
            return token.text
        name = token.text[1:]
        # Spaces keep the value apart from what it touches: 1$x is no longer number, U&$x no text with escapes.
        return f" {literal(parameters[name], dialect, name)} "

    return "".join(map(text_of, tokens(sql)))


def literal(value: Parameter, dialect: str, name: str = "") -> str:
    """Write a value as SQL; a list becomes ``(a, b, c)``, ready for IN.

    Raises:
        SettingsError: this dialect cannot write the value; `name` says which parameter it is.
    """
    check_parameter(name or "value", value)
    if isinstance(value, list):
        return "(" + ", ".join(literal(item, dialect, name) for item in value) + ")"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and not math.isfinite(value):
        return _infinite(value, dialect, name)
    if isinstance(value, (int, float)):
        # a-$x must not become the comment a--1, nor $x::BIGINT the negative of a cast.
        return repr(value) if math.copysign(1, value) > 0 else f"({value!r})"
    if isinstance(value, str):
        return _quoted(value)
    if dialect == "sqlite":
        return _quoted(_time_in_sqlite(value))
    text = _quoted(value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat())
    return f"{_time_type(value)} {text}"


def _infinite(value: float, dialect: str, name: str) -> str:
    if dialect != "sqlite":
        return f"CAST('{value}' AS DOUBLE PRECISION)"
    if math.isnan(value):
        raise SettingsError(f"Parameter {name} is nan, which SQLite does not have.", "Give it a number.", key=f"parameters.{name}")
    return "9e999" if value > 0 else "(-9e999)"  # beyond the largest double; SQLite has no other word for it


def _time_type(value: datetime.date | datetime.time) -> str:
    if isinstance(value, datetime.datetime):
        return "TIMESTAMPTZ" if value.tzinfo else "TIMESTAMP"
    return "DATE" if isinstance(value, datetime.date) else "TIME"


def _time_in_sqlite(value: datetime.date | datetime.time) -> str:
    """Write a time as tables in SQLite hold it: as DuckDB's text, in UTC where there is a zone, so that texts compare as times do."""
    if not isinstance(value, (datetime.datetime, datetime.time)):
        return value.isoformat()
    zone = ""
    if isinstance(value, datetime.datetime) and value.tzinfo:
        value, zone = value.astimezone(datetime.UTC).replace(tzinfo=None), "+00:00"
    text = value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat()
    return (text.rstrip("0") if value.microsecond else text) + zone


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# Tables by their place ------------------------------------------------------------------------------------------------


@dataclass
class _Level:
    """What holds inside one pair of parentheses.

    Attributes:
        before: the word before it.
        expecting: whether a table's name is next.
        listing: whether a comma leads to the next table.
        scope: the names that WITH has defined so far.
        recursive: whether a definition may read itself.
        defining: the name whose definition is in the parentheses just opened.
    """

    before: str = ""
    expecting: bool = False
    listing: bool = False
    scope: set[str] = field(default_factory=set)
    recursive: bool = False
    defining: str = ""


def table_names(sql: str, *, always_recursive: bool = False) -> tuple[tuple[str, str], ...]:
    """Find the tables that a SELECT may read by their place in the text, as (schema, name) pairs.

    This serves the statements that DuckDB's own parser does not take (`graph.Reader` asks that one first). Where it errs it names
    a table too many: that is a needless order, one too few would be a wrong one.

    Args:
        sql: a SELECT.
        always_recursive: take every WITH for one whose definitions may read themselves, as SQLite does.
    """
    words = words_of(sql)
    found: dict[tuple[str, str], None] = {}
    levels = [_Level(recursive=always_recursive)]
    index = 0
    while index < len(words):
        token, word, level = words[index], words[index].text.upper(), levels[-1]
        if token.text == "(":
            levels.append(_Level(words[index - 1].text.upper() if index else "", expecting=level.expecting))
        elif token.text == ")" and len(levels) > 1:
            levels.pop()
            index = _close(words, index, levels)
        elif word == "WITH" and _definition(words, index + 1 + (recursive := _word(words, index + 1) == "RECURSIVE")):
            level.recursive = recursive or always_recursive
            index = _define(words, index + 1 + recursive, levels)
        elif token.kind == "word" and word in _BEFORE_TABLE and not _part_of_an_expression(words, index, level):
            level.expecting = level.listing = True
        elif token.kind == "word" and word in _CLAUSES:
            level.expecting = level.listing = False
        elif token.kind == "word" and word in _CONDITIONS:
            level.expecting = False
        elif token.text == "," and level.listing:
            level.expecting = True
        elif level.expecting and token.kind in ("word", "quoted", "string") and word not in ("LATERAL", "ONLY"):
            path, index = _dotted_name(words, index)
            level.expecting = False
            local = len(path) == 1 and any(path[0].casefold() in outer.scope for outer in levels)
            if not local and (index + 1 == len(words) or words[index + 1].text != "("):
                found[(path[-2] if len(path) > 1 else "", path[-1])] = None
        index += 1
    return tuple(found)


def _close(words: Sequence[Token], index: int, levels: list[_Level]) -> int:
    """Go on after a closing parenthesis: what WITH defined in it is in scope now, and a comma may lead to the next definition."""
    level = levels[-1]
    level.expecting = False
    if not level.defining:
        return index
    level.scope.add(level.defining)
    level.defining = ""
    if index + 1 < len(words) and words[index + 1].text == "," and _definition(words, index + 2):
        return _define(words, index + 2, levels)
    return index


def _define(words: Sequence[Token], index: int, levels: list[_Level]) -> int:
    """Enter the definition that begins at `index`; return the index of the parenthesis that opens it."""
    level = levels[-1]
    name, opening = _definition(words, index) or ("", index)
    if level.recursive:
        level.scope.add(name)
    level.expecting = False
    level.defining = name
    levels.append(_Level("AS"))
    return opening


def _definition(words: Sequence[Token], index: int) -> tuple[str, int] | None:
    """Read ``name [(columns)] [USING KEY (columns)] AS [NOT] [MATERIALIZED] (``: the name, and the index of the last parenthesis."""
    if index >= len(words) or words[index].kind not in ("word", "quoted"):
        return None
    name = words[index].name.casefold()
    index = _after_parentheses(words, index + 1)
    if _word(words, index) == "USING":
        index = _after_parentheses(words, index + 2)
    if _word(words, index) != "AS":
        return None
    index += 1
    while _word(words, index) in ("NOT", "MATERIALIZED"):
        index += 1
    return (name, index) if _word(words, index) == "(" else None


def _after_parentheses(words: Sequence[Token], index: int) -> int:
    """Return the index behind a list in parentheses, if there is one at `index`."""
    if _word(words, index) == "(":
        while _word(words, index) not in (")", ""):
            index += 1
        index += 1
    return index


def _word(words: Sequence[Token], index: int) -> str:
    return words[index].text.upper() if index < len(words) else ""


def _part_of_an_expression(words: Sequence[Token], index: int, level: _Level) -> bool:
    """Whether this FROM belongs to ``extract(year FROM day)`` or ``IS DISTINCT FROM``."""
    if words[index].text.upper() != "FROM":
        return False
    return level.before in _FUNCTIONS_WITH_FROM or (index > 0 and words[index - 1].text.upper() == "DISTINCT")


def _dotted_name(words: Sequence[Token], index: int) -> tuple[list[str], int]:
    """Read ``a.b.c`` from `index` on; return its parts and the index of its last token."""
    path = [words[index].name]
    while index + 2 < len(words) and words[index + 1].text == "." and words[index + 2].kind in ("word", "quoted"):
        index += 2
        path.append(words[index].name)
    return path, index
