"""Projects whose Dagster is launched, and none of whose processes outlives its test."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pdbt.engine.process.place import MARKER
from tests.conftest import MakeProject, RunProcess
from tests.process.instances import Shop, dagster_settings

STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path: Path) -> Iterator[None]:
    """End every process that carries the mark of a project of this test, however the test ends."""
    yield
    end_marked(tmp_path)


def end_marked(folder: Path) -> None:
    """End every process that carries the mark of a project below a folder."""
    for _ in range(20):
        left = [process for process in psutil.process_iter() if _belongs(process, folder)]
        if not left:
            return
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, 1.0)
    pytest.fail("processes of the test could not be ended")


def _belongs(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.environ().get(MARKER, "").startswith(f"{folder}{os.sep}") and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


@contextlib.contextmanager
def ports() -> Iterator[Callable[[], int]]:
    """Give a function that returns a port, as the fixture `free_port` does, until the end of the block."""
    with contextlib.ExitStack() as stack:

        def find() -> int:
            candidates = list(range(20000, 32000))
            random.SystemRandom().shuffle(candidates)
            return next(port for port in candidates if _is_free(port) and _is_mine(port, stack))

        yield find


@pytest.fixture
def free_port() -> Iterator[Callable[[], int]]:
    """Return a port that nobody listens on, below those that the system itself gives out, and that no other test is given meanwhile."""
    with ports() as find:
        yield find


def _is_free(port: int) -> bool:
    with socket.socket() as server:
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _is_mine(port: int, stack: contextlib.ExitStack) -> bool:
    """Keep a port for this test, also from tests that run at the same time: a file of the port's name is locked until it ends."""
    folder = Path(tempfile.gettempdir()) / "pdbt-test-ports"
    folder.mkdir(exist_ok=True)
    file = stack.enter_context((folder / str(port)).open("w"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@pytest.fixture
def shop(make_project: MakeProject, run_process: RunProcess, free_port: Callable[[], int], tmp_path: Path) -> Shop:
    """A project whose Dagster is the stand-in."""
    return dressed(make_project("shop"), free_port(), run_process, tmp_path)


def dressed(project: Path, port: int, run_process: RunProcess, cwd: Path) -> Shop:
    """Give a project a port of its own, and the stand-in for a server."""
    settings = project / "pdbt.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text("\n".join(f"port = {port}" if line.startswith("port = ") else line for line in text.splitlines()), encoding="utf-8")
    engine = project / "scripts" / "engine"
    shutil.copyfile(STAND_IN, (engine if engine.is_dir() else project.parent / "scripts" / "engine") / "process" / "server.py")
    return Shop(project, port, run_process, cwd)


@pytest.fixture
def stranger(free_port: Callable[[], int]) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A port, and a process that has nothing to do with pdbt and listens on it."""
    port = free_port()
    program = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); print('ready', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-S", "-c", program], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            yield port, process
            assert process.poll() is None, "the stranger was ended"
        finally:
            process.kill()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A live process that has nothing to do with pdbt."""
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            yield process
            assert process.poll() is None, "the sleeper was ended"
        finally:
            process.kill()


@pytest.fixture
def launched(run_process: RunProcess, free_port: Callable[[], int], tmp_path: Path) -> Callable[..., Shop]:
    """Launch a project on a port of its own."""

    def launch(project: Path, **dagster: object) -> Shop:
        shop = Shop(project, free_port(), run_process, tmp_path)
        dagster_settings(project, port=shop.port, **dagster)
        ended = shop.launch()
        assert ended.code == 0, ended.stdout + ended.stderr
        return shop

    return launch
