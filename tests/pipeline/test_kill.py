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

from tests.conftest import RUN_SCRIPT, RunProcess, StartProcess
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


def acts_of_a_run(project: Project, run_process: RunProcess) -> list[Act]:
    """Return the acts of a run that imports, builds, checks, publishes and exports all, each with its number."""
    ended = run_process([sys.executable, KILLED_PROCESS, "0", project.path / RUN_SCRIPT, "--quiet"], env=project.environment)
    assert ended.code == 0, ended.stderr
    return [(number, name, publishing) for number, (name, publishing) in enumerate(json.loads(ended.stdout), 1)]


def spread(acts: list[Act], most: int) -> list[Act]:
    """Return all acts, or so many of them from the first to the last."""
    if len(acts) <= most:
        return acts
    return [acts[round(number * (len(acts) - 1) / (most - 1))] for number in range(most)]


def kill_before_each(project: Project, run_process: RunProcess, acts: list[Act], generation: int) -> None:
    """Kill a run before each of these acts, and let the next run go on from there."""
    for number, name, _ in acts:
        generation += 1
        write_generation(project, generation)
        command = [sys.executable, KILLED_PROCESS, str(number), project.path / RUN_SCRIPT]
        ended = run_process(command, env=project.environment)
        assert ended.code in (KILLED, 0), f"{number} {name}: {ended.stderr}"  # a run may have an act less than the one that was counted
        recovers(project, generation)


def recovers(project: Project, generation: int) -> None:
    """Require that readers see a whole run, and that the next run succeeds and leaves nothing behind."""
    assert published_generation(project) in (generation - 1, generation)
    project.run("--lock-timeout", "0")
    require_generation(project, generation)


def test_killed_between_the_renames_of_publication_the_next_run_goes_on(project: Project, run_process: RunProcess) -> None:
    pair(project)
    project.run()
    write_generation(project, 1)
    acts = acts_of_a_run(project, run_process)
    require_generation(project, 1)
    renames = [act for act in acts if act[2] and act[1] == "replace"]
    middle = len(renames) // 2
    kill_before_each(project, run_process, renames[middle - 1 : middle + 2], 1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_before_any_act_the_next_run_goes_on(project: Project, run_process: RunProcess) -> None:
    pair(project)
    project.run()
    write_generation(project, 1)
    acts = acts_of_a_run(project, run_process)
    publication = [act for act in acts if act[2]]
    preparation = [act for act in acts if not act[2]]
    chosen = spread(publication, ACTS_OF_PUBLICATION) + spread(preparation, ACTS_BEFORE)
    assert len(chosen) > ACTS_BEFORE
    kill_before_each(project, run_process, chosen, 1)


@pytest.mark.parametrize("kind", SLOW_BUT_DUCKDB)
def test_killed_in_its_first_run_a_project_just_runs_again(make_project: MakeProject, run_process: RunProcess, kind: str) -> None:
    project = make_project(kind)
    pair(project)
    acts = acts_of_a_run(project, run_process)
    publication = [number for number, _, publishing in acts if publishing]
    for number in (publication[0] // 2, publication[len(publication) // 2], publication[-1]):
        for path in ("db", "data/processed", "data/final"):
            subprocess.run(["rm", "-rf", project.path / path], check=True)
        run_process([sys.executable, KILLED_PROCESS, str(number), project.path / RUN_SCRIPT], env=project.environment)
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
    killed = 0
    kills = RANDOM_KILLS[project.kind]
    for generation in range(2, kills + 2):
        write_generation(project, generation)
        process = start_process([sys.executable, project.path / RUN_SCRIPT], env=project.environment)
        time.sleep(moments.uniform(0.1, 1.0) * seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        killed += process.returncode == KILLED
        recovers(project, generation)
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
