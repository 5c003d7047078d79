"""Files that batches are stored in: each value as it came, or the batch is refused, and the others go on."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pdbt.handlers import Batch, BatchRefused, FileSink, HandlerNode, Ingest, PipelineExecutor

SECONDS = 60.0
VALUES: dict[str, tuple[pa.Array, Any, Any]] = {
    "a list": (pa.array([[1, 2]]), "[1,2]", [1, 2]),
    "a struct": (pa.array([{"a": 1, "b": 'x,"y'}]), '{"a":1,"b":"x,\\"y"}', {"a": 1, "b": 'x,"y'}),
    "a moment": (pa.array([dt.datetime(2024, 5, 1, 10)], pa.timestamp("us", "Europe/Berlin")), "2024-05-01 10:00:00+00", None),
    "nanoseconds": (pa.array([1], pa.timestamp("ns")), "1970-01-01 00:00:00.000000001", None),
    "64 bits": (pa.array([2**64 - 1], pa.uint64()), "18446744073709551615", 2**64 - 1),
    "many digits": (pa.array([decimal.Decimal("12345678901234567890.12")]), "12345678901234567890.12", "number"),
    "a lone carriage return": (pa.array(["a\rb"]), "a\rb", "a\rb"),
    "a run": (pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array(["x"])), "x", "x"),
}


def stored(sink: FileSink, table: pa.Table) -> int | Exception:
    (found,) = sink.store([Batch("batch", table)])
    return found


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_written_so_that_it_can_be_read_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values, in_csv, in_json = VALUES[name]
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        for kind in ("csv", "json"):
            sink = FileSink(tmp_path / kind, kind)
            sink.setup()
            assert stored(sink, pa.table({"x": values})) == 1
            (path,) = (tmp_path / kind).iterdir()
            with path.open(newline="") as file:
                if kind == "csv":
                    assert list(csv.reader(file)) == [["x"], [in_csv]]
                elif in_json == "number":
                    assert file.read() == f'{{"x":{in_csv}}}\n'
                else:
                    assert json.loads(file.read()) == {"x": in_csv if in_json is None else in_json}
    finally:
        monkeypatch.undo()
        time.tzset()


REFUSED = {
    "NaN": ("json", pa.table({"x": [float("nan")]}), "column x holds NaN or infinity, which JSON has no word for"),
    "infinity within": ("csv", pa.table({"x": [[float("inf")]]}), "column x holds NaN or infinity, which JSON has no word for"),
    "a name twice": ("csv", pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]), "two columns that are one: x and x"),
    "a name in two cases": ("json", pa.table({"x": [1], "X": [2]}), "two columns that are one: x and X"),
    "finer than microseconds": ("csv", pa.table({"x": pa.array([1], pa.timestamp("ns", "UTC"))}), "would lose data"),
    "an interval finer than that": ("csv", pa.table({"x": pa.array([pa.MonthDayNano([1, 2, 3])])}), "an interval finer than microseconds"),
    "no type of Parquet's": ("parquet", pa.table({"x": pa.array([pa.MonthDayNano([1, 2, 3])])}), "month_day_nano_interval"),
}


class SinkHere(FileSink):
    runs_in = "thread"


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_format_does_not_hold_is_refused_and_leaves_no_file(name: str, tmp_path: Path) -> None:
    kind, table, reason = REFUSED[name]
    sink = SinkHere(tmp_path / "out", kind)
    node = HandlerNode("sink", sink, ["in"])
    with PipelineExecutor([HandlerNode("in", Ingest())], [node]) as pipeline:
        bad, good = pipeline.give("in", table), pipeline.give("in", [{"x": 1}])
        with pytest.raises(BatchRefused, match=reason):
            bad.result(SECONDS)
        assert good.result(SECONDS).stored == 1
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_parquet_keeps_what_csv_does_not(tmp_path: Path) -> None:
    sink = FileSink(tmp_path)
    sink.setup()
    table = pa.table({"x": [float("nan")], "X": [[b"\x00"]], "t": pa.array([1], pa.timestamp("ns", "UTC"))})
    assert stored(sink, table) == 1
    (path,) = tmp_path.iterdir()
    assert str(pq.ParquetFile(path).read().to_pylist()) == str(table.to_pylist())
