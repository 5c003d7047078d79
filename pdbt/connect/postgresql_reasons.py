"""Reasons of PostgreSQL: what the server says, apart from what its drivers put around it."""

from __future__ import annotations

import re

from ..engine.databases.adbc import server_reason
from .base import first_line, on_one_line

_DRIVERS_WORDS = re.compile(r"^(: )?([A-Z_]+: )?(\[libpq\] )?(PQ\w+\(\) failed: )?([Ff]ailed to [^:]*: )?(PGRES_[A-Z_]+ )?(ERROR:\s+)?")
_BEFORE_REASON = re.compile(r"^.*?'(?=: (ERROR|FATAL):)", re.DOTALL)


def reason_of(error: Exception) -> str:
    """Return what the server said, on one line; what a driver raised says it in parts, or behind the statement."""
    diagnosis = getattr(error, "diag", None)
    parts = [getattr(diagnosis, f"message_{part}", None) for part in ("primary", "detail")]
    known = ". ".join(on_one_line(part).rstrip(".") for part in parts if part) or server_reason(error)
    # Once rows have begun to come, the driver tells its error as one of Arrow's, with the statement before the reason.
    return known or _DRIVERS_WORDS.sub("", first_line(_BEFORE_REASON.sub("", str(error))))
