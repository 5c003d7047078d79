"""The doctor's look at a project's connections: all at once, and none is waited for long."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable

from ..engine.environment import redact
from ..engine.errors import PdbtError
from ..engine.settings import FILE_NAME, Settings
from ..project.doctor import ERROR, OK, Check, Patient
from .address import read_address
from .connections import resolve
from .probe import test_connection

WAITED_SECONDS = 4.0
_DATABASE = "database"


def examine_connections(patient: Patient) -> Iterable[Check]:
    """Check that every connection, and the shared database, can be reached."""
    settings = patient.settings
    if settings is None:
        return []
    names = [*([_DATABASE] if settings.database_url is not None else []), *settings.connections]
    answers: queue.Queue[tuple[str, Check]] = queue.Queue()
    for name in names:
        # A driver that waits for a dead server longer than we do ends with the process, and holds nobody up.
        threading.Thread(target=lambda name=name: answers.put((name, _try(name, settings))), daemon=True).start()
    found: dict[str, Check] = {}
    deadline = time.monotonic() + WAITED_SECONDS
    while len(found) < len(names):
        try:
            name, check = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[name] = check
    return [found.get(name) or _silent(name) for name in names]


def _try(name: str, settings: Settings) -> Check:
    url = settings.database_url if name == _DATABASE else None
    try:
        tested = test_connection(read_address(url) if url is not None else resolve(name, settings))
    except PdbtError as error:
        # What the settings hold of a connection is its URL as written: that of the password's variable is no secret.
        error.redact(settings.redact if url is not None else redact)
        return Check(_label(name), ERROR, error.message, error.hint)
    return Check(_label(name), OK, f"{tested.label} answers: {tested.version}, {tested.tables:,} tables.")


def _silent(name: str) -> Check:
    hint = f"Is it up, and does a firewall stand between? The URL is in {FILE_NAME}."
    return Check(_label(name), ERROR, f"It did not answer in {WAITED_SECONDS:g} s.", hint)


def _label(name: str) -> str:
    return _DATABASE if name == _DATABASE else f"connection {name}"
