"""Notices of `pdbt transfer`: the project whose connections are used says who is told."""

from __future__ import annotations

import logging

from ..engine.errors import PdbtError
from ..engine.notices import Notices
from ..engine.notices.runs import notices_of
from ..engine.settings import Settings

_logger = logging.getLogger("pdbt.connect")


def telling_of(settings: Settings | None) -> Notices | None:
    """Return who is told of transfers; None when nobody is, as outside of a project."""
    return notices_of(settings, _logger.warning) if settings is not None and settings.notification_urls else None


def tell_failure(notices: Notices | None, origin: str, target: str, error: PdbtError) -> None:
    """Tell that a transfer failed, unless that is known."""
    if notices is not None:
        lines = [f"From: {origin}", f"Step: transfer to {target}", f"Error: {error.message}"]
        notices.failed(_job(origin, target), f"the transfer to {target} failed", lines)


def tell_success(notices: Notices | None, origin: str, target: str) -> None:
    """Tell that a transfer works again, if it was told that it does not."""
    if notices is not None:
        notices.succeeded(_job(origin, target), f"the transfer to {target} works again")


def _job(origin: str, target: str) -> str:
    return f"transfer {origin} {target}"
