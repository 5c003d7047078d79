"""Names of projects: which ones would break something later, and where a name leads."""

from __future__ import annotations

import keyword
import os
import re
import sys
import unicodedata
from pathlib import Path

from ..engine.errors import PdbtError

MAX_NAME_CHARACTERS = 100  # leaves room below the 255 bytes of a file name for what is written beside it
MAX_PART_BYTES = 255

# What a project or its tests import under this name; a folder of that name on Python's path would hide it.
_IMPORTED = frozenset(
    {"engine", "pdbt", "test", "tests", "duckdb", "dagster", "pandas", "pyarrow", "sqlalchemy", "source", "transforming", "results"}
)
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])")
_NOT_PORTABLE = frozenset('<>:"|?*\\/')
_SHELL_MARKS = ("-", "~", ".")


class NameRefused(PdbtError, ValueError):
    """A project's name, or the place that it names, that would break something.

    Attributes:
        name: what was asked for.
    """

    def __init__(self, name: str, reason: str, hint: str) -> None:
        """Say what is wrong with the name in one sentence."""
        super().__init__(f"{_shown(name)} {reason}", hint)
        self.name = name


def check_name(name: str) -> None:
    """Refuse a project name that a file system, a shell or Python would trip over.

    Letters and digits of any script, spaces within, and most signs are fine. Python's soft keywords (match, type …) are too: they
    hide nothing. Keywords and modules are compared without case, as the file systems of macOS and Windows do.

    Raises:
        NameRefused: with the reason, and what to do instead.
    """
    _check_part(name)
    plain = name.casefold()
    if len(name) > MAX_NAME_CHARACTERS:
        raise NameRefused(name, f"is {len(name)} characters long.", f"Use at most {MAX_NAME_CHARACTERS}.")
    if name.startswith(_SHELL_MARKS):
        raise NameRefused(name, f"begins with {name[0]!r}, which a shell takes for something else.", "Begin with a letter or a digit.")
    if not any(character.isalnum() for character in name):
        raise NameRefused(name, "holds no letter or digit.", "Use letters, digits, - and _.")
    if plain in {word.casefold() for word in keyword.kwlist}:
        raise NameRefused(name, "is a keyword of Python.", _longer(name))
    if plain in {module.casefold() for module in sys.stdlib_module_names}:
        raise NameRefused(name, "is a module of Python's standard library, which the folder could hide.", _longer(name))
    if plain in _IMPORTED:
        raise NameRefused(name, "is a name that a project itself imports or reserves.", _longer(name))


def find_target(text: str, working_folder: Path) -> Path:
    """Return the absolute folder that NAME asks for, which is free to be made; its last part is the project's name.

    Args:
        text: a name, or a path whose last part is the name.
        working_folder: what a relative path starts from, absolute.

    Raises:
        NameRefused: the name would break something, the place is taken, or a symbolic link leads it somewhere else.
    """
    name = _last_part(text)
    check_name(name)
    target = Path(os.path.normpath(working_folder / text))
    _check_inside(text, target, working_folder)
    _check_free(text, target)
    _check_parents(text, target)
    return target


def _last_part(text: str) -> str:
    if not text.strip():
        raise NameRefused(text, "is no name.", "Give the project a name: pdbt new my-project")
    unprintable = _unprintable(text)
    if unprintable:
        raise NameRefused(text, f"holds the unprintable character {unprintable}.", "Type the name instead of pasting it.")
    if re.match(r"[A-Za-z]:", text) or text.startswith(("\\\\", "//")):
        raise NameRefused(text, "begins with a drive or a server.", "Go to that place first, then give the name alone.")
    if "\\" in text:
        raise NameRefused(text, "holds a backslash.", "Write / between folders.")
    parts = text.rstrip("/").split("/")
    if parts[-1] in ("", ".", ".."):
        raise NameRefused(text, "names no new folder.", "End with the project's name: pdbt new my-project")
    return parts[-1]


def _check_part(part: str) -> None:
    """Refuse what cannot be one part of a path on some system that a project may be copied to."""
    if not part or part in (".", ".."):
        raise NameRefused(part, "is no name.", "Give the project a name: pdbt new my-project")
    unprintable = _unprintable(part)
    if unprintable:
        raise NameRefused(part, f"holds the unprintable character {unprintable}.", "Type the name instead of pasting it.")
    found = sorted(_NOT_PORTABLE & set(part))
    if found:
        raise NameRefused(part, f"holds {' '.join(found)}, which Windows refuses in a name.", "Use letters, digits, - and _.")
    if part != part.strip() or part.endswith("."):
        raise NameRefused(part, "begins or ends with a space, or ends with a dot, which some systems drop.", "Leave it out.")
    stem = part.partition(".")[0].strip()
    if _DEVICES.fullmatch(stem):
        raise NameRefused(part, "is the name of a device on Windows.", _longer(stem))
    if len(part.encode(errors="surrogateescape")) > MAX_PART_BYTES:
        raise NameRefused(part, f"is longer than {MAX_PART_BYTES} bytes.", f"Use at most {MAX_NAME_CHARACTERS} characters.")


def _check_inside(text: str, target: Path, working_folder: Path) -> None:
    """Refuse a path that looks as if it stayed below the working folder, and leaves it by a symbolic link."""
    if not target.is_relative_to(working_folder):
        return
    real = Path(os.path.realpath(target.parent)) / target.name
    if not real.is_relative_to(os.path.realpath(working_folder)):
        raise NameRefused(
            text, f"leads out of {working_folder} by a symbolic link, to {real}.", f"If that is meant, say so: pdbt new {real}"
        )


def _check_free(text: str, target: Path) -> None:
    if target.is_symlink():
        raise NameRefused(text, f"is a symbolic link, to {target.readlink()}.", "Name a folder that does not exist yet.")
    if target.is_dir():
        if any(target.iterdir()):
            raise NameRefused(text, "exists and is not empty.", "Choose another name, or go into it and use: pdbt add source FILE")
    elif target.exists():
        raise NameRefused(text, "is a file.", "The project's name comes first, files after --data: pdbt new my-project --data FILE")


def _check_parents(text: str, target: Path) -> None:
    parent = target.parent
    while not parent.exists():
        _check_part(parent.name)
        if parent.is_symlink():
            raise NameRefused(text, f"leads through {parent}, a symbolic link to nothing.", "Remove the link, or choose another place.")
        parent = parent.parent
    if not parent.is_dir():
        raise NameRefused(text, f"leads through {parent}, which is a file.", "Choose another place.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise NameRefused(text, f"cannot be made: you may not write in {parent}.", "Choose another place, or get the right to write there.")


def _unprintable(text: str) -> str:
    """Return the first character that cannot be seen, as ``U+200B``; empty when there is none."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or (character != " " and character.isspace()):
            return f"U+{ord(character):04X}"
    return ""


def _shown(name: str) -> str:
    return "The name is empty: it" if not name.strip() else repr(name)


def _longer(name: str) -> str:
    return f"Say more about it, as in {name}-data."
