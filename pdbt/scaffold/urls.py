"""Database URLs on the command line: which are PostgreSQL's, and which hold a secret."""

from __future__ import annotations

import re

URL_VARIABLE = "DATABASE_URL"

_POSTGRESQL = re.compile(r"(postgres|postgresql)(\+[a-z0-9]+)?://\S+")
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
# Proven to be without a password: a user's name alone, or none, and no parameter that could be one.
_WITHOUT_PASSWORD = re.compile(r"([a-z0-9+]+://([^\s:/?#@]*:?@)?[^\s:/?#@]*(:\d*)?(/[^\s?#@]*)?(\?(?!.*(?i:pass|secret|key))[^\s#@]*)?)?")


def is_postgresql(url: str) -> bool:
    """Whether this can be PostgreSQL's URL, or begins with a ``${NAME}`` that the environment fills in."""
    return url.isprintable() and (_POSTGRESQL.fullmatch(url) is not None or _VARIABLE.match(url) is not None)


def has_password(url: str) -> bool:
    """Whether the URL itself holds a password, or cannot be proven to hold none; what ``${NAME}`` stands for is not in it."""
    return _WITHOUT_PASSWORD.fullmatch(_VARIABLE.sub("", url)) is None


def has_variable(url: str) -> bool:
    """Whether a ``${NAME}`` of the URL is filled in from the environment."""
    return _VARIABLE.search(url) is not None
