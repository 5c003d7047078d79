"""Which cluster an address means, and what is said, within a time, where none answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdbt.engine.errors import PdbtError
from pdbt.handlers import HandlerNode, PipelineExecutor, ray_address
from pdbt.handlers.ray_address import ANSWER_SECONDS
from tests.handlers.kinds import Take
from tests.handlers.machines import head
from tests.handlers.serving import free_port

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]  # one after another: Ray looks for clusters on the whole machine
SECONDS = 120.0
SHORTER = 2.0  # than ten seconds, which are waited for once, at a cluster that hangs
SILENT = f"it did not answer within {SHORTER:g} s"
NO_CLUSTER = "who listens there is no Ray cluster"


def pipeline_at(address: str) -> PipelineExecutor:
    return PipelineExecutor([HandlerNode("take", Take())], executor="ray", address=address)


def refusal(address: str) -> str:
    """Return why a cluster cannot be used, after the address."""
    began = time.monotonic()
    with pytest.raises(PdbtError) as raised:
        pipeline_at(address).start()
    assert time.monotonic() - began < 3 * ANSWER_SECONDS
    assert "\n" not in str(raised.value)
    assert "ray start --head" in raised.value.hint
    told, _, why = raised.value.message.partition(" cannot be used: ")
    assert told.startswith(f"The Ray cluster at {address}")
    return f"{told.removeprefix('The Ray cluster at ')}: {why}"


@pytest.mark.parametrize("address", ["moon", "moon:x", "local"])
def test_an_address_that_is_none_is_one_sentence(address: str) -> None:
    assert refusal(address) == f"{address}: it is no host:port."


def test_an_address_that_nobody_listens_at_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is the one that RAY_ADDRESS names."""
    place = f"127.0.0.1:{free_port()}"
    why = "[Errno 111] Connection refused."
    assert refusal(place).startswith(f"{place} (")
    assert refusal(place).endswith(f": {why}")
    monkeypatch.setenv("RAY_ADDRESS", place)
    assert refusal("auto") == f"auto ({refusal(place).partition(' (')[2]}"


@pytest.fixture(params=[(b"", SILENT), (b"220 welcome\r\n", NO_CLUSTER)], ids=["silent", "of another kind"])
def listener(request: pytest.FixtureRequest) -> Iterator[tuple[int, str]]:
    """The port of a server that takes connections and is no Ray cluster, and what is to be said of it."""
    greeting, why = request.param
    taken: list[socket.socket] = []
    with socket.create_server(("", 0)) as server:

        def take() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                taken.append(connection)
                connection.sendall(greeting)

        thread = threading.Thread(target=take)
        thread.start()
        yield server.getsockname()[1], why
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in taken:
        connection.close()


def test_who_listens_and_is_no_cluster_is_told_within_a_time(listener: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    port, why = listener
    monkeypatch.setattr(ray_address, "ANSWER_SECONDS", SHORTER)
    assert refusal(f"localhost:{port}").endswith(f":{port}): {why}.")
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    assert refusal("auto").endswith(f":{port}): {why}.")


def test_a_cluster_whose_head_hangs_is_told_within_a_time(two_machines: str) -> None:
    hung = head(two_machines)
    hung.suspend()
    try:
        assert refusal(two_machines) == f"{two_machines}: it did not answer within 10 s."
    finally:
        hung.resume()


NONE_THERE = """
import sys
import psutil
psutil.PROCFS_PATH = sys.argv[1]  # a folder where no process is told of: whatever runs on the machine is not seen
from pdbt.cli import main
sys.exit(main(["stream", "serve", sys.argv[2], "--port", "0"]))
"""


def test_no_cluster_on_this_machine_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "none" / "1").mkdir(parents=True)
    (tmp_path / "pipeline.py").write_text(
        "from pdbt.handlers import *\npipeline = PipelineExecutor([HandlerNode('in', Ingest())], executor='ray', address='auto')\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    result = subprocess.run(
        [sys.executable, "-c", NONE_THERE, str(tmp_path / "none"), str(tmp_path / "pipeline.py")],
        env={**environment, "PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (result.returncode, result.stderr.splitlines()) == (
        2,
        [
            "error: The Ray cluster at auto cannot be used: none runs on this machine, and RAY_ADDRESS names none.",
            "hint: Start one with `ray start --head` and give its address as host:port, or leave address out.",
        ],
    )


def test_the_cluster_that_auto_finds_is_used_however_its_address_is_written(two_machines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", two_machines)
    with pipeline_at("auto") as pipeline:
        assert pipeline.give("take", [{"n": 1}]).result(SECONDS).rows == 1
        port = two_machines.rpartition(":")[2]
        for address in (two_machines, f"localhost:{port}", "auto"):
            assert pipeline_at(address).run_once({"take": [{"n": 1}]})["take"][0].num_rows == 1
        with pytest.raises(PdbtError, match=rf"This process uses the Ray cluster at {two_machines} and cannot use that at localhost:1\."):
            pipeline_at("localhost:1").start()
