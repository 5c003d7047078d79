"""A pipeline as an Arrow Flight endpoint: whoever speaks gRPC gives it batches, and is told of each when it is stored."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...engine.errors import MissingLibrary, PdbtError
from ..figures import as_prometheus
from ..graph import HandlerGraph
from ..http import trigger
from ..listening import cannot_listen, fault_at
from ..sinks.counting import tables
from ..tokens import admits
from . import wire
from .client import place_of, quiet_grpc
from .put import PutStream, Refused

if TYPE_CHECKING:
    import grpc

    from ..executor import PipelineExecutor

# Calls that are no DoPut, such as one of health, find room beside the most that may send at a time.
_SPARE_CALLS = 8
# gRPC itself ends what is so many times larger than a batch may be, before all of it is read.
_HARD_LIMIT = 4
_MB = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What a server takes.

    Attributes:
        batch_mb: how large a batch may be, in megabytes.
        clients: how many may send at a time.
        patience: how long a batch waits for room before RESOURCE_EXHAUSTED, in seconds.
    """

    batch_mb: float = 64.0
    clients: int = 100
    patience: float = 10.0

    @property
    def bytes(self) -> int:
        """How large a batch may be, in bytes."""
        return int(self.batch_mb * _MB)


class FlightServer:
    """Serves a started pipeline until it is stopped.

    Attributes:
        port: where it answers, also when it was to choose one.
    """

    def __init__(
        self,
        pipeline: PipelineExecutor,
        *,
        host: str = "127.0.0.1",
        port: int = 50051,
        token: str = "",
        certificate: bytes = b"",
        key: bytes = b"",
        limits: Limits | None = None,
        actions: dict[str, Callable[[bytes], object]] | None = None,
    ) -> None:
        """Open the port; nothing is answered before `start`.

        Args:
            pipeline: where batches go.
            host: the address to listen at.
            port: the port; 0 chooses one.
            token: what clients must send as `authorization: Bearer TOKEN`; empty for no token.
            certificate: with `key`, the PEM of a TLS certificate with its chain; empty for no TLS.
            key: the PEM of its private key.
            limits: what it takes.
            actions: what DoAction does beside its own, by name: a function of the body that returns what JSON can say.

        Raises:
            PdbtError: the port is taken, and by whom; or the certificate is none.
            MissingLibrary: grpcio is not installed.
        """
        grpc = _grpc()
        self._pipeline = pipeline
        self._limits = limits or Limits()
        self._token = token
        self._actions = {
            "health": lambda _: {"status": self.status},
            "metrics": lambda _: as_prometheus(pipeline.figures().items(), self.status == "serving"),
            "tables": lambda _: tables(pipeline.graph),
            "trigger": lambda body: _triggered(pipeline, body),
            **(actions or {}),
        }
        self._draining = threading.Event()
        self._senders = threading.BoundedSemaphore(self._limits.clients)
        calls = self._limits.clients + _SPARE_CALLS
        self._server = grpc.server(
            futures.ThreadPoolExecutor(calls, thread_name_prefix="pdbt flight"),
            handlers=[_Service(self)],
            maximum_concurrent_rpcs=calls,
            options=[
                ("grpc.so_reuseport", 0),  # else two servers would share a port, and neither know
                ("grpc.max_receive_message_length", _HARD_LIMIT * self._limits.bytes),
                ("grpc.max_send_message_length", -1),
                # What is read ahead for a client whose batch waits is memory that nobody counts.
                ("grpc.http2.bdp_probe", 0),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),  # clients ask whether it is there while they wait
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        place = place_of(host, port)
        try:
            if certificate:
                self.port = self._server.add_secure_port(place, grpc.ssl_server_credentials([(key, certificate)]))
            else:
                self.port = self._server.add_insecure_port(place)
        except RuntimeError:
            self.port = 0
        if not self.port:
            self._server.stop(None)
            raise _no_port(host, port, tls=bool(certificate))

    @property
    def graph(self) -> HandlerGraph:
        """The graph of its pipeline."""
        return self._pipeline.graph

    @property
    def status(self) -> str:
        """What it says of its health: serving, stopping or failed."""
        if self._pipeline.failure is not None:
            return "failed"
        return "stopping" if self._draining.is_set() else "serving"

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def drain(self) -> None:
        """Take no further batch; those under way are still acknowledged."""
        self._draining.set()

    def stop(self, seconds: float = 1.0) -> None:
        """End; calls that are under way have so many seconds."""
        self.drain()
        self._server.stop(seconds).wait()

    # Calls ------------------------------------------------------------------------------------------------------------

    def admit(self, context: grpc.ServicerContext) -> None:
        """End a call that has no or a wrong token."""
        given = dict(context.invocation_metadata()).get("authorization", "")
        given = given.decode("utf-8", "replace") if isinstance(given, bytes) else given
        if not admits(self._token, given):
            context.abort(_grpc().StatusCode.UNAUTHENTICATED, "The token is missing or wrong. Send it as authorization: Bearer TOKEN.")

    def do_put(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Take batches, and acknowledge each."""
        if not self._senders.acquire(blocking=False):
            sentence = f"No more than {self._limits.clients} may send at a time, and so many do. Try again later."
            context.abort(_grpc().StatusCode.RESOURCE_EXHAUSTED, sentence)
        try:
            stream = PutStream(self._pipeline, requests, self._limits, self._draining)
            context.add_callback(stream.end)
            for answer in stream.answers():
                if isinstance(answer, Refused):
                    context.abort(getattr(_grpc().StatusCode, answer.code), answer.sentence)
                yield wire.message((1, json.dumps(answer).encode()))
        finally:
            self._senders.release()

    def do_action(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """Do an action."""
        name = wire.only(request, 1).decode("utf-8", "replace")
        if name not in self._actions:
            known = ", ".join(sorted(self._actions))
            context.abort(_grpc().StatusCode.UNIMPLEMENTED, f"There is no action {name}. There are: {known}.")
        try:
            result = self._actions[name](wire.only(request, 2))
        except PdbtError as error:
            refused = Refused.of(error)
            context.abort(getattr(_grpc().StatusCode, refused.code), refused.sentence)
        yield wire.message((1, result.encode() if isinstance(result, str) else json.dumps(result).encode()))

    def list_actions(self, _: bytes, __: grpc.ServicerContext) -> Iterator[bytes]:
        """List the actions."""
        for name in sorted(self._actions):
            yield wire.message((1, name.encode()))

    def list_flights(self, _: bytes, __: grpc.ServicerContext) -> Iterator[bytes]:
        """List the nodes that take batches, each as the path of a descriptor."""
        for name in self.graph.producers:
            if self.graph.nodes[name].asked.takes_data:
                yield self._info(name)

    def get_flight_info(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Tell of a node."""
        return self._info(self._named(request, context))

    def get_schema(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Tell the columns that a node takes."""
        return wire.message((1, self._schema(self._named(request, context))))

    def _named(self, request: bytes, context: grpc.ServicerContext) -> str:
        name = wire.path_of(request)
        if name not in self.graph.producers:
            known = ", ".join(self.graph.producers)
            context.abort(_grpc().StatusCode.NOT_FOUND, f"{name} is no producer of this pipeline. Its producers are {known}.")
        return name

    def _info(self, name: str) -> bytes:
        return wire.message((1, self._schema(name)), (2, wire.descriptor(name)), (4, -1), (5, -1))

    def _schema(self, name: str) -> bytes:
        import pyarrow as pa

        schema = self.graph.nodes[name].handler.schema or pa.schema([])
        return bytes(schema.serialize())


class _Service:
    """Finds what answers a call, for gRPC."""

    def __init__(self, server: FlightServer) -> None:
        grpc = _grpc()
        self._admit = server.admit
        self._methods = {
            "DoPut": (grpc.stream_stream_rpc_method_handler, server.do_put),
            "DoAction": (grpc.unary_stream_rpc_method_handler, server.do_action),
            "ListActions": (grpc.unary_stream_rpc_method_handler, server.list_actions),
            "ListFlights": (grpc.unary_stream_rpc_method_handler, server.list_flights),
            "GetFlightInfo": (grpc.unary_unary_rpc_method_handler, server.get_flight_info),
            "GetSchema": (grpc.unary_unary_rpc_method_handler, server.get_schema),
        }

    def service(self, call: grpc.HandlerCallDetails) -> Any:
        """Return what answers a call; None for one that is not answered."""
        service, _, method = call.method.strip("/").partition("/")
        if service != wire.SERVICE or method not in self._methods:
            return None
        make, answer = self._methods[method]
        return make(self._admitted(method, answer))

    def _admitted(self, method: str, answer: Any) -> Callable[..., Any]:
        if method in ("GetFlightInfo", "GetSchema"):

            def one(request: bytes, context: grpc.ServicerContext) -> Any:
                self._admit(context)
                return answer(request, context)

            return one

        def several(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            self._admit(context)
            with contextlib.closing(answer(request, context)) as answers:
                yield from answers

        return several


def _triggered(pipeline: PipelineExecutor, body: bytes) -> object:
    """Do the action trigger, whose body is JSON: node, and data for a producer that takes a batch."""
    try:
        said = json.loads(body)
        node, data = str(said["node"]), said.get("data")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PdbtError("The action trigger has no node.", 'Send {"node": "NAME"}.') from None
    return trigger(pipeline, node, b"" if data is None else json.dumps(data).encode())


def _no_port(host: str, port: int, *, tls: bool) -> PdbtError:
    """Return why gRPC opened no port, which it does not say itself."""
    place, fault = place_of(host, port), fault_at(host, port)
    if fault is not None:
        return cannot_listen(place, port, "--port", fault)
    if tls:
        return PdbtError(f"No server can listen at {place} with this TLS certificate and key.", "Name two PEM files that belong together.")
    return PdbtError(f"No server could listen at {place}, which is free now.", "Try again.")


def _grpc() -> Any:
    quiet_grpc()
    try:
        import grpc
    except ModuleNotFoundError:
        raise MissingLibrary("grpcio", "pdbt stream serve") from None
    return grpc
