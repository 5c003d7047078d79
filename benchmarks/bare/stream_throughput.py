"""Prints the seconds that batches take on one of several ways: `local`, `ray`, `pipe`, `parallel` or `single`."""

from __future__ import annotations

import math
import multiprocessing
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import pyarrow as pa

from pdbt.handlers import BaseHandler, HandlerNode, PipelineExecutor

NODES = 4
BATCHES, ROWS = 100, 100_000
WARM_UP = 8
HEAVY_BATCHES, HEAVY_ROWS, TERMS = 12, 100_000, 40
MEMORY_MB = 256


class Pass(BaseHandler):
    """Hands a batch on."""

    def handle(self, data: pa.Table) -> pa.Table:
        """Hand it on."""
        return data


class Heavy(BaseHandler):
    """Computes in Python, on one processor."""

    def handle(self, data: pa.Table) -> pa.Table:
        """Return a number for each row."""
        return pa.table({"n": [sum(math.sqrt(n + step) for step in range(TERMS)) for n in data["n"].to_pylist()]})


def batch(rows: int) -> pa.Table:
    """Return a batch of four columns."""
    numbers = range(rows)
    return pa.table(
        {
            "n": numbers,
            "half": [n / 2 for n in numbers],
            "name": [f"name {n % 1000}" for n in numbers],
            "even": [n % 2 == 0 for n in numbers],
        }
    )


def through(pipeline: PipelineExecutor, name: str, table: pa.Table, count: int) -> float:
    """Return the seconds from the first batch given in to the last one done; what is started late is started before."""
    with pipeline:
        for warming in [pipeline.give(name, table) for _ in range(WARM_UP)]:
            warming.result()
        started = time.perf_counter()
        receipts = [pipeline.give(name, table) for _ in range(count)]
        if sum(receipt.result().rows for receipt in receipts) != count * table.num_rows:
            sys.exit("rows are missing")
        return time.perf_counter() - started


def chain(executor: str) -> float:
    """Send batches through pass-through nodes, one after the other."""
    nodes = [HandlerNode("pass0", Pass())]
    for number in range(1, NODES):
        nodes.append(HandlerNode(f"pass{number}", Pass(), [f"pass{number - 1}"]))
    return through(PipelineExecutor(nodes[:1], nodes[1:], executor=executor, memory_mb=MEMORY_MB), "pass0", batch(ROWS), BATCHES)


def heavy(parallel: bool) -> float:
    """Compute over batches, on one processor or two."""
    node = HandlerNode("heavy", Heavy(), parallel=parallel, chunks=2, workers=2 if parallel else 1)
    return through(PipelineExecutor([node]), "heavy", batch(HEAVY_ROWS), HEAVY_BATCHES)


def take(pipe: Connection, rows: int) -> None:
    """Take tables until all their rows are there, and say so."""
    while rows:
        rows -= pipe.recv().num_rows
    pipe.send("all")


def piped() -> float:
    """Hand each table through one pipe as often as there are nodes."""
    table = batch(ROWS)
    ours, theirs = multiprocessing.Pipe()
    taker = multiprocessing.Process(target=take, args=(theirs, (WARM_UP + BATCHES) * NODES * ROWS))
    taker.start()
    for _ in range(WARM_UP * NODES):
        ours.send(table)
    started = time.perf_counter()
    for _ in range(BATCHES * NODES):
        ours.send(table)
    ours.recv()
    seconds = time.perf_counter() - started
    taker.join()
    return seconds


WAYS: dict[str, Callable[[], float]] = {
    "local": lambda: chain("local"),
    "ray": lambda: chain("ray"),
    "pipe": piped,
    "parallel": lambda: heavy(True),
    "single": lambda: heavy(False),
}

if __name__ == "__main__":
    print(WAYS[sys.argv[1]]())
