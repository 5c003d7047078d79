"""`pdbt doctor` tells who holds the work database, and what the last run left."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StartProcess
from tests.process.instances import wait_until
from tests.project.conftest import Pdbt
from tests.project.diagnosis import check, checks, write


@pytest.fixture
def running(orders: Path, start_process: StartProcess) -> Iterator[subprocess.Popen[str]]:
    """A run that goes on, and holds the work database."""
    write(orders / "scripts" / "final" / "LONG.sql", "SELECT sum(a.range * b.range) AS n FROM range(3000000) a, range(3000000) b")
    process = start_process([sys.executable, orders / "macro" / "python-run-process.py"])
    lock = orders / "db" / ".work" / "run.lock"
    wait_until(lambda: lock.exists() and str(process.pid) in lock.read_text(encoding="utf-8"))
    yield process
    process.kill()
    process.wait()


def test_a_run_that_holds_the_work_database(orders: Path, running: subprocess.Popen[str]) -> None:
    found = check(orders, "lock")
    assert found.state == "warning"
    assert found.text.startswith(f"A run is in progress: PID {running.pid}, started ")
    assert checks(orders, "last run") == []


def test_a_run_that_was_killed(orders: Path, running: subprocess.Popen[str]) -> None:
    running.send_signal(signal.SIGKILL)
    running.wait()
    found = check(orders, "last run")
    assert (found.state, found.hint) == ("error", "Run it again: pdbt run; it goes on from there.")
    assert found.text.startswith(f"The run of PID {running.pid}, started ")
    assert check(orders, "lock").state == "ok"
    (orders / "scripts" / "final" / "LONG.sql").unlink()


def test_a_run_that_failed(orders: Path, pdbt: Pdbt) -> None:
    assert check(orders, "last run").text == "There was none yet."
    write(orders / "scripts" / "final" / "WRONG.sql", "SELECT 'x'::INTEGER AS n")
    assert pdbt("run", "orders").code == 1
    found = check(orders, "last run")
    assert found.state == "error"
    assert found.text.startswith("failed at ")
    assert "scripts/final/WRONG.sql" in found.text
    (orders / "scripts" / "final" / "WRONG.sql").unlink()
    assert pdbt("run", "orders").code == 0
    assert check(orders, "last run").state == "ok"


@pytest.mark.parametrize("path", ["db/database.duckdb", "elsewhere/shop.duckdb"])
def test_a_work_database_that_is_open_elsewhere(orders: Path, pdbt: Pdbt, start_process: StartProcess, path: str) -> None:
    settings = orders / "pdbt.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("[database]\n", f'[database]\npath = "{path}"\n'), encoding="utf-8")
    write(orders / "scripts" / "checks" / "NEVER.sql", "SELECT * FROM ORDERS")
    assert pdbt("run", "orders").code == 1
    assert check(orders, "lock").state == "ok"
    (work,) = (orders / path).parent.glob(".work/*.duckdb*")  # what the next run goes on with
    program = f"import time; f = open({str(work)!r}, 'rb'); print('open', flush=True); time.sleep(600)"
    other = start_process([sys.executable, "-c", program])
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    found = check(orders, "lock")
    assert found.state == "error"
    assert f"(PID {other.pid})" in found.text
    assert found.text.endswith(", which is no run.")
