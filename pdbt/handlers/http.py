"""Health, metrics and triggers over HTTP, on a port beside that of Arrow Flight."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ..engine.errors import PdbtError
from .errors import BatchRefused, Overloaded, PipelineFailed, PipelineStopped, UnknownNode
from .figures import as_prometheus
from .listening import cannot_listen
from .tokens import admits
from .triggers import StillRunning, request_trigger

if TYPE_CHECKING:
    from .executor import PipelineExecutor

_MOST_BYTES = 16_000_000
ROOM_SECONDS = 10.0
_CODES: tuple[tuple[type[PdbtError], HTTPStatus], ...] = (
    (UnknownNode, HTTPStatus.NOT_FOUND),
    (StillRunning, HTTPStatus.CONFLICT),
    (Overloaded, HTTPStatus.TOO_MANY_REQUESTS),
    (PipelineStopped, HTTPStatus.SERVICE_UNAVAILABLE),
    (PipelineFailed, HTTPStatus.INTERNAL_SERVER_ERROR),
    (BatchRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
)


def trigger(pipeline: PipelineExecutor, node: str, body: bytes, *, wait: bool = True) -> dict[str, object]:
    """Have a node do its work, and return what came of it.

    Args:
        pipeline: whose node it is.
        node: the node.
        body: rows as a JSON list, for a producer that takes a batch; else empty.
        wait: until all that came of it is done.

    Raises:
        UnknownNode: it has no RequestTrigger.
        StillRunning: it is at the run before.
        Overloaded: there was no room for ten seconds.
        PdbtError: the body is no list of rows, or the run failed.
    """
    found = request_trigger(pipeline, node)
    try:
        data = json.loads(body) if body.strip() else None
    except ValueError as error:
        raise PdbtError(f"What came with the trigger of {node} is no JSON: {error}.", "Send a list of rows, or nothing.") from None
    if data is not None and not (isinstance(data, list) and all(isinstance(row, dict) for row in data)):
        raise PdbtError(f"What came with the trigger of {node} is no list of rows.", 'Send [{"column": value}], or nothing.')
    run = found.fire(data, ROOM_SECONDS)
    if not wait:
        return {"node": node, "status": "begun"}
    receipt = run.result()
    return {
        "node": node,
        "status": "done",
        "id": receipt.batch_id,
        "rows_stored": receipt.stored,
        "dead_letters": receipt.dead_letters,
        "seconds": round(receipt.seconds, 6),
    }


class HttpServer:
    """Answers GET /health, GET /metrics and POST /trigger/NODE.

    Attributes:
        port: where it answers.
    """

    def __init__(
        self,
        pipeline: PipelineExecutor,
        status: Callable[[], str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str = "",
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        """Open the port.

        Args:
            pipeline: what is asked about.
            status: says serving, stopping or failed.
            host: the address to listen at.
            port: the port; 0 chooses one.
            token: what must be sent as `Authorization: Bearer TOKEN` to all but /health; empty for none.
            tls: the PEM files of certificate and key; None for no TLS.

        Raises:
            PdbtError: the port is taken, and by whom.
        """
        self.pipeline, self.status, self.token = pipeline, status, token
        try:
            self._server = _server_at(host)((host, port), _handler_for(self))
        except OSError as error:
            raise cannot_listen(f"{host}:{port}", port, "--http-port", error) from None
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            # The handshake is left to the thread of the connection: a client that says nothing keeps no other from being heard.
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._started = False
        self.port = int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._started = True
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="pdbt http", daemon=True).start()

    def stop(self) -> None:
        """End; safe to call on a server that was not started."""
        if self._started:
            self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[HTTPStatus, str, str]:
        """Return status, content type and content."""
        path, query = urlsplit(path).path, urlsplit(path).query
        if (method, path) == ("GET", "/health"):
            status = self.status()
            return HTTPStatus.OK if status == "serving" else HTTPStatus.SERVICE_UNAVAILABLE, *_json({"status": status})
        if (method, path) == ("GET", "/metrics"):
            text = as_prometheus(self.pipeline.figures().items(), self.status() == "serving")
            return HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", text
        if method == "POST" and path.startswith("/trigger/"):
            try:
                node = unquote(path.removeprefix("/trigger/"))
                return HTTPStatus.OK, *_json(trigger(self.pipeline, node, body, wait="wait=false" not in query))
            except PdbtError as error:
                status_code = next((code for kind, code in _CODES if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)
                return status_code, *_json({"error": str(error)})
        return HTTPStatus.NOT_FOUND, *_json({"error": "There are GET /health, GET /metrics and POST /trigger/NODE."})


def _json(value: object) -> tuple[str, str]:
    return "application/json", json.dumps(value) + "\n"


def _server_at(host: str) -> type[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of a client that went away, or does not speak TLS; of all else as the base class does."""
            if not isinstance(sys.exception(), OSError):
                super().handle_error(request, client_address)

    return Server


def _handler_for(server: HttpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 60  # a client that says nothing keeps no thread

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            length = int(self.headers.get("Content-Length") or 0) if (self.headers.get("Content-Length") or "0").isdecimal() else -1
            if not 0 <= length <= _MOST_BYTES:
                self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, *_json({"error": f"At most {_MOST_BYTES:,} bytes are taken."}))
                return
            body = self.rfile.read(length)
            if urlsplit(self.path).path != "/health" and not admits(server.token, self.headers.get("Authorization", "")):
                self._send(HTTPStatus.UNAUTHORIZED, *_json({"error": "The token is missing or wrong."}))
                return
            self._send(*server.answer(method, self.path, body))

        def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing: /metrics is asked for every few seconds."""

    return Handler
