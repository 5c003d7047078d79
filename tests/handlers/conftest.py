"""Whatever a test's pipelines started is gone when the test ends, and so are the files that they shared."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pdbt.handlers import PipelineExecutor
from tests import mysql
from tests.handlers.ending import still_running

END_SECONDS = 30.0


def shared_folders() -> list[Path]:
    return [folder for home in (Path("/dev/shm"), Path(tempfile.gettempdir())) for folder in home.glob(f"pdbt-stream-{os.getpid()}-*")]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No test leaves a worker process or a file in memory; a worker that is left is ended, and the test fails."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    yield
    deadline = time.monotonic() + END_SECONDS
    while (left := _left(before)) and time.monotonic() < deadline:
        time.sleep(0.05)
    commands = [process.cmdline() for process in left]
    for process in left:
        process.kill()
    assert commands == []
    assert shared_folders() == []


def _left(before: set[int]) -> list[psutil.Process]:
    """Return what was started since; a cluster that tests share stays, the workers of their pipelines do not."""
    left = []
    for process in psutil.Process().children(recursive=True):
        try:
            shared = _ray_is_up() and "HandlerActor" not in "".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        if process.pid not in before and not shared:
            left.append(process)
    return left


def _ray_is_up() -> bool:
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    """A cluster that the tests of a module share, since it takes seconds to start."""
    from pdbt.handlers import ray_cluster

    before = psutil.Process().children(recursive=True)
    cluster = ray_cluster.reach(None, 128_000_000)
    started = [process for process in psutil.Process().children(recursive=True) if process not in before]
    try:
        yield
    finally:
        cluster.leave()
        alive = still_running(started, END_SECONDS)
        for process in alive:
            process.kill()
    assert alive == []


@pytest.fixture(params=["local", pytest.param("ray", marks=[pytest.mark.slow, pytest.mark.xdist_group("ray")])])
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the test's pipelines run on each executor in turn, as it stands."""
    name: str = request.param
    if name == "ray":
        request.getfixturevalue("ray_cluster")
    defaults = PipelineExecutor.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "executor", name)
    return name


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of the kind that the test is parametrized with: duckdb, mysql, postgresql or sqlite."""
    if request.param == "mysql":
        (tmp_path / "server").mkdir()
        with mysql.running_server(tmp_path / "server") as server, mysql.new_database(server) as url:
            yield url
    elif request.param == "postgresql":
        yield str(request.getfixturevalue("postgres_url"))
    else:
        yield f"{request.param}:///{tmp_path}/target.{request.param}"
