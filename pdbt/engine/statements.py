"""SQL text as statements, as each database ends them: a semicolon inside a text, a trigger, a procedure or a rule ends nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .blocks import BLOCKS
from .lexer import COMMON, Dialect, Token, tokens

_CLOSED = ("string", "quoted", "dollar", "comment")  # kinds of tokens inside which no delimiter is looked for
_DELIMITER = re.compile(r"DELIMITER[ \t]+(\S+)[^\n]*(?:\n|\Z)", re.IGNORECASE)


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        tokens: all of it, comments too, without the delimiter.
    """

    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        """The statement as it is written."""
        return "".join(token.text for token in self.tokens).strip()

    @property
    def words(self) -> list[str]:
        """Its tokens in capitals, without blanks and comments."""
        return [token.text.upper() for token in self.tokens if token.meant]


def statements(sql: str, dialect: Dialect = COMMON) -> Iterator[Statement]:
    """Yield the statements of a text; a comment alone is not a statement."""
    script = Script(sql)
    while statement := script.next(dialect):
        yield statement


class Script:
    """A text whose statements are taken one by one: a statement may change how the database reads those behind it."""

    def __init__(self, sql: str) -> None:
        """Begin at the first statement."""
        self._sql = sql
        self._position = 0
        self._delimiter = ";"

    def next(self, dialect: Dialect) -> Statement | None:
        """Take the next statement; None when there are no more."""
        while self._position < len(self._sql):
            taken = self._take(dialect)
            if any(token.meant for token in taken):
                return Statement(tuple(taken))
        return None

    def _take(self, dialect: Dialect) -> list[Token]:
        taken: list[Token] = []
        blocks = BLOCKS[dialect.blocks]()
        for token in self._pieces(dialect):
            self._position += len(token.text)
            if token.kind == "delimiter" and (token.text != ";" or blocks.may_end()):
                break
            if dialect.hashes and not any(before.meant for before in taken) and self._set_delimiter(token):
                break
            taken.append(token)
            if token.meant:
                blocks.take(token)
        return taken

    def _pieces(self, dialect: Dialect) -> Iterator[Token]:
        """Yield the tokens from the position on, with delimiters as tokens of their own, which begin anywhere but in a text."""
        position = self._position
        found = True
        while found:
            found = False
            for token in tokens(self._sql, dialect, position):
                end = position + len(token.text)
                at = self._sql.find(self._delimiter, position, end + len(self._delimiter) - 1)
                if at == position or (at > 0 and token.kind not in _CLOSED):
                    if at > position:
                        yield Token(token.kind, self._sql[position:at])
                    yield Token("delimiter", self._delimiter)
                    position, found = at + len(self._delimiter), True
                    break
                yield token
                position = end

    def _set_delimiter(self, token: Token) -> bool:
        """Obey a line DELIMITER of the client of MySQL; return True if the token begins one."""
        start = self._position - len(token.text)
        line = self._sql.rfind("\n", 0, start) + 1
        found = _DELIMITER.match(self._sql, start) if token.text.upper() == "DELIMITER" else None
        if found is None or self._sql[line:start].strip():
            return False
        self._delimiter, self._position = found[1], found.end()
        return True
