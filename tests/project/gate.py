"""A server in front of a Dagster, or in place of one: it asks for a token, answers wrongly, falls silent, shows another time."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER_SECONDS = 60.0
SILENCE_SECONDS = 20.0


@dataclass
class Gate:
    """A gate: what it does can be changed while it is open.

    Attributes:
        url: where it is.
        behind: the port of the Dagster behind it; None when there is none.
        token: the header and value that it asks for.
        answer: status, headers and body of every answer, instead of the one from behind.
        falters: drops the connection, or keeps it waiting, after a request was passed on whose query holds this word; once.
        closed: drops every connection.
        silent: answers nothing.
        shift: seconds that its clock is ahead.
        seen: the headers of the requests.
    """

    url: str
    behind: int | None = None
    token: tuple[str, str] | None = None
    answer: tuple[int, dict[str, str], bytes] | None = None
    falters: str = ""
    closed: bool = False
    silent: bool = False
    dripping: bool = False
    shift: float = 0.0
    seen: list[dict[str, str]] = field(default_factory=list)


@contextlib.contextmanager
def opened(**what: Any) -> Iterator[Gate]:
    """Open a gate on a port that the system gives out."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            gate.seen.append({name.lower(): value for name, value in self.headers.items()})
            if gate.closed:
                return
            if gate.silent:
                ended.wait(SILENCE_SECONDS)
                return
            status, headers, answer = _answered(gate, self.headers.get, body)
            if gate.falters and gate.falters in body.decode():
                gate.falters = ""
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if gate.dripping:
                while not ended.wait(0.3):
                    with contextlib.suppress(OSError):
                        self.wfile.write(b" ")
                return
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *words: object) -> None:
            """Say nothing of who hung up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        gate = Gate(f"http://127.0.0.1:{server.server_address[1]}", **what)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield gate
        finally:
            ended.set()
            server.shutdown()
            thread.join()


def _answered(gate: Gate, header: Callable[[str], str | None], body: bytes) -> tuple[int, dict[str, str], bytes]:
    if gate.token is not None and header(gate.token[0]) != gate.token[1]:
        return 401, {}, b"no"
    if gate.answer is not None:
        return gate.answer
    assert gate.behind is not None
    request = urllib.request.Request(f"http://127.0.0.1:{gate.behind}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
        return 200, {"Content-Type": "application/json"}, json.dumps(_shifted(json.load(answer), gate.shift)).encode()


def _shifted(value: Any, seconds: float) -> Any:
    """Return an answer as a machine would give it whose clock is ahead by some seconds."""
    if isinstance(value, dict):
        return {
            key: inner + seconds if key in ("startTime", "endTime") and inner else _shifted(inner, seconds) for key, inner in value.items()
        }
    return [_shifted(inner, seconds) for inner in value] if isinstance(value, list) else value


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)
