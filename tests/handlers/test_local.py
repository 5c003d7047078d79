"""Pipelines, here and on a Ray cluster: what comes out, in what order, and what becomes of errors and of workers that are killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from pdbt.engine.errors import GraphError, PdbtError, SettingsError
from pdbt.handlers import BaseHandler, HandlerNode, Overloaded, PipelineExecutor, PipelineFailed, Receipt
from tests.handlers import kinds
from tests.handlers.ending import still_running
from tests.handlers.kinds import (
    Beside,
    Dies,
    Double,
    DoubleFrame,
    Endless,
    Fails,
    HoldsALock,
    Ids,
    Negate,
    NoSetup,
    NoTeardown,
    Numbers,
    OddOnly,
    Take,
    TakeHere,
    Twice,
)

SECONDS = 60.0
# What crosses to a worker and back differs from one executor to the other; in what order and how often is decided here, for both.
on_each_executor = pytest.mark.usefixtures("executor")


class Collect(BaseHandler):
    """Keeps what comes, in the process of the test; may be held up."""

    runs_in = "thread"

    def __init__(self) -> None:
        self.seen: list[pa.Table] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def handle(self, data: pa.Table) -> None:
        assert self.go_on.wait(SECONDS)
        self.seen.append(data)


def numbers(tables: list[pa.Table], column: str = "n") -> list[list[int]]:
    return [table[column].to_pylist() for table in tables]


@on_each_executor
def test_each_handler_is_given_its_form_and_the_results_come_in_order() -> None:
    pipeline = PipelineExecutor(
        [HandlerNode("source", Numbers(*[10] * 5))],
        [HandlerNode("double", DoubleFrame(), ["source"]), HandlerNode("negate", Negate(), ["double"], workers=2)],
    )
    outputs = pipeline.run_once()
    assert numbers(outputs["negate"]) == [[-2 * n for n in range(batch * 10, batch * 10 + 10)] for batch in range(5)]


@on_each_executor
def test_a_node_with_two_dependencies_has_them_joined_by_batch() -> None:
    """The path of a batch that one of them ended goes no further; the others are put together with their own halves."""
    pipeline = PipelineExecutor(
        [HandlerNode("source", Numbers(*[10] * 6))],
        [
            HandlerNode("left", OddOnly(), ["source"], workers=2),
            HandlerNode("between", Take(), ["source"]),
            HandlerNode("right", Double(), ["between"]),
            HandlerNode("both", Beside(), ["left", "right"]),
        ],
    )
    joined = pipeline.run_once()["both"]
    assert numbers(joined, "left") == [list(range(start, start + 10)) for start in (10, 30, 50)]
    assert numbers(joined, "right") == [[2 * n for n in range(start, start + 10)] for start in (10, 30, 50)]


def test_two_producers_are_joined_batch_by_batch_also_when_one_makes_more_than_may_be_under_way() -> None:
    pipeline = PipelineExecutor(
        [HandlerNode("many", Numbers(*[10] * 40)), HandlerNode("fewer", Numbers(*[10] * 30))],
        [HandlerNode("both", Beside(), ["many", "fewer"])],
        queue=4,
    )
    joined = pipeline.run_once()["both"]
    assert numbers(joined, "many") == numbers(joined, "fewer") == [list(range(n * 10, n * 10 + 10)) for n in range(30)]


def test_a_node_that_joins_any_has_each_as_it_comes_with_an_id_of_its_own() -> None:
    pipeline = PipelineExecutor(
        [HandlerNode("source", Numbers(10))],
        [
            HandlerNode("once", Take(), ["source"]),
            HandlerNode("twice", Twice(), ["source"]),
            HandlerNode("ids", Ids(), ["once", "twice"], join="any"),
        ],
    )
    ids = [table["id"][0].as_py().partition(".")[2] for table in pipeline.run_once()["ids"]]
    assert sorted(ids) == ["0/once.0<once", "0/twice.0<twice", "0/twice.1<twice"]


@on_each_executor
def test_a_parallel_node_puts_the_pieces_back_in_order_as_one_batch() -> None:
    """Of a batch of fewer rows than it makes pieces, too, of one without rows, and of one that is too large to go with the message."""
    sizes = [rows for rows in (0, 1, 3, 100_001) for _ in range(2)]
    pipeline = PipelineExecutor(
        [HandlerNode("source", Numbers(*sizes))], [HandlerNode("double", Double(), ["source"], parallel=True, chunks=7, workers=2)]
    )
    outputs = pipeline.run_once()["double"]
    assert numbers(outputs) == [[2 * n for n in range(place * rows, (place + 1) * rows)] for place, rows in enumerate(sizes)]


def test_a_producer_may_be_parallel() -> None:
    """Its round is open until the last piece is done: one after the other, and several at a time."""
    with PipelineExecutor([HandlerNode("double", Double(), parallel=True, workers=2)]) as pipeline:
        rows = [{"n": n} for n in range(1001)]
        assert [numbers(pipeline.run_once({"double": rows})["double"]) for _ in range(3)] == [[[2 * n for n in range(1001)]]] * 3
        receipts = [pipeline.give("double", rows) for _ in range(10)]
        assert [receipt.result(SECONDS).rows for receipt in receipts] == [1001] * 10


@on_each_executor
def test_workers_are_started_once() -> None:
    with PipelineExecutor([HandlerNode("take", TakeHere())], [HandlerNode("ids", Ids(), ["take"])]) as pipeline:
        pids = {pipeline.run_once({"take": [{"n": n}]})["ids"][0]["pid"][0].as_py() for n in range(20)}
        assert pids == set(pipeline.worker_pids()["ids"])
        assert pipeline.give("take", [{"n": 1}, {"n": 2}], batch_id="mine").result(SECONDS).rows == 2


def test_a_slow_consumer_slows_the_producer() -> None:
    """Held up, it lets no more under way than the queue allows, and afterwards nothing is missing."""
    sink = Collect()
    sink.go_on.clear()
    with PipelineExecutor([HandlerNode("take", Take())], [HandlerNode("sink", sink, ["take"])], queue=3) as pipeline:
        given: list[Future[Receipt]] = []
        with pytest.raises(Overloaded, match=r"Producer take had no room for a batch for 0\.5 s\. Give it again later\."):
            given.extend(pipeline.give("take", [{"n": n}], timeout=0.5) for n in range(1000))
        assert len(given) < 12
        sink.go_on.set()
        assert [receipt.result(SECONDS).rows for receipt in given] == [1] * len(given)
    assert numbers(sink.seen) == [[n] for n in range(len(given))]


@on_each_executor
def test_memory_bounds_what_is_under_way() -> None:
    """A batch of 8 MB is more than the 1 MB allowed: one at a time goes through, and all do."""
    outputs = PipelineExecutor([HandlerNode("source", Numbers(*[1_000_000] * 5))], [HandlerNode("take", Take(), ["source"])], memory_mb=1)
    assert [table.num_rows for table in outputs.run_once()["take"]] == [1_000_000] * 5


@on_each_executor
def test_an_error_stops_the_pipeline_and_names_node_line_and_batch(tmp_path: Path) -> None:
    pipeline = PipelineExecutor([HandlerNode("take", TakeHere())], [HandlerNode("bad", Fails(tmp_path / "tries", 9), ["take"])])
    with pytest.raises(PipelineFailed) as raised, pipeline:
        pipeline.give("take", [{"n": 1}], batch_id="first").result(SECONDS)
    assert raised.value.message.startswith(f"Node bad: handle() of Fails ({kinds.__file__} line ")
    assert raised.value.message.endswith("): ValueError: no such luck; batch first.0.")
    assert raised.value.exit_code == 1
    assert "raise ValueError" in raised.value.trace


def test_a_failure_that_nobody_asked_for_is_told_at_the_end(tmp_path: Path) -> None:
    with (
        pytest.raises(PipelineFailed, match="no such luck"),
        PipelineExecutor([HandlerNode("bad", Fails(tmp_path / "tries", 9))]) as pipeline,
    ):
        pipeline.give("bad", [{"n": 1}])


def test_a_batch_is_tried_again(tmp_path: Path) -> None:
    node = HandlerNode("bad", Fails(tmp_path / "tries", 2))
    outputs = PipelineExecutor([node], on_error="retry", retry_seconds=0.01).run_once({"bad": [{"n": 1}]})
    assert numbers(outputs["bad"]) == [[1]]


def test_a_batch_that_fails_each_time_stops_the_pipeline(tmp_path: Path) -> None:
    node = HandlerNode("bad", Fails(tmp_path / "tries", 9))
    with pytest.raises(PipelineFailed, match=r"no such luck; batch [0-9a-f]{32} \(3 times\)\."):
        PipelineExecutor([node], on_error="retry", retries=2, retry_seconds=0.01).run_once({"bad": [{"n": 1}]})
    assert (tmp_path / "tries").read_text() == "tried\n" * 3


@on_each_executor
def test_the_batch_of_a_killed_worker_is_done_again_and_nothing_comes_twice(tmp_path: Path) -> None:
    node = HandlerNode("dies", Dies(tmp_path / "tries", 2))
    outputs = PipelineExecutor([node], [HandlerNode("take", TakeHere(), ["dies"])]).run_once({"dies": [{"n": 1}, {"n": 2}]})
    assert numbers(outputs["take"]) == [[1, 2], [1]]


def test_a_batch_that_kills_its_workers_stops_the_pipeline(tmp_path: Path) -> None:
    with pytest.raises(PipelineFailed, match=r"Node dies: 3 workers ended in the midst of batch .*; the last was ended by SIGKILL\."):
        PipelineExecutor([HandlerNode("dies", Dies(tmp_path / "tries", 9))]).run_once({"dies": [{"n": 1}]})


class Cancelled(Take):
    runs_in = "thread"

    def handle(self, data: pa.Table) -> pa.Table:
        raise asyncio.CancelledError


def test_a_thread_that_ends_is_told_as_a_process_that_ends() -> None:
    with pytest.raises(
        PipelineFailed, match=r"Node take: 3 workers ended in the midst of batch .*; the last was ended by CancelledError\."
    ):
        PipelineExecutor([HandlerNode("take", Cancelled())]).run_once({"take": [{"n": 1}]})


@on_each_executor
def test_an_idle_worker_that_is_killed_is_replaced() -> None:
    with PipelineExecutor([HandlerNode("take", Take())]) as pipeline:
        (killed,) = pipeline.worker_pids()["take"]
        os.kill(killed, signal.SIGKILL)
        assert numbers(pipeline.run_once({"take": [{"n": 1}]})["take"]) == [[1]]
        assert pipeline.worker_pids()["take"] != [killed]


def test_workers_end_with_a_killed_executor(tmp_path: Path) -> None:
    """The executor runs in a process of its own, is killed with -9, and its workers are gone soon after."""
    script = tmp_path / "pipeline.py"
    script.write_text(
        "import time\nfrom pdbt.handlers import *\n"
        "class Sleeps(BaseHandler):\n    def handle(self, data):\n        time.sleep(600)\n"
        "pipeline = PipelineExecutor([HandlerNode('sleeps', Sleeps())])\npipeline.start()\n"
        "pipeline.give('sleeps', [{'n': 1}])\nprint(pipeline.worker_pids()['sleeps'][0], flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            worker = psutil.Process(int(process.stdout.readline()))
        finally:
            process.kill()
    assert still_running([worker], SECONDS) == []


@on_each_executor
def test_stopping_without_finishing_ends_an_endless_producer_and_says_so() -> None:
    pipeline = PipelineExecutor([HandlerNode("source", Endless())], [HandlerNode("take", Take(), ["source"])])
    pipeline.start()
    receipt = pipeline.give("source", batch_id="endless")
    time.sleep(0.2)
    pipeline.stop(finish=False)
    with pytest.raises(PdbtError, match=r"Batch endless was not finished: the pipeline was stopped\. Give it again\."):
        receipt.result(SECONDS)


@on_each_executor
def test_a_handler_that_cannot_be_set_up_or_torn_down_is_named() -> None:
    with pytest.raises(PipelineFailed, match=r"Node take: setup\(\) of NoSetup \(.* line \d+\): OSError: no such file\."):
        PipelineExecutor([HandlerNode("take", NoSetup())]).start()
    with pytest.raises(PipelineFailed, match=r"Node take: teardown\(\) of NoTeardown .*: OSError: still in use\."):
        PipelineExecutor([HandlerNode("take", NoTeardown())]).run_once({"take": [{"n": 1}]})


@on_each_executor
def test_a_handler_that_cannot_be_copied_is_named() -> None:
    with pytest.raises(
        GraphError, match=r"Node take: its handler cannot be copied into a worker process: .*lock.*Open files and connections in setup"
    ):
        PipelineExecutor([HandlerNode("take", HoldsALock())]).start()


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"executor": "moon"}, "executor is 'moon'. Allowed: local, ray."),
        ({"address": "auto"}, "address names a Ray cluster, and executor is 'local'. Write executor=\"ray\"."),
        ({"on_error": "hope"}, "on_error is 'hope'. Allowed: stop, retry, dead_letter."),
        ({"queue": 0}, "queue is 0. Write a number, 1 or more."),
        ({"memory_mb": -1}, "memory_mb is -1. Write a number, 1 or more."),
        ({"retries": "x"}, "retries is 'x'. Write a number, 0 or more."),
        ({"retry_seconds": float("nan")}, "retry_seconds is nan. Write a number, 0 or more."),
    ],
)
def test_a_wrong_value_is_one_sentence(rules: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as raised:
        PipelineExecutor([HandlerNode("take", Take())], **rules)
    assert str(raised.value) == sentence


def test_what_is_given_wrongly_is_one_sentence() -> None:
    pipeline = PipelineExecutor([HandlerNode("take", Take()), HandlerNode("makes", Numbers(10))], [HandlerNode("last", Take(), ["take"])])
    with pytest.raises(PdbtError, match=r"This pipeline is not started\. Call start\(\) first"):
        pipeline.give("take", [{"n": 1}])
    with pytest.raises(PdbtError, match=r"last is no producer of this pipeline\. Its producers are take, makes\."):
        pipeline.run_once({"last": [{"n": 1}]})
    with pytest.raises(PdbtError, match=r"Producer take takes a batch, and was given none\."):
        pipeline.run_once()
    with pytest.raises(PdbtError, match=r"Producer makes makes its data itself, and was given a batch\."):
        pipeline.run_once({"take": [{"n": 1}], "makes": [{"n": 1}]})
