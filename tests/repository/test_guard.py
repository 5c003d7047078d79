"""Processes that tests start: they have default signals under nohup, and are gone when the pytest that started them is."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import RunProcess, StartProcess
from tests.process.instances import wait_until

ROOT = Path(__file__).resolve().parents[2]
GONE_SECONDS = 20.0

# A test that starts a process of each sort, says who they are, and hangs.
STARTS = """
import json, os, subprocess, sys, time
from pathlib import Path
import pytest

HERE = Path(__file__).parent
SLEEP = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
TWICE = "import os, sys; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); "
DAEMON = TWICE + f"open(sys.argv[1], 'w').write(str(os.getpid())); exec({SLEEP!r})"
CHILD = f"subprocess.Popen([sys.executable, '-c', {SLEEP!r}], env={{}})"
PARENT = f"import subprocess, sys, time; print({CHILD}.pid, flush=True); time.sleep(600)"

def test_starts(start_process, postgres):
    reader = start_process([sys.executable, "-c", SLEEP])
    plain = subprocess.Popen([sys.executable, "-c", SLEEP])
    subprocess.run([sys.executable, "-c", DAEMON, HERE / "daemon"])
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    while not (HERE / "daemon").exists() or not (HERE / "daemon").read_text():
        time.sleep(0.05)
    pids = {"reader": reader.pid, "plain": plain.pid, "parent": parent.pid, "child": child, "daemon": int((HERE / "daemon").read_text())}
    (HERE / "new").write_text(json.dumps({"pytest": os.getpid(), "started": {**pids, **postgres}}))
    (HERE / "new").rename(HERE / "pids")
    time.sleep(600)
"""
NO_SERVER = "\n@pytest.fixture\ndef postgres():\n    return {}\n"
SERVER = """
@pytest.fixture
def postgres():
    import psutil
    from tests.connect.own_postgres import own_server
    with own_server() as server:
        postmaster = psutil.Process(int((server._made.pgdata / "postmaster.pid").read_text().split()[0]))
        (checkpointer,) = [child for child in postmaster.children() if "checkpointer" in "".join(child.cmdline())]
        yield {"postmaster": postmaster.pid, "checkpointer": checkpointer.pid}
"""
# A test that says which signals a process of its own begins with.
SIGNALS = """
import signal, subprocess, sys
PROGRAM = "import signal; print([signal.getsignal(getattr(signal, name)).__name__ if callable(signal.getsignal(getattr(signal, name))) "
PROGRAM += "else int(signal.getsignal(getattr(signal, name))) for name in ('SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGTERM')])"

def test_signals(run_process):
    for said in (run_process([sys.executable, "-c", PROGRAM]).stdout, subprocess.check_output([sys.executable, "-c", PROGRAM], text=True)):
        assert said == "['default_int_handler', 0, 0, 0]\\n"

def test_this_process_goes_on_ignoring():
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGQUIT)
"""


def command(folder: Path, text: str, *words: str) -> list[str]:
    """Return the command of a pytest over a file of tests that have the fixtures of these."""
    (folder / "test_inner.py").write_text(text, encoding="utf-8")
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider"]
    return [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        *plugins,
        f"--rootdir={folder}",
        f"--basetemp={folder}/base",
        *words,
        str(folder / "test_inner.py"),
    ]


@pytest.mark.parametrize("words", [(), ("-n", "1")], ids=["alone", "on a worker"])
def test_under_nohup_processes_begin_with_default_signals(run_process: RunProcess, tmp_path: Path, words: tuple[str, ...]) -> None:
    """And pytest itself goes on ignoring what nohup told it to."""
    ignoring = ["sh", "-c", 'trap "" INT HUP QUIT; exec "$@"', "sh"]
    ended = run_process([*ignoring, *command(tmp_path, SIGNALS, *words)], cwd=ROOT)
    assert ended.code == 0, ended.stdout
    assert "2 passed" in ended.stdout


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Path]:
    """The file that says which processes a pytest started; this test leaves none of them, whatever it finds."""
    file = tmp_path / "pids"
    yield file
    if file.exists():
        for pid in json.loads(file.read_text(encoding="utf-8"))["started"].values():
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("words", "killed", "server"),
    [
        pytest.param((), "pytest", NO_SERVER, id="pytest"),
        pytest.param(("-n", "1"), "worker", NO_SERVER, id="a worker"),
        pytest.param(("-n", "1"), "controller", NO_SERVER, id="the process that has the workers"),
        pytest.param(("-n", "1"), "group", NO_SERVER, id="the group, as timeout does", marks=pytest.mark.slow),
        pytest.param((), "pytest", SERVER, id="a server", marks=pytest.mark.slow),
    ],
)
def test_what_a_killed_pytest_started_is_gone(
    start_process: StartProcess, tmp_path: Path, started: Path, words: tuple[str, ...], killed: str, server: str
) -> None:
    process = start_process(command(tmp_path, STARTS + server, *words), cwd=ROOT)
    wait_until(lambda: started.exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()[0]
    said = json.loads(started.read_text(encoding="utf-8"))
    pids = said["started"]
    assert [name for name, pid in pids.items() if not is_alive(pid)] == []
    assert (said["pytest"] == process.pid) is (words == ())
    if killed == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(said["pytest"] if killed == "worker" else process.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids.values())), GONE_SECONDS)
