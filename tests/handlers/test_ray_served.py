"""A pipeline on Ray is served, and workers and machines are killed while clients send: every acknowledged row is there exactly once."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil
import pytest

from tests.conftest import StartProcess
from tests.handlers.ending import still_running
from tests.handlers.machines import lose, other_machine
from tests.handlers.serving import SECONDS, Load, Served
from tests.handlers.test_serve import check_exactly_once

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("ray")]


def actors(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those of the processes that run a node of the pipeline."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if "HandlerActor" in "".join(process.cmdline()):
                found.append(process)
    return found


def test_workers_that_are_killed_lose_and_double_nothing(start_process: StartProcess, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/target.sqlite"
    served = Served(start_process, tmp_path, target, 'executor="ray",')
    served.start()
    killed: set[int] = set()
    with Load(served.url, clients=4, rows=50) as load:
        for _ in range(3):
            load.wait_for(20)
            actor = next(actor for actor in actors(served.workers()) if actor.pid not in killed)
            killed.add(actor.pid)
            actor.kill()
        load.wait_for(20)
    cluster = served.workers()
    served.process.terminate()
    assert served.process.wait(SECONDS) == 0
    assert still_running(cluster, SECONDS) == []
    assert served.process.stderr is not None
    assert served.process.stderr.read() == ""
    check_exactly_once(load, target)


def test_a_machine_that_is_lost_loses_and_doubles_nothing(start_process: StartProcess, tmp_path: Path, two_machines: str) -> None:
    target = f"sqlite:///{tmp_path}/target.sqlite"
    served = Served(start_process, tmp_path, target, f'executor="ray", address="{two_machines}",', workers=4)
    served.start()
    machine = other_machine(two_machines)
    assert actors(machine.children(recursive=True)), "the machine that is to be lost does nothing"
    with Load(served.url, clients=4, rows=50) as load:
        load.wait_for(40)
        lose(machine)
        load.wait_for(40)
    served.process.terminate()
    assert served.process.wait(SECONDS) == 0
    check_exactly_once(load, target)
