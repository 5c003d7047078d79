"""Tables that batches are stored in: the values as they were, each batch once, and what is not taken."""

from __future__ import annotations

import datetime as dt
import decimal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from pdbt.engine.errors import GraphError, SettingsError
from pdbt.handlers import BaseSink, Batch, BatchRefused, HandlerNode, Ingest, PipelineExecutor, PipelineFailed, SqlSource, TableSink
from pdbt.handlers.sinks.targets import find_target
from tests import mysql
from tests.conftest import StartProcess
from tests.handlers.kinds import EndsAtSeven, SaysNothing, SlowSink
from tests.handlers.machines import OF_RAY
from tests.handlers.serving import eventually
from tests.handlers.storing import SinkHere, on_each_target

SECONDS = 60.0
ROWS = pa.table(
    {
        "whole": pa.array([1, None], pa.int32()),
        "real": pa.array([1.5, None], pa.float64()),
        "yes": pa.array([True, None]),
        "Text": pa.array(["ä'\"%?", None]),
        "word": pa.array(["one", None]).dictionary_encode(),
        "exact": pa.array([decimal.Decimal("12345678901234.56"), None], pa.decimal128(20, 2)),
        "day": pa.array([dt.date(2024, 5, 1), None]),
        "at": pa.array([dt.datetime(2024, 5, 1, 12, 30, 15, 250000), None], pa.timestamp("us")),
        "bytes": pa.array([b"\x00\xff", None]),
    }
)


class SourceHere(SqlSource):
    runs_in = "thread"


def pipeline_into(target: str, kind: type[TableSink] = SinkHere) -> PipelineExecutor:
    return PipelineExecutor([HandlerNode("in", Ingest())], [HandlerNode("sink", kind(target, "stored"), ["in"])])


def in_target(target: str, query: str) -> list[dict[str, Any]]:
    """Return what the rest of pdbt reads there."""
    (rows,) = PipelineExecutor([HandlerNode("source", SourceHere(target, query))]).run_once()["source"]
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize(
    ("executor", "target"),
    [*(("local", kind) for kind in ("duckdb", "mysql", "postgresql", "sqlite")), pytest.param("ray", "duckdb", marks=OF_RAY)],
    indirect=True,
)
def test_values_are_stored_as_they_were_and_a_batch_once(target: str) -> None:
    for attempt in range(2):
        with pipeline_into(target, TableSink) as pipeline:
            ids = ["a", "A", "a ", "x" * 199, f"new {attempt}"]  # which differ in case and space only
            assert [pipeline.give("in", ROWS, batch_id=batch_id).result(SECONDS).stored for batch_id in ids] == [2] * 5
    assert in_target(target, "SELECT count(*) AS n FROM stored") == [{"n": 2 * 6}]
    found = in_target(target, "SELECT * FROM stored WHERE whole = 1")
    wanted = ROWS.slice(0, 1).to_pylist()[0]
    assert {name: [row[name] for row in found] for name in wanted} == {name: [value] * 6 for name, value in wanted.items()}


@on_each_target
def test_a_batch_with_a_column_that_the_table_lacks_is_refused_and_keeps_no_other_out(target: str) -> None:
    with pipeline_into(target) as pipeline:
        pipeline.give("in", [{"n": 1, "m": 1}]).result(SECONDS)
        good = [pipeline.give("in", [{"n": n}]) for n in (2, 3)]
        bad = pipeline.give("in", [{"n": 4, "more": 4}])
        good += [pipeline.give("in", [{"n": n}]) for n in (5, 6)]
        with pytest.raises(BatchRefused, match=r"Table stored of .* has no column more\. Its columns are n, m\."):
            bad.result(SECONDS)
        assert [batch.result(SECONDS).stored for batch in good] == [1] * 4
    assert in_target(target, "SELECT n, m FROM stored ORDER BY n") == [
        {"n": 1, "m": 1},
        *({"n": n, "m": None} for n in (2, 3, 5, 6)),
    ]


def end_connections(target: str) -> None:
    """Have the server end the connections of everybody else, as one does that is restarted, or has waited too long."""
    if target.startswith("mysql"):
        ids = mysql.execute(target, "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()")
        assert ids
        mysql.execute(target, *(f"KILL {number}" for (number,) in ids))
        return
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(target) as connection:
        assert connection.execute(f"SELECT pg_terminate_backend(pid) {others}").fetchall()


@pytest.mark.parametrize("target", ["mysql", "postgresql"], indirect=True)
def test_a_connection_that_the_server_ended_is_made_again(target: str) -> None:
    """Also for a batch that comes alone: it is no reason to stop the pipeline."""
    with pipeline_into(target) as pipeline:
        for number in range(3):
            assert pipeline.give("in", [{"n": number}], batch_id=str(number)).result(SECONDS).stored == 1
            end_connections(target)
    assert in_target(target, "SELECT n FROM stored ORDER BY n") == [{"n": number} for number in range(3)]


@pytest.mark.parametrize("target", ["duckdb", "mysql", "postgresql", "sqlite"], indirect=True)
def test_sinks_that_start_together_in_an_empty_database_do_not_hinder_each_other(target: str) -> None:
    """Each makes the table of batches if it is not there; half of them the same table of rows."""
    sinks = [TableSink(target, f"stored_{number // 2}") for number in range(8)]
    together = threading.Barrier(len(sinks))
    faults: list[BaseException] = []

    def store(number: int) -> None:
        try:
            together.wait(SECONDS)
            sinks[number].setup()
            together.wait(SECONDS)
            assert sinks[number].store([Batch(f"batch {number}", pa.table({"n": [number]}))]) == [1]
        except BaseException as error:
            faults.append(error)
            together.abort()
        finally:
            sinks[number].teardown()

    threads = [threading.Thread(target=store, args=(number,)) for number in range(len(sinks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    for table in range(4):
        found = in_target(target, f"SELECT n FROM stored_{table}")
        assert sorted(row["n"] for row in found) == [2 * table, 2 * table + 1]


READER = """
import sys, time
import duckdb
while True:
    try:
        with duckdb.connect(sys.argv[1], read_only=True) as reader:
            print(reader.execute("SELECT count(*) > 0 FROM stored").fetchone()[0])
            break
    except duckdb.IOException:
        time.sleep(0.02)
"""


@pytest.mark.slow
def test_others_have_their_turn_at_a_duckdb_file_while_batches_come_without_a_pause(start_process: StartProcess, tmp_path: Path) -> None:
    sink = TableSink(tmp_path / "target.duckdb", "stored")
    sink.setup()
    until = time.monotonic() + SECONDS
    stored = 0

    def store() -> None:
        nonlocal stored
        assert sink.store([Batch(str(stored), pa.table({"n": [stored]}))]) == [1]
        stored += 1

    store()
    reader = start_process([sys.executable, "-c", READER, tmp_path / "target.duckdb"])
    while reader.poll() is None:
        assert time.monotonic() < until, "nobody else could open the file"
        store()
    assert reader.stdout is not None
    assert reader.stdout.read() == "True\n"
    sink.teardown()
    assert in_target(f"duckdb:///{tmp_path}/target.duckdb", "SELECT count(*) AS n FROM stored") == [{"n": stored}]


def test_a_project_and_its_connections_are_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pdbt.toml").write_text(
        '[project]\nname = "shop"\n[connections.warehouse]\nurl = "postgresql://me:${WAREHOUSE_PASSWORD}@db.example.org:5433/sales"\n'
        '[connections.beside]\nurl = "sqlite:///db/beside.sqlite"\n'
    )
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "open sesame")
    warehouse = find_target("warehouse", tmp_path)
    assert (warehouse.label, warehouse.url) == (
        "PostgreSQL at db.example.org:5433/sales",
        "postgresql://me:open%20sesame@db.example.org:5433/sales",
    )
    assert "sesame" not in repr(warehouse)
    assert find_target("beside", tmp_path).path == str(tmp_path / "db" / "beside.sqlite")
    assert find_target(tmp_path).path == str(tmp_path / "db" / "stream.sqlite")
    with pytest.raises(SettingsError, match=r"'nowhere' is no connection, no project and no .*\. The connections are warehouse, beside\."):
        find_target("nowhere", tmp_path)
    with pytest.raises(SettingsError, match=r"oracle:// is no database that rows can be stored in\."):
        find_target("oracle://me:secret@host/database")


class SlowHere(SlowSink):
    runs_in = "thread"


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize(
    ("executor", "kind"), [("local", SlowSink), ("local", SlowHere), pytest.param("ray", SlowSink, marks=OF_RAY)], indirect=["executor"]
)
def test_a_sink_is_given_all_that_wait_and_one_that_fails_keeps_no_other_out(tmp_path: Path, kind: type[SlowSink]) -> None:
    node = HandlerNode("sink", kind(tmp_path))
    together = tmp_path / "together"
    with PipelineExecutor([node], on_error="dead_letter", retries=0, dead_letters=tmp_path / "dead") as pipeline:
        first = pipeline.give(node, [{"n": 0}], batch_id="0")
        eventually(lambda: together.exists() and together.read_text() == "0\n", "nothing is stored")
        (tmp_path / "rested").unlink(missing_ok=True)
        others = [pipeline.give(node, [{"n": n}, {"n": n}], batch_id=str(n)) for n in range(1, 11)]
        time.sleep(0.5)  # a worker process reads what it is sent beside its work
        (tmp_path / "go on").touch()
        assert first.result(SECONDS).stored == 1
        assert [batch.result(SECONDS).stored for batch in others] == [2, 2, 2, 2, 2, 2, 0, 2, 2, 2]
        eventually((tmp_path / "rested").exists, "it does not rest")
    assert together.read_text() == "0\n1 2 3 4 5 6 7 8 9 10\n"
    assert len(list((tmp_path / "dead").iterdir())) == 1


@pytest.mark.usefixtures("executor")
def test_a_batch_that_kills_a_sink_takes_no_other_with_it(tmp_path: Path) -> None:
    node = HandlerNode("sink", EndsAtSeven(tmp_path))
    with PipelineExecutor([node], on_error="dead_letter", dead_letters=tmp_path / "dead") as pipeline:
        first = pipeline.give(node, [{"n": 0}], batch_id="0")
        eventually((tmp_path / "together").exists, "nothing is stored")
        others = [pipeline.give(node, [{"n": n}], batch_id=str(n)) for n in range(1, 11)]
        (tmp_path / "go on").touch()
        assert first.result(SECONDS).stored == 1
        assert [batch.result(SECONDS).dead_letters for batch in others] == [int(n == 7) for n in range(1, 11)]
    assert len(list((tmp_path / "dead").iterdir())) == 1


class SaysNothingHere(SaysNothing):
    runs_in = "thread"


@pytest.mark.parametrize("sink", [SaysNothing(), SaysNothingHere()], ids=["process", "thread"])
def test_a_sink_that_does_not_say_what_it_stored_is_named(sink: BaseSink) -> None:
    with (
        pytest.raises(PipelineFailed, match=r"Node sink: store\(\) of .*: it gave None, and not for each of 1 batches how many rows"),
        PipelineExecutor([HandlerNode("sink", sink)]) as pipeline,
    ):
        pipeline.give("sink", [{"n": 1}]).result(SECONDS)


def test_a_sink_is_not_parallel() -> None:
    with pytest.raises(GraphError, match=r"Node sink: it is parallel, and a sink stores whole batches\. Leave parallel out; workers=2 "):
        HandlerNode("sink", SlowSink(Path()), parallel=True)
