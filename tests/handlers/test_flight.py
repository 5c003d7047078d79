"""Batches that are sent by Arrow Flight: what is stored, what is acknowledged, and with which status all else ends."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest
from pyarrow import flight

from pdbt.handlers import (
    Ack,
    BaseHandler,
    BatchRefused,
    Client,
    FlightServer,
    HandlerNode,
    Ingest,
    Limits,
    PipelineExecutor,
    ServerRefused,
    ServerUnavailable,
    TableSink,
)
from pdbt.handlers.flight import wire
from tests.handlers.storing import SinkHere

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])
SECONDS = 60.0


def rows(count: int, start: int = 0) -> pa.Table:
    return pa.table({"id": range(start, start + count), "name": [f"n{n}" for n in range(start, start + count)]}, schema=SCHEMA)


class Waits(BaseHandler):
    """Holds batches up until it may go on."""

    runs_in = "thread"

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def handle(self, data: pa.Table) -> pa.Table:
        self.begun.set()
        assert self.go_on.wait(SECONDS)
        return data


class Refuses(BaseHandler):
    runs_in = "thread"

    def handle(self, data: pa.Table) -> pa.Table:
        if 13 in data["id"].to_pylist():
            raise BatchRefused("There is a 13.", "Leave it out.")
        return data


class Fails(BaseHandler):
    runs_in = "thread"

    def handle(self, data: pa.Table) -> pa.Table:
        raise ValueError("no such luck")


Serve = Callable[..., FlightServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve a pipeline from `in` by a handler to a SQLite table; ends it after the test."""
    running: list[tuple[FlightServer, PipelineExecutor]] = []

    def start(handler: BaseHandler | None = None, queue: int = 16, sink_kind: type[TableSink] = SinkHere, **values: Any) -> FlightServer:
        sink = sink_kind(tmp_path / "target.sqlite", "stored")
        pipeline = PipelineExecutor(
            [HandlerNode("in", Ingest(SCHEMA))],
            [HandlerNode("middle", handler or Ingest(), ["in"]), HandlerNode("sink", sink, ["middle"])],
            queue=queue,
        )
        pipeline.start()
        server = FlightServer(pipeline, port=0, **values)
        running.append((server, pipeline))
        server.start()
        return server

    yield start
    for server, pipeline in running:
        pipeline.stop(finish=False)
        server.stop()


def stored(folder: Path) -> list[int]:
    with sqlite3.connect(folder / "target.sqlite") as connection:
        found = connection.execute("SELECT id FROM stored ORDER BY id").fetchall()
    connection.close()
    return [number for (number,) in found]


def status_of(server: FlightServer, messages: list[bytes], token: str = "") -> tuple[grpc.StatusCode, str, list[dict[str, Any]]]:
    """Put messages by a client that knows nothing of Arrow; return how the call ended, and the acknowledgements before."""
    with grpc.insecure_channel(f"127.0.0.1:{server.port}", options=[("grpc.max_send_message_length", -1)]) as channel:
        metadata = [("authorization", f"Bearer {token}")] if token else []
        call = channel.stream_stream(f"/{wire.SERVICE}/DoPut")(iter(messages), timeout=SECONDS, metadata=metadata)
        acks = []
        try:
            for answer in call:
                acks.append(json.loads(wire.only(answer, 1)))
        except grpc.RpcError:
            pass
        return call.code(), call.details(), acks


def put(node: str, *batches: tuple[str, pa.Table]) -> list[bytes]:
    """Return the messages of a DoPut, made from the stream that Arrow writes."""
    messages: list[bytes] = []
    for number, (batch_id, table) in enumerate(batches):
        for message in (table.schema.serialize(), *(batch.serialize() for batch in table.combine_chunks().to_batches())):
            data = message.to_pybytes()
            header = data[8 : 8 + int.from_bytes(data[4:8], "little")]
            is_schema = message.size == table.schema.serialize().size and not messages
            if number and message.equals(table.schema.serialize()):
                continue
            parts: list[tuple[int, int | bytes]] = [(1, wire.descriptor(node))] if is_schema else [(3, batch_id.encode())]
            messages.append(wire.message(*parts, (2, header), (1000, data[8 + len(header) :])))
    return messages


def test_batches_are_stored_and_each_acknowledged(serve: Serve, tmp_path: Path) -> None:
    with Client(f"grpc://127.0.0.1:{serve(sink_kind=TableSink).port}") as client:
        acks = client.send("in", iter([rows(200), rows(50, 200), rows(0), rows(3, 250)]), ids=["a", "b", "c", "d"])
    assert [(ack.batch_id, ack.rows_received, ack.rows_stored) for ack in acks] == [
        ("a", 200, 200), ("b", 50, 50), ("c", 0, 0), ("d", 3, 3)]  # fmt: skip
    assert all(0 < ack.seconds <= ack.round_trip for ack in acks)
    assert stored(tmp_path) == list(range(253))


def test_a_batch_that_comes_again_is_acknowledged_and_not_stored_again(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    for _ in range(3):
        with Client(f"grpc://127.0.0.1:{server.port}") as client:
            (ack,) = client.send("in", rows(20), ids=["the same"])
            assert ack.rows_stored == 20
    assert stored(tmp_path) == list(range(20))


def test_pyarrows_own_client_can_send(serve: Serve, tmp_path: Path) -> None:
    """With dictionaries, compression, several batches of one table, and an id that the server makes."""
    with flight.connect(f"grpc://127.0.0.1:{serve().port}") as client:
        names = pa.array([f"n{n}" for n in range(10)]).dictionary_encode()
        assert [info.descriptor.path for info in client.list_flights()] == [[b"in"]]
        assert client.get_schema(flight.FlightDescriptor.for_path("in")).schema == SCHEMA
        assert [action.type for action in client.list_actions()] == ["health", "metrics", "tables", "trigger"]
        (health,) = client.do_action(flight.Action("health", b""))
        assert json.loads(health.body.to_pybytes()) == {"status": "serving"}
        options = flight.FlightCallOptions(write_options=pa.ipc.IpcWriteOptions(compression="zstd"))
        writer, reader = client.do_put(flight.FlightDescriptor.for_path("in"), SCHEMA, options)
        writer.write_table(pa.table({"id": range(10), "name": names.cast(pa.string())}, schema=SCHEMA), max_chunksize=4)
        writer.done_writing()
        acks = []
        while (said := reader.read()) is not None:
            acks.append(json.loads(said.to_pybytes()))
        writer.close()
    assert sorted(ack["rows_stored"] for ack in acks) == [2, 4, 4]
    assert len({ack["id"] for ack in acks}) == 3
    assert stored(tmp_path) == list(range(10))


@pytest.mark.parametrize(
    ("node", "table", "code", "sentence"),
    [
        ("nowhere", rows(1), "NOT_FOUND", "nowhere is no producer of this pipeline. Its producers are in."),
        ("sink", rows(1), "NOT_FOUND", "sink is no producer of this pipeline. Its producers are in."),
        (
            "in",
            rows(1).drop(["name"]),
            "INVALID_ARGUMENT",
            "The batch for in has no column name. It takes the columns id int64, name string.",
        ),
        (
            "in",
            rows(1).append_column("more", pa.array([1])),
            "INVALID_ARGUMENT",
            "The batch for in has columns that it does not take: more. It takes the columns id int64, name string.",
        ),
        (
            "in",
            pa.table({"id": ["1"], "name": ["x"]}),
            "INVALID_ARGUMENT",
            "The batch for in has string as id and not int64. It takes the columns id int64, name string.",
        ),
        ("in", rows(60_000), "INVALID_ARGUMENT", "A batch has 1.1 MB, and at most 1 MB are taken. Send it in smaller batches."),
    ],
    ids=["unknown node", "a node within", "missing column", "one more column", "another type", "oversize"],
)
def test_what_is_not_taken_has_a_status_and_a_sentence(serve: Serve, node: str, table: pa.Table, code: str, sentence: str) -> None:
    found = status_of(serve(limits=Limits(batch_mb=1)), put(node, ("x", table)))
    assert found == (grpc.StatusCode[code], sentence, [])


def test_a_message_of_many_times_the_size_is_ended_before_it_is_read(serve: Serve) -> None:
    code, sentence, _ = status_of(serve(limits=Limits(batch_mb=0.1)), put("in", ("x", rows(60_000))))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in sentence


def test_bytes_that_are_no_batch_are_refused(serve: Serve) -> None:
    for message in (b"\xff\xff\xff", wire.message((1, wire.descriptor("in")), (2, b"not a schema"))):
        assert status_of(serve(), [message])[0] is grpc.StatusCode.INVALID_ARGUMENT


def swapped(messages: list[bytes], old: bytes, new: bytes) -> list[bytes]:
    assert sum(old in message for message in messages) == 1
    return [message.replace(old, new) for message in messages]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (bytes.fromhex("00000000 02000000 04000000"), bytes.fromhex("00000000 02000000 7fffff7f")),
        (bytes.fromhex("00000000 02000000 04000000"), bytes.fromhex("00000000 ffffff7f 04000000")),
        (b"n0n1", b"n0\xff\xfe"),
    ],
    ids=["an end outside", "offsets that fall", "text that is none"],
)
def test_a_batch_that_is_not_what_it_says_is_refused_and_the_server_goes_on(serve: Serve, tmp_path: Path, old: bytes, new: bytes) -> None:
    """Whoever read it would read outside of it, and end with all that it holds."""
    server = serve()
    code, sentence, _ = status_of(server, swapped(put("in", ("bad", rows(2))), old, new))
    assert code is grpc.StatusCode.INVALID_ARGUMENT, sentence
    assert server.status == "serving"
    assert status_of(server, put("in", ("good", rows(2))))[0] is grpc.StatusCode.OK
    assert stored(tmp_path) == [0, 1]


def test_an_id_that_is_none_is_refused(serve: Serve) -> None:
    code, sentence, _ = status_of(serve(), put("in", ("x" * 201, rows(1))))
    assert (code, sentence) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "The id of a batch has 201 characters. It has 1 to 200, as the app_metadata of the batch.",
    )


def test_what_came_before_a_refused_batch_is_acknowledged(serve: Serve, tmp_path: Path) -> None:
    messages = put("in", ("good", rows(3)), ("bad", rows(1, 13)))
    code, sentence, acks = status_of(serve(Refuses()), messages)
    assert (code, sentence) == (grpc.StatusCode.INVALID_ARGUMENT, "Batch bad: There is a 13. Leave it out.")
    assert [ack["id"] for ack in acks] == ["good"]
    assert stored(tmp_path) == [0, 1, 2]


def test_a_handler_that_fails_ends_the_call_with_its_sentence(serve: Serve) -> None:
    server = serve(Fails())
    code, sentence, acks = status_of(server, put("in", ("x", rows(1))))
    assert code is grpc.StatusCode.INTERNAL
    assert sentence.startswith("Node middle: handle() of Fails (")
    assert "ValueError: no such luck; batch x.0. Mend the handler" in sentence
    assert "Traceback" not in sentence
    assert acks == []
    assert server.status == "failed"


def test_overload_is_told_after_a_time_and_the_client_sends_again(serve: Serve, tmp_path: Path) -> None:
    waits = Waits()
    server = serve(waits, queue=1, limits=Limits(patience=0.2))
    with Client(f"grpc://127.0.0.1:{server.port}", patience=0.5) as client, pytest.raises(ServerUnavailable) as raised:
        client.send("in", (rows(1, n) for n in range(8)), ids=[f"b{n}" for n in range(8)])
    assert str(raised.value).startswith(f"grpc://127.0.0.1:{server.port}: Producer in had no room for a batch for 0.2 s.")
    assert raised.value.exit_code == 75
    assert status_of(server, put("in", ("one more", rows(1, 99))))[:2] == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "Producer in had no room for a batch for 0.2 s. Give it again later.",
    )
    waits.go_on.set()
    with Client(f"grpc://127.0.0.1:{server.port}") as client:
        client.send("in", (rows(1, n) for n in range(8)), ids=[f"b{n}" for n in range(8)])
    assert stored(tmp_path) == list(range(8))


def test_more_clients_than_may_send_are_told_and_all_else_is_answered(serve: Serve, tmp_path: Path) -> None:
    server = serve(limits=Limits(clients=1))
    with Client(f"grpc://127.0.0.1:{server.port}") as first:
        coming = first.send_each("in", (rows(1, n) for n in range(2)), ids=["a", "b"])
        assert next(coming).batch_id == "a"  # its call goes on
        assert status_of(server, put("in", ("x", rows(1, 9))))[:2] == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "No more than 1 may send at a time, and so many do. Try again later.",
        )
        with Client(f"grpc://127.0.0.1:{server.port}") as other:
            assert other.action("health") == {"status": "serving"}
        assert [ack.batch_id for ack in coming] == ["b"]
    assert status_of(server, put("in", ("x", rows(1, 9))))[0] is grpc.StatusCode.OK
    assert stored(tmp_path) == [0, 1, 9]


def test_a_client_that_is_gone_makes_room_for_another_and_what_it_gave_goes_on(serve: Serve, tmp_path: Path) -> None:
    waits = Waits()
    server = serve(waits, limits=Limits(clients=1))
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = channel.stream_stream(f"/{wire.SERVICE}/DoPut")(iter(put("in", ("x", rows(1)))))
        assert waits.begun.wait(SECONDS)
        call.cancel()
    threading.Timer(1.0, waits.go_on.set).start()
    until = time.monotonic() + SECONDS
    while (ended := status_of(server, put("in", ("y", rows(1, 1)))))[0] is not grpc.StatusCode.OK and not waits.go_on.is_set():
        assert time.monotonic() < until
    assert ended[0] is grpc.StatusCode.OK
    assert stored(tmp_path) == [0, 1]


def test_a_server_that_is_being_stopped_acknowledges_what_it_has_and_takes_no_more(serve: Serve, tmp_path: Path) -> None:
    waits = Waits()
    server = serve(waits)
    with Client(f"grpc://127.0.0.1:{server.port}", window=1) as client:
        acks: list[Ack] = []
        thread = threading.Thread(target=lambda: acks.extend(client.send("in", rows(1), ids=["before"])))
        thread.start()
        assert waits.begun.wait(SECONDS)
        server.drain()
        assert status_of(server, put("in", ("x", rows(1, 1))))[:2] == (
            grpc.StatusCode.UNAVAILABLE,
            "The server is being stopped and takes no batch. Give it again.",
        )
        waits.go_on.set()
        thread.join(SECONDS)
    assert [(ack.batch_id, ack.rows_stored) for ack in acks] == [("before", 1)]
    assert stored(tmp_path) == [0]


@pytest.mark.parametrize("given", ["", "wrong"], ids=["no token", "a wrong token"])
def test_a_client_without_the_token_is_not_heard(serve: Serve, given: str) -> None:
    server = serve(token="open sesame")
    code, sentence, _ = status_of(server, put("in", ("x", rows(1))), given)
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert sentence == "The token is missing or wrong. Send it as authorization: Bearer TOKEN."
    with Client(f"grpc://127.0.0.1:{server.port}", token=given) as client, pytest.raises(ServerRefused, match="token is missing or wrong"):
        client.action("health")


def test_a_client_with_the_token_is_heard(serve: Serve, tmp_path: Path) -> None:
    with Client(f"grpc://127.0.0.1:{serve(token='open sesame').port}", token="open sesame") as client:
        assert client.send("in", rows(4))[0].rows_stored == 4
        assert client.action("health") == {"status": "serving"}
    assert stored(tmp_path) == [0, 1, 2, 3]


def test_an_unknown_action_is_told(serve: Serve) -> None:
    with Client(f"grpc://127.0.0.1:{serve().port}") as client, pytest.raises(ServerRefused, match=r"There is no action dance\. There are:"):
        client.action("dance")


def test_text_is_taken_however_a_library_writes_it(serve: Serve) -> None:
    """A DataFrame of pandas has text with longer offsets, one of polars has views."""
    with Client(f"grpc://127.0.0.1:{serve().port}") as client:
        for kind in (pa.large_string(), pa.string_view()):
            (ack,) = client.send("in", rows(3).cast(pa.schema([("id", pa.int64()), ("name", kind)])))
            assert ack.rows_stored == 3
