"""A pipeline that is served by a process of its own, and clients in a process of theirs, for the tests that kill and stall them."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from pdbt.handlers import Ack, Client
from tests.conftest import StartProcess
from tests.handlers.ending import still_running

SECONDS = 120.0

PIPELINE = """
import os, time
import pyarrow as pa
from pdbt.handlers import BaseHandler, HandlerNode, Ingest, PipelineExecutor, TableSink

HERE = os.path.dirname(os.path.abspath(__file__))

class Double(BaseHandler):
    def handle(self, data: pa.Table) -> pa.Table:
        return data.append_column("twice", pa.array([2 * n for n in data["n"].to_pylist()]))

class Waits(BaseHandler):
    def handle(self, data: pa.Table) -> pa.Table:
        while os.path.exists(os.path.join(HERE, "stalled")):
            time.sleep(0.05)
        return data

pipeline = PipelineExecutor(
    [HandlerNode("in", Ingest(pa.schema([("n", pa.int64()), ("text", pa.string())])))],
    [
        HandlerNode("double", Double(), ["in"], workers=WORKERS),
        HandlerNode("waits", Waits(), ["double"]),
        HandlerNode("sink", TableSink(TARGET, "stored"), ["waits"]),
    ],
    VALUES
)
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Served:
    """A served pipeline that may be killed and started again at the same port."""

    def __init__(
        self, start_process: StartProcess, folder: Path, target: str, values: str = "", options: tuple[str, ...] = (), workers: int = 1
    ) -> None:
        self._start_process, self._folder, self._options = start_process, folder, options
        self.port = free_port()
        self.url = f"grpc://127.0.0.1:{self.port}"
        self.file = folder / "pipeline.py"
        self.file.write_text(PIPELINE.replace("TARGET", repr(target)).replace("VALUES", values).replace("WORKERS", str(workers)))
        self.process: subprocess.Popen[str]
        self.said = ""

    def start(self) -> None:
        command = [sys.executable, "-m", "pdbt", "stream", "serve", str(self.file), "--port", str(self.port), *self._options]
        root = Path(__file__).resolve().parents[2]
        self.process = self._start_process(command, cwd=self._folder, env={"PYTHONPATH": str(root)})
        assert self.process.stdout
        self.said = self.process.stdout.readline()
        assert self.said.startswith("Serving in at "), self.process.communicate(timeout=SECONDS)

    def kill(self) -> None:
        """Kill the server with -9, and wait until its workers are gone, too."""
        workers = self.workers()
        self.process.kill()
        self.process.wait(SECONDS)
        assert still_running(workers, SECONDS) == []

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill_a_worker(self, which: int) -> None:
        """Kill a worker; the server may just have replaced it."""
        workers = self.workers()
        with contextlib.suppress(psutil.NoSuchProcess):
            workers[which % len(workers)].kill()


class Load:
    """Clients, a thread each, that send batches of `rows` rows until they are told to end."""

    def __init__(self, url: str, clients: int, rows: int, window: int = 4, text: str = "x") -> None:
        self.acks: list[Ack] = []
        self.faults: list[BaseException] = []
        self.rows = rows
        self._url, self._window, self._text = url, window, text
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(SECONDS)
        assert not any(thread.is_alive() for thread in self._threads)

    def wait_for(self, more: int) -> None:
        """Wait until so many more batches are acknowledged."""
        wanted = len(self.acks) + more
        until = time.monotonic() + SECONDS
        while len(self.acks) < wanted:
            assert not self.faults, self.faults
            assert time.monotonic() < until, f"{len(self.acks)} of {wanted} batches are acknowledged"
            time.sleep(0.01)

    def expected(self) -> list[int]:
        """Return the numbers of all rows that were acknowledged."""
        starts = (int(ack.batch_id) for ack in self.acks)
        return sorted(n for start in starts for n in range(start, start + self.rows))

    def _send(self, client: int) -> None:
        import pyarrow as pa

        coming = iter(range(client * 10**9, (client + 1) * 10**9, self.rows))
        sent: list[str] = []

        def batches() -> object:
            while not self._ended.is_set():
                start = next(coming)
                sent.append(str(start))
                yield pa.table({"n": range(start, start + self.rows), "text": [self._text] * self.rows})

        def ids() -> object:
            for place in range(10**9):
                yield sent[place]

        try:
            with Client(self._url, window=self._window, patience=SECONDS) as connection:
                for ack in connection.send_each("in", batches(), ids=ids()):  # type: ignore[arg-type]
                    self.acks.append(ack)
        except BaseException as error:
            self.faults.append(error)


def eventually(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.05)
