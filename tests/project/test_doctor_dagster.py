"""`pdbt doctor` tells the truth of a project's Dagster: its PID file, its port, its schedule."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pdbt.project.doctor import Check
from tests.conftest import RunProcess
from tests.process.conftest import dressed, sleeper, stranger
from tests.process.instances import Shop, dagster_settings, wait_until
from tests.project.diagnosis import check, checks, write

__all__ = ["sleeper", "stranger"]  # fixtures of this room too

Stranger = tuple[int, "subprocess.Popen[bytes]"]


def test_a_port_that_somebody_else_has(orders: Path, stranger: Stranger) -> None:
    port, process = stranger
    dagster_settings(orders, port=port)
    found = check(orders, "port")
    name = psutil.Process(process.pid).name()
    assert (found.state, found.text) == ("error", f"{port} is taken by {name} (PID {process.pid}).")
    assert found.hint.startswith("Stop that, or set [dagster] port = ")


@pytest.fixture
def shop(orders: Path, free_port: Callable[[], int], run_process: RunProcess, tmp_path: Path) -> Shop:
    """The project with a stand-in for a server."""
    return dressed(orders, free_port(), run_process, tmp_path)


def test_a_dagster_that_runs(shop: Shop) -> None:
    assert shop.launch().code == 0
    pid = shop.record["pid"]
    found = check(shop.project, "pid file")
    assert found.state == "ok"
    assert found.text.startswith(f"Dagster runs: PID {pid}, since ")
    assert check(shop.project, "port") == Check("port", "ok", f"http://127.0.0.1:{shop.port} answers (PID {pid}).")
    shop.pid_file.unlink()
    found = check(shop.project, "pid file")
    assert (found.state, found.hint) == ("warning", "pdbt launch writes it again.")


def test_a_pid_file_of_somebody_else(shop: Shop, sleeper: subprocess.Popen[bytes]) -> None:
    shop.launch()
    record = shop.record
    shop.stop()
    write(shop.pid_file, json.dumps({**record, "pid": sleeper.pid}))
    found = check(shop.project, "pid file")
    assert found.state == "error"
    assert found.text == f"{shop.pid_file} is stale: PID {sleeper.pid} is now sleep (PID {sleeper.pid}), somebody else's."
    write(shop.pid_file, json.dumps(record))
    assert check(shop.project, "pid file").text == f"{shop.pid_file} is stale: PID {record['pid']} is gone."
    write(shop.pid_file, "{")
    assert check(shop.project, "pid file").text == f"{shop.pid_file} says nothing that can be checked."
    assert shop.pid_file.exists()


def test_processes_that_a_killed_dagster_left_behind(shop: Shop) -> None:
    shop.launch()
    root = psutil.Process(shop.record["pid"])
    children = sorted(child.pid for child in root.children())
    root.kill()
    wait_until(lambda: shop.record["pid"] not in {process.pid for process in shop.family()})
    found = check(shop.project, "pid file")
    assert (found.state, found.hint) == ("error", "End them with: pdbt stop")
    assert sorted(map(int, found.text.rstrip(".").rpartition(": ")[2].split(", "))) == children


def test_a_page_that_does_not_answer(shop: Shop) -> None:
    shop.behave(silent=True)
    shop.launch("--no-wait")
    found = check(shop.project, "port")
    assert found.state == "warning"
    assert found.text == f"Dagster (PID {shop.record['pid']}) has {shop.port}, and its page did not answer in 3 s."
    assert check(shop.project, "schedule").text.endswith("does not say how it is.")


def test_a_page_that_cannot_load_the_project(shop: Shop) -> None:
    shop.behave(fault="table B is twice")
    assert shop.launch().code == 1
    found = check(shop.project, "port")
    assert found.state == "error"
    assert found.text == f"http://127.0.0.1:{shop.port} answers, and cannot load the project: table B is twice"


def test_the_schedule(orders: Path) -> None:
    found = check(orders, "schedule")
    assert (found.state, found.hint) == ("warning", "Start it with: pdbt launch")
    assert found.text == "*/5 * * * *, UTC: Dagster does not run, so nothing runs by itself."
    dagster_settings(orders, schedule="every day")
    found = check(orders, "settings")
    assert (found.state, found.text) == ("error", 'pdbt.toml: dagster.schedule = "every day" is no cron expression.')
    assert checks(orders, "schedule") == []
