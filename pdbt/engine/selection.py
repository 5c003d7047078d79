"""A part of a project: what a run is about when it is not about everything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .graph import Node


@dataclass(frozen=True)
class Selection:
    """The tables and checks that a run makes again where they need it; all else stays as it is.

    Attributes:
        tables: names of tables.
        checks: names of checks.
        publishes: whether the run ends with a publication, which is refused unless the whole project is then up to date.
    """

    tables: frozenset[str]
    checks: frozenset[str] = frozenset()
    publishes: bool = False

    def tables_of(self, nodes: Iterable[Node]) -> list[Node]:
        """Return those of the tables that belong to it."""
        return [node for node in nodes if node.name in self.tables]

    def checks_of(self, nodes: Iterable[Node]) -> list[Node]:
        """Return those of the checks that belong to it."""
        return [node for node in nodes if node.name in self.checks]
