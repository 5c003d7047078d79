"""What `pdbt stream loadtest` is asked, checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ...engine.errors import PdbtError
from .running import Load


def counts(text: str) -> tuple[int, ...]:
    """Return numbers of clients, written with commas between them.

    Raises:
        PdbtError: one is no number, or less than 1.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise PdbtError(f"--clients {text}: these are no numbers of clients.", "Write them with commas: --clients 1,5,20.")
    return tuple(int(word) for word in words)


def load_test_of(url: str, clients: Sequence[int], batches: int, rows: int, node: str, token: str, tls_ca: Path | None) -> Load:
    """Return what is to be measured.

    Raises:
        PdbtError: the URL is none of a served pipeline, or the certificate is no file.
    """
    try:
        parts = urlsplit(url)
        served = parts.scheme in ("grpc", "grpc+tcp", "grpc+tls") and parts.hostname and parts.port
    except ValueError:
        served = None
    if not served:
        raise PdbtError(f"{url} is no address of a served pipeline.", "Write it like grpc://127.0.0.1:50051.")
    if tls_ca is not None and not tls_ca.is_file():
        raise PdbtError(f"--tls-ca {tls_ca}: there is no such file.", "Name the PEM file of a certificate.")
    return Load(url, clients, batches, rows, node, token, tls_ca)
