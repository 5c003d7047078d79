"""Whoever is told: a local HTTP listener that keeps what it receives."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.process.conftest import free_port

__all__ = ["free_port"]  # a fixture of this room too
TOKEN = "hook-5ecr3t-t0ken"


@dataclass
class Listener:
    """What a listener received, each message with title, message and type."""

    port: int
    status: int = 200
    received: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where Apprise reaches it."""
        return f"json://127.0.0.1:{self.port}/{TOKEN}"

    @property
    def titles(self) -> list[str]:
        """The titles of what it received, in order."""
        return [message["title"] for message in self.received]


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A listener on a free port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == f"/{TOKEN}"
            if found.status == 200:
                found.received.append(said)
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Listener(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()
