"""One message to one target, through Apprise; why it did not arrive is told in words that hold no token."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import threading
import warnings
from collections.abc import Iterator
from typing import Any, Literal

from ..environment import MASK, redact
from ..errors import MissingLibrary, PdbtError

Kind = Literal["failure", "warning", "success", "info"]

_APPLICATION = "pdbt"
# What is shorter says nothing, and masking it would riddle the sentence with asterisks.
_TOKEN_CHARACTERS = 6


def send(url: str, title: str, body: str, kind: Kind) -> None:
    """Send a message; waits for the target's answer, a few seconds at most.

    Args:
        url: where to, as Apprise writes it.
        title: what is told, in a line.
        body: the lines below it.
        kind: decides the colour or the sign, where a service has some.

    Raises:
        MissingLibrary: Apprise is not installed.
        PdbtError: the URL is none, or the target did not take the message; says why.
    """
    apprise = _apprise()
    target = apprise.Apprise(asset=apprise.AppriseAsset(app_id=_APPLICATION, app_desc="the Python data build tool"))
    with _told() as reasons:
        if not target.add(url):
            raise PdbtError(
                f"notifications.urls: {shown(url)} is nothing that Apprise can send to.",
                "See https://github.com/caronc/apprise/wiki for how a service's URL is written.",
            )
        if not target.notify(body=body, title=title, notify_type=apprise.NotifyType(kind)):
            reason = _without_tokens(" ".join(reasons[-1].split()), url) if reasons else "it gave no reason."
            raise PdbtError(f"{shown(url)} did not take the notice: {reason}", "Try again with: pdbt notify test")


def shown(url: str) -> str:
    """Return a target's URL as a person may see it: behind the scheme stand tokens."""
    return f"{url.partition('://')[0]}://{MASK}" if "://" in url else MASK


def identify(url: str) -> str:
    """Return what tells a target from others without telling its URL."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def _apprise() -> Any:
    try:
        with warnings.catch_warnings():
            # One of its services asks for a module that Python gives up.
            warnings.simplefilter("ignore", DeprecationWarning)
            import apprise

            apprise.Apprise.instantiate("json://127.0.0.1")  # loads the services
    except ImportError as error:
        raise MissingLibrary("apprise", "[notifications]") from error
    return apprise


@contextlib.contextmanager
def _told() -> Iterator[list[str]]:
    """Collect what Apprise says in this thread: it returns no reason, and logs it."""
    said: list[str] = []
    thread = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                said.append(record.getMessage())

    listener = Listener(logging.WARNING)
    logger = logging.getLogger("apprise")
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)


def _without_tokens(text: str, url: str) -> str:
    words = [word for word in re.split(r"[/:@?&=]+", url.partition("://")[2]) if len(word) >= _TOKEN_CHARACTERS]
    return redact(text, words)
