"""Identifiers: clean names for columns, and names written so that DuckDB, SQLite and PostgreSQL read them alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ..engine.databases.postgres_names import column_names, folded
from .reserved import RESERVED

MAX_BYTES = 63  # what PostgreSQL keeps of a name
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Letters that Unicode does not take apart into an ASCII letter and a mark.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "þ": "th", "ð": "d"}
    | {"\N{LATIN SMALL LETTER DOTLESS I}": "i", "'": "", "\N{RIGHT SINGLE QUOTATION MARK}": ""}
    | {"%": " percent ", "€": " eur ", "$": " usd ", "£": " gbp ", "#": " number ", "&": " and ", "°": " degrees "}
)
_WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def written(name: str) -> str:
    """Return the name as all three databases find it.

    The engine creates plain names in PostgreSQL as it folds them, to lower case, and all others as they are.
    """
    if not _PLAIN.fullmatch(name):
        return '"' + name.replace('"', '""') + '"'
    return f'"{name.lower()}"' if name.lower() in RESERVED else name


def stored_names(names: Sequence[str]) -> list[str]:
    """Return the names of a table's columns as PostgreSQL finds them: as they are, but for those that it stores under another name."""
    return [
        name if folded(name) == stored and len(name.encode()) <= MAX_BYTES else stored
        for name, stored in zip(names, column_names(names), strict=True)
    ]


def clean_names(names: Iterable[str]) -> list[str]:
    """Return snake_case names of ASCII letters, digits and underscores: unique, no words that SQL reserves, at most 63 long."""
    taken: set[str] = set()
    return [unique(_clean(name) or f"column_{position}", taken) for position, name in enumerate(names, 1)]


def unique(name: str, taken: set[str]) -> str:
    """Return the name, with a number when it, in whatever case, or a word of SQL is taken already; and take it."""
    found, number = name[:MAX_BYTES], 1
    while found.casefold() in taken or found.casefold() in RESERVED:
        number += 1
        found = f"{name[: MAX_BYTES - len(str(number)) - 1].rstrip('_')}_{number}"
    taken.add(found.casefold())
    return found


def _clean(name: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", name.translate(_LETTERS)).encode("ascii", "ignore").decode()
    words = re.findall(r"[A-Za-z0-9]+", _WORD_BORDER.sub("_", ascii_text))
    clean = "_".join(words).lower()
    if clean in RESERVED:
        return f"{clean}_"
    return f"n_{clean}" if clean[:1].isdigit() else clean
