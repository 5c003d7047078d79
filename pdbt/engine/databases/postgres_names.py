"""Names as PostgreSQL takes them, so that SQL written without quotes finds what was made."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

NAME_BYTES = 63  # NAMEDATALEN - 1; PostgreSQL cuts longer names in SQL here, too
DIGEST_CHARACTERS = 8
SYSTEM_COLUMNS = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def folded(name: str) -> str:
    """Return a name in lower case if it can be written without quotes, else as it is; cut where PostgreSQL cuts it."""
    return _cut(name.lower() if _PLAIN.fullmatch(name) else name, NAME_BYTES)


def column_names(names: Sequence[str]) -> list[str]:
    """Return a name for each column of a table: folded, none twice, and none that PostgreSQL keeps for itself (xmin is xmin_)."""
    taken: set[str] = set()
    unique = []
    for name in names:
        wanted = folded(name)
        candidate = f"{wanted}_" if wanted in SYSTEM_COLUMNS else wanted
        number = 1
        while candidate in taken:
            number += 1
            candidate = numbered(wanted, number)
        taken.add(candidate)
        unique.append(candidate)
    return unique


def numbered(name: str, number: int) -> str:
    """Return a name with a number at its end, short enough."""
    ending = f"_{number}"
    return _cut(name, NAME_BYTES - len(ending)) + ending


def fitted(name: str) -> str:
    """Return a name of our own making, with a digest in place of its end when it is too long."""
    if len(name.encode()) <= NAME_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{_cut(name, NAME_BYTES - DIGEST_CHARACTERS - 1)}_{digest}"


def _cut(name: str, most: int) -> str:
    """Return a name cut to so many bytes of UTF-8, between two characters."""
    return name.encode()[:most].decode(errors="ignore")
