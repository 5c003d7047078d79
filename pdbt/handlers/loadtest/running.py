"""Running a load test: so many client processes at a time, for each of several numbers of clients."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...engine.errors import PIPELINE_FAILED, PdbtError
from ..figures import percentile
from ..flight.client import Client
from .client import TOKEN_VARIABLE

READY_SECONDS = 120.0
LOGS = "logs"


@dataclass(frozen=True)
class Load:
    """What is to be measured.

    Attributes:
        url: the server: grpc://host:port, or grpc+tls://host:port.
        clients: for each measurement, how many clients send at a time.
        batches: how many each of them sends.
        rows: how many rows a batch has.
        node: the node that they are for; empty for the only one.
        token: what the server asks for.
        tls_ca: the PEM file of the certificate that signed the server's.
        patience: how long a client goes on while nothing is acknowledged, in seconds.
    """

    url: str
    clients: Sequence[int] = (1, 2, 5, 10, 15, 20)
    batches: int = 100
    rows: int = 200
    node: str = ""
    token: str = ""
    tls_ca: Path | None = None
    patience: float = 60.0


@dataclass(frozen=True)
class Level:
    """What so many clients measured; times are in seconds.

    Attributes:
        clients: how many.
        batches: how many batches were acknowledged.
        mean: of the round trips, as are p50, p95 and p99.
        rows_per_second: rows acknowledged in a second of all clients together.
        errors: how many batches were not acknowledged.
        acknowledged: rows that the server acknowledged as received.
        stored: rows that it acknowledged as stored, in all sinks together.
        found: rows that came into the tables meanwhile, as the server counted them; None if it has no table.
    """

    clients: int
    batches: int
    mean: float
    p50: float
    p95: float
    p99: float
    rows_per_second: float
    errors: int
    acknowledged: int
    stored: int
    found: int | None

    @property
    def complete(self) -> bool:
        """Whether nothing failed, and what is acknowledged is there."""
        return not self.errors and self.found in (None, self.stored)


def load_test(load: Load, folder: Path, tell: Callable[[Level], None]) -> list[Level]:
    """Measure, and write the logs of the clients to `logs` in a folder.

    Args:
        load: what to measure.
        folder: where the logs go; it is made.
        tell: is given each measurement as it is there.

    Raises:
        PdbtError: the server does not answer, has no such node, or a client failed.
    """
    ca = load.tls_ca.read_bytes() if load.tls_ca else None
    with Client(load.url, token=load.token, tls_ca=ca, patience=load.patience) as client:
        node, schema = _node(client, load.node)
        (folder / LOGS).mkdir(parents=True, exist_ok=True)
        levels = []
        for clients in load.clients:
            before = _rows_in_tables(client)
            lines, seconds = _measured(load, clients, node, schema, folder / LOGS)
            after = _rows_in_tables(client)
            found = after - before if before is not None and after is not None else None
            levels.append(_level(clients, lines, seconds, found))
            tell(levels[-1])
    return levels


def _node(client: Client, wanted: str) -> tuple[str, bytes]:
    """Return the node to send to, with its columns as Arrow writes them."""
    nodes = dict(client.nodes())
    if wanted and wanted not in nodes:
        raise PdbtError(f"{client.url}: no node {wanted} takes batches.", f"There are: {', '.join(nodes)}.")
    if not wanted and len(nodes) != 1:
        raise PdbtError(f"{client.url}: the nodes {', '.join(nodes)} take batches.", "Choose one with --node.")
    name = wanted or next(iter(nodes))
    return name, bytes(nodes[name].serialize())


def _rows_in_tables(client: Client) -> int | None:
    """Return how many rows the tables of the pipeline's sinks hold together; None when it has no such sink."""
    tables = client.action("tables")
    return sum(table["rows"] for table in tables) if tables else None


def _measured(load: Load, clients: int, node: str, schema: bytes, logs: Path) -> tuple[list[dict[str, str]], float]:
    """Have so many clients send at the same time; return the lines of their logs, and how long it took."""
    run = uuid.uuid4().hex[:8]
    paths = [logs / f"clients-{clients:02}-client-{number:02}.csv" for number in range(1, clients + 1)]
    processes: list[subprocess.Popen[str]] = []
    try:
        for number, path in enumerate(paths):
            name = f"loadtest-{run}-{number}"
            processes.append(_client(load, {"node": node, "schema": schema.hex(), "log": str(path), "seed": _seed(), "name": name}))
        for process in processes:
            _wait_until_ready(process)
        started = time.perf_counter()
        for process in processes:
            _say(process, "go")
        for process in processes:
            if process.wait():
                raise _client_failed(process)
        seconds = time.perf_counter() - started
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return [line for path in paths for line in _lines(path)], seconds


def _client(load: Load, asked: dict[str, Any]) -> subprocess.Popen[str]:
    shared = {"url": load.url, "batches": load.batches, "rows": load.rows, "patience": load.patience}
    words = json.dumps({**shared, **asked, "tls_ca": str(load.tls_ca or "")})
    program = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(2)); from pdbt.handlers.loadtest.client import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, words, json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, TOKEN_VARIABLE: load.token},
    )


def _seed() -> int:
    return uuid.uuid4().int % 1_000_000


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    stream = process.stdout
    if stream is not None:
        threading.Thread(target=lambda: said.put(stream.readline()), daemon=True).start()
    try:
        line = said.get(timeout=READY_SECONDS)
    except queue.Empty:
        line = ""
    if line != "ready\n":
        raise _client_failed(process)


def _say(process: subprocess.Popen[str], word: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        if process.stdin is not None:
            process.stdin.write(f"{word}\n")
            process.stdin.flush()


def _client_failed(process: subprocess.Popen[str]) -> PdbtError:
    process.kill()
    lines = [line for line in process.communicate()[1].splitlines() if line.strip()]
    return PdbtError(f"A client failed: {lines[-1] if lines else 'it said nothing'}.", "Look at the server.", PIPELINE_FAILED)


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _level(clients: int, lines: Sequence[dict[str, str]], seconds: float, found: int | None) -> Level:
    took = sorted(float(line["seconds"]) for line in lines if not line["error"])
    acknowledged, stored = (sum(int(line[key]) for line in lines) for key in ("acknowledged", "stored"))
    mean = sum(took) / len(took) if took else 0.0
    p50, p95, p99 = (percentile(took, share) for share in (0.5, 0.95, 0.99))
    return Level(clients, len(took), mean, p50, p95, p99, acknowledged / seconds, len(lines) - len(took), acknowledged, stored, found)
