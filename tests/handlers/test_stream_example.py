"""The stream that `pdbt add stream` brings: launched and stopped by its scripts, and equal to the same computed by pandas."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from pdbt.handlers import Client
from pdbt.scaffold import add_addon
from tests.conftest import MakeProject
from tests.handlers.ending import still_running
from tests.handlers.serving import free_port

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120.0
DESCRIPTIONS = (" Casino Royal", "monthly RENT", "Transfer to  savings", "Grocer", "sports bet", "books")


def run_macro(project: Path, ending: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, str(project / f"macro/stream-run-process{ending}.py"), *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=SECONDS)


@pytest.fixture
def project(make_project: MakeProject) -> Path:
    folder = make_project()
    add_addon("stream", folder)
    return folder


@contextlib.contextmanager
def launched(project: Path, **variables: str) -> Iterator[str]:
    """Give the address of the project's stream; it is stopped by its script, and ended by force when that fails."""
    port = free_port()
    result = run_macro(project, "-launch", "--port", str(port), **variables)
    family: list[psutil.Process] = []
    try:
        assert result.returncode == 0, result.stderr
        process = psutil.Process(json.loads((project / "macro/stream.pid").read_text(encoding="utf-8"))["pid"])
        family = [process, *process.children(recursive=True)]
        yield f"grpc://127.0.0.1:{port}"
        stopped = run_macro(project, "-stop")
        assert stopped.stdout == f"Stopped the stream (PID {process.pid}).\n", stopped.stderr
    finally:
        alive = still_running(family, 30)
        for process in alive:
            process.kill()
    assert alive == []


def wait_for(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return result


def sources() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    clients = pd.DataFrame(
        {"client": [f" C{n} " for n in range(20)], "name": [f"Name  {n}" for n in range(20)], "country": ["FR", "de"] * 10}
    )
    transactions = pd.DataFrame(
        {
            "id": range(1000),
            "client": [f"c{n % 17}" for n in range(1000)],
            "amount": [(n * 37 % 9973) + 0.25 for n in range(1000)],
            "description": [DESCRIPTIONS[n % len(DESCRIPTIONS)] for n in range(1000)],
        }
    )
    scores = pd.DataFrame({"client": [f"C{n}" for n in range(15)], "score": [n / 16 for n in range(15)]})
    return clients, transactions, scores


def by_pandas(clients: pd.DataFrame, transactions: pd.DataFrame, scores: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute what the stream is to store: the transactions with category and risk, and the summary."""

    def normalised(column: pd.Series) -> pd.Series:
        return column.str.replace(r"\s+", " ", regex=True).str.strip().str.lower()

    clients = clients.apply(normalised)
    scores = scores.assign(client=normalised(scores["client"]))
    transactions = transactions.assign(client=normalised(transactions["client"]), description=normalised(transactions["description"]))
    words = {"casino": "gambling", "bet": "gambling", "transfer": "transfer", "rent": "housing", "grocer": "food"}
    transactions["category"] = [next((words[w] for w in words if w in text), "other") for text in transactions["description"]]
    more = transactions["category"].map({"gambling": 0.5, "transfer": 0.2}).fillna(0.0)
    transactions["risk"] = (transactions["amount"] / 10000 + more).clip(upper=1.0).round(4)
    of_client = transactions.groupby("client").agg(transactions=("id", "count"), amount=("amount", "sum"), highest_risk=("risk", "max"))
    summary = clients.merge(scores, on="client", how="left").merge(of_client.reset_index(), on="client", how="left")
    summary[["transactions", "amount"]] = summary[["transactions", "amount"]].fillna(0)
    return transactions, summary


def stored(project: Path, query: str) -> pd.DataFrame | None:
    """Return the rows of the streams' database; None when it has not got so far."""
    with contextlib.closing(sqlite3.connect(project / "db/stream.sqlite", timeout=60)) as connection:
        try:
            cursor = connection.execute(query)
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return None
        return pd.DataFrame(cursor.fetchall(), columns=[column[0] for column in cursor.description])


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["local", pytest.param("ray", marks=pytest.mark.xdist_group("ray"))])
def test_three_kinds_of_source_come_out_as_pandas_computes_them(project: Path, tmp_path: Path, executor: str) -> None:
    """Clients arrive as a file, transactions by Flight, scores by SQL."""
    clients, transactions, scores = sources()
    with contextlib.closing(sqlite3.connect(tmp_path / "scores.sqlite")) as connection:
        scores.to_sql("SCORES", connection, index=False)
    with launched(project, STREAM_EXECUTOR=executor, STREAM_SCORES_FROM=str(tmp_path / "scores.sqlite")) as url:
        clients.to_csv(project / "data/stream/clients/clients.csv", index=False)
        with Client(url) as client:
            acks = client.send("transactions", [transactions[start : start + 200] for start in range(0, 1000, 200)])
            for _ in range(2):  # scores that are read again change no summary
                assert client.action("trigger", {"node": "scores_sql"})["rows_stored"] == 15
        assert sum(ack.rows_stored for ack in acks) == 1000
        counted = 'SELECT count(*) AS clients, sum(transactions) AS transactions, count(score) AS scores FROM "STREAM_SUMMARY"'
        wait_for(lambda: (found := stored(project, counted)) is not None and found.iloc[0].to_list() == [20, 1000, 15])
        expected, summary = by_pandas(clients, transactions, scores)
        found = stored(project, 'SELECT * FROM "STREAM_TRANSACTIONS" ORDER BY id')
        assert found is not None
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
        found = stored(project, 'SELECT * FROM "STREAM_SUMMARY" ORDER BY client')
        assert found is not None
        pd.testing.assert_frame_equal(found, summary.sort_values("client", ignore_index=True), check_dtype=False)


def test_a_pid_file_of_another_process_is_said_plainly_and_a_stream_that_cannot_start_says_why(project: Path) -> None:
    pid_file = project / "macro/stream.pid"
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    pid_file.write_text(json.dumps({"pid": gone.pid, "started": 1.0, "command": ["python3"]}), encoding="utf-8")
    result = run_macro(project, "-stop")
    assert result.stdout == f"No stream runs: stream.pid named PID {gone.pid}, which is gone or somebody else's. The file is removed.\n"
    assert (result.returncode, pid_file.exists()) == (0, False)
    assert run_macro(project, "-stop").stdout == "No stream runs.\n"

    # A process that lives, and is another than was launched, is not ended.
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        said = {"pid": other.pid, "started": 1.0, "command": psutil.Process(other.pid).cmdline()}
        pid_file.write_text(json.dumps(said), encoding="utf-8")
        assert "somebody else's" in run_macro(project, "-stop").stdout
        assert other.poll() is None
        other.communicate(b"\n")

    (project / "scripts/stream/pipeline.py").write_text("raise ValueError('not today')\n", encoding="utf-8")
    result = run_macro(project, "-launch", "--port", "0")
    assert result.returncode == 1
    assert "The stream ended while it was starting: " in result.stderr
    assert "ValueError: not today" in result.stderr
    assert not pid_file.exists()
