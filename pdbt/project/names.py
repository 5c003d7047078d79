"""Names in a workspace: of projects and organisations, each given once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..scaffold import NameRefused, check_name

# A test holds this to the commands that there are.
COMMANDS = frozenset(
    """
    add add-project archive backfill connection doctor init-workspace launch list-projects logs
    new notify restore run status stop stream transfer update watch
    """.replace("-", "_").split()
)
# Folders of a project, of an organisation and of pdbt itself.
FOLDERS = frozenset(
    """
    checks cli connect console data db docs engine final handlers macro processed project python sample scaffold scripts source sql
    templates tests watch workspace
    """.split()
)
RESERVED = COMMANDS | FOLDERS
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def check_workspace_name(name: str, taken: Mapping[str, Path], kind: str = "project") -> None:
    """Refuse a name that a project or organisation of a workspace cannot have.

    Args:
        name: what is asked for.
        taken: the names that are given in the workspace, each with its folder.
        kind: ``project`` or ``organisation``.

    Raises:
        NameRefused: it is not snake_case, reserved, or given already; says where.
    """
    if not _SNAKE_CASE.fullmatch(name):
        suggestion = snake_case(name)
        hint = f"Write {suggestion}." if suggestion else "Use small letters, digits and _."
        raise NameRefused(name, f"is not snake_case, as the name of a{'n' if kind[0] in 'aeiou' else ''} {kind} must be.", hint)
    try:
        check_name(name)
    except NameRefused as error:
        error.hint = error.hint.replace(f"{name}-", f"{name}_")
        raise
    if name in RESERVED:
        what = "a command" if name in COMMANDS else "a folder"
        raise NameRefused(name, f"is reserved: it is {what} of pdbt.", f"Say more about it, as in {name}_data.")
    if name in taken:
        raise NameRefused(name, f"is given already: {taken[name]}.", "Names are unique in the whole workspace; choose another one.")


def snake_case(text: str) -> str:
    """Return a text as a name in snake_case; empty when there is none in it."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower())
    name = "_".join(words).lstrip("0123456789_")
    return name if _SNAKE_CASE.fullmatch(name) else ""
