"""Two runs of one project: one after the other, or a sentence that names who is in the way."""

from __future__ import annotations

import datetime
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import RUN_SCRIPT, StartProcess
from tests.pipeline.conftest import MakeProject
from tests.pipeline.projects import ORDERS, REVENUE_ROWS, Project, shop

WAIT_SECONDS = 90.0
# A table that takes its time, until a file says that it was long enough.
SLOW_TABLE = """
import time
from pathlib import Path

import pyarrow as pa

FOLDER = Path(__file__).parent


def table(PRODUCTS: pa.Table) -> pa.Table:
    (FOLDER / "started").touch()
    deadline = time.monotonic() + 30
    while not (FOLDER / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return PRODUCTS
"""

LINGERING_STEP = """
import time


def linger(run):
    (PROJECT / "lingers").touch()
    time.sleep(60)


STEPS = [*STEPS, linger]
"""


def start_slow_run(project: Project, start_process: StartProcess) -> subprocess.Popen[str]:
    """Start a run that stays in the middle of its tables until `let_go`."""
    project.write("scripts/processed/SLOW.py", SLOW_TABLE)
    process = start_process([sys.executable, project.path / RUN_SCRIPT], env=project.environment)
    wait_for(project.path / "scripts/processed/started")
    return process


def let_go(project: Project) -> None:
    """Let the slow run end."""
    (project.path / "scripts/processed/go").touch()


def wait_for(path: Path) -> None:
    """Wait for a file."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not come"
        time.sleep(0.01)


def ended_well(process: subprocess.Popen[str]) -> str:
    """Wait for a run, require success, and return what it said on stderr."""
    stdout, stderr = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0, stdout + stderr
    return stderr


# What keeps two runs apart is a file of the project for each type, and a lock of the server as well for PostgreSQL.
ONE_LOCK_AND_TWO = pytest.mark.parametrize("kind", ["duckdb", "postgresql"])


@ONE_LOCK_AND_TWO
def test_the_second_of_two_runs_waits_and_both_succeed(make_project: MakeProject, start_process: StartProcess, kind: str) -> None:
    a_shop = shop(make_project(kind))
    first = start_slow_run(a_shop, start_process)
    second = start_process([sys.executable, a_shop.path / RUN_SCRIPT], env=a_shop.environment)
    assert second.stderr is not None
    said = second.stderr.readline()
    assert f"waiting for another run to end: PID {first.pid}, started " in said
    a_shop.source("ORDERS.csv", ORDERS + "5,30,25\n")
    let_go(a_shop)
    ended_well(first)
    ended_well(second)
    # the second one plans when its turn has come: it finds what the first did, and what changed since
    earlier, later = a_shop.records()
    assert (earlier["pid"], later["pid"]) == (first.pid, second.pid)
    results = {step["name"]: step["result"] for step in later["steps"]}
    assert results["SLOW"] == "reused"
    assert results["ORDERS"] == "rebuilt"
    assert a_shop.query("SELECT amount FROM REVENUE WHERE country = 'CH'") == [(100,)]
    assert a_shop.leftovers() == []


@ONE_LOCK_AND_TWO
def test_two_runs_that_start_at_once_both_succeed(make_project: MakeProject, start_process: StartProcess, kind: str) -> None:
    a_shop = shop(make_project(kind))
    runs = [start_process([sys.executable, a_shop.path / RUN_SCRIPT, "--full"], env=a_shop.environment) for _ in range(2)]
    for run in runs:
        ended_well(run)
    assert a_shop.query("SELECT country, orders, amount FROM REVENUE ORDER BY country") == REVENUE_ROWS
    assert [record["status"] for record in a_shop.records()] == ["done", "done"]


def test_a_run_that_waited_long_enough_names_the_other(duckdb_shop: Project, start_process: StartProcess) -> None:
    first = start_slow_run(duckdb_shop, start_process)
    before = time.monotonic()
    refused = duckdb_shop.run("--lock-timeout", "0.3", code=75)
    assert 0.3 <= time.monotonic() - before < 10
    found = re.search(
        r"error: Another run of this project is in progress: PID (\d+), started (\S+); waited 0\.3 s for it\.", refused.stderr
    )
    assert found, refused.stderr
    assert int(found[1]) == first.pid
    age = datetime.datetime.now().astimezone() - datetime.datetime.fromisoformat(found[2])
    assert datetime.timedelta(seconds=-1) <= age < datetime.timedelta(minutes=1)
    record = duckdb_shop.records()[-1]
    assert record["status"] == "refused"
    assert str(first.pid) in record["error"]

    duckdb_shop.setting("database", "lock_timeout = 0")
    assert f"PID {first.pid}" in duckdb_shop.run(code=75).stderr
    let_go(duckdb_shop)
    ended_well(first)
    duckdb_shop.run()


def test_a_dry_run_does_not_wait(duckdb_shop: Project, start_process: StartProcess) -> None:
    first = start_slow_run(duckdb_shop, start_process)
    assert duckdb_shop.plan()["import ORDERS"]
    assert first.poll() is None
    let_go(duckdb_shop)
    ended_well(first)
    assert not any(duckdb_shop.plan().values())


def test_a_killed_run_leaves_no_lock(a_shop: Project, start_process: StartProcess) -> None:
    first = start_slow_run(a_shop, start_process)
    first.send_signal(signal.SIGKILL)
    first.wait(WAIT_SECONDS)
    let_go(a_shop)
    a_shop.run("--lock-timeout", "0")
    assert a_shop.query("SELECT country, orders, amount FROM REVENUE ORDER BY country") == REVENUE_ROWS


def test_a_run_that_is_stopped_after_its_publication_does_not_say_that_nothing_was_published(
    duckdb_shop: Project, start_process: StartProcess
) -> None:
    script = duckdb_shop.path / RUN_SCRIPT
    script.write_text(script.read_text(encoding="utf-8").replace("if __name__", f"{LINGERING_STEP}if __name__"), encoding="utf-8")
    process = start_process([sys.executable, script], env=duckdb_shop.environment)
    wait_for(duckdb_shop.path / "lingers")
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 130
    assert stderr.strip().splitlines()[-1] == "Stopped. What was made had been published before."
    assert duckdb_shop.query("SELECT country, orders, amount FROM REVENUE ORDER BY country") == REVENUE_ROWS


def test_a_run_that_is_asked_to_stop_says_so_and_keeps_nothing_half_done(a_shop: Project, start_process: StartProcess) -> None:
    for number in (signal.SIGTERM, signal.SIGINT) if a_shop.kind == "duckdb" else (signal.SIGTERM,):
        (a_shop.path / "scripts/processed/started").unlink(missing_ok=True)
        process = start_slow_run(a_shop, start_process)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=WAIT_SECONDS)
        assert process.returncode == 130
        assert stderr.strip().splitlines()[-1] == "Stopped. Nothing was published."
        assert json.loads((a_shop.path / "macro/runs.jsonl").read_text().splitlines()[-1])["status"] == "interrupted"
        assert not list((a_shop.path / "data").rglob("*.csv.next"))
    let_go(a_shop)
    a_shop.run()
    assert a_shop.query("SELECT count(*) FROM SLOW") == [(2,)]
    assert a_shop.leftovers() == []
