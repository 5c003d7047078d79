"""What is Ray's alone: a cluster of one's own or another's, its noise and its end, and machines that are lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from pdbt.engine.errors import MissingLibrary
from pdbt.handlers import BaseHandler, HandlerNode, PipelineExecutor, PipelineFailed
from tests.handlers.ending import still_running
from tests.handlers.machines import lose, other_machine, two_machines

ROOT = Path(__file__).resolve().parents[2]
__all__ = ["two_machines"]  # a fixture of this room too
pytestmark = pytest.mark.xdist_group("ray")  # one after another: Ray looks for clusters on the whole machine
SECONDS = 120.0
LARGE = 50_000


class Slow(BaseHandler):
    """Adds the process that it ran in, and takes its time."""

    def handle(self, data: pa.Table) -> pa.Table:
        time.sleep(0.02)
        return data.append_column("pid", pa.array([os.getpid()] * data.num_rows))


class Keep(BaseHandler):
    runs_in = "thread"

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.pids: set[int] = set()

    def handle(self, data: pa.Table) -> None:
        self.seen.extend(set(data["n"].to_pylist()))
        self.pids.update(data["pid"].to_pylist())


class NoSetup(Slow):
    def setup(self) -> None:
        raise OSError("no such file")


def run_script(script: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, **options)


def test_handlers_load_no_ray() -> None:
    script = (
        "import sys\nfrom pdbt.handlers import *\n"
        "class Take(BaseHandler):\n    def handle(self, data):\n        return data\n"
        "PipelineExecutor([HandlerNode('take', Take())]).run_once({'take': [{'n': 1}]})\nassert 'ray' not in sys.modules\n"
    )
    result = run_script(script)
    assert result.returncode == 0, result.stderr


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingLibrary) as raised:
        PipelineExecutor([HandlerNode("slow", Slow())], executor="ray").start()
    assert str(raised.value) == 'A pipeline with executor="ray" needs ray, which is not installed. Run: python3 -m pip install ray'


OWN_CLUSTER = """
import os, sys
import psutil
from pdbt.handlers import *
from tests.handlers.ending import still_running
class Take(BaseHandler):
    def handle(self, data):
        return data
pipeline = PipelineExecutor([HandlerNode("take", Take())], executor="ray")
with pipeline:
    assert pipeline.run_once({"take": [{"n": 1}]})["take"][0].num_rows == 1
    me = psutil.Process()
    family = [me, *me.children(recursive=True)]
    open_to = {entry.laddr.ip for process in family for entry in process.net_connections() if entry.status == "LISTEN"}
    print(sorted({address.removeprefix("::ffff:") for address in open_to}), os.environ["RAY_USAGE_STATS_ENABLED"])
print(still_running(family[1:], 60))
"""


@pytest.mark.slow
def test_a_cluster_of_its_own_is_open_to_this_machine_alone_says_nothing_and_ends() -> None:
    result = run_script(OWN_CLUSTER)
    assert (result.stdout, result.stderr) == ("['127.0.0.1'] 0\n[]\n", "")


KILLED = """
import time
from pdbt.handlers import *
class Take(BaseHandler):
    def handle(self, data):
        return data
pipeline = PipelineExecutor([HandlerNode("take", Take())], executor="ray")
pipeline.start()
print(pipeline.worker_pids()["take"][0], flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_cluster_of_its_own_ends_with_a_process_that_is_killed() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().strip().isdecimal()
            family = psutil.Process(process.pid).children(recursive=True)
        finally:
            process.kill()
    alive = still_running(family, 300.0)  # Ray's own processes look for their owner at long intervals
    for left in alive:
        left.kill()
    assert alive == []


@pytest.mark.slow
def test_a_cluster_of_its_own_ends_with_a_setup_that_fails() -> None:
    with pytest.raises(PipelineFailed, match=r"Node no: setup\(\) of NoSetup .*: OSError: no such file\."):
        PipelineExecutor([HandlerNode("no", NoSetup())], executor="ray").start()
    import ray

    assert not ray.is_initialized()


@pytest.mark.slow
def test_a_handler_of_sigterm_stays() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with PipelineExecutor([HandlerNode("slow", Slow())], executor="ray"):
        assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, LARGE])
def test_the_batches_of_a_lost_machine_are_done_again_each_once(two_machines: str, rows: int) -> None:
    """Small batches go with the messages, large ones through the object stores of both machines."""
    sink = Keep()
    pipeline = PipelineExecutor(
        [HandlerNode("slow", Slow(), workers=4)], [HandlerNode("keep", sink, ["slow"])], executor="ray", address=two_machines
    )
    with pipeline:
        machine = other_machine(two_machines)
        elsewhere = {process.pid for process in machine.children(recursive=True)} & set(pipeline.worker_pids()["slow"])
        assert elsewhere
        given = []
        for number in range(120):
            given.append(pipeline.give("slow", pa.table({"n": [number] * rows})))
            if number == 40:
                lose(machine)
        assert [receipt.result(SECONDS).rows for receipt in given] == [rows] * 120
        assert sink.pids & elsewhere, "the machine that was lost had done nothing"
    assert sorted(sink.seen) == list(range(120))


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, LARGE])
def test_the_batches_of_killed_workers_are_done_again_each_once(rows: int) -> None:
    sink = Keep()
    pipeline = PipelineExecutor([HandlerNode("slow", Slow(), workers=2)], [HandlerNode("keep", sink, ["slow"])], executor="ray")
    with pipeline:
        killed = set()
        given = []
        for number in range(120):
            given.append(pipeline.give("slow", pa.table({"n": [number] * rows})))
            if number in (20, 60):
                pid = next(pid for pid in pipeline.worker_pids()["slow"] if pid not in killed)
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        assert [receipt.result(SECONDS).rows for receipt in given] == [rows] * 120
    assert sorted(sink.seen) == list(range(120))
    assert sink.pids - killed
