"""Blocks of SQL: statements that hold statements, so that a semicolon inside one of them ends nothing. Each database has its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .lexer import Token

_PROGRAMS = frozenset({"PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"})
# Words that may stand between CREATE and the kind of what is created.
_MODIFIERS = frozenset("OR REPLACE AGGREGATE TEMP TEMPORARY DEFINER CONSTRAINT CURRENT_USER CURRENT_ROLE EDITIONABLE".split())
# Blocks that are closed by their own name, as END IF, and that begin only where a statement may begin.
_LOOPS = frozenset({"IF", "LOOP", "WHILE", "REPEAT", "FOR"})
# Words behind which a statement begins, inside a block.
_BEFORE_STATEMENT = frozenset({"BEGIN", "THEN", "ELSE", "DO", "LOOP", "REPEAT"})
# The first word of a body that is one plain statement, which the next semicolon ends.
_PLAIN = frozenset("SET SELECT INSERT UPDATE DELETE RETURN CALL SIGNAL WITH REPLACE".split())
# What follows INSERT, UPDATE and DELETE where they are the events of a trigger.
_NOT_A_BODY = ("ON", "OR", "OF", ",")
_EXPRESSION, _HANDLER = "(CASE)", "HANDLER"


class Blocks:
    """The blocks that are open in a statement: none, in a dialect that has none."""

    def take(self, token: Token) -> None:
        """Take the next token of the statement that the database heeds."""

    def may_end(self) -> bool:
        """Return True if a semicolon ends the statement here."""
        return True


class SqliteBlocks(Blocks):
    """Triggers of SQLite: the body is statements up to an END that follows a semicolon."""

    def __init__(self) -> None:
        """Begin with a statement."""
        self._head: list[str] = []
        self._last = ("", "")

    def take(self, token: Token) -> None:
        """Take the next token."""
        word = token.text.upper()
        if len(self._head) < 4 and word not in ("EXPLAIN", "QUERY", "PLAN", "TEMP", "TEMPORARY"):
            self._head.append(word)
        self._last = (self._last[1], word)

    def may_end(self) -> bool:
        """Return True if no trigger is open."""
        return self._head[:2] != ["CREATE", "TRIGGER"] or self._last == (";", "END")


class PostgresBlocks(Blocks):
    """Bodies of PostgreSQL: BEGIN ATOMIC … END of functions and procedures, and the statements in the parentheses of a rule."""

    def __init__(self) -> None:
        """Begin with a statement."""
        self._head: list[str] = []
        self._before = ""
        self._parentheses = 0
        self._depth = 0

    def take(self, token: Token) -> None:
        """Take the next token."""
        word = token.text.upper()
        if len(self._head) < 2 and word not in ("OR", "REPLACE"):
            self._head.append(word)
        if word in ("(", ")"):
            self._parentheses = max(0, self._parentheses + (1 if word == "(" else -1))
        elif token.kind == "word" and self._before not in (".", "AS"):
            if word == "ATOMIC" and self._before == "BEGIN" and self._head in (["CREATE", "FUNCTION"], ["CREATE", "PROCEDURE"]):
                self._depth = 1
            elif word == "CASE" and self._depth:
                self._depth += 1
            elif word == "END" and self._depth:
                self._depth -= 1
        self._before = word

    def may_end(self) -> bool:
        """Return True if no body and no parenthesis is open."""
        return not self._depth and not self._parentheses


class ProgramBlocks(Blocks):
    """Stored programs of MySQL, MariaDB and their like: BEGIN, CASE, IF and the loops, each up to its END.

    A word opens a block only where a statement may begin: IF(…) and REPEAT(…) are functions too, and BEGIN and END may be columns.
    """

    def __init__(self) -> None:
        """Begin with a statement."""
        self._held: Token | None = None
        self._number = 0
        self._before = ""
        self._parentheses = 0
        self._open: list[str] = []
        self._begins = True
        self._handler = False
        self._read: Callable[[str, str, bool], None] = self._first

    def take(self, token: Token) -> None:
        """Take the next token; it is read once the one behind it is known, which says what IF or END stands for."""
        if token.kind == "executed":
            return
        held, self._held = self._held, token
        if held is not None:
            self._step(held, token.text.upper())

    def may_end(self) -> bool:
        """Return True if no block is open."""
        held, self._held = self._held, None
        if held is not None:
            self._step(held, ";")
        return not self._open

    def _step(self, token: Token, following: str) -> None:
        word, begins = token.text.upper(), self._begins
        self._begins = False
        if word in ("(", ")"):
            self._parentheses = max(0, self._parentheses + (1 if word == "(" else -1))
        elif word in (";", ":"):
            self._begins, self._handler = bool(self._open), self._handler and word == ":"
        elif token.kind == "word" and self._before not in (".", "@"):
            self._read(word, following, begins)
        self._number += 1
        self._before = word

    def _first(self, word: str, following: str, begins: bool) -> None:
        """Read the first word of a statement; MariaDB takes blocks that stand alone, too."""
        self._read = self._kind if word in ("CREATE", "ALTER") else _nothing
        if (word == "BEGIN" and following == "NOT") or word == "CASE" or (word in _LOOPS and word != "REPLACE"):
            self._enter(word)

    def _kind(self, word: str, following: str, begins: bool) -> None:
        """Read what stands before the kind of what is created."""
        if self._before in ("=", "@"):  # the name of a definer
            return
        if word in _PROGRAMS:
            self._read = self._header
        elif word not in _MODIFIERS:
            self._read = _nothing

    def _header(self, word: str, following: str, begins: bool) -> None:
        """Look for the body of a program, behind its name, parameters and properties."""
        if self._parentheses or self._before in _PROGRAMS or self._before == "CHARACTER":
            return
        if (word in _LOOPS and following not in ("EXISTS", "NOT", "EACH")) or word in ("BEGIN", "CASE"):
            self._enter(word)
        elif word in _PLAIN and following not in _NOT_A_BODY and (word, following) != ("SET", "("):
            self._read = _nothing

    def _enter(self, word: str) -> None:
        self._open.append(word)
        self._read = self._inside
        self._begins = word in _BEFORE_STATEMENT

    def _inside(self, word: str, following: str, begins: bool) -> None:
        top = self._open[-1] if self._open else ""
        if word == "END" and top:
            if begins or top == _EXPRESSION or following == top:
                self._open.pop()
            return
        if self._before == "END" and (word in _LOOPS or word == "CASE"):
            return
        self._handler = (self._handler or word == _HANDLER) and word not in _PLAIN
        # Behind DECLARE … HANDLER FOR and its conditions a statement begins.
        begins = begins or (self._handler and word != "FOR")
        if begins and (word in _LOOPS or word in ("BEGIN", "CASE")):
            self._open.append(word)
        elif word == "CASE":
            self._open.append(_EXPRESSION)
        self._begins = word in _BEFORE_STATEMENT and self._open[-1:] != [_EXPRESSION] and not (begins and word == "DO")


def _nothing(word: str, following: str, begins: bool) -> None:
    """Read on to the end of a statement without a block."""


BLOCKS: Mapping[str, type[Blocks]] = {"": Blocks, "sqlite": SqliteBlocks, "postgresql": PostgresBlocks, "procedures": ProgramBlocks}
