"""Ports of this machine: whether one is free, and who has it if not."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings_rules import HIGHEST_PORT, LOWEST_PORT
from .libraries import is_installed
from .place import HOST, MARKER, owner_of

if TYPE_CHECKING:
    import psutil

NEAR = 100  # ports to look at for one to suggest
_CONNECT_SECONDS = 1.0


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        if os.name == "posix":  # as servers do: connections that are still closing do not count
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            return False
    # Some systems let two listen on one port, at different addresses.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(_CONNECT_SECONDS)
        return client.connect_ex((HOST, port)) != 0


def free_port_near(port: int) -> int | None:
    """Return a free port to suggest instead of one that is taken; the next one is left to the project's sample."""
    candidates = [*range(port + 2, min(port + NEAR, HIGHEST_PORT) + 1), *range(port - 1, max(port - NEAR, LOWEST_PORT) - 1, -1)]
    return next((candidate for candidate in candidates if is_free(candidate)), None)


def listeners(port: int) -> list[psutil.Process]:
    """Return the processes that listen on a port, as far as this user may see them, and psutil is there to look."""
    if not is_installed("psutil"):
        return []
    import psutil

    found: dict[int, psutil.Process] = {}
    for pid, local in _listening():
        if local == port and pid is not None and pid not in found:
            with contextlib.suppress(psutil.Error):
                found[pid] = psutil.Process(pid)
    return list(found.values())


def _listening() -> Iterator[tuple[int | None, int]]:
    """Yield PID and port of each socket that listens; the PID is None where this user may not see it."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr:
                yield connection.pid, connection.laddr.port
    except psutil.AccessDenied:  # macOS shows a user only what is asked of each process of one's own
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                for own in process.net_connections("tcp"):
                    if own.status == psutil.CONN_LISTEN and own.laddr:
                        yield process.pid, own.laddr.port


def describe(process: psutil.Process) -> str:
    """Name a process for a person, and the project if it is one's Dagster."""
    import psutil

    name, project = "a process", ""
    with contextlib.suppress(psutil.Error):
        name = process.name()
    with contextlib.suppress(psutil.Error, OSError):
        home = process.environ().get(MARKER, "")
        project = f", the Dagster of {owner_of(Path(home))}" if home else ""
    return f"{name} (PID {process.pid}){project}"


def who_has(port: int) -> str:
    """Say who listens on a port that is taken."""
    found = listeners(port)
    return " and ".join(map(describe, found)) if found else "a process that cannot be seen from here"
