"""The token by which a server knows who may send: where it is kept, and whether a call has it."""

from __future__ import annotations

import hmac
import os

from ..engine.errors import PdbtError


def token_of(variable: str) -> str:
    """Return the token that a variable of the environment holds; empty when none is named.

    Raises:
        PdbtError: it is not set.
    """
    if not variable:
        return ""
    token = os.environ.get(variable, "").strip()
    if not token:
        raise PdbtError(f"--token-env {variable}: there is no such variable, or it is empty.", "Set it to the token.")
    return token


def bearing(token: str) -> str:
    """Return the value of the header `authorization` that bears a token."""
    return f"Bearer {token}"


def admits(token: str, authorization: str) -> bool:
    """Whether a call with this header may be answered; without a token every one."""
    return not token or hmac.compare_digest(authorization.encode(), bearing(token).encode())
