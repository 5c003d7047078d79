"""What a line of MySQL's SHOW GRANTS allows."""

from __future__ import annotations

import re

_GRANT = re.compile(r"GRANT (?P<privileges>.+?) ON (?P<scope>\*|`(?:[^`]|``)+`)\.\* TO ")
_CREATE = frozenset({"ALL PRIVILEGES", "CREATE"})


def allows_create(grant: str, database: str) -> bool:
    """Whether a grant allows to create tables in a database; a grant names databases by a pattern, as LIKE has them."""
    found = _GRANT.match(grant)
    if found is None or _CREATE.isdisjoint(word.strip() for word in found["privileges"].split(",")):
        return False
    if found["scope"] == "*":
        return True
    parts = re.findall(r"\\.|.", found["scope"][1:-1].replace("``", "`"))
    wanted = {"%": ".*", "_": "."}
    return re.fullmatch("".join(wanted.get(part) or re.escape(part[-1]) for part in parts), database) is not None
