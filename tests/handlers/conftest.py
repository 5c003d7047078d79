"""Whatever a test's pipelines started is gone when the test ends, and so are the files that they shared."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pdbt.handlers import PipelineExecutor
from tests.handlers import machines
from tests.handlers.ending import still_running
from tests.handlers.machines import Machines

END_SECONDS = 30.0
# They start clusters of their own, which Ray looks for on the whole machine, so that none is shared before they are done.
OWN_CLUSTERS = {"test_ray", "test_ray_address", "test_ray_served", "test_stream_example"}

# The processes that started clusters which tests share, or are such a cluster; and what ends these.
_shared: set[psutil.Process] = set()
_clusters = contextlib.ExitStack()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of Ray first, as they run one after another on one worker."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if not _is_of_ray(item):
        return 2
    shares = "ray_cluster" in getattr(item, "fixturenames", ())
    return 0 if item.path.stem in OWN_CLUSTERS and not shares else 1


def _is_of_ray(item: pytest.Item) -> bool:
    group = item.get_closest_marker("xdist_group")
    return group is not None and group.args == ("ray",)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """End the clusters that tests share as soon as the last of these tests is done: they take their part of the processor all the time."""
    if nextitem is None or not _is_of_ray(nextitem):
        _clusters.close()
        _shared.clear()


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
    commands = [_command(process) for process in left]
    for process in left:
        process.kill()
    assert commands == []
    assert shared_folders() == []


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # it has ended, and its parent has not asked how
        return [process.name()]


def _left(before: set[int]) -> list[psutil.Process]:
    """Return what was started since; a cluster that tests share stays, the workers of their pipelines do not."""
    left = []
    for process in psutil.Process().children(recursive=True):
        if process.pid in before:
            continue
        with contextlib.suppress(psutil.NoSuchProcess):
            shared = not _shared.isdisjoint((process, *process.parents())) and "HandlerActor" not in "".join(process.cmdline())
            if not shared:
                left.append(process)
    return left


@pytest.fixture(scope="session")
def ray_cluster() -> None:
    """A cluster that all tests share which need no cluster of their own, since it takes seconds to start."""
    _clusters.enter_context(_cluster())


@contextlib.contextmanager
def _cluster() -> Iterator[None]:
    from pdbt.handlers import ray_cluster

    before = psutil.Process().children(recursive=True)
    cluster = ray_cluster.reach(None, 128_000_000)
    started = [process for process in psutil.Process().children(recursive=True) if process not in before]
    _shared.update(started)
    yield
    cluster.leave()
    alive = still_running(started, END_SECONDS)
    for process in alive:
        process.kill()
    assert alive == []


@pytest.fixture(scope="session")
def machines_of_tests() -> Machines:
    """The machines that tests share."""
    found = _clusters.enter_context(machines.running())
    _shared.add(found.owner)
    return found


@pytest.fixture
def two_machines(machines_of_tests: Machines) -> str:
    """The address of a cluster that others started with two nodes, each with processes of its own, as two machines have."""
    machines_of_tests.complete()
    return machines_of_tests.address


@pytest.fixture(params=["local", pytest.param("ray", marks=machines.OF_RAY)])
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
        yield str(request.getfixturevalue("mysql_url"))
    elif request.param == "postgresql":
        yield str(request.getfixturevalue("postgres_url"))
    else:
        yield f"{request.param}:///{tmp_path}/target.{request.param}"
