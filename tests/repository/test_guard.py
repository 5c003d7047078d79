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

from tests.conftest import StartProcess
from tests.process.instances import wait_until

ROOT = Path(__file__).resolve().parents[2]
GONE_SECONDS = 20.0

# A test that starts a process of each sort, says who they are, and hangs.
STARTS = """
import json, os, subprocess, sys, time
from pathlib import Path

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
NO_SERVER = "\nimport pytest\n\n@pytest.fixture\ndef postgres():\n    return {}\n"
SERVER = """
import pytest

@pytest.fixture
def postgres():
    import psutil
    from tests.connect.own_postgres import own_server
    with own_server() as server:
        postmaster = psutil.Process(int((server._made.pgdata / "postmaster.pid").read_text().split()[0]))
        (checkpointer,) = [child for child in postmaster.children() if "checkpointer" in "".join(child.cmdline())]
        yield {"postmaster": postmaster.pid, "checkpointer": checkpointer.pid}
"""
IGNORING = ["sh", "-c", 'trap "" INT HUP QUIT; exec "$@"', "sh"]
# A test that says which signals a process of its own begins with.
SIGNALS = """
import signal, subprocess, sys
from pathlib import Path
PROGRAM = "import signal; print([signal.getsignal(getattr(signal, name)).__name__ if callable(signal.getsignal(getattr(signal, name))) "
PROGRAM += "else int(signal.getsignal(getattr(signal, name))) for name in ('SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGTERM')])"

def test_processes_begin_with_default_signals(run_process):
    for said in (run_process([sys.executable, "-c", PROGRAM]).stdout, subprocess.check_output([sys.executable, "-c", PROGRAM], text=True)):
        assert said == "['default_int_handler', 0, 0, 0]\\n"

def test_this_process_goes_on_ignoring():
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGQUIT)
    Path(__file__).with_name("signals").touch()
"""


def command(folder: Path, text: str, *words: str) -> list[str]:
    """Return the command of a pytest over a file of tests that have the fixtures of these, and no plugins but those named."""
    (folder / "test_inner.py").write_text(text, encoding="utf-8")
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-p", "xdist"]
    return [
        sys.executable,
        "-m",
        "pytest",
        "-qx",
        *plugins,
        f"--rootdir={folder}",
        f"--basetemp={folder}/base",
        *words,
        str(folder / "test_inner.py"),
    ]


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
    ("words", "killed", "before"),
    [
        pytest.param((), "pytest", SIGNALS + NO_SERVER, id="pytest"),
        pytest.param(("-n", "1"), "worker", SIGNALS + NO_SERVER, id="a worker"),
        pytest.param(("-n", "1"), "controller", NO_SERVER, id="the process that has the workers"),
        pytest.param(("-n", "1"), "group", NO_SERVER, id="the group, as timeout does", marks=pytest.mark.slow),
        pytest.param((), "pytest", SERVER, id="a server", marks=pytest.mark.slow),
    ],
)
def test_what_a_killed_pytest_started_is_gone(
    start_process: StartProcess, tmp_path: Path, started: Path, words: tuple[str, ...], killed: str, before: str
) -> None:
    """Also under nohup: the tests of signals run before, and one of them that fails ends the pytest, which says so."""
    ignoring = IGNORING if SIGNALS in before else []
    process = start_process([*ignoring, *command(tmp_path, before + STARTS, *words)], cwd=ROOT, env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    wait_until(lambda: started.exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()[0]
    assert (tmp_path / "signals").exists() is (SIGNALS in before)
    said = json.loads(started.read_text(encoding="utf-8"))
    pids = said["started"]
    assert [name for name, pid in pids.items() if not is_alive(pid)] == []
    assert (said["pytest"] == process.pid) is (words == ())
    if killed == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(said["pytest"] if killed == "worker" else process.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids.values())), GONE_SECONDS)
