"""A client of the rival: sends batches one after the other, and says how long each took."""

from __future__ import annotations

import json
import random
import socket
import sys
import time
from multiprocessing.connection import Connection

import pyarrow as pa
from stream_handlers import SCHEMA  # type: ignore[import-not-found]  # beside this file

port, batches, rows = map(int, sys.argv[1:4])
words = ("alpha", "Beta ", " gamma", "DELTA", "epsilon")
chance = random.Random(port)
columns = [
    pa.array(range(rows), pa.int64()),
    pa.array([chance.choice(words) for _ in range(rows)]),
    pa.array([chance.uniform(0, 10_000) for _ in range(rows)]),
]
table = pa.table(columns, schema=SCHEMA)
with socket.create_connection(("127.0.0.1", port)) as opened, Connection(opened.detach()) as server:
    print("ready", flush=True)
    sys.stdin.readline()
    took = []
    for _ in range(batches):
        started = time.perf_counter()
        server.send(table)
        if server.recv() != rows:
            sys.exit("the server stored fewer rows")
        took.append(time.perf_counter() - started)
print(json.dumps(took))
