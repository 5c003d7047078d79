"""What is Ray's alone: a cluster of one's own or another's, its noise and its end, and machines that are lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from pdbt.engine.errors import MissingLibrary
from pdbt.handlers import BaseHandler, HandlerNode, PipelineExecutor, PipelineFailed
from tests.handlers.ending import still_running
from tests.handlers.kinds import NoSetup, Slow, TakeHere
from tests.handlers.machines import lose, other_machine
from tests.handlers.serving import eventually

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.xdist_group("ray")  # one after another: Ray looks for clusters on the whole machine
SECONDS = 120.0
LARGE = 50_000


class Keep(BaseHandler):
    runs_in = "thread"

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.pids: set[int] = set()

    def handle(self, data: pa.Table) -> None:
        self.seen.extend(set(data["n"].to_pylist()))
        self.pids.update(data["pid"].to_pylist())


class NotesHandler(TakeHere):
    """Notes what a SIGTERM means once the cluster is there."""

    def __init__(self) -> None:
        self.found: list[object] = []

    def setup(self) -> None:
        self.found.append(signal.getsignal(signal.SIGTERM))


def test_handlers_load_no_ray_and_a_worker_only_what_it_needs() -> None:
    script = (
        "import sys\nimport pdbt.handlers.worker\n"
        "assert {'duckdb', 'pandas', 'pdbt.engine.settings', 'pyarrow'}.isdisjoint(sys.modules)\n"
        "from pdbt.handlers import *\n"
        "class Take(BaseHandler):\n    def handle(self, data):\n        return data\n"
        "PipelineExecutor([HandlerNode('take', Take())]).run_once({'take': [{'n': 1}]})\nassert 'ray' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert result.returncode == 0, result.stderr


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingLibrary) as raised:
        PipelineExecutor([HandlerNode("slow", Slow())], executor="ray").start()
    assert str(raised.value) == 'A pipeline with executor="ray" needs ray, which is not installed. Run: python3 -m pip install ray'


OWN_CLUSTER = """
import os, time
from pdbt.handlers import *
class Take(BaseHandler):
    def handle(self, data):
        return data
pipeline = PipelineExecutor([HandlerNode("take", Take())], executor="ray")
pipeline.start()
assert pipeline.run_once({"take": [{"n": 1}]})["take"][0].num_rows == 1
print(os.environ["RAY_USAGE_STATS_ENABLED"], flush=True)
time.sleep(600)
"""


@dataclass
class Killed:
    """A process with a cluster of its own that was killed.

    Attributes:
        family: the cluster's processes.
        open_to: the addresses that they listened at.
        said: what was printed, on either stream.
    """

    family: list[psutil.Process]
    open_to: set[str]
    said: tuple[str, str]


@pytest.fixture(scope="session")
def killed() -> Iterator[Killed]:
    """A process with a cluster of its own that was killed a while ago when the last test looks at what is left of it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", OWN_CLUSTER]
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process:
            try:
                assert process.stdout
                said = process.stdout.readline()
                family = psutil.Process(process.pid).children(recursive=True)
                addresses = open_to([psutil.Process(process.pid), *family])
            finally:
                process.kill()
        errors.seek(0)
        yield Killed(family, addresses, (said, errors.read()))
    for left in still_running(family, 0):
        left.kill()


def open_to(processes: list[psutil.Process]) -> set[str]:
    """Return the addresses that processes listen at."""
    listening = {entry.laddr.ip for process in processes for entry in process.net_connections() if entry.status == "LISTEN"}
    return {address.removeprefix("::ffff:") for address in listening}


@pytest.mark.slow
def test_a_cluster_of_its_own_is_open_to_this_machine_alone_and_says_nothing(killed: Killed) -> None:
    assert (killed.open_to, killed.said) == ({"127.0.0.1"}, ("0\n", ""))


@pytest.mark.slow
def test_a_cluster_of_its_own_ends_with_a_setup_that_fails_and_a_handler_of_sigterm_stays() -> None:
    before = signal.getsignal(signal.SIGTERM)
    notes = NotesHandler()
    with pytest.raises(PipelineFailed, match=r"Node no: setup\(\) of NoSetup .*: OSError: no such file\."):
        PipelineExecutor([HandlerNode("notes", notes), HandlerNode("no", NoSetup())], executor="ray").start()
    import ray

    assert not ray.is_initialized()
    assert notes.found == [before]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_the_batches_of_a_lost_machine_are_done_again_each_once(two_machines: str) -> None:
    """Small batches go with the messages, large ones through the object stores of both machines."""
    sink = Keep()
    pipeline = PipelineExecutor(
        [HandlerNode("slow", Slow(), workers=4)], [HandlerNode("keep", sink, ["slow"])], executor="ray", address=two_machines
    )
    with pipeline:
        machine = other_machine(two_machines)
        elsewhere = {process.pid for process in machine.children(recursive=True)} & set(pipeline.worker_pids()["slow"])
        assert elsewhere
        sizes = [(1, LARGE)[number % 2] for number in range(120)]
        given = []
        for number, rows in enumerate(sizes):
            given.append(pipeline.give("slow", pa.table({"n": [number] * rows})))
            if number == 40:
                eventually(lambda: not sink.pids.isdisjoint(elsewhere), "the machine that is to be lost does nothing")
            if number == 60:  # so many that as many as may be are under way again
                lose(machine)
        assert [receipt.result(SECONDS).rows for receipt in given] == sizes
    assert sorted(sink.seen) == list(range(120))


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_the_batches_of_killed_workers_are_done_again_each_once() -> None:
    """Small ones first, which go with the messages, and then large ones, which go through the object store."""
    sink = Keep()
    pipeline = PipelineExecutor([HandlerNode("slow", Slow(), workers=2)], [HandlerNode("keep", sink, ["slow"])], executor="ray")
    sizes = [1] * 80 + [LARGE] * 80
    with pipeline:
        killed = set()
        given = []
        for number, rows in enumerate(sizes):
            given.append(pipeline.give("slow", pa.table({"n": [number] * rows})))
            if number in (20, 60, 100, 140):
                pid = next(pid for pid in pipeline.worker_pids()["slow"] if pid not in killed)
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        assert [receipt.result(SECONDS).rows for receipt in given] == sizes
    assert sorted(sink.seen) == list(range(len(sizes)))
    assert sink.pids - killed


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")  # for that it comes after the tests with clusters of their own, which take their time
def test_a_cluster_of_its_own_ends_with_a_process_that_is_killed(killed: Killed) -> None:
    assert still_running(killed.family, 300.0) == []  # Ray's own processes look for their owner at long intervals
