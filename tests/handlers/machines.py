"""Two machines on one: a Ray cluster of two nodes, one of which can be lost and put in again."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.handlers.ending import still_running

END_SECONDS = 30.0
# Tests of Ray run one after another: it looks for clusters on the whole machine.
OF_RAY = [pytest.mark.slow, pytest.mark.xdist_group("ray")]
# Ray's libraries take a second of processor to load, so that one process has the machines of all tests.
MACHINES = """
import sys
from ray.cluster_utils import Cluster
head = {"num_cpus": 2, "include_dashboard": False}
try:
    cluster = Cluster(initialize_head=True, head_node_args=head)
except Exception:  # once more, as pdbt does: on a machine with more to do than it can, Ray gives up after 15 seconds
    cluster = Cluster(initialize_head=True, head_node_args=head)
print(cluster.address, flush=True)
for _ in sys.stdin:
    cluster.add_node(num_cpus=2)
    print("added", flush=True)
cluster.shutdown()
"""


class Machines:
    """Somebody else's cluster: a head, and a second node with processes of its own, as another machine has.

    Attributes:
        owner: the process that started them.
        address: of the cluster.
    """

    def __init__(self, owner: subprocess.Popen[str]) -> None:
        assert owner.stdout
        self.address = owner.stdout.readline().strip()
        assert self.address, "no cluster came up"
        self.owner = psutil.Process(owner.pid)
        self._process = owner

    def complete(self) -> None:
        """Put a second machine in if there is none."""
        if _others(self.address):
            return
        assert self._process.stdin
        assert self._process.stdout
        print("another", file=self._process.stdin, flush=True)
        assert self._process.stdout.readline() == "added\n"


@contextlib.contextmanager
def running() -> Iterator[Machines]:
    """Give machines, of which only the head is there yet; all of their processes are ended at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", MACHINES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        try:
            yield Machines(owner)
        finally:
            family = psutil.Process(owner.pid).children(recursive=True) if owner.poll() is None else []
            assert owner.stdin
            with contextlib.suppress(BrokenPipeError):
                owner.stdin.close()
            for process in still_running(family, END_SECONDS):
                process.kill()
            owner.kill()


def other_machine(address: str) -> psutil.Process:
    """Return the raylet of the node that is not the head; a node is that with all that it started.

    Args:
        address: of the cluster.
    """
    (found,) = _others(address)
    return found


def _others(address: str) -> list[psutil.Process]:
    processes = psutil.process_iter(["name", "cmdline", "status"])
    raylets = [
        (process, process.info["cmdline"] or []) for process in processes if process.info["name"] == "raylet" and not _ended(process)
    ]
    return [process for process, command in raylets if f"--gcs-address={address}" in command and "--head" not in command]


def _ended(process: psutil.Process) -> bool:
    return bool(process.info["status"] == psutil.STATUS_ZOMBIE)


def head(address: str) -> psutil.Process:
    """Return the process that knows all of a cluster, and answers at its address."""
    port = int(address.rpartition(":")[2])
    (found,) = (
        process for process in psutil.process_iter(["name"]) if process.info["name"] == "gcs_server" and port in _listening(process)
    )
    return found


def _listening(process: psutil.Process) -> set[int]:
    return {entry.laddr.port for entry in process.net_connections() if entry.status == psutil.CONN_LISTEN}


def lose(machine: psutil.Process) -> None:
    """Kill all processes of a node at once, as a machine is lost."""
    for process in (machine, *machine.children(recursive=True)):
        process.kill()
