"""Two machines on one: a Ray cluster of two nodes, one of which can be lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.handlers.ending import still_running

# Tests of Ray run one after another: it looks for clusters on the whole machine.
OF_RAY = [pytest.mark.slow, pytest.mark.xdist_group("ray")]
TWO_MACHINES = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
cluster.add_node(num_cpus=2)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture
def two_machines() -> Iterator[str]:
    """The address of somebody else's cluster with two nodes, each with processes of its own, as two machines have."""
    with subprocess.Popen(
        [sys.executable, "-c", TWO_MACHINES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        family: list[psutil.Process] = []
        try:
            assert owner.stdout
            address = owner.stdout.readline().strip()
            family = psutil.Process(owner.pid).children(recursive=True)
            yield address
        finally:
            family += [process for process in psutil.Process(owner.pid).children(recursive=True) if process not in family]
            assert owner.stdin
            owner.stdin.close()
            for process in still_running(family, 30):
                process.kill()
            owner.kill()


def other_machine(address: str) -> psutil.Process:
    """Return the raylet of the node that is not the head; a node is that with all that it started.

    Args:
        address: of the cluster.
    """
    raylets = [process for process in psutil.process_iter() if process.name() == "raylet"]
    (found,) = (process for process in raylets if f"--gcs-address={address}" in process.cmdline() and "--head" not in process.cmdline())
    return found


def head(address: str) -> psutil.Process:
    """Return the process that knows all of a cluster, and answers at its address."""
    port = int(address.rpartition(":")[2])
    (found,) = (process for process in psutil.process_iter() if process.name() == "gcs_server" and port in _listening(process))
    return found


def _listening(process: psutil.Process) -> set[int]:
    return {entry.laddr.port for entry in process.net_connections() if entry.status == psutil.CONN_LISTEN}


def lose(machine: psutil.Process) -> None:
    """Kill all processes of a node at once, as a machine is lost."""
    for process in (machine, *machine.children(recursive=True)):
        process.kill()
