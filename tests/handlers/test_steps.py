"""Sources, steps and sinks that are there: what comes out of them, and what they say of what they cannot take."""

from __future__ import annotations

import json
import pickle
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from pyarrow import flight

from pdbt.engine.errors import SettingsError
from pdbt.handlers import (
    BaseHandler,
    BatchRefused,
    Classify,
    FileSink,
    FileSource,
    Filter,
    FlightServer,
    FlightSink,
    FlightSource,
    HandlerNode,
    Ingest,
    Map,
    NormaliseText,
    PipelineExecutor,
    PipelineFailed,
    ReadFiles,
    RequestTrigger,
    Sql,
    SqlSource,
    TableSink,
)
from pdbt.handlers.pickling import dumps
from tests.handlers.kinds import Length, Threshold
from tests.handlers.storing import SinkHere

SECONDS = 60.0
TABLE = pa.table({"n": [1, 2, 3], "text": ["  Zürich  Nord ", None, "ＡＢＣ"]})


def here(step: BaseHandler) -> BaseHandler:
    """Return a copy as a worker process has it, which runs in a thread of this process."""
    copied: BaseHandler = pickle.loads(dumps(step))
    vars(copied)["runs_in"] = "thread"
    return copied


def through(step: BaseHandler, batch: Any = TABLE) -> list[dict[str, Any]]:
    """Return the rows that come of a batch."""
    outputs = PipelineExecutor([HandlerNode("step", here(step))]).run_once({"step": batch})["step"]
    return [row for table in outputs for row in table.to_pylist()]


def made_by(source: BaseHandler) -> list[dict[str, Any]]:
    outputs = PipelineExecutor([HandlerNode("source", here(source))]).run_once()["source"]
    return [row for table in outputs for row in table.to_pylist()]


def refusal(step: BaseHandler, batch: Any = TABLE) -> str:
    with pytest.raises(BatchRefused) as raised, PipelineExecutor([HandlerNode("step", here(step))]) as pipeline:
        pipeline.give("step", batch).result(SECONDS)
    return str(raised.value)


# Steps ----------------------------------------------------------------------------------------------------------------


def test_a_filter_leaves_what_fits() -> None:
    assert [row["n"] for row in through(Filter("n > 1 AND text IS NOT NULL"))] == [3]
    assert PipelineExecutor([HandlerNode("step", here(Filter("n > 9")))]).run_once({"step": TABLE})["step"] == []


def test_sql_over_the_batch() -> None:
    assert through(Sql("SELECT sum(n) AS total, count(text) AS texts FROM batch")) == [{"total": 6, "texts": 2}]


def test_sql_that_is_wrong_is_told() -> None:
    with pytest.raises(PipelineFailed, match=r'Node step: Binder Error: .*"missing".*\. Mend its SQL, or what comes to it\.'):
        through(Sql("SELECT missing FROM batch"))


@pytest.mark.parametrize("step", [Sql("SELECT CAST(text AS INTEGER) AS n FROM batch"), Filter("CAST(text AS INTEGER) > 0")])
def test_a_value_that_the_sql_of_a_step_does_not_take_refuses_its_batch_and_ends_nothing(step: Sql) -> None:
    with PipelineExecutor([HandlerNode("in", Ingest())], [HandlerNode("step", here(step), ["in"])]) as pipeline:
        bad, good = pipeline.give("in", [{"text": "x"}]), pipeline.give("in", [{"text": "1"}])
        with pytest.raises(BatchRefused, match=r"Node step: Conversion Error: Could not convert string 'x' to INT32"):
            bad.result(SECONDS)
        assert good.result(SECONDS).rows == 1


def test_the_fault_of_a_step_s_sql_is_said_whole_on_one_line() -> None:
    """With the columns that there are, which DuckDB says on a line of their own, and without the arrow that it draws."""
    with pytest.raises(PipelineFailed) as caught:
        through(Sql("SELECT txt\nFROM batch"))
    assert 'column "txt" not found in FROM clause! Candidate bindings: "text"' in str(caught.value), str(caught.value)
    assert "LINE" not in str(caught.value)


def test_a_map_hands_on_what_its_function_returns() -> None:
    assert through(Map(lambda batch: [{"rows": batch.num_rows}])) == [{"rows": 3}]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ["zürich nord", None, "abc"]),
        ({"case": "upper"}, ["ZÜRICH NORD", None, "ABC"]),
        ({"case": "keep", "accents": False}, ["Zurich Nord", None, "ABC"]),
    ],
    ids=["lower", "upper", "without accents"],
)
def test_text_is_brought_into_one_form(values: dict[str, Any], expected: list[str | None]) -> None:
    assert [row["text"] for row in through(NormaliseText(["text"], **values))] == expected


def test_a_model_classifies(tmp_path: Path) -> None:
    found = through(Classify(Threshold(), ["n"], probability="sure"))
    assert [(row["label"], row["sure"]) for row in found] == [("low", 0.75), ("high", 0.5), ("high", 0.75)]
    assert [row["length"] for row in through(Classify(Length(), "text", output="length"))] == [15, 0, 3]


def test_a_pickled_model_is_loaded_by_the_worker(tmp_path: Path) -> None:
    import cloudpickle

    (tmp_path / "model.pickle").write_bytes(cloudpickle.dumps(Length()))
    assert [row["label"] for row in through(Classify(tmp_path / "model.pickle", "text"))] == [15, 0, 3]


def test_what_a_step_cannot_take_is_a_sentence(tmp_path: Path) -> None:
    assert refusal(NormaliseText(["n"])) == "Node step: column n is int64 and no text. Leave it out of the columns."
    assert refusal(NormaliseText(["x"])) == "Node step: the batch has no column x. It has n, text."
    assert refusal(Classify(Length(), "x")) == "Node step: the batch has no column x. It has n, text."
    with pytest.raises(SettingsError, match=r"case is 'title'\. Allowed: lower, upper, keep\."):
        NormaliseText(["text"], "title")
    with pytest.raises(SettingsError, match=r"The model Length has no predict_proba\."):
        Classify(Length(), "text", probability="sure")
    with pytest.raises(PipelineFailed, match=r"Node step: .*none\.pickle: No such file or directory\. Name the file of a pickled model\."):
        through(Classify(tmp_path / "none.pickle", "text"))


# Sources --------------------------------------------------------------------------------------------------------------


def test_files_of_every_kind_are_read(tmp_path: Path) -> None:
    rows = [{"n": n, "name": f"n{n}"} for n in range(5)]
    table = pa.Table.from_pylist(rows)
    pa.csv.write_csv(table, tmp_path / "a.csv")
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(table, tmp_path / "c.parquet")
    duckdb.connect().execute(f"COPY (SELECT * FROM '{tmp_path}/a.csv') TO '{tmp_path}/d.csv.gz'")
    (tmp_path / "odd[1]*.csv").write_bytes((tmp_path / "a.csv").read_bytes())
    paths = sorted(str(path) for path in tmp_path.iterdir())
    assert len(paths) == 5
    assert through(ReadFiles(rows=2), [{"path": path} for path in paths]) == rows * 5
    assert made_by(FileSource(tmp_path / "*", rows=3)) == rows * 5
    schema = pa.schema([("name", pa.string()), ("n", pa.float64())])
    assert made_by(FileSource(tmp_path / "a.csv", schema)) == [{"name": row["name"], "n": float(str(row["n"]))} for row in rows]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_text("none")
    assert refusal(ReadFiles(), [{"path": str(tmp_path / "bad.parquet")}]).startswith(f"{tmp_path}/bad.parquet cannot be read: ")
    assert refusal(ReadFiles(), [{"n": 1}]) == "Node step reads files, and the batch has no column path. Give it paths as text."
    with pytest.raises(PipelineFailed, match=r"x\.doc: its name says no format\. It ends in \.csv, "):
        through(ReadFiles(), [{"path": "x.doc"}])
    with pytest.raises(PipelineFailed, match=r"Node source: no file is called .*/nothing\*\.csv\."):
        made_by(FileSource(tmp_path / "nothing*.csv"))


def test_rows_of_a_query_come_from_a_connection(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.sqlite") as connection:
        connection.execute("CREATE TABLE orders (id INTEGER, amount DOUBLE)")
        connection.executemany("INSERT INTO orders VALUES (?, ?)", [(n, n * 1.5) for n in range(10)])
    connection.close()
    source = SqlSource(str(tmp_path / "shop.sqlite"), "SELECT id, amount FROM orders WHERE id > 6 ORDER BY id")
    assert made_by(source) == [{"id": n, "amount": n * 1.5} for n in (7, 8, 9)]
    with pytest.raises(SettingsError, match=r"There is no connection nowhere\."):
        SqlSource("nowhere", "SELECT 1")
    with pytest.raises(PipelineFailed, match=r"no such table: missing"):
        made_by(SqlSource(str(tmp_path / "shop.sqlite"), "SELECT * FROM missing"))


class Numbers(flight.FlightServerBase):  # type: ignore[misc]  # pyarrow has no types
    def do_get(self, context: Any, ticket: Any) -> Any:
        count = int(ticket.ticket)
        return flight.RecordBatchStream(pa.table({"n": range(count)}))


def test_another_flight_server_is_read() -> None:
    with Numbers("grpc://127.0.0.1:0") as server:
        url = f"grpc://127.0.0.1:{server.port}"
        assert made_by(FlightSource(url, "4")) == [{"n": n} for n in range(4)]
        with pytest.raises(PipelineFailed, match=rf"Node source: {url}: .*invalid literal"):
            made_by(FlightSource(url, "x"))


# Sinks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_a_batch_is_a_file_and_the_same_batch_the_same_file(kind: str, tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out", kind)
    pipeline = PipelineExecutor([HandlerNode("in", Ingest())], [HandlerNode("sink", sink, ["in"])])
    for _ in range(2):
        with pipeline:
            receipts = [pipeline.give("in", [{"n": n, "text": "a\nb"}], batch_id=f"batch {n}") for n in range(3)]
            assert [receipt.result(SECONDS).stored for receipt in receipts] == [1, 1, 1]
        assert len(list((tmp_path / "out").iterdir())) == 3
        found = duckdb.connect().execute(f"SELECT n, text FROM '{tmp_path}/out/*.{kind}' ORDER BY n").fetchall()
        assert found == [(0, "a\nb"), (1, "a\nb"), (2, "a\nb")]
    with pytest.raises(SettingsError, match=r"format is 'xml'\. Allowed: parquet, csv, json\."):
        FileSink(tmp_path, "xml")


@pytest.fixture
def second(tmp_path: Path) -> Iterator[FlightServer]:
    """Another served pipeline, which takes numbers only."""
    pipeline = PipelineExecutor(
        [HandlerNode("in", Ingest(pa.schema([("n", pa.int64())])))],
        [HandlerNode("sink", SinkHere(tmp_path / "second.sqlite", "stored"), ["in"])],
    )
    pipeline.start()
    server = FlightServer(pipeline, port=0)
    server.start()
    yield server
    pipeline.stop(finish=False)
    server.stop()


def test_batches_go_on_to_another_pipeline_under_their_ids(second: FlightServer, tmp_path: Path) -> None:
    sink = FlightSink(f"grpc://127.0.0.1:{second.port}", "in")
    for _ in range(2):
        with PipelineExecutor([HandlerNode("first", Ingest())], [HandlerNode("on", sink, ["first"])]) as pipeline:
            receipts = [pipeline.give("first", [{"n": n}], batch_id=f"{n}" * 150) for n in range(5)]
            assert [receipt.result(SECONDS).stored for receipt in receipts] == [1] * 5
            with pytest.raises(BatchRefused, match=r"The batch for in has no column n; has columns that it does not take: x\."):
                pipeline.give("first", [{"x": 1}]).result(SECONDS)
            assert pipeline.give("first", [{"n": 5}], batch_id="5").result(SECONDS).stored == 1
        connection = sqlite3.connect(tmp_path / "second.sqlite")
        assert connection.execute("SELECT n FROM stored ORDER BY n").fetchall() == [(n,) for n in range(6)]
        connection.close()


def test_two_nodes_that_send_on_to_the_same_place_do_not_take_their_batches_for_each_others(second: FlightServer, tmp_path: Path) -> None:
    """Each producer is given another batch under one id, as when their outputs are to be joined."""
    names = ("a", "b")
    pipeline = PipelineExecutor(
        [HandlerNode(name, Ingest()) for name in names],
        [HandlerNode(f"{name} on", FlightSink(f"grpc://127.0.0.1:{second.port}", "in"), [name]) for name in names],
    )
    with pipeline:
        for number, name in enumerate(names):
            assert pipeline.give(name, [{"n": number}], batch_id="x").result(SECONDS).stored == 1
    connection = sqlite3.connect(tmp_path / "second.sqlite")
    assert connection.execute("SELECT n FROM stored ORDER BY n").fetchall() == [(0,), (1,)]
    connection.close()


def test_files_that_arrive_are_read_and_stored_once(tmp_path: Path) -> None:
    """Also when the pipeline is stopped in the midst of it and started again."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number in range(4):
        (inbox / f"{number}.csv").write_text("n\n" + "".join(f"{number * 10 + n}\n" for n in range(10)))
    wanted = [(n,) for n in range(40)]
    for attempt in range(2):
        pipeline = PipelineExecutor(
            [HandlerNode("read", ReadFiles(rows=3))],
            [HandlerNode("sink", TableSink(tmp_path / "target.sqlite", "stored"), ["read"])],
            triggers=[RequestTrigger("read", folder=inbox, ending=".csv")],
        )
        with pipeline:
            for _ in range(600):
                connection = sqlite3.connect(tmp_path / "target.sqlite")
                exists = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'stored'").fetchone()[0]
                found = connection.execute("SELECT n FROM stored ORDER BY n").fetchall() if exists else []
                connection.close()
                if found == wanted or (not attempt and found):
                    break
                threading.Event().wait(0.1)
    assert found == wanted
