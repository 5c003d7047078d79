"""Batches that a handler fails at: set aside with what is known of them, given again, and stored once."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pdbt.cli import main
from pdbt.handlers import HandlerNode, Ingest, PipelineExecutor
from pdbt.handlers.letters import Letter, read_letter, read_note, write_letter
from pdbt.handlers.replay import plan_replay, replay, waiting_in
from tests.handlers.kinds import Kills, Yields
from tests.handlers.machines import OF_RAY
from tests.handlers.storing import SinkHere

SECONDS = 60.0
on_each_executor = pytest.mark.usefixtures("executor")

PIPELINE = """
import os
import pyarrow as pa
from pdbt.handlers import BaseHandler, HandlerNode, Ingest, PipelineExecutor, TableSink

HERE = os.path.dirname(os.path.abspath(__file__))

class Picky(BaseHandler):
    def handle(self, data: pa.Table):
        if not os.path.exists(os.path.join(HERE, "mended")) and 13 in data["n"].to_pylist():
            raise ValueError("there is a 13")
        return data

class Here(TableSink):
    runs_in = "thread"

class Both(BaseHandler):
    runs_in = "thread"

    def handle(self, data: dict[str, pa.Table]):
        return pa.table({"n": data["picky"]["n"], "m": data["other"]["n"]})

pipeline = PipelineExecutor(
    [HandlerNode("in", Ingest())],
    [
        HandlerNode("picky", Picky(), ["in"], parallel=PARALLEL, workers=1),
        HandlerNode("other", Ingest(), ["in"]),
        HandlerNode("sink", TableSink(os.path.join(HERE, "target.sqlite"), "stored"), ["picky"]),
        HandlerNode("both", Both(), ["picky", "other"]),
        HandlerNode("joined", Here(os.path.join(HERE, "target.sqlite"), "joined"), ["both"]),
    ],
    on_error="dead_letter", retries=1, retry_seconds=0.01, dead_letters=os.path.join(HERE, "dead"),
)
"""


@pytest.fixture
def pipeline_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The file of a pipeline whose node that fails is given batches whole, or in pieces."""
    file = tmp_path / "scores.py"
    file.write_text(PIPELINE.replace("PARALLEL", str(request.param)))
    return file


def given(file: Path) -> None:
    """Give the pipeline three batches; the second one fails."""
    pipeline, _ = plan_replay(file)
    with pipeline:
        futures = [pipeline.give("in", pa.table({"n": range(start, start + 10)}), batch_id=f"from {start}") for start in (0, 10, 20)]
        receipts = [future.result(SECONDS) for future in futures]
    assert [receipt.stored for receipt in receipts] == [20, 0, 20]
    assert [receipt.dead_letters for receipt in receipts] == [0, 2, 0]


def in_target(folder: Path, table: str = "stored") -> list[int]:
    connection = sqlite3.connect(folder / "target.sqlite")
    try:
        return [number for (number,) in connection.execute(f"SELECT n FROM {table} ORDER BY n")]
    finally:
        connection.close()


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize(
    ("executor", "pipeline_file"), [("local", False), ("local", True), pytest.param("ray", True, marks=OF_RAY)], indirect=True
)
def test_a_dead_letter_says_what_failed_and_a_replay_stores_once_and_removes_it(
    pipeline_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also what a join had waited for, when the letters of one node are replayed, and when it is done again from a copy of them."""
    given(pipeline_file)
    assert in_target(tmp_path) == [*range(10), *range(20, 30)]
    dead = tmp_path / "dead"
    check_letter(dead, pipeline_file)
    letters = {path.name: path.read_bytes() for path in dead.iterdir()}
    assert main(["stream", "replay", str(pipeline_file), "--dry-run"]) == 0
    assert "2 dead letters would be given again." in capsys.readouterr().out
    assert main(["stream", "replay", str(pipeline_file)]) == 1
    assert "failed again and are kept." in capsys.readouterr().err
    assert {path.name for path in dead.iterdir()} == set(letters)
    (tmp_path / "mended").touch()
    assert main(["stream", "replay", str(pipeline_file), "--node", "joined"]) == 0
    assert capsys.readouterr().out == "There are no dead letters.\n"
    assert main(["stream", "replay", str(pipeline_file), "--node", "nobody"]) == 2
    assert capsys.readouterr().err.startswith("error: nobody is no node of the pipeline.\nhint: Its nodes are in, ")
    for place in ((str(pipeline_file), "--node", "picky"), (str(dead),)):
        assert main(["stream", "replay", *place]) == 0
        assert capsys.readouterr().out == "2 dead letters given again; sinks hold 20 rows of them.\n"
        assert list(dead.iterdir()) == []
        assert in_target(tmp_path) == in_target(tmp_path, "joined") == list(range(30))
        for name, content in letters.items():
            (dead / name).write_bytes(content)


def check_letter(dead: Path, pipeline_file: Path) -> None:
    found = duckdb.connect().execute(f"SELECT * FROM '{dead}/picky-*.parquet' ORDER BY n").fetchall()
    assert [row[0] for row in found] == list(range(10, 20))
    (told,) = {row[1:] for row in found}
    node, batch, error, time = told
    assert (node, batch) == ("picky", "from 10.0")
    assert error.startswith(f"handle() of Picky ({pipeline_file} line ")
    assert error.endswith("ValueError: there is a 13")
    assert time.startswith("20")


def test_a_folder_without_letters_does_not_say_of_which_pipeline_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stream", "replay", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: There are no dead letters in {tmp_path}.\nhint: Name the file of the pipeline: pdbt stream replay FILE.py\n"
    )


def test_a_file_that_is_no_dead_letter_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.parquet").write_text("no Parquet")
    assert main(["stream", "replay", str(tmp_path)]) == 2
    assert f"error: {tmp_path}/x.parquet is no dead letter: " in capsys.readouterr().err


@on_each_executor
def test_what_was_sent_on_before_the_error_is_not_stored_again(tmp_path: Path) -> None:
    """Whether the handler is a producer or stands behind one."""
    names, folder = ("first", "second"), tmp_path / "dead"
    pipeline = PipelineExecutor(
        [HandlerNode("first", Yields(tmp_path / "first")), HandlerNode("in", Ingest())],
        [
            HandlerNode("second", Yields(tmp_path / "second"), ["in"]),
            *(HandlerNode(f"sink of {name}", SinkHere(tmp_path / "target.sqlite", name), [name]) for name in names),
        ],
        on_error="dead_letter",
        retries=0,
        dead_letters=folder,
    )
    with pipeline:
        for producer in pipeline.graph.producers:
            assert pipeline.give(producer, [{"x": 1}]).result(SECONDS).dead_letters == 1
    for name in names:
        assert in_target(tmp_path, name) == [0, 1]
        (tmp_path / name).touch()
    letters = list(folder.iterdir())
    assert len(letters) == 2
    assert [(replayed.stored, replayed.left) for replayed in replay(pipeline, [waiting_in(path) for path in letters])] == [(3, 0)] * 2
    for name in names:
        assert in_target(tmp_path, name) == [0, 1, 2]


def test_a_batch_that_kills_its_workers_is_set_aside(tmp_path: Path, executor: str) -> None:
    pipeline = PipelineExecutor([HandlerNode("kills", Kills())], on_error="dead_letter", dead_letters=tmp_path / "dead")
    with pipeline:
        assert [pipeline.give("kills", [{"n": n}]).result(SECONDS).dead_letters for n in range(3)] == [0, 1, 0]
    (found,) = duckdb.connect().execute(f"SELECT pdbt_error FROM '{tmp_path}/dead/*.parquet'").fetchall()
    why = {"local": "was ended by SIGKILL", "ray": "is gone: The actor died unexpectedly before finishing this task"}
    assert found == (f"3 workers ended in the midst of it; the last {why[executor]}",)


AWKWARD = {
    "a column twice": pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]),
    "an interval": pa.table({"x": pa.array([pa.MonthDayNano([1, 2, 3]), None])}),
    "runs": pa.table({"x": pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array([1]))}),
    "a union": pa.table({"x": pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])])}),
    "a struct of nothing": pa.table({"x": pa.array([{}], pa.struct([]))}),
    "a moment in seconds": pa.table({"x": pa.array([1], pa.timestamp("s", "+02:00"))}),
    "a column of ours": pa.table({"pdbt_node": ["mine"], "pdbt_error": [5]}),
    "nothing": pa.table({"x": pa.nulls(2)}),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_a_batch_of_any_types_is_kept_as_it_came_and_can_be_looked_at(name: str, tmp_path: Path) -> None:
    path = write_letter(tmp_path, Letter("node", "batch", "no such luck", "given"), AWKWARD[name])
    letter, table = read_letter(path)
    assert (letter.node, letter.error) == ("node", "no such luck")
    assert table.equals(AWKWARD[name])
    assert read_note(path)[1] == AWKWARD[name].num_rows
    shown = duckdb.connect().execute(f"SELECT pdbt_batch, pdbt_time FROM '{path}'").fetchall()
    assert shown == [("batch", letter.time)] * AWKWARD[name].num_rows
