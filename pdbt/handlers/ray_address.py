"""The address of a Ray cluster that is there: which place it means, and whether anybody answers at it.

Ray itself goes on for minutes at a place where nobody answers, and may then end the process that asked.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from urllib.parse import urlsplit

AUTO = "auto"
ANSWER_SECONDS = 10.0
# What a client of HTTP/2, and so of gRPC, says first: the preface and an empty SETTINGS frame, which every server answers by its own
# (RFC 9113, sections 3.4 and 4.1).
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_FRAME_HEAD_BYTES, _FRAME_TYPE_BYTE, _SETTINGS = 9, 3, 4


def place_of(address: str) -> tuple[str, int]:
    """Return the host and the port at which Ray would look for a cluster.

    Args:
        address: host:port, where this machine is looked for at its address in the network, as Ray has it; or ``auto``: what
            RAY_ADDRESS names, or else the cluster of this machine.

    Raises:
        LookupError: ``auto``, and there is none.
        ValueError: it is no host:port.
    """
    from ray._private import services

    text = _found() if address == AUTO else address
    parts = urlsplit(text if "://" in text else f"//{text}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:  # the port is no number
        host = port = None
    if not host or not port:
        raise ValueError("it is no host:port")
    return str(services.resolve_ip_for_localhost(host)), port


def _found() -> str:
    from ray._private import services

    # Ray remembers what it found before, also what is no more; and it warns of several, as it does not when it connects for us.
    if hasattr(services.find_gcs_addresses, "cache_clear"):
        services.find_gcs_addresses.cache_clear()
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        return str(services.get_ray_address_from_environment(AUTO, None))
    except ConnectionError:
        raise LookupError("none runs on this machine, and RAY_ADDRESS names none") from None


def check_answers(host: str, port: int) -> None:
    """Find out whether a server of gRPC answers: one that hangs still takes connections.

    Raises:
        OSError: none does, within ten seconds.
    """
    until = time.monotonic() + ANSWER_SECONDS
    try:
        with socket.create_connection((host, port), ANSWER_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
                return  # it answers nobody without a certificate
            connection.sendall(_GREETING)
            head = b""
            while len(head) < _FRAME_HEAD_BYTES:
                connection.settimeout(max(0.001, until - time.monotonic()))
                piece = connection.recv(_FRAME_HEAD_BYTES - len(head))
                if not piece:
                    raise ConnectionError("who listens there is no Ray cluster")
                head += piece
    except TimeoutError:
        raise TimeoutError(f"it did not answer within {ANSWER_SECONDS:g} s") from None
    if head[_FRAME_TYPE_BYTE] != _SETTINGS:
        raise ConnectionError("who listens there is no Ray cluster")
