"""Launch: one instance, in the background, found and told of; nothing is started when it cannot be, and nobody else is touched."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pdbt.engine.process.identity import running_record
from pdbt.engine.process.place import MARKER, Place
from pdbt.engine.process.ports import describe
from pdbt.engine.settings import load_settings
from tests.conftest import RunProcess, StartProcess, project_environment
from tests.process.conftest import dressed
from tests.process.instances import DEADLINE_SECONDS, LAUNCH, Shop, dagster_settings, is_running, wait_until

Stranger = tuple[int, "subprocess.Popen[bytes]"]


# One instance --------------------------------------------------------------------------------------------------------


def test_it_runs_in_the_background_and_says_where(shop: Shop) -> None:
    result = shop.launch_apart()
    assert (result.code, result.stderr) == (0, "")
    record = shop.record
    pid = record["pid"]
    assert result.stdout.splitlines()[:2] == [
        f"shop: Dagster is running at http://127.0.0.1:{shop.port} (PID {pid}).",
        f"Log:  {shop.macro / 'dagster.log'}",
    ]
    assert result.stdout.splitlines()[2].endswith(f" {shop.macro / 'dagster-run-process-stop.py'}")
    root = psutil.Process(pid)
    assert root.cmdline() == [sys.executable, str(shop.script(LAUNCH)), "--foreground", "--port", str(shop.port)]
    assert root.environ()["DAGSTER_HOME"] == str(shop.macro / ".dagster")
    assert os.getsid(pid) == pid
    assert Path(root.cwd()) == shop.project
    assert {process.pid for process in shop.family()} == {pid, *(child.pid for child in root.children())}
    (listening,) = [found for found in root.net_connections("tcp") if found.status == psutil.CONN_LISTEN]
    assert tuple(listening.laddr) == ("127.0.0.1", shop.port)

    # The PID file says who it is.
    assert record["started"] == pytest.approx(root.create_time(), abs=0.1)
    assert record["command"] == root.cmdline()
    assert record["port"] == shop.port
    assert record["home"] == str(shop.macro / ".dagster")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", record["since"])


def test_what_runs_already_is_told_and_kept(shop: Shop, stranger: Stranger) -> None:
    shop.launch()
    before = shop.record
    for words in ([], ["--port", str(stranger[0])], ["--no-wait"]):
        again = shop.launch(*words)
        assert (again.code, again.stderr) == (0, "")
        assert re.fullmatch(
            rf"shop: Dagster is already running at http://127.0.0.1:{shop.port} \(PID {before['pid']}\) since [\d-]+ [\d:]+\.\n",
            again.stdout,
        )
    assert shop.launch_apart("--foreground").stdout == again.stdout
    assert shop.record == before

    # A lost PID file is written again.
    for lose in (shop.pid_file.unlink, lambda: shop.pid_file.write_text("{", encoding="utf-8")):
        lose()
        again = shop.launch()
        assert (again.code, "already running" in again.stdout) == (0, True)
        assert shop.record == before


def test_two_launches_at_the_same_instant_make_one_instance(shop: Shop, start_process: StartProcess) -> None:
    for _ in range(2):
        started = [start_process([sys.executable, shop.script(LAUNCH)], cwd=shop.cwd) for _ in range(3)]
        said = [process.communicate(timeout=DEADLINE_SECONDS)[0] for process in started]
        assert [process.returncode for process in started] == [0, 0, 0]
        assert sorted("already running" in text for text in said) == [False, True, True]
        assert len([process for process in shop.family() if "--foreground" in process.cmdline()]) == 1
        assert all(f"(PID {shop.record['pid']})" in text for text in said)
        assert shop.stop().code == 0


def test_a_launcher_that_is_killed_leaves_an_instance_that_is_found(shop: Shop, start_process: StartProcess) -> None:
    shop.behave(silent=True)
    launcher = start_process([sys.executable, shop.script(LAUNCH)], cwd=shop.cwd)
    wait_until(lambda: len(shop.family()) > 0)
    launcher.kill()
    launcher.wait()
    again = shop.launch("--no-wait")
    assert again.code == 0, again.stderr
    assert "already running" in again.stdout
    assert len([process for process in shop.family() if "--foreground" in process.cmdline()]) == 1


def test_what_a_killed_instance_left_behind_is_ended_first(shop: Shop) -> None:
    shop.launch()
    old = {process.pid for process in shop.family()}
    os.kill(shop.record["pid"], signal.SIGKILL)
    wait_until(lambda: len(shop.family()) < len(old))
    result = shop.launch()
    assert result.code == 0, result.stderr
    assert result.stderr == "Ended 2 processes that a killed Dagster of shop had left behind.\n"
    assert not any(map(is_running, old))
    assert is_running(shop.record["pid"])


def test_a_copy_of_a_project_is_another_one_and_a_moved_one_is_the_same(shop: Shop, run_process: RunProcess, tmp_path: Path) -> None:
    shop.launch()
    shutil.copytree(shop.project, tmp_path / "copy")
    copy = Shop(tmp_path / "copy", shop.port, run_process, tmp_path)
    refused = copy.launch()
    assert refused.code == 2
    assert f"(PID {shop.record['pid']}), the Dagster of {shop.project}." in refused.stderr
    assert running_record(Place(load_settings(copy.project))) is None
    found = running_record(Place(load_settings(shop.project)))
    assert found is not None
    assert found.pid == shop.record["pid"]
    assert "not running" in copy.stop().stdout
    assert is_running(shop.record["pid"])
    moved = Shop(shop.project.rename(tmp_path / "moved"), shop.port, run_process, tmp_path)
    pid = moved.record["pid"]
    assert running_record(Place(load_settings(moved.project))) is not None
    assert "already running" in moved.launch().stdout
    assert f"stopped (PID {pid}, 3 processes)" in moved.stop().stdout
    assert not is_running(pid)


# Nothing is started --------------------------------------------------------------------------------------------------


def test_a_port_of_somebody_else_is_told_with_another_to_take(shop: Shop, stranger: Stranger) -> None:
    port, process = stranger
    for foreground in ([], ["--foreground"]):
        refused = shop.launch_apart("--port", str(port), *foreground)
        assert refused.code == 2
        assert refused.stderr.startswith(f"error: Port {port} is taken by python")
        assert f"(PID {process.pid}).\nhint: Use --port " in refused.stderr
        assert not shop.pid_file.exists()
        assert shop.family() == []
    suggested = re.search(r"--port (\d+)", refused.stderr)
    assert suggested
    assert shop.launch("--port", suggested[1]).code == 0
    assert shop.record["port"] == int(suggested[1])


@pytest.mark.parametrize(("home", "owner"), [("/w/shop/macro/.dagster", "/w/shop"), ("/w/.dagster", "/w")])
def test_an_instance_is_named_by_its_project_or_workspace(home: str, owner: str, start_process: StartProcess) -> None:
    process = psutil.Process(start_process(["sleep", "60"], env={MARKER: home}).pid)
    wait_until(lambda: process.name() == "sleep" and MARKER in process.environ())  # the second comes a moment after the first
    assert describe(process) == f"sleep (PID {process.pid}), the Dagster of {owner}"


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        ("pdbt.toml", "[dagster]\nports = 3000\n", "error: pdbt.toml: [dagster] has no key 'ports'.\nhint: Did you mean port?"),
        ("scripts/final/BROKEN.sql", "SELEC 1\n", "error: scripts/final/BROKEN.sql"),
        ("scripts/final/LOOP.sql", "SELECT * FROM LOOP\n", "error: "),
    ],
)
def test_a_fault_of_the_project_is_told_before(path: str, text: str, sentence: str, shop: Shop) -> None:
    (shop.project / path).write_text(text, encoding="utf-8")
    refused = shop.launch()
    assert refused.code == 2
    assert refused.stderr.startswith(sentence)
    assert not shop.pid_file.exists()
    assert shop.family() == []


@pytest.mark.parametrize("missing", [("dagster",), ("psutil",), ("dagster", "dagster_webserver", "psutil")], ids=" ".join)
def test_missing_libraries_are_named_with_the_one_command(missing: tuple[str, ...], shop: Shop, run_process: RunProcess) -> None:
    hidden = f"import runpy, sys; sys.modules.update(dict.fromkeys({missing!r})); sys.argv = sys.argv[1:]; "
    program = f"{hidden}runpy.run_path(sys.argv[0], run_name='__main__')"
    refused = run_process([sys.executable, "-c", program, shop.script(LAUNCH)])
    assert refused.code == 2
    verb = "is" if len(missing) == 1 else "are"
    named = f"error: Launching needs {', '.join(missing)}, which {verb} not installed for {sys.executable}.\nhint: Run: "
    assert refused.stderr.startswith(named)
    assert refused.stderr.count("-m pip install") == 1
    assert ("'dagster>=1.13,<1.14'" in refused.stderr) == ("dagster" in missing)
    assert not (shop.macro / ".dagster").exists()


@pytest.mark.parametrize("port", ["80", "65536", "many"])
def test_a_port_that_cannot_be_is_refused(port: str, shop: Shop) -> None:
    refused = shop.launch("--port", port)
    assert refused.code == 2
    assert "--port" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_launcher_itself_loads_neither_dagster_nor_pandas(shop: Shop, run_process: RunProcess) -> None:
    program = (
        "import runpy, sys, threading\nsys.argv = sys.argv[1:]\ntry:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as ended:\n    print({'dagster', 'pandas'} & set(sys.modules), ended.code)\n"
    )
    for script in (LAUNCH, "dagster-run-process-stop"):
        assert run_process([sys.executable, "-c", program, shop.script(script)]).stdout.endswith("set() 0\n")


# While it starts -----------------------------------------------------------------------------------------------------


def test_one_that_dies_is_told_with_its_last_words(shop: Shop) -> None:
    shop.behave(dies="the disk is full")
    (shop.macro / "dagster.log").write_text("what was said before\n", encoding="utf-8")
    result = shop.launch()
    assert result.code == 1
    assert "error: shop: Dagster ended with exit code 1 while it was starting: RuntimeError: the disk is full\n" in result.stderr
    assert result.stderr.startswith("starting\n")
    assert "said before" not in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in (shop.macro / "dagster.log").read_text(encoding="utf-8")
    assert result.stderr.endswith(f"hint: Look at {shop.macro / 'dagster.log'}.\n")
    assert not shop.pid_file.exists()


def test_one_that_is_killed_while_it_starts_leaves_no_pid_file(shop: Shop, start_process: StartProcess) -> None:
    shop.behave(silent=True)
    launcher = start_process([sys.executable, shop.script(LAUNCH)], cwd=shop.cwd)
    wait_until(shop.pid_file.exists)
    os.kill(shop.record["pid"], signal.SIGKILL)
    _, said = launcher.communicate(timeout=DEADLINE_SECONDS)
    assert launcher.returncode == 1
    assert "Dagster ended with exit code -9 while it was starting." in said
    assert not shop.pid_file.exists()


def test_a_schedule_that_is_none_is_told_before_anything_is_started(shop: Shop) -> None:
    dagster_settings(shop.project, schedule="every day")
    result = shop.launch()
    assert result.code == 2
    assert result.stderr.splitlines()[0] == 'error: pdbt.toml: dagster.schedule = "every day" is no cron expression.'
    assert not shop.pid_file.exists()
    assert not (shop.macro / "dagster.log").exists()


def test_a_project_that_dagster_cannot_load_is_told_and_left_to_be_mended(shop: Shop) -> None:
    shop.behave(fault="engine.errors.GraphError: A and B read each other in a circle.")
    result = shop.launch()
    assert result.code == 1
    assert result.stderr.splitlines()[0] == "error: Dagster runs, but cannot load the project: A and B read each other in a circle."
    assert is_running(shop.record["pid"])


def test_one_that_takes_too_long_goes_on_starting(shop: Shop) -> None:
    shop.behave(silent=True)
    result = shop.launch("--timeout", "0.5")
    assert result.code == 1
    wait_until(shop.pid_file.exists)
    assert result.stderr.startswith(f"error: Dagster (PID {shop.record['pid']}) does not answer yet; it goes on starting.\nhint: ")
    assert is_running(shop.record["pid"])


def test_it_need_not_be_waited_for(shop: Shop) -> None:
    shop.behave(silent=True)
    result = shop.launch("--no-wait")
    assert result.code == 0
    assert result.stdout.startswith(f"shop: Dagster is starting at http://127.0.0.1:{shop.port} (PID {shop.record['pid']}).\n")


def test_a_proxy_of_the_environment_is_not_asked(shop: Shop) -> None:
    proxy = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": ""}
    assert shop.launch("--timeout", "20", env=proxy).code == 0


def test_the_log_is_put_aside_when_it_is_large(shop: Shop) -> None:
    log = shop.macro / "dagster.log"
    log.write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    shop.launch()
    assert log.stat().st_size < 1000
    assert log.with_name("dagster.log.1").stat().st_size == 10 * 1024 * 1024 + 1


def test_a_terminal_sees_one_line_that_is_rewritten(shop: Shop) -> None:
    shop.behave(silent=True)
    mine, its = pty.openpty()
    command = [sys.executable, str(shop.script(LAUNCH)), "--timeout", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=its, env=project_environment(), cwd=shop.cwd) as launcher:
        assert launcher.wait(DEADLINE_SECONDS) == 1
    os.close(its)
    said = os.read(mine, 1 << 16).decode()
    os.close(mine)
    progress, _, after = said.rpartition("\r\x1b[2K")
    assert progress.count("\r\x1b[2Kshop: Dagster is starting ... ") > 2
    assert "\n" not in progress
    assert after.startswith("error: ")


# In the foreground ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_it_is_the_process_itself(number: signal.Signals, shop: Shop, start_process: StartProcess) -> None:
    process = start_process([sys.executable, shop.script(LAUNCH), "--foreground"], cwd=shop.cwd)
    wait_until(lambda: shop.pid_file.exists() and len(shop.family()) == 3)
    assert shop.record["pid"] == process.pid
    assert "already running" in shop.launch().stdout
    shop.pid_file.unlink()
    assert f"(PID {process.pid})" in shop.launch().stdout
    process.send_signal(number)
    said, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0
    assert said == f"shop: Dagster at http://127.0.0.1:{shop.port} until Ctrl-C.\n"
    assert shop.family() == []
    assert not shop.pid_file.exists()


def test_a_sample_has_an_instance_of_its_own(shop: Shop, run_process: RunProcess, tmp_path: Path) -> None:
    sample = dressed(shop.project / "sample", shop.port + 1, run_process, tmp_path)
    assert [shop.launch().code, sample.launch().code] == [0, 0]
    assert {len(shop.family()), len(sample.family())} == {3}
    assert "shop-sample: Dagster stopped" in sample.stop().stdout
    assert [len(shop.family()), len(sample.family())] == [3, 0]


def test_an_instance_outlives_the_terminal(shop: Shop, start_process: StartProcess) -> None:
    launcher = start_process([sys.executable, shop.script(LAUNCH)], cwd=shop.cwd)
    wait_until(shop.pid_file.exists)
    os.killpg(launcher.pid, signal.SIGHUP)  # what a terminal that is closed does
    launcher.communicate(timeout=DEADLINE_SECONDS)
    assert launcher.returncode == -signal.SIGHUP
    assert "already running" in shop.launch().stdout
