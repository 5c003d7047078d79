"""One client of a load test, in a process of its own: sends batches one after the other and logs each."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from ...engine.csv_writer import CsvWriter
from ...engine.errors import PdbtError
from ..flight.client import Client, ServerRefused
from .samples import samples

TOKEN_VARIABLE = "PDBT_LOADTEST_TOKEN"  # noqa: S105 - a name: arguments can be seen by other users, the environment cannot
COLUMNS = ("batch_id", "sent", "seconds", "rows", "acknowledged", "stored", "sendings", "error")


def main() -> None:
    """Say that it is ready, wait for the word, and send; all that it needs to know is its argument, as JSON."""
    asked = json.loads(sys.argv[1])
    ca = Path(asked["tls_ca"]).read_bytes() if asked["tls_ca"] else None
    with (
        Client(asked["url"], token=os.environ.get(TOKEN_VARIABLE, ""), tls_ca=ca, window=1, patience=asked["patience"]) as client,
        Path(asked["log"]).open("w", newline="", encoding="utf-8") as file,
    ):
        log = CsvWriter(file)
        log.write(COLUMNS)
        batches = samples(bytes.fromhex(asked["schema"]), asked["rows"], asked["seed"])
        client.action("health")  # connected before the clock runs
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(asked["batches"]):
            sent = _sent(client, asked["node"], f"{asked['name']}-{number}", next(batches))
            log.write([sent[column] for column in COLUMNS])


def _sent(client: Client, node: str, batch_id: str, table: Any) -> dict[str, object]:
    """Send one batch; return the line of the log."""
    line: dict[str, object] = {"batch_id": batch_id, "sent": f"{time.time():.6f}", "rows": table.num_rows}
    started = time.perf_counter()
    try:
        (ack,) = client.send(node, table, ids=[batch_id])
        line |= {"acknowledged": ack.rows_received, "stored": ack.rows_stored, "sendings": ack.sendings, "error": ""}
    except PdbtError as error:
        line |= {"acknowledged": 0, "stored": 0, "sendings": 1, "error": error.message}
        if isinstance(error, ServerRefused):
            time.sleep(0.01)  # what is refused at once is not sent in a circle
    return line | {"seconds": f"{time.perf_counter() - started:.6f}"}


if __name__ == "__main__":
    main()
