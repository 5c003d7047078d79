"""The longest names that databases keep: PostgreSQL cuts a longer one, which then may be that of another table or column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import GraphError
from .postgres_names import NAME_BYTES, folded

BYTES, CHARACTERS = "bytes", "characters"
LONGEST: Mapping[str, tuple[int, str]] = {
    "PostgreSQL": (NAME_BYTES, BYTES),
    "MySQL": (64, CHARACTERS),
    "SQL Server": (128, CHARACTERS),
    "Oracle": (128, BYTES),
    "Snowflake": (255, CHARACTERS),
}


def too_long(product: str, what: str, name: str) -> str:
    """Return the sentence for a name that a database would not keep whole; empty for one that it keeps.

    Args:
        product: the kind of database; one that is not known keeps names of any length, as SQLite and DuckDB do.
        what: what has the name, as "table".
        name: the name.
    """
    if product not in LONGEST:
        return ""
    longest, unit = LONGEST[product]
    length = len(name.encode(errors="surrogateescape")) if unit == BYTES else len(name)
    if length <= longest:
        return ""
    does = "would cut" if product == "PostgreSQL" else "does not take"
    return f"{product} {does} the name of the {what} {name}: it has {length} {unit}, and {longest} are kept."


def require_names_apart(tables: Iterable[tuple[str, str]]) -> None:
    """Refuse tables whose names PostgreSQL would make the same; each is given with the file or folder that it is made of.

    Raises:
        GraphError: there are two; names both files.
    """
    known: dict[str, tuple[str, str]] = {}
    for name, label in tables:
        other, its_label = known.setdefault(folded(name), (name, label))
        if other != name:
            message = f"{its_label} and {label} would make one table: PostgreSQL cuts names at {NAME_BYTES} bytes, to {folded(name)}."
            raise GraphError(message, "Rename one of them.")
