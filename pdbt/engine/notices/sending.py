"""One message to one target, through Apprise; why it did not arrive is told in words that hold no token."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ..environment import MASK, redact
from ..errors import MissingLibrary, PdbtError

Kind = Literal["failure", "warning", "success", "info"]

_APPLICATION = "pdbt"
# What is shorter says nothing, and masking it would riddle the sentence with asterisks.
_TOKEN_CHARACTERS = 6
# Services that are reached at a host of the owner's choice. For the others a token, a topic or an account stands in its place.
_SCHEMES_WITH_HOST = frozenset(
    "apprise apprises emby embys form forms gotify gotifys growl hassio hassios http https json jsons kodi kodis mailto mailtos"
    " mmost mmosts mqtt mqtts nctalk nctalks ncloud nclouds rocket rockets rsyslog signal signals synology synologys xml xmls".split()
)
_HOST = re.compile(r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?")


@dataclass(frozen=True)
class Addressee:
    """One target of the settings.

    Attributes:
        url: where to, as Apprise writes it; it holds tokens, and is not to be shown.
        position: its place in the settings' list, counted from 1.
    """

    url: str = field(repr=False)
    position: int

    @property
    def identity(self) -> str:
        """The text that tells it from others without showing its URL."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """The target as a person may see it: its place in the list, scheme and host."""
        return f"target {self.position} ({shown(self.url)})"


def send(target: Addressee, title: str, body: str, kind: Kind) -> None:
    """Send a message; waits for the target's answer, a few seconds at most.

    Args:
        target: where to.
        title: what is told, in a line.
        body: the lines below it.
        kind: decides the colour or the sign, where a service has some.

    Raises:
        MissingLibrary: Apprise is not installed.
        PdbtError: the URL is none, or the target did not take the message; says why.
    """
    apprise = _apprise()
    service = apprise.Apprise(asset=apprise.AppriseAsset(app_id=_APPLICATION, app_desc="the Python data build tool"))
    with _told() as reasons:
        if not service.add(target.url):
            raise PdbtError(
                f"notifications.urls: {target.label} is nothing that Apprise can send to.",
                "See https://github.com/caronc/apprise/wiki for how a service's URL is written.",
            )
        if not service.notify(body=body, title=title, notify_type=apprise.NotifyType(kind)):
            reason = _without_tokens(" ".join(reasons[-1].split()), target.url) if reasons else "it gave no reason."
            raise PdbtError(f"{target.label} did not take the notice: {reason}", "Try again with: pdbt notify test")


def shown(url: str) -> str:
    """Return a target's URL as a person may see it: its scheme and, where the service has one, its host. All else may be a token."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return MASK
    host = _host(scheme, rest)
    return f"{scheme}://{host}/{MASK}" if host else f"{scheme}://{MASK}"


def _host(scheme: str, rest: str) -> str:
    """Return host and port of a URL; empty where the first part may be a token, as it is for most services, or part of a password."""
    address, path = re.match(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]  # it matches every text
    host = address.rpartition("@")[2]
    if scheme.lower() not in _SCHEMES_WITH_HOST or "@" in path or not _HOST.fullmatch(host):
        return ""
    return str(host)


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
    scheme, _, rest = url.partition("://")
    known = _host(scheme, rest).partition(":")[0]
    words = [word for word in re.split(r"[/:@?&=]+", rest) if len(word) >= _TOKEN_CHARACTERS and word != known]
    return redact(text, words)
