"""A launched Dagster, against `dagster dev` with the same definitions: how soon it is usable, how fast a job is, what it weighs.

Not a command that ends, so it is measured here and not by `contest.hold`; what comes out is the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contest import Bar, Disagreement, Outcome, Quantity
from benchmarks.rivals import Interpreter
from benchmarks.workplaces import new_project

USABLE_SECONDS = 120.0
JOB_SECONDS = 120.0
END_SECONDS = 20.0
SETTLE_SECONDS = 10.0  # what is loaded late and lazily is loaded by then
IDLE_SECONDS = 30.0
POLL_SECONDS = 0.05
ENDED = ("SUCCESS", "FAILURE", "CANCELED")

# The project's own definitions, with Dagster's default executor instead of the one that pdbt chooses.
DEFAULT_EXECUTOR = """
import dagster

_job = dagster.define_asset_job("main_pipeline_job", selection=dagster.AssetSelection.all())
defs = dagster.Definitions(assets=defs.assets, jobs=[_job], schedules=defs.schedules, sensors=defs.sensors)
"""
ASSETS = "{ assetNodes { id } }"
LOCATION = "{ workspaceOrError { ... on Workspace { locationEntries { name } } } }"
LAUNCH = """mutation($location: String!) { launchRun(executionParams: {selector: {repositoryName: "__repository__",
repositoryLocationName: $location, jobName: "main_pipeline_job"}, runConfigData: {}}) { ... on LaunchRunSuccess { run { runId } } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


@dataclass(frozen=True)
class Instance:
    """One way to bring the sample up.

    Attributes:
        name: how the report calls it.
        project: the folder of the sample.
        start: the command that brings it up.
        stop: ends it, given the process that `start` was.
        home: the folder of its history.
        port: where its page answers.
    """

    name: str
    project: Path
    start: tuple[str, ...]
    stop: Callable[[subprocess.Popen[bytes]], None]
    home: Path
    port: int


@dataclass(frozen=True)
class Measured:
    """What one round cost: seconds, seconds, bytes, and seconds of processor time in `IDLE_SECONDS`."""

    usable: float
    job: float
    memory: float
    idle: float


def hold_instances(
    interpreter: Interpreter, folder: Path, runs: int, environment: Mapping[str, str], say: Callable[[str], None]
) -> list[Outcome]:
    """Bring both up in turn, first once unmeasured, then `runs` times measured.

    Raises:
        Disagreement: a job did not succeed, or published nothing.
    """
    sides = (_pdbt(interpreter, folder / "pdbt"), _dagster_dev(interpreter, folder / "dagster"))
    rounds: dict[str, list[Measured]] = {side.name: [] for side in sides}
    for number in range(runs + 1):
        for side in sides:
            measured = _round(side, environment)
            if number:
                rounds[side.name].append(measured)
                say(
                    f"instances {number}/{runs}  {side.name}: usable in {measured.usable:.2f} s, job {measured.job:.2f} s, "
                    f"{measured.memory / 1e6:.0f} MB, idle {measured.idle:.2f} s of processor"
                )
    ours, theirs = (rounds[side.name] for side in sides)

    def outcome(title: str, limit: float, quantity: Quantity, figure: Callable[[Measured], float]) -> Outcome:
        bar = Bar(title, sides[0].name, limit, sides[1].name, quantity)
        return Outcome(bar, tuple(map(figure, ours)), tuple(map(figure, theirs)))

    return [
        outcome("launch until the assets can be listed / dagster dev", 0.65, "seconds", lambda measured: measured.usable),
        outcome("sample's job, request to SUCCESS / default executor", 0.25, "seconds", lambda measured: measured.job),
        outcome("memory of all processes / dagster dev", 0.65, "peak", lambda measured: measured.memory),
        outcome(f"processor time of {IDLE_SECONDS:.0f} idle seconds / dagster dev", 1.0, "seconds", lambda measured: measured.idle),
    ]


def _pdbt(interpreter: Interpreter, folder: Path) -> Instance:
    project = _sample(interpreter, folder)
    port = _free_port()
    macro = project / "macro"

    def stop(process: subprocess.Popen[bytes]) -> None:
        command = [str(interpreter.python), str(macro / "dagster-run-process-sample-stop.py")]
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)

    start = (str(interpreter.python), str(macro / "dagster-run-process-sample-launch.py"), "--port", str(port))
    return Instance("pdbt launch", project, start, stop, macro / ".dagster", port)


def _dagster_dev(interpreter: Interpreter, folder: Path) -> Instance:
    project = _sample(interpreter, folder)
    port = _free_port()
    definitions = project / "macro/dagster-run-process-sample.py"
    definitions.write_text(definitions.read_text(encoding="utf-8") + DEFAULT_EXECUTOR, encoding="utf-8")
    home = folder / "home"
    home.mkdir()

    def stop(process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)

    start = (str(interpreter.script("dagster")), "dev", "-f", str(definitions), "-h", "127.0.0.1", "-p", str(port))
    return Instance("dagster dev", project, start, stop, home, port)


def _sample(interpreter: Interpreter, folder: Path) -> Path:
    """Make a project; its sample runs nothing by itself, so that what is measured is what was asked for."""
    folder.mkdir(parents=True)
    sample = new_project(interpreter, folder / "shop") / "sample"
    settings = sample / "pdbt.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("[dagster]\n", '[dagster]\nschedule_status = "stopped"\n'), encoding="utf-8")
    return sample


def _round(side: Instance, environment: Mapping[str, str]) -> Measured:
    """Bring it up, run its job from nothing, let it idle, and end it."""
    shutil.rmtree(side.project / "db", ignore_errors=True)
    os.sync()
    with _up(side, environment) as (process, usable):
        location = _ask(side.port, LOCATION)["workspaceOrError"]["locationEntries"][0]["name"]
        job = _job(side, location)
        time.sleep(SETTLE_SECONDS)
        family = _family(process, side)
        memory = sum(member.memory_info().rss for member in family)
        before = _processor_seconds(family)
        time.sleep(IDLE_SECONDS)
        idle = _processor_seconds(family) - before
    if not any((side.project / "db").glob("database.*")):
        raise Disagreement(f"{side.name} published nothing.")
    return Measured(usable, job, float(memory), idle)


@contextlib.contextmanager
def _up(side: Instance, environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Give the started process and the seconds until its page listed assets; all of it is ended afterwards."""
    variables = {**environment, "DAGSTER_HOME": str(side.home)}
    with (side.project / "output.log").open("wb") as log:
        started = time.perf_counter()
        process = subprocess.Popen(side.start, cwd=side.project, env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(lambda: bool(_ask(side.port, ASSETS)["assetNodes"]), USABLE_SECONDS, f"{side.name} did not list its assets")
        yield process, time.perf_counter() - started
    finally:
        family = _family(process, side)
        side.stop(process)
        for member in family:
            with contextlib.suppress(Exception):
                member.kill()
        process.wait()


def _job(side: Instance, location: str) -> float:
    """Run the job from nothing; return the seconds from the request until it succeeded."""
    started = time.perf_counter()
    run_id = _ask(side.port, LAUNCH, location=location)["launchRun"]["run"]["runId"]
    _wait(lambda: _ask(side.port, STATUS, id=run_id)["runOrError"]["status"] in ENDED, JOB_SECONDS, f"the job of {side.name} did not end")
    seconds = time.perf_counter() - started
    status = _ask(side.port, STATUS, id=run_id)["runOrError"]["status"]
    if status != "SUCCESS":
        raise Disagreement(f"The job of {side.name} ended with {status}.")
    return seconds


def _family(process: subprocess.Popen[bytes], side: Instance) -> list[Any]:
    """Return the processes that have this instance's home in their environment."""
    import psutil

    found = []
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if candidate.environ().get("DAGSTER_HOME") == str(side.home) and candidate.status() != psutil.STATUS_ZOMBIE:
                found.append(candidate)
    return found


def _processor_seconds(family: list[Any]) -> float:
    return sum(sum(member.cpu_times()[:2]) for member in family if member.is_running())


def _wait(reached: Callable[[], bool], seconds: float, fault: str) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if reached():
                return
        time.sleep(POLL_SECONDS)
    raise Disagreement(f"{fault} in {seconds:.0f} s.")


def _ask(port: int, query: str, **variables: str) -> Any:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)["data"]


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
