"""`pdbt launch`, `stop`, `status` and `logs`, typed as a person types them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdbt.engine.errors import PdbtError
from tests.cli.conftest import Typed
from tests.conftest import Ended, MakeProject, RunProcess, StartProcess
from tests.process.conftest import dressed, end_marked
from tests.process.instances import DEADLINE_SECONDS, Shop, is_running

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PYTHONPATH": str(ROOT)}
PORT = 19000 + 20 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture
def shop(make_project: MakeProject, run_process: RunProcess, tmp_path: Path) -> Iterator[Shop]:
    """A project whose Dagster, and that of its sample, is the stand-in."""
    project = make_project("shop")
    dressed(project / "sample", PORT + 1, run_process, tmp_path)
    yield dressed(project, PORT, run_process, tmp_path)
    end_marked(tmp_path)


def apart(shop: Shop, *words: str | Path, cwd: Path | None = None) -> Ended:
    """Type a command in a process of its own."""
    command = [sys.executable, "-m", "pdbt", *words]
    return shop.run_process(command, cwd=cwd or shop.cwd, env=ENVIRONMENT, timeout=DEADLINE_SECONDS)


def test_a_day_of_an_instance(shop: Shop, typed: Typed) -> None:
    launched = apart(shop, "launch", "shop")
    assert (launched.code, launched.stderr) == (0, "")
    assert launched.stdout.startswith(f"shop: Dagster is running at http://127.0.0.1:{PORT} (PID {shop.record['pid']}).\n")
    assert "already running" in typed("launch", cwd=shop.project / "scripts").stdout

    told = apart(shop, "status", cwd=shop.project)
    assert told.code == 0
    lines = {line[:11].rstrip(): line[11:] for line in told.stdout.splitlines()}
    assert list(lines) == ["name", "database", "dagster", "url", "up since", "memory", "schedule", "last run"]
    assert (lines["name"], lines["database"], lines["url"]) == ("shop", "duckdb", f"http://127.0.0.1:{PORT}")
    assert lines["dagster"] == f"running, PID {shop.record['pid']}, port {PORT}"
    assert lines["memory"].endswith(" MB in 3 processes")
    assert lines["schedule"].startswith("main_every_5min, running, next at ")
    assert lines["last run"] == "none yet"

    assert apart(shop, "stop", "shop").stdout.startswith("shop: Dagster stopped (PID ")
    assert typed("run", "shop").code == 0
    told = typed("status", "shop")
    assert f"\ndagster    not running\nport       {PORT} at the next launch\nlast run   done at " in told.stdout
    assert told.stdout.endswith(" s, python-run-process.py\n")
    assert typed("stop", "shop").stdout == "shop: Dagster is not running.\n"


def test_the_sample_is_launched_and_stopped_by_its_own_and_status_has_stable_keys(shop: Shop, typed: Typed) -> None:
    assert typed("launch", "shop", "--sample", "--no-wait", "--timeout", "20").code == 0
    before = json.loads(typed("status", "--sample", "--json", cwd=shop.project).stdout)
    assert list(before) == [
        "name",
        "project",
        "database",
        "running",
        "port",
        "url",
        "pid",
        "since",
        "processes",
        "memory_mb",
        "left_behind",
        "schedule",
        "schedule_state",
        "next_tick",
        "last_run",
        "workspace_url",
    ]
    assert (before["name"], before["port"], before["running"]) == ("shop-sample", PORT + 1, True)
    assert json.loads(typed("status", "shop", "--json").stdout)["running"] is False
    assert typed("stop", "shop").stdout == "shop: Dagster is not running.\n"
    assert is_running(before["pid"])
    assert "shop-sample: Dagster stopped" in typed("stop", cwd=shop.project / "sample").stdout
    assert not is_running(before["pid"])


def test_options_reach_the_script(shop: Shop, typed: Typed) -> None:
    assert typed("launch", "shop", "--port", str(PORT + 4)).code == 0
    assert shop.record["port"] == PORT + 4
    shop.behave(stubborn=True)
    assert typed("stop", "shop", "--timeout", "10").code == 0
    assert typed("launch", "shop").code == 0
    assert "by force" in typed("stop", "shop", "--timeout", "0.5").stdout
    (shop.project / "pdbt.toml").write_text("[nonsense]\n", encoding="utf-8")
    for command in ("launch", "stop", "status"):
        told = typed(command, "shop")
        assert (told.code, "Traceback" in told.stderr) == (2, False)
        assert told.stderr.startswith("error: ")
    # The script that launches or stops shows where; status has none, and raises it.
    for command in ("launch", "stop"):
        assert "Traceback" in typed(command, "shop", "--debug").stderr
    with pytest.raises(PdbtError):
        typed("status", "shop", "--debug")


def test_logs_show_the_end_and_go_on(shop: Shop, typed: Typed, start_process: StartProcess) -> None:
    log = shop.macro / "dagster.log"
    missing = typed("logs", "shop")
    assert (missing.code, missing.stderr.splitlines()[0]) == (2, f"error: There is no {log} yet.")
    log.write_text("".join(f"line {number} é\n" for number in range(1000)), encoding="utf-8")
    assert typed("logs", "shop").stdout.splitlines()[0] == "line 950 é"
    assert typed("logs", "shop", "-n", "2").stdout == "line 998 é\nline 999 é\n"
    following = start_process([sys.executable, "-m", "pdbt", "logs", shop.project, "--follow", "--lines", "1"], env=ENVIRONMENT)
    assert following.stdout
    assert following.stdout.readline() == "line 999 é\n"
    with log.open("a", encoding="utf-8") as file:
        file.write("one more\n")
    assert following.stdout.readline() == "one more\n"
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=DEADLINE_SECONDS)
    assert (following.returncode, said) == (130, "")


def test_logs_may_be_cut_off(shop: Shop) -> None:
    (shop.macro / "dagster.log").write_text("line\n" * 200_000, encoding="utf-8")
    command = f"{sys.executable} -m pdbt logs {shop.project} -n 200000 | head -1"
    result = shop.run_process(["bash", "-c", command], env=ENVIRONMENT, timeout=DEADLINE_SECONDS)
    assert (result.stdout, result.stderr) == ("line\n", "")


def test_what_is_not_there_is_told(shop: Shop, typed: Typed, tmp_path: Path) -> None:
    for command in ("launch", "stop", "status", "logs"):
        result = typed(command, "gone")
        assert (result.code, result.stderr.splitlines()[0]) == (2, "error: gone does not exist.")
    (shop.project / "sample").rename(tmp_path / "elsewhere")
    for command in ("launch", "stop", "status", "logs"):
        result = typed(command, "shop", "--sample")
        assert (result.code, result.stderr.splitlines()[0]) == (2, f"error: {shop.project} has no sample.")
    (shop.macro / "dagster-run-process-launch.py").unlink()
    result = typed("launch", "shop")
    assert (result.code, result.stderr.splitlines()[0]) == (2, f"error: {shop.project} has no macro/dagster-run-process-launch.py.")
