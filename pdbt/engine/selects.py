"""SELECTs of a project's files: what former runs found in a text is taken again, and parsed only when text, parameters or rules differ."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .settings import Parameter
from .state import References, Select, text_hash

if TYPE_CHECKING:
    from .parsing import Parser

# The modules that decide what is found in a text: another version of one of them looks again.
RULES = ("parsing", "sql", "lexer", "statements", "blocks", "outside/in_sql", "outside/in_files", "outside/model")


class Reader:
    """Finds the SELECT of a file.

    Attributes:
        selects: what the next run need not look for again, by the text's hash with all that the answer depends on.
        dialect: ``duckdb``, ``sqlite`` or ``postgresql``.
    """

    def __init__(
        self,
        known: Mapping[str, Select],
        references: Mapping[str, References],
        dialect: str = "duckdb",
        parameters: Mapping[str, Parameter] | None = None,
    ) -> None:
        """Begin with the answers of former runs, and the values of ``$name``, as far as they are known."""
        self._known = known
        self._references = references
        self.dialect = dialect
        self._parameters = parameters or {}
        self._made: Parser | None = None
        self.selects: dict[str, Select] = {}

    @property
    def references(self) -> dict[str, References]:
        """The tables that the texts read of which no more than that holds for the next run, by the text's hash."""
        return self._made.used if self._made is not None else {}

    def select(self, text: str, label: str) -> Select:
        """Return the SELECT of a file.

        Args:
            text: all of the file.
            label: the file as a person would name it.

        Raises:
            GraphError: the file is not one SELECT, or it is not known which table it reads.
        """
        # A parameter may hold a secret: the state is given the hash alone.
        values = repr(sorted(self._parameters.items())) if "$" in text else ""
        digest = text_hash(f"{_rules()} {self.dialect} {values}\0{text}")
        found, lasting = self._known.get(digest), True
        if found is None:
            found, lasting = self._parser().select(text, label)
        if lasting:
            self.selects[digest] = found
        return found

    def _parser(self) -> Parser:
        if self._made is None:
            from .parsing import Parser  # a run of nothing but known texts does without

            self._made = Parser(self._references, self.dialect, self._parameters)
        return self._made


@functools.cache
def _rules() -> str:
    """Return the hash of the modules that decide."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"\0".join((folder / f"{module}.py").read_bytes() for module in RULES)).hexdigest()
