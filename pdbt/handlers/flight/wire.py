"""The messages of Arrow Flight, and the batches in them.

pyarrow's own server cannot answer RESOURCE_EXHAUSTED, and puts a traceback into what it answers; so the service runs on grpcio, which
has every status code. Flight's messages have fields of bytes and of integers only, hence they are read and written here directly.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

SERVICE = "arrow.flight.protocol.FlightService"
# Numbers of fields, from Flight.proto of Apache Arrow.
DESCRIPTOR, HEADER, METADATA, BODY = 1, 2, 3, 1000  # of FlightData
DESCRIPTOR_PATH = 3  # of FlightDescriptor
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_PATH_TYPE = 1
_CONTINUATION = b"\xff\xff\xff\xff"


class Malformed(ValueError):
    """Bytes that are no message."""


def fields(message: bytes | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the fields of a message, each with its number.

    Raises:
        Malformed: it is none.
    """
    view, place = memoryview(message), 0
    while place < len(view):
        key, place = _varint(view, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(view, place)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, place = _varint(view, place)
        elif kind in (_FIXED_64, _FIXED_32):
            size = 8 if kind == _FIXED_64 else 4
        else:
            raise Malformed("a field of no known kind")
        if place + size > len(view):
            raise Malformed("a field ends behind the message")
        yield key >> 3, view[place : place + size]
        place += size


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(view) and shift < 64:
        byte = view[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
    raise Malformed("a number without an end")


def message(*parts: tuple[int, int | bytes]) -> bytes:
    """Return a message of these fields."""
    return b"".join(
        _number(number << 3 | _VARINT) + _number(value)
        if isinstance(value, int)
        else _number(number << 3 | _BYTES) + _number(len(value)) + value
        for number, value in parts
    )


def _number(value: int) -> bytes:
    if value < 0:
        value += 1 << 64
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)


def descriptor(path: str) -> bytes:
    """Return the FlightDescriptor of a path."""
    return message((1, _PATH_TYPE), (DESCRIPTOR_PATH, path.encode()))


def path_of(flight_descriptor: bytes | memoryview) -> str:
    """Return the path that a FlightDescriptor names; empty when it names none."""
    found = [bytes(value) for number, value in fields(flight_descriptor) if number == DESCRIPTOR_PATH and not isinstance(value, int)]
    return "/".join(part.decode("utf-8", "replace") for part in found)


def only(whole: bytes | memoryview, wanted: int) -> bytes:
    """Return a field of bytes; empty when it is not there."""
    return next((bytes(value) for number, value in fields(whole) if number == wanted and not isinstance(value, int)), b"")


class Received:
    """The batches of a stream of FlightData, read one by one as they come.

    Attributes:
        path: the path of the first message's descriptor, once that is read.
    """

    def __init__(self, requests: Iterator[bytes], check: Callable[[int], None]) -> None:
        """Read nothing yet.

        Args:
            requests: the messages.
            check: is given the size of each, in bytes, and may raise.
        """
        self.path = ""
        self._requests = requests
        self._check = check
        self._metadata = b""
        self._left: deque[bytes] = deque()
        self._fault: Exception | None = None
        self._reader: Any = None
        self.closed = False

    def schema(self) -> pa.Schema | None:
        """Read the first message; return the columns of the batches, or None when the stream is empty.

        Raises:
            Malformed: it is no stream of batches.
        """
        import pyarrow as pa

        if not self._pull():
            return None
        self._reader = self._guarded(lambda: pa.ipc.open_stream(pa.PythonFile(self, mode="r")))
        schema: pa.Schema = self._reader.schema
        self._guarded(lambda: schema.names)  # which may be no text in UTF-8
        return schema

    def batches(self) -> Iterator[tuple[bytes, pa.Table]]:
        """Yield each batch with the metadata that came with it, after `schema`.

        Raises:
            Malformed: what came is no batch.
        """
        import pyarrow as pa

        while True:
            self._metadata = b""
            try:
                batch = self._guarded(self._reader.read_next_batch)
            except StopIteration:
                return
            # Arrow believes what a batch says of itself, also offsets outside of it: whoever reads that may end with it.
            self._guarded(functools.partial(batch.validate, full=True))
            yield self._metadata, pa.Table.from_batches([batch])

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the Arrow stream; Arrow reads it as a file."""
        if not self._left and not self._pull():
            return b""
        first = self._left.popleft()  # a body is one piece, and read at once: it is not copied
        if 0 <= size < len(first):
            self._left.appendleft(first[size:])
            first = first[:size]
        return first

    def close(self) -> None:
        """Arrow is done with it."""
        self.closed = True

    def _pull(self) -> bool:
        """Take the next message that has a header; return False at the end."""
        try:
            for request in self._requests:
                self._check(len(request))
                header = body = b""
                for number, value in fields(request):
                    if isinstance(value, int):
                        continue
                    if number == DESCRIPTOR and not self.path:
                        self.path = path_of(value)
                    elif number == HEADER:
                        header = bytes(value)
                    elif number == METADATA:
                        self._metadata = bytes(value)
                    elif number == BODY:
                        body = bytes(value)
                if header:
                    header += b"\0" * (-len(header) % 8)
                    self._left.append(_CONTINUATION)
                    self._left.append(len(header).to_bytes(4, "little"))
                    self._left.append(header)
                    if body:
                        self._left.append(body)
                    return True
        except Exception as error:  # Arrow would make an error of its own of it
            self._fault = error
            raise
        return False

    def _guarded(self, act: Callable[[], Any]) -> Any:
        import pyarrow as pa

        try:
            return act()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if self._fault is not None:
                raise self._fault from None
            raise Malformed(str(error)) from None
