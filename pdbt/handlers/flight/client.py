"""Sending batches to a served pipeline, again and again until each is acknowledged, under one id: together with its sinks, once."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ...engine.errors import NEEDS_A_HAND, RUN_IN_PROGRESS, PdbtError
from ..forms import as_batch
from ..tokens import bearing

if TYPE_CHECKING:
    import pyarrow as pa

# Pauses before a server that does not answer, or has no room, is asked again, in seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
# A server that hangs, or whose machine is gone, is noticed after that many milliseconds.
_ALIVE = [("grpc.keepalive_time_ms", 20_000), ("grpc.keepalive_timeout_ms", 10_000), ("grpc.http2.max_pings_without_data", 0)]
_SAID = re.compile(r"with message: (?P<said>.*?)\.? *(?:gRPC client debug context|Client context|$)", re.DOTALL)


@dataclass(frozen=True)
class Ack:
    """A batch that is stored.

    Attributes:
        batch_id: its id.
        rows_received: how many rows came.
        rows_stored: how many rows the sinks that it reached hold of it.
        seconds: how long the server took for it.
        round_trip: how long it took from the first sending to the acknowledgement, in seconds.
        sendings: how often it was sent.
        dead_letters: how many batches that came of it were set aside.
    """

    batch_id: str
    rows_received: int
    rows_stored: int
    seconds: float
    round_trip: float
    sendings: int = 1
    dead_letters: int = 0


class ServerRefused(PdbtError):
    """A server that will not take a batch, or not this client's.

    Attributes:
        invalid: it is the batch that is at fault, and will be when it is sent again.
    """

    def __init__(self, message: str, hint: str = "", *, invalid: bool = False) -> None:
        """Keep whose fault it is beside the sentence."""
        super().__init__(message, hint)
        self.invalid = invalid


class ServerUnavailable(PdbtError):
    """A server that did not answer, or had no room, for as long as a client waits."""

    def __init__(self, message: str, hint: str = "", exit_code: int = RUN_IN_PROGRESS) -> None:
        """Exit with 75, as sysexits.h says for what works when tried again, unless it was asked once and a person is to look."""
        super().__init__(message, hint, exit_code)


@dataclass
class _Sent:
    batch_id: str
    table: pa.Table
    first: float = 0.0
    sendings: int = 0


class Client:
    """A connection to a served pipeline; is a context manager. Not to be shared by threads."""

    def __init__(self, url: str, *, token: str = "", tls_ca: bytes | None = None, window: int = 8, patience: float = 60.0) -> None:
        """Connect to nothing yet.

        Args:
            url: the server: grpc://host:port, or grpc+tls://host:port.
            token: the token that it asks for.
            tls_ca: the PEM of the certificate that signed the server's; None for those of the system.
            window: how many batches may be unacknowledged.
            patience: how long to go on while no batch is acknowledged, in seconds.
        """
        self.url = url
        self._token = token
        self._tls_ca = tls_ca
        self._window = window
        self._patience = patience
        self._client: Any = None
        self._stream: tuple[str, Any, Any, Any] | None = None

    def send(self, node: str, batches: object, *, ids: Iterable[str] | None = None) -> list[Ack]:
        """Send batches to a node, and wait until each is acknowledged.

        Args:
            node: the producer that they are for.
            batches: one batch (pyarrow Table, pandas DataFrame or list of dicts), or an iterable of Tables and DataFrames.
            ids: an id for each, the same when it is sent again by another process; by default new ones.

        Returns:
            What the server said of each, in the order of the batches.

        Raises:
            ServerRefused: the server will not take one.
            ServerUnavailable: no batch was acknowledged for as long as the patience lasts.
        """
        return list(self.send_each(node, batches, ids=ids))

    def send_each(self, node: str, batches: object, *, ids: Iterable[str] | None = None) -> Iterator[Ack]:
        """Send batches as `send` does, and yield each acknowledgement when all before it have come."""
        coming = _numbered(_several(batches), iter(ids) if ids is not None else None)
        waiting: deque[_Sent] = deque()  # not sent, or to be sent again
        sent: dict[str, _Sent] = {}
        order: deque[str] = deque()
        done: dict[str, Ack] = {}
        pause, until = _FIRST_PAUSE, time.monotonic() + self._patience
        while True:
            try:
                self._fill(node, coming, waiting, sent, order)
                if not sent:
                    return
                ack = self._acknowledged(sent)
            except (ServerRefused, StopIteration):
                self._hang_up()
                raise
            except _Retry as retry:
                self._hang_up()
                waiting.extendleft(reversed(sent.values()))
                sent.clear()
                if time.monotonic() > until:
                    raise ServerUnavailable(f"{self.url}: {retry.said}.", f"Nothing was acknowledged for {self._patience:g} s.") from None
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause, until = _FIRST_PAUSE, time.monotonic() + self._patience
            done[ack.batch_id] = ack
            while order and order[0] in done:
                yield done.pop(order.popleft())

    def action(self, name: str, body: object = None) -> Any:
        """Do an action of the server, such as health or trigger, and return what it says.

        Raises:
            ServerRefused: it will not.
            ServerUnavailable: it does not answer.
        """
        import pyarrow as pa
        from pyarrow import flight

        try:
            action = flight.Action(name, b"" if body is None else json.dumps(body).encode())
            results = [result.body.to_pybytes().decode() for result in self._connected().do_action(action, self._options())]
        except pa.ArrowException as error:
            raise self._unanswered(error) from None
        text = "".join(results)
        with contextlib.suppress(ValueError):
            return json.loads(text)
        return text

    def nodes(self) -> list[tuple[str, pa.Schema]]:
        """Return the nodes that take batches, each with the columns that it takes: none when it takes any.

        Raises:
            ServerRefused: the server does not tell.
            ServerUnavailable: it does not answer.
        """
        import pyarrow as pa

        try:
            return [(info.descriptor.path[0].decode(), info.schema) for info in self._connected().list_flights(options=self._options())]
        except pa.ArrowException as error:
            raise self._unanswered(error) from None

    def close(self) -> None:
        """Disconnect."""
        self._hang_up()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Disconnect."""
        self.close()

    # The stream -------------------------------------------------------------------------------------------------------

    def _fill(self, node: str, coming: Iterator[_Sent], waiting: deque[_Sent], sent: dict[str, _Sent], order: deque[str]) -> None:
        """Send as many as may be unacknowledged."""
        import pyarrow as pa

        while len(sent) < self._window:
            if not waiting:
                new = next(coming, None)
                if new is None:
                    return
                order.append(new.batch_id)
                waiting.append(new)
            item = waiting[0]
            if sent and self._stream is not None and not self._stream[1].equals(item.table.schema):
                return  # a stream has one schema: the next begins when all of this one is acknowledged
            item.sendings += 1
            item.first = item.first or time.monotonic()
            try:
                self._write(node, item)
            except pa.ArrowException as error:
                raise _told(error, self.url) from error
            sent[item.batch_id] = waiting.popleft()

    def _write(self, node: str, item: _Sent) -> None:
        import pyarrow as pa
        from pyarrow import flight

        schema = item.table.schema
        if self._stream is None or self._stream[0] != node or not self._stream[1].equals(schema):
            self._finish()
            writer, reader = self._connected().do_put(flight.FlightDescriptor.for_path(node), schema, self._options())
            self._stream = (node, schema, writer, reader)
        pieces = item.table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema)]
        self._stream[2].write_with_metadata(pieces[0], item.batch_id.encode())

    def _acknowledged(self, sent: dict[str, _Sent]) -> Ack:
        import pyarrow as pa

        assert self._stream is not None  # noqa: S101 - something was sent
        while True:
            try:
                said = self._stream[3].read()
                if said is None:
                    self._stream[2].close()  # this tells with what status the server ended the call
                    raise _Retry("the server ended the call")
            except pa.ArrowException as error:
                raise _told(error, self.url) from error
            told = json.loads(said.to_pybytes())
            if (item := sent.pop(told["id"], None)) is not None:
                seconds = time.monotonic() - item.first
                return Ack(
                    told["id"], told["rows_received"], told["rows_stored"], told["seconds"], seconds, item.sendings, told["dead_letters"]
                )

    def _connected(self) -> Any:
        quiet_grpc()
        from pyarrow import flight

        if self._client is None:
            self._client = flight.connect(self.url, tls_root_certs=self._tls_ca, generic_options=_ALIVE)
        return self._client

    def _options(self) -> Any:
        from pyarrow import flight

        return flight.FlightCallOptions(headers=[(b"authorization", bearing(self._token).encode())] if self._token else [])

    def _unanswered(self, error: Exception) -> Exception:
        """Return what an error of a call means that is not repeated."""
        told = _told(error, self.url)
        if not isinstance(told, _Retry):
            return told
        self._hang_up()
        hint = "Start it with pdbt stream serve, or mend the address."
        return ServerUnavailable(f"{self.url}: {told.said}.", hint, NEEDS_A_HAND)

    def _finish(self) -> None:
        """End the stream; all that it brought is acknowledged."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(Exception):  # nothing is lost with it
                stream[2].close()

    def _hang_up(self) -> None:
        self._finish()
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()


def place_of(host: str, port: int) -> str:
    """Return host:port as an address writes it; one of IPv6 stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def quiet_grpc() -> None:
    """Have gRPC, which is about to be loaded, print nothing of its own: what it has to say comes as an error, too."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


class _Retry(Exception):
    """What passes: the server is away, or has no room."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def _told(error: Exception, url: str) -> Exception:
    """Return what an error of the transport means."""
    import pyarrow as pa
    from pyarrow import flight

    found = _SAID.search(str(error))
    said = (found["said"] if found else str(error).splitlines()[0]).strip().rstrip(".")
    no_room = "resource exhausted" in str(error).lower() and "larger than max" not in str(error)
    if no_room or isinstance(error, flight.FlightUnavailableError | flight.FlightTimedOutError | flight.FlightCancelledError):
        return _Retry(said)
    return ServerRefused(f"{url}: {said}.", invalid=isinstance(error, pa.ArrowInvalid))


def _several(batches: object) -> Iterator[pa.Table]:
    if isinstance(batches, Iterator) or (isinstance(batches, list | tuple) and not all(isinstance(batch, dict) for batch in batches)):
        for batch in batches:
            yield as_batch(batch, "client")
        return
    yield as_batch(batches, "client")


def _numbered(batches: Iterator[pa.Table], ids: Iterator[str] | None) -> Iterator[_Sent]:
    own = uuid.uuid4().hex
    for number, table in enumerate(batches):
        yield _Sent(f"{own}-{number}" if ids is None else next(ids), table)
