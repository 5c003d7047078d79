"""Groups of commands whose help lists them under headings, each with its whole sentence: none is cut to fit a line."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter  # what typer itself takes; it names them nowhere else

_OTHERS = "Commands"


class SectionedGroup(TyperGroup):
    """A group of commands, listed under a heading each.

    Attributes:
        sections: the heading of each command, in the order of the list; one without is listed under ``Commands``.
    """

    sections: ClassVar[Mapping[str, str]] = {}

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the commands; typer itself cuts each one's sentence to what is left of a line."""
        rows: dict[str, list[tuple[str, str]]] = {}
        for name in sorted(self.commands, key=self._rank):
            command = self.commands[name]
            if not command.hidden:
                rows.setdefault(self.sections.get(name, _OTHERS), []).append((name, _first_paragraph(command.help or "")))
        width = max((len(name) for names in rows.values() for name, _ in names), default=0)
        for heading, commands in rows.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:<{width}}", sentence) for name, sentence in commands])

    def _rank(self, name: str) -> int:
        return list(self.sections).index(name) if name in self.sections else len(self.sections)


def _first_paragraph(text: str) -> str:
    return " ".join(inspect.cleandoc(text).partition("\n\n")[0].split())
