"""`pdbt doctor` tries a project's connections, and waits for none of them long."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.project.conftest import Add, Pdbt


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_connections(add: Add, pdbt: Pdbt, silent_server: int, free_port: Callable[[], int], postgres_url: str) -> None:
    orders: Path = add("orders")
    dead = free_port()
    with (orders / "pdbt.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[connections.good]\nurl = "{postgres_url}"\n')
        file.write(f'\n[connections.dead]\nurl = "postgresql://ann:hunter2secret@127.0.0.1:{dead}/x"\n')
        file.write(f'\n[connections.silent]\nurl = "postgresql://127.0.0.1:{silent_server}/x"\n')
        file.write('\n[connections.unset]\nurl = "postgresql://ann:${NOBODY_SET_THIS}@127.0.0.1/x"\n')
    told = pdbt("doctor", "orders", "--json")
    assert told.code == 2
    assert "hunter2secret" not in told.stdout
    found = {entry["name"]: entry for entry in json.loads(told.stdout)}
    assert found["connection good"]["state"] == "ok"
    assert " answers: PostgreSQL " in found["connection good"]["text"]
    assert found["connection dead"]["state"] == "error"
    assert f"127.0.0.1:{dead}" in found["connection dead"]["text"]
    assert (found["connection silent"]["state"], found["connection silent"]["text"]) == ("error", "It did not answer in 4 s.")
    assert "${NOBODY_SET_THIS}, which is not set" in found["connection unset"]["text"]
