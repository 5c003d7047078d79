"""Pipelines of handlers: a served one under load against a process for each node and message, and batches through nodes against a pipe.

Not commands that end, so it is measured here and not by `contest.hold`; what comes out is the same.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.contest import Bar, Disagreement, Outcome
from benchmarks.rivals import Interpreter
from benchmarks.workplaces import HERE

BARE = HERE / "bare"
CLIENTS = (1, 2, 5, 10, 15, 20)
BATCHES, ROWS = 100, 200
NAIVE_BATCHES = 3  # of each client: the rival needs a second for what takes pdbt milliseconds
LIMIT = 900.0  # seconds for any one of the commands
ENDING_SECONDS = 20.0
START_METHOD = "fork"  # the cheapest way to a new process


@dataclass(frozen=True)
class Ground:
    """Where it is measured: the interpreter that has pdbt, an empty folder, and the environment of all processes."""

    interpreter: Interpreter
    folder: Path
    environment: Mapping[str, str]

    def target(self, name: str) -> Path:
        """Return the database of one side, empty."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder / "target.sqlite"

    @contextlib.contextmanager
    def serving(self, words: Sequence[object], target: Path) -> Iterator[str]:
        """Give the first line that a server says; it is ended afterwards, with its workers."""
        variables = {**self.environment, "STREAM_TARGET": str(target), "STREAM_START_METHOD": START_METHOD}
        command = [str(self.interpreter.python), *map(str, words)]
        process = subprocess.Popen(command, cwd=self.folder, env=variables, stdout=subprocess.PIPE, text=True, start_new_session=True)
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            if not line:
                raise Disagreement(f"{words[0]} did not begin to serve.")
            yield line.strip()
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(ENDING_SECONDS)
            if process.stdout is not None:
                process.stdout.close()

    def run(self, *words: object) -> str:
        """Run a command of the interpreter to its end; return what it printed."""
        command = [str(self.interpreter.python), *map(str, words)]
        done = subprocess.run(
            command, cwd=self.folder, env=dict(self.environment), check=True, timeout=LIMIT, stdout=subprocess.PIPE, text=True
        )
        return done.stdout


def hold_handlers(
    interpreter: Interpreter, folder: Path, runs: int, environment: Mapping[str, str], plot: Path, say: Callable[[str], None]
) -> list[Outcome]:
    """Measure all of it `runs` times, and draw the last load test.

    Raises:
        Disagreement: rows that were acknowledged are not stored.
        subprocess.CalledProcessError: a command failed.
    """
    ground = Ground(interpreter, folder, environment)
    return [*_load(ground, runs, plot, say), *_throughput(ground, runs, say)]


def _load(ground: Ground, runs: int, plot: Path, say: Callable[[str], None]) -> list[Outcome]:
    ours: list[dict[int, float]] = []
    naive: list[dict[int, float]] = []
    for number in range(1, runs + 1):
        ours.append(_served(ground))
        naive.append(_naive(ground))
        shown = "; ".join(f"{count}: {ours[-1][count] * 1e3:.1f} and {naive[-1][count] * 1e3:.0f}" for count in CLIENTS)
        say(f"handlers {number}/{runs}  mean round trip in ms by clients, pdbt and naive: {shown}")
    (ground.folder / "naive.json").write_text(json.dumps(naive[-1]), encoding="utf-8")
    ground.run(BARE / "stream_plot.py", ground.folder / "loadtest" / "loadtest.csv", ground.folder / "naive.json", plot)
    outcomes = []
    for clients in (CLIENTS[-1], CLIENTS[0]):
        title = f"mean round trip, {clients} client{'s' * (clients > 1)}, batches of {ROWS} rows / a process for each node and batch"
        figures = tuple(tuple(means[clients] for means in side) for side in (ours, naive))
        outcomes.append(Outcome(Bar(title, "pdbt", 0.1, "naive"), *figures))
    return outcomes


def _served(ground: Ground) -> dict[int, float]:
    """Load a served pipeline; return the mean round trips by the number of clients."""
    target = ground.target("served")
    shutil.rmtree(ground.folder / "loadtest", ignore_errors=True)
    with ground.serving(("-m", "pdbt", "stream", "serve", BARE / "stream_pipeline.py", "--port", 0), target) as line:
        url = line.rpartition(" ")[2]
        counts = ",".join(map(str, CLIENTS))
        ground.run("-m", "pdbt", "stream", "loadtest", url, "--clients", counts, "--batches", BATCHES, "--rows", ROWS)
    _expect_rows(target, sum(CLIENTS) * BATCHES * ROWS)
    with (ground.folder / "loadtest" / "loadtest.csv").open(newline="", encoding="utf-8") as file:
        return {int(line["clients"]): float(line["mean"]) for line in csv.DictReader(file)}


def _naive(ground: Ground) -> dict[int, float]:
    """Load the rival alike."""
    target = ground.target("naive")
    with ground.serving((BARE / "stream_naive.py",), target) as port:
        means = {clients: fmean(_naive_clients(ground, port, clients)) for clients in CLIENTS}
    _expect_rows(target, sum(CLIENTS) * NAIVE_BATCHES * ROWS)
    return means


def _naive_clients(ground: Ground, port: str, count: int) -> list[float]:
    """Have so many clients send at the same time; return what each batch took."""
    command = [str(ground.interpreter.python), str(BARE / "stream_naive_client.py"), port, str(NAIVE_BATCHES), str(ROWS)]
    clients = [
        subprocess.Popen(command, env=dict(ground.environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    try:
        if any(client.stdout is None or client.stdout.readline() != "ready\n" for client in clients):
            raise Disagreement("A client of the rival did not begin.")
        for client in clients:
            if client.stdin is not None:
                client.stdin.write("go\n")
                client.stdin.flush()
        answers = [client.communicate(timeout=LIMIT)[0] for client in clients]
    finally:
        for client in clients:
            client.kill()
            client.wait()
    if any(client.returncode for client in clients):
        raise Disagreement("A client of the rival failed.")
    return [seconds for answer in answers for seconds in json.loads(answer)]


def _expect_rows(target: Path, wanted: int) -> None:
    with contextlib.closing(sqlite3.connect(target)) as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM scored").fetchall()
    if rows != wanted:
        raise Disagreement(f"{target} holds {rows} rows, and {wanted} were acknowledged.")


def _throughput(ground: Ground, runs: int, say: Callable[[str], None]) -> list[Outcome]:
    seconds: dict[str, list[float]] = {way: [] for way in ("local", "ray", "pipe", "parallel", "single")}
    for number in range(1, runs + 1):
        for way, figures in seconds.items():
            figures.append(float(ground.run(BARE / "stream_throughput.py", way)))
        say(f"handlers {number}/{runs}  " + ", ".join(f"{way} {figures[-1]:.2f} s" for way, figures in seconds.items()))

    def outcome(title: str, ours: str, rival: str, limit: float) -> Outcome:
        return Outcome(Bar(title, ours, limit, rival), tuple(seconds[ours]), tuple(seconds[rival]))

    batches = "100,000-row batches through four pass-through nodes"
    return [
        outcome(f"{batches} / four times through one pipe (2 is half its throughput)", "local", "pipe", 2.0),
        outcome(f"{batches} on Ray / four times through one pipe", "ray", "pipe", 2.0),
        outcome("a CPU-bound handler in parallel on 2 cores / not parallel (0.588 is 1.7 times as fast)", "parallel", "single", 1 / 1.7),
    ]
