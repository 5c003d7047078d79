"""The rival of the load test: a server that starts a process for each node and message, as a script without a pipeline does.

Takes batches as pickled Arrow tables over a socket, has each step done by a process of its own, and answers when the row is stored.
"""

from __future__ import annotations

import multiprocessing
import os
import socketserver
import sqlite3
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import pyarrow as pa
from stream_handlers import classify, normalise, score  # type: ignore[import-not-found]  # beside this file

BUSY_SECONDS = 300.0


def store(data: pa.Table) -> pa.Table:
    """Store a batch in the same kind of database, as safely."""
    connection = sqlite3.connect(os.environ["STREAM_TARGET"], BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE IF NOT EXISTS scored (id BIGINT, name TEXT, amount DOUBLE, class BIGINT, risk DOUBLE)")
    connection.executemany("INSERT INTO scored VALUES (?, ?, ?, ?, ?)", zip(*(column.to_pylist() for column in data.columns), strict=True))
    connection.execute("COMMIT")
    connection.close()
    return data


def ingest(data: pa.Table) -> pa.Table:
    """Hand a batch on."""
    return data


STEPS = (ingest, normalise, classify, score, store)


def work(step: Callable[[pa.Table], pa.Table], given: Connection, made: Connection) -> None:
    """Do one step on one batch, and end."""
    made.send(step(given.recv()))


class Sender(socketserver.BaseRequestHandler):
    """A client's connection."""

    def handle(self) -> None:
        """Answer batches until the client hangs up."""
        with Connection(os.dup(self.request.fileno())) as client:
            while True:
                try:
                    batch = client.recv()
                except EOFError:
                    return
                for step in STEPS:
                    batch = in_a_process(step, batch)
                client.send(batch.num_rows)


def in_a_process(step: Callable[[pa.Table], pa.Table], batch: pa.Table) -> pa.Table:
    """Have a new process do a step."""
    context: Any = multiprocessing.get_context(os.environ["STREAM_START_METHOD"])
    theirs, given = context.Pipe(duplex=False)
    made, out = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(step, theirs, out))
    process.start()
    theirs.close()
    out.close()
    given.send(batch)
    result: pa.Table = made.recv()
    process.join()
    given.close()
    made.close()
    return result


class Server(socketserver.ThreadingTCPServer):
    """One thread a client."""

    daemon_threads = True
    request_queue_size = 64


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Sender) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
