"""Notices of `pdbt transfer`: the project whose connections are used says who is told."""

from __future__ import annotations

import logging

from ..engine.errors import PdbtError
from ..engine.notices.runs import notices_of, place
from ..engine.settings import Settings

_logger = logging.getLogger("pdbt.connect")


class Telling:
    """Tells whom a project names of its transfers, in the project's name."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; nothing is sent yet."""
        self._settings = settings
        self._notices = notices_of(settings, _logger.warning)

    def failed(self, origin: str, target: str, error: PdbtError) -> None:
        """Tell that a transfer failed, unless that is known."""
        lines = [*place(self._settings, f"transfer to {target}"), f"From: {origin}", f"Error: {error.message}"]
        self._notices.failed(_job(origin, target), f"the transfer to {target} failed", lines)

    def succeeded(self, origin: str, target: str) -> None:
        """Tell that a transfer works again, if it was told that it does not."""
        self._notices.succeeded(_job(origin, target), f"the transfer to {target} works again")


def telling_of(settings: Settings | None) -> Telling | None:
    """Return who is told of transfers; None when nobody is, as outside of a project."""
    return Telling(settings) if settings is not None and settings.notification_urls else None


def _job(origin: str, target: str) -> str:
    return f"transfer {origin} {target}"
