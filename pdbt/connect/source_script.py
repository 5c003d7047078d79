"""What a script of scripts/source says of itself: its connection, cursor, key and rules, read from its first comments."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..engine.errors import GraphError
from ..engine.headers import SOURCE_WORDS, names_of, read_header

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_LOOKBACK = re.compile(r"(?P<number>\d+)(?:\s+(?P<unit>second|minute|hour|day|week)s?)?")


@dataclass(frozen=True)
class Script:
    """A script of scripts/source.

    Attributes:
        label: its path, as a person knows it.
        path: the file.
        text: its text.
        connection: where a query is sent; empty for Python.
        cursor: the column that tells newer rows from older ones; empty when all rows are fetched each time.
        key: the columns that identify a row.
        lookback: how far before the highest cursor rows are fetched again, in seconds or, for a number, in its units.
        frozen: whether other columns than before are refused.
    """

    label: str
    path: Path
    text: str
    connection: str
    cursor: str
    key: tuple[str, ...]
    lookback: int
    frozen: bool

    @property
    def digest(self) -> str:
        """What tells this text from another one, whose rows may be others."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_script(project: Path, path: Path) -> Script:
    """Read a script; `project` is the folder of its project. Raises GraphError for what it says wrong."""
    label = path.relative_to(project).as_posix()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise GraphError(f"{label} cannot be read.", "It must be UTF-8 text that you may read.") from None
    said = read_header(text, SOURCE_WORDS, label)
    if path.suffix.lower() == ".sql" and not said.get("connection"):
        raise GraphError(f"{label} line 1 names no connection.", "Write on its first line: -- connection: NAME")
    key, cursor = names_of(said.get("key", "")), said.get("cursor", "")
    if cursor and not key:
        raise GraphError(f"{label} has a cursor and no key.", "Write a line: -- key: id, the columns that identify a row.")
    if said.get("schema", "evolve") not in ("evolve", "freeze"):
        raise GraphError(f"{label}: schema is {said['schema']!r}.", "It is evolve or freeze.")
    lookback = _lookback(said, label)
    return Script(label, path, text, said.get("connection", ""), cursor, key, lookback, said.get("schema") == "freeze")


def _lookback(said: Mapping[str, str], label: str) -> int:
    text = said.get("lookback", "0")
    found = _LOOKBACK.fullmatch(text)
    if found is None:
        raise GraphError(f"{label}: lookback is {text!r}.", "Write a number and a unit, as 2 days, 6 hours, 30 minutes; or a number alone.")
    return int(found["number"]) * _UNITS.get(found["unit"] or "second", 1)
