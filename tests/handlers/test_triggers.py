"""Triggers: by a timer, from Python, by HTTP, by Flight, and by files that arrive."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pdbt.engine.errors import GraphError, PdbtError, SettingsError
from pdbt.handlers import (
    BaseHandler,
    Client,
    FlightServer,
    HandlerNode,
    Ingest,
    Overloaded,
    PipelineExecutor,
    PipelineStopped,
    RequestTrigger,
    ServerRefused,
    StillRunning,
    TimerTrigger,
    Trigger,
)
from pdbt.handlers.http import HttpServer

SECONDS = 60.0
NO_PRODUCER = "which is no producer of this pipeline. Its producers are in, makes."


class Makes(BaseHandler):
    """Makes a row at each run, in the process of the test; may be held up."""

    runs_in = "thread"

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.ran = threading.Semaphore(0)

    def handle(self) -> list[dict[str, int]]:
        assert self.go_on.wait(SECONDS)
        self.runs.append(1)
        self.ran.release()
        return [{"n": len(self.runs)}]


class Collect(BaseHandler):
    runs_in = "thread"

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.came = threading.Semaphore(0)

    def handle(self, data: list[dict[str, Any]]) -> None:
        self.seen.extend(data)
        for _ in data:
            self.came.release()


class Held(BaseHandler):
    """Takes nothing until it may."""

    runs_in = "thread"

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def handle(self, data: list[dict[str, Any]]) -> None:
        assert self.go_on.wait(SECONDS)


def test_a_timer_runs_its_node_as_often_as_it_says() -> None:
    makes = Makes()
    timer = TimerTrigger("makes", interval=0.01, max_runs=3)
    with PipelineExecutor([HandlerNode("makes", makes)], triggers=[timer]) as pipeline:
        assert timer.wait(SECONDS)
        assert pipeline.triggers == (timer,)
    assert len(makes.runs) == timer.runs == 3


def test_a_timer_does_not_overtake_a_run_that_takes_longer() -> None:
    makes = Makes()
    makes.go_on.clear()
    timer = TimerTrigger(HandlerNode("makes", makes), interval=0.01)
    with PipelineExecutor([HandlerNode("makes", makes)], triggers=[timer]):
        threading.Event().wait(0.3)  # time for thirty ticks
        assert timer.runs == 1
        makes.go_on.set()
        for _ in range(3):
            assert makes.ran.acquire(timeout=SECONDS)


def test_a_request_from_python_gives_a_receipt_and_one_at_a_time_is_taken() -> None:
    makes = Makes()
    makes.go_on.clear()
    trigger = RequestTrigger("makes")
    with pytest.raises(PdbtError, match=r"The pipeline of the trigger of makes is not started\."):
        trigger.fire()
    with PipelineExecutor([HandlerNode("makes", makes)], triggers=[trigger]):
        first = trigger.fire()
        with pytest.raises(StillRunning, match=r"Node makes is still at the run that was triggered before\. Trigger it again later\."):
            trigger.fire()
        makes.go_on.set()
        assert first.result(SECONDS).dead_letters == 0
        trigger.fire().result(SECONDS)
    assert len(makes.runs) == 2


def test_triggers_that_wait_for_room_are_told_of_and_hold_up_no_stop() -> None:
    """A consumer that is held up has the pipeline's memory."""
    held, trigger, timer = Held(), RequestTrigger("in"), TimerTrigger("makes", interval=0.01)
    pipeline = PipelineExecutor(
        [HandlerNode("large", Ingest()), HandlerNode("in", Ingest()), HandlerNode("makes", Makes())],
        [HandlerNode("held", held, ["large"])],
        memory_mb=1,
        triggers=[trigger, timer],
    )
    pipeline.start()
    pipeline.give("large", pa.table({"n": range(500_000)}))
    with pytest.raises(Overloaded, match=r"Producer in had no room for a batch for 0\.1 s\."):
        trigger.fire([{"n": 0}], timeout=0.1)
    faults: list[PdbtError] = []

    def fire() -> None:
        try:
            trigger.fire([{"n": 0}])
        except PdbtError as error:
            faults.append(error)

    thread = threading.Thread(target=fire)
    thread.start()
    threading.Event().wait(0.5)  # time for many ticks
    runs = timer.runs
    with pytest.raises(StillRunning):
        trigger.fire([{"n": 0}])
    threading.Timer(1.0, held.go_on.set).start()  # a thread cannot be ended by force
    pipeline.stop(finish=False)
    thread.join(SECONDS)
    assert [type(error) for error in faults] == [PipelineStopped]
    assert timer.runs == runs


@pytest.mark.parametrize(
    ("trigger", "sentence"),
    [
        (
            lambda folder: TimerTrigger("nobody"),
            f"A trigger names nobody, {NO_PRODUCER}",
        ),
        (
            lambda folder: RequestTrigger("last"),
            f"A trigger names last, {NO_PRODUCER}",
        ),
        (
            lambda folder: TimerTrigger("in"),
            "A timer triggers in, whose handler takes a batch. A producer with a timer makes its data: def handle(self).",
        ),
        (
            lambda folder: RequestTrigger("makes", folder=folder),
            "Files that arrive trigger makes, whose handler takes no batch. It is given their paths: def handle(self, data).",
        ),
        (
            lambda folder: RequestTrigger("in", folder=folder / "none"),
            "Files are to arrive in {folder}/none, which does not exist. Make it, or name another one.",
        ),
    ],
    ids=["unknown", "a consumer", "a timer with no data", "files without a batch", "no folder"],
)
def test_a_trigger_that_does_not_suit_the_pipeline_is_told_before_it_starts(
    trigger: Callable[[Path], Trigger], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(GraphError) as raised:
        PipelineExecutor(
            [HandlerNode("in", Ingest()), HandlerNode("makes", Makes())],
            [HandlerNode("last", Ingest(), ["in"])],
            triggers=[trigger(tmp_path)],
        )
    assert str(raised.value) == sentence.format(folder=tmp_path)


@pytest.mark.parametrize(("key", "value"), [("interval", 0), ("interval", "x"), ("max_runs", 0), ("max_runs", True)])
def test_a_value_that_no_timer_can_have_is_named(key: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=rf"{key} of a trigger is {value!r}\. Write a number, "):
        TimerTrigger("makes", **{key: value})


Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def served() -> Iterator[tuple[Makes, Collect, FlightServer, Ask]]:
    makes, collect = Makes(), Collect()
    pipeline = PipelineExecutor(
        [HandlerNode("makes", makes), HandlerNode("in", Ingest()), HandlerNode("quiet", Makes())],
        [HandlerNode("collect", collect, ["makes", "in"], join="any")],
        triggers=[RequestTrigger("makes"), RequestTrigger("in")],
    )
    pipeline.start()
    server = FlightServer(pipeline, port=0, token="secret")
    http = HttpServer(pipeline, lambda: server.status, token="secret")
    server.start()
    http.start()

    def ask(path: str, body: str | None = None, token: str = "secret", method: str = "") -> tuple[int, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{http.port}{path}", body.encode() if body is not None else None)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                text = answer.read().decode()
                return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    yield makes, collect, server, ask
    makes.go_on.set()
    http.stop()
    pipeline.stop(finish=False)
    server.stop()


def test_a_node_is_triggered_by_http(served: tuple[Makes, Collect, FlightServer, Ask]) -> None:
    makes, collect, _, ask = served
    status, done = ask("/trigger/makes", "")
    assert (status, done["node"], done["status"]) == (200, "makes", "done")
    assert collect.seen == [{"n": 1}]
    assert ask("/trigger/in", '[{"n": 7}, {"n": 8}]')[0] == 200
    assert collect.seen == [{"n": 1}, {"n": 7}, {"n": 8}]
    makes.go_on.clear()
    assert ask("/trigger/makes?wait=false", "")[1] == {"node": "makes", "status": "begun"}
    assert ask("/trigger/makes", "") == (
        409,
        {"error": "Node makes is still at the run that was triggered before. Trigger it again later."},
    )


def test_what_cannot_be_triggered_is_a_status_and_a_sentence(served: tuple[Makes, Collect, FlightServer, Ask]) -> None:
    *_, ask = served
    assert ask("/trigger/quiet", "") == (404, {"error": "quiet has no RequestTrigger. These have: makes, in."})
    assert ask("/trigger/in", "") == (400, {"error": "Producer in takes a batch, and was given none."})
    assert ask("/trigger/in", "[1]") == (
        400,
        {"error": 'What came with the trigger of in is no list of rows. Send [{"column": value}], or nothing.'},
    )
    assert ask("/trigger/in", "{")[1]["error"].startswith("What came with the trigger of in is no JSON: ")
    assert ask("/elsewhere") == (404, {"error": "There are GET /health, GET /metrics and POST /trigger/NODE."})
    assert ask("/trigger/makes", "", token="wrong") == (401, {"error": "The token is missing or wrong."})


def test_health_and_metrics(served: tuple[Makes, Collect, FlightServer, Ask]) -> None:
    _, _, server, ask = served
    assert ask("/health", token="") == (200, {"status": "serving"})
    assert ask("/metrics", token="")[0] == 401
    for _ in range(5):
        ask("/trigger/in", '[{"n": 1}, {"n": 2}]')
    text = ask("/metrics")[1]
    values = {
        (sample.name, sample.labels.get("node", ""), sample.labels.get("quantile", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert values["pdbt_up", "", ""] == 1
    assert values["pdbt_node_batches_total", "collect", ""] == 5
    assert values["pdbt_node_rows_total", "collect", ""] == 10
    assert values["pdbt_node_rows_per_second", "collect", ""] > 0
    assert values["pdbt_node_waiting", "collect", ""] == 0
    assert values["pdbt_node_errors_total", "collect", ""] == values["pdbt_node_dead_letters_total", "collect", ""] == 0
    assert 0 < values["pdbt_node_seconds", "collect", "0.5"] <= values["pdbt_node_seconds", "collect", "0.99"]
    with Client(f"grpc://127.0.0.1:{server.port}", token="secret") as client:
        assert 'pdbt_node_batches_total{node="collect"} 5.0' in client.action("metrics")
    server.drain()
    assert ask("/health", token="") == (503, {"status": "stopping"})


def test_a_node_is_triggered_by_a_flight_action(served: tuple[Makes, Collect, FlightServer, Ask]) -> None:
    _, collect, server, _ = served
    with Client(f"grpc://127.0.0.1:{server.port}", token="secret") as client:
        assert client.action("trigger", {"node": "makes"})["status"] == "done"
        assert client.action("trigger", {"node": "in", "data": [{"n": 9}]})["status"] == "done"
        assert collect.seen == [{"n": 1}, {"n": 9}]
        with pytest.raises(ServerRefused, match=r"quiet has no RequestTrigger\."):
            client.action("trigger", {"node": "quiet"})
        with pytest.raises(ServerRefused, match=r"The action trigger has no node\."):
            client.action("trigger")


def test_files_that_arrive_are_given_to_the_node_once(tmp_path: Path) -> None:
    """Only those with the ending, also those that lay there before, and at the next start only what is new."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "before.csv").write_text("n\n1\n")

    def run(*names: str) -> list[str]:
        collect = Collect()
        pipeline = PipelineExecutor(
            [HandlerNode("in", Ingest())],
            [HandlerNode("collect", collect, ["in"])],
            triggers=[RequestTrigger("in", folder=inbox, ending=".csv")],
        )
        with pipeline:
            for name in names:
                (inbox / name).write_text("n\n2\n")
            for _ in range(sum(name.endswith(".csv") for name in names) + (not seen)):
                assert collect.came.acquire(timeout=SECONDS)
        return sorted(row["path"] for row in collect.seen)

    seen: list[str] = []
    seen = run("first.csv", "other.txt")
    assert seen == [str(inbox / "before.csv"), str(inbox / "first.csv")]
    assert run("second.csv") == [str(inbox / "second.csv")]
