"""`pdbt stream serve`: a pipeline that runs and is served until it is told to end."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..engine.errors import PdbtError
from .executor import PipelineExecutor
from .flight.server import FlightServer, Limits
from .http import HttpServer
from .tokens import token_of

# How often it is looked whether the pipeline has failed, in seconds.
_LOOK_SECONDS = 0.5
# From malloc.h of glibc.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Serving:
    """How a pipeline is served.

    Attributes:
        host: the address to listen at.
        port: the port of Arrow Flight; 0 chooses one.
        http_port: the port of health, metrics and triggers; 0 chooses one, None has none.
        token_env: the environment variable that holds the token which clients must send; empty for no token.
        tls_cert: the PEM file of the TLS certificate with its chain; None for no TLS.
        tls_key: the PEM file of its private key.
        limits: what is taken.
    """

    host: str = "127.0.0.1"
    port: int = 50051
    http_port: int | None = None
    token_env: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def token(self) -> str:
        """The token.

        Raises:
            PdbtError: the variable is not set.
        """
        return token_of(self.token_env)

    def pems(self) -> tuple[bytes, bytes]:
        """Return certificate and key; empty without TLS.

        Raises:
            PdbtError: one of them is missing or cannot be read.
        """
        if (self.tls_cert is None) != (self.tls_key is None):
            raise PdbtError("TLS needs a certificate and its key.", "Give both --tls-cert and --tls-key.")
        if self.tls_cert is None or self.tls_key is None:
            return b"", b""
        try:
            return self.tls_cert.read_bytes(), self.tls_key.read_bytes()
        except OSError as error:
            raise PdbtError(f"{error.filename}: {error.strerror}.", "Name PEM files that can be read.") from error


def serve(pipeline: PipelineExecutor, serving: Serving, tell: Callable[[FlightServer, int | None], None]) -> None:
    """Start a pipeline and serve it until SIGTERM or Ctrl-C; then what is under way is finished.

    Args:
        pipeline: a pipeline that is not started.
        serving: how.
        tell: is called when it answers, with the server and the port of HTTP.

    Raises:
        PipelineFailed: a handler failed and the pipeline was to stop at that.
        PdbtError: it cannot be served so.
    """
    if serving.port and serving.port == serving.http_port:
        raise PdbtError(f"--port and --http-port are both {serving.port}.", "Give each a port of its own.")
    _keep_memory_low()
    certificate, key = serving.pems()
    server = FlightServer(
        pipeline,
        host=serving.host,
        port=serving.port,
        token=serving.token,
        certificate=certificate,
        key=key,
        limits=serving.limits,
    )
    http = None
    if serving.http_port is not None:
        tls = (serving.tls_cert, serving.tls_key) if serving.tls_cert and serving.tls_key else None
        http = HttpServer(pipeline, lambda: server.status, host=serving.host, port=serving.http_port, token=serving.token, tls=tls)
    with _ended_by_signals() as ended:
        try:
            pipeline.start()
            server.start()
            if http is not None:
                http.start()
            tell(server, http.port if http is not None else None)
            while not ended.wait(_LOOK_SECONDS) and pipeline.failure is None:
                pass
            server.drain()
            pipeline.stop()
        finally:
            server.stop()
            if http is not None:
                http.stop()
            pipeline.stop(finish=False)


def _keep_memory_low() -> None:
    """Have glibc give the memory of large batches back when they are let go of, and keep few heaps: a server has many threads."""
    with contextlib.suppress(OSError, AttributeError):  # another C library, or another system
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        library.mallopt(_M_ARENA_MAX, 2)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    """Have SIGTERM and Ctrl-C set an event; the second one ends at once."""
    ended = threading.Event()

    def end(number: int, _: object) -> None:
        if ended.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
