"""kill -9 at any moment: what is published stays whole, and the next run needs no help."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import RUN_SCRIPT, Ended, StartProcess
from tests.pipeline.conftest import SLOW_BUT_DUCKDB, MakeProject
from tests.pipeline.pair import pair, published_generation, require_generation, write_generation
from tests.pipeline.projects import Project

KILLED_PROCESS = Path(__file__).with_name("killed_process.py")
KILLED = -signal.SIGKILL
RANDOM_KILLS = {"duckdb": 4, "sqlite": 4, "postgresql": 8}  # what no act marks: within a statement, or in another thread
SEED = 20130101
ACTS_OF_PUBLICATION = 24  # a type that has more is killed before as many of them, evenly spread
ACTS_BEFORE = 6

Act = tuple[int, str, bool]


class Warm:
    """Runs of a project in children of one process, which has loaded what they need: a third of the time that each takes alone."""

    def __init__(self, start_process: StartProcess, project: Project) -> None:
        self.project = project
        self._process = start_process([sys.executable, KILLED_PROCESS], env=project.environment, stdin=subprocess.PIPE)

    def run(self, act: int, *words: str) -> Ended:
        """Run; it ends before an act, or with its end for 0, where it prints its acts, and -1."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([act, str(self.project.path / RUN_SCRIPT), words]) + "\n")
        self._process.stdin.flush()
        return Ended(*json.loads(self._process.stdout.readline()))

    def recovers(self, generation: int) -> None:
        """Require that readers see a whole run, and that the next run succeeds and leaves nothing behind."""
        assert published_generation(self.project) in (generation - 1, generation)
        ended = self.run(-1, "--lock-timeout", "0")
        assert (ended.code, "Traceback" in ended.stderr) == (0, False), f"{ended.stdout}\n{ended.stderr}"
        require_generation(self.project, generation)


def acts_of_a_run(warm: Warm) -> list[Act]:
    """Return the acts of a run that imports, builds, checks, publishes and exports all, each with its number."""
    ended = warm.run(0, "--quiet")
    assert ended.code == 0, ended.stderr
    return [(number, name, publishing) for number, (name, publishing) in enumerate(json.loads(ended.stdout), 1)]


def spread(acts: list[Act], most: int) -> list[Act]:
    """Return all acts, or so many of them from the first to the last."""
    if len(acts) <= most:
        return acts
    return [acts[round(number * (len(acts) - 1) / (most - 1))] for number in range(most)]


def kill_before_each(warm: Warm, acts: list[Act], generation: int) -> None:
    """Kill a run before each of these acts, and let the next run go on from there."""
    for number, name, _ in acts:
        generation += 1
        write_generation(warm.project, generation)
        ended = warm.run(number)
        assert ended.code in (KILLED, 0), f"{number} {name}: {ended.stderr}"  # a run may have an act less than the one that was counted
        warm.recovers(generation)


def test_killed_between_the_renames_of_publication_the_next_run_goes_on(project: Project, start_process: StartProcess) -> None:
    pair(project)
    project.run()
    write_generation(project, 1)
    warm = Warm(start_process, project)
    acts = acts_of_a_run(warm)
    require_generation(project, 1)
    renames = [act for act in acts if act[2] and act[1] == "replace"]
    middle = len(renames) // 2
    kill_before_each(warm, renames[middle - 1 : middle + 2], 1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_before_any_act_the_next_run_goes_on(project: Project, start_process: StartProcess) -> None:
    pair(project)
    project.run()
    write_generation(project, 1)
    warm = Warm(start_process, project)
    acts = acts_of_a_run(warm)
    publication = [act for act in acts if act[2]]
    preparation = [act for act in acts if not act[2]]
    chosen = spread(publication, ACTS_OF_PUBLICATION) + spread(preparation, ACTS_BEFORE)
    assert len(chosen) > ACTS_BEFORE
    kill_before_each(warm, chosen, 1)


@pytest.mark.parametrize("kind", SLOW_BUT_DUCKDB)
def test_killed_in_its_first_run_a_project_just_runs_again(make_project: MakeProject, start_process: StartProcess, kind: str) -> None:
    project = make_project(kind)
    pair(project)
    warm = Warm(start_process, project)
    acts = acts_of_a_run(warm)
    publication = [number for number, _, publishing in acts if publishing]
    for number in (publication[0] // 2, publication[len(publication) // 2], publication[-1]):
        for path in ("db", "data/processed", "data/final"):
            subprocess.run(["rm", "-rf", project.path / path], check=True)
        warm.run(number)
        project.run("--lock-timeout", "0")
        require_generation(project, 0)


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_killed_at_random_moments_the_next_run_goes_on(project: Project, start_process: StartProcess) -> None:
    moments = random.Random(f"{SEED} {project.kind}")
    pair(project)
    project.run()
    write_generation(project, 1)
    started = time.monotonic()
    project.run()
    seconds = time.monotonic() - started
    killed, warm = 0, Warm(start_process, project)
    kills = RANDOM_KILLS[project.kind]
    for generation in range(2, kills + 2):
        write_generation(project, generation)
        process = start_process([sys.executable, project.path / RUN_SCRIPT], env=project.environment)
        time.sleep(moments.uniform(0.1, 1.0) * seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        killed += process.returncode == KILLED
        warm.recovers(generation)
    assert killed > kills / 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_again_and_again_the_work_is_finished_in_the_end(project: Project, start_process: StartProcess) -> None:
    """One kill after another, with no finished run between them, and sources that change meanwhile."""
    moments = random.Random(f"{SEED} again {project.kind}")
    pair(project)
    started = time.monotonic()
    project.run()
    seconds = time.monotonic() - started
    for generation in range(1, 11):
        write_generation(project, generation)
        process = start_process([sys.executable, project.path / RUN_SCRIPT], env=project.environment)
        time.sleep(moments.uniform(0.3, 1.0) * seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert published_generation(project) <= generation
    project.run("--lock-timeout", "0")
    require_generation(project, 10)
