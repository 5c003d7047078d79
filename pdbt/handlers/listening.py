"""Why no server can listen at a place: who has its port, or what else is wrong with it."""

from __future__ import annotations

import errno
import os
import socket

from ..engine.errors import PdbtError
from ..engine.process import ports


def fault_at(host: str, port: int) -> OSError | None:
    """Return what keeps a server from listening at an address; None when nothing does, for one whose library does not say."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
            with socket.socket(family, kind, protocol) as server:
                if os.name == "posix":  # as servers do: connections that are still closing do not count
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind(address)
                server.listen()
    except OSError as error:
        return error
    return None


def cannot_listen(place: str, port: int, option: str, fault: OSError) -> PdbtError:
    """Return the sentence for an address that cannot be listened at.

    Args:
        place: the address, as host:port.
        port: its port.
        option: what names the port on the command line.
        fault: what the system says.
    """
    if fault.errno == errno.EADDRINUSE:
        free = ports.free_port_near(port)
        return PdbtError(f"Port {port} is taken by {ports.who_has(port)}.", f"Use {f'{option} {free}' if free else f'another {option}'}.")
    return PdbtError(f"No server can listen at {place}: {fault.strerror or fault}.", f"Choose another --host or {option}.")
