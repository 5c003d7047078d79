"""A load test over a real server: what it prints, what it writes, and what it says when rows are missing."""

from __future__ import annotations

import csv
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from pdbt.cli import main
from pdbt.engine.errors import PdbtError
from pdbt.handlers import BaseHandler, FlightServer, HandlerNode, Ingest, PipelineExecutor
from pdbt.handlers.loadtest.command import counts, load_test_of
from pdbt.handlers.loadtest.samples import samples
from pdbt.handlers.tokens import token_of
from tests.handlers.serving import free_port
from tests.handlers.storing import SinkHere

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120.0
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string()), ("amount", pa.float64())])
TOKEN = "a token"


class Refuses(BaseHandler):
    runs_in = "thread"

    def handle(self, data: pa.Table) -> pa.Table:
        from pdbt.handlers import BatchRefused

        raise BatchRefused("These rows are not wanted.")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    pipeline = PipelineExecutor(
        [HandlerNode("ingest", Ingest(SCHEMA)), HandlerNode("refuses", Refuses())],
        [HandlerNode("store", SinkHere(tmp_path / "target.sqlite", "rows"), ["ingest"])],
    )
    with pipeline:
        server = FlightServer(pipeline, port=0, token=TOKEN)
        server.start()
        try:
            yield f"grpc://127.0.0.1:{server.port}"
        finally:
            server.stop()


Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a load test in this process that ends with an exit code, and return what it says of the reason."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKEN", TOKEN)

    def run(*arguments: str, code: int = 2) -> str:
        assert main(["stream", "loadtest", *arguments, "--token-env", "TOKEN"]) == code
        return capsys.readouterr().err

    return run


def load_test(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TOKEN": TOKEN, "COLUMNS": "80"}
    command = [sys.executable, "-m", "pdbt", "stream", "loadtest", *arguments, "--token-env", "TOKEN"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS)


def test_it_prints_and_writes_what_was_measured(url: str, tmp_path: Path) -> None:
    result = load_test(url, "--clients", "1,2", "--batches", "7", "--rows", "20", "--node", "ingest", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[1].split("  ") == [
        "clients",
        "mean ms",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "rows/s",
        "errors",
        "rows acknowledged",
        "rows found",
    ]
    assert [line.split()[-3:] for line in lines[2:4]] == [["0", "140", "140"], ["0", "280", "280"]]
    with sqlite3.connect(tmp_path / "target.sqlite") as target:
        assert target.execute("SELECT count(*), count(DISTINCT id) FROM rows").fetchone() == (420, 420)
    target.close()
    table = list(csv.DictReader((tmp_path / "loadtest/loadtest.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["clients"], row["batches"], row["acknowledged"], row["found"]) for row in table] == [
        ("1", "7", "140", "140"),
        ("2", "14", "280", "280"),
    ]
    assert all(0 < float(row["p50"]) <= float(row["p95"]) <= float(row["p99"]) for row in table)
    assert sorted(path.name for path in (tmp_path / "loadtest/logs").iterdir()) == [
        "clients-01-client-01.csv",
        *(f"clients-02-client-0{number}.csv" for number in (1, 2)),
    ]
    assert len((tmp_path / "loadtest/logs/clients-02-client-02.csv").read_text(encoding="utf-8").splitlines()) == 8
    assert (tmp_path / "loadtest/loadtest.png").read_bytes().startswith(b"\x89PNG")
    assert TOKEN not in result.stdout + result.stderr


def test_batches_that_are_refused_are_errors(url: str, refused: Refused, tmp_path: Path) -> None:
    said = refused(url, "--clients", "2", "--batches", "2", "--node", "refuses", code=1)
    assert said.strip() == "2 clients: 4 batches were not acknowledged; the logs say why."
    assert "These rows are not wanted" in (tmp_path / "loadtest/logs/clients-02-client-01.csv").read_text(encoding="utf-8")


def test_which_node_is_meant_must_be_said(url: str, refused: Refused) -> None:
    said = refused(url)
    assert f"{url}: the nodes ingest, refuses take batches." in said
    assert "Choose one with --node." in said
    assert "Traceback" not in said
    said = refused(url, "--node", "other")
    assert f"{url}: no node other takes batches." in said
    assert "There are: ingest, refuses." in said


def test_a_server_that_is_not_there_is_for_a_person_to_start(refused: Refused) -> None:
    """75 would say that another run is in progress."""
    nowhere = f"grpc://127.0.0.1:{free_port()}"
    sentence, hint = refused(nowhere).splitlines()
    assert sentence.startswith(f"error: {nowhere}: ")
    assert "Connection refused" in sentence
    assert hint == "hint: Start it with pdbt stream serve, or mend the address."


def test_what_is_asked_wrongly_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PdbtError, match=r"--clients 1,x: these are no numbers of clients\. Write them with commas"):
        counts("1,x")
    with pytest.raises(PdbtError, match=r"http://a is no address of a served pipeline\. Write it like grpc://127\.0\.0\.1:50051\."):
        load_test_of("http://a", (1,), 1, 1, "", "", None)
    with pytest.raises(PdbtError, match=r"--tls-ca none\.pem: there is no such file\."):
        load_test_of("grpc://a:1", (1,), 1, 1, "", "", Path("none.pem"))
    monkeypatch.delenv("NO_SUCH", raising=False)
    with pytest.raises(PdbtError, match=r"--token-env NO_SUCH: there is no such variable"):
        token_of("NO_SUCH")
    with pytest.raises(PdbtError, match=r"Column tags: the load test makes up no list"):
        next(samples(pa.schema([("tags", pa.list_(pa.string()))]).serialize().to_pybytes(), 1, 0))


def test_samples_have_the_columns_that_are_wanted_and_differ_by_seed() -> None:
    schema = pa.schema([("n", pa.int32()), ("t", pa.timestamp("us")), ("d", pa.date32()), ("b", pa.bool_()), ("s", pa.string())])
    first, other = (samples(schema.serialize().to_pybytes(), 50, seed) for seed in (1, 2))
    batches = [next(first), next(first), next(other)]
    assert all(batch.schema == schema and batch.num_rows == 50 for batch in batches)
    assert len({n for batch in batches for n in batch["n"].to_pylist()}) == 150
