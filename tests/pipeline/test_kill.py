"""kill -9 at any moment: what is published stays whole, and the next run needs no help."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import RUN_SCRIPT, RUN_SECONDS, Ended, StartProcess
from tests.pipeline.conftest import SLOW_BUT_DUCKDB, MakeProject
from tests.pipeline.pair import pair, published_generation, require_generation, write_generation
from tests.pipeline.projects import Project
from tests.warm import Warm

ROOT = Path(__file__).resolve().parents[2]
KILLED = -signal.SIGKILL
RANDOM_KILLS = {"duckdb": 4, "sqlite": 4, "postgresql": 8}
KILLS_IN_A_ROW = 6
SEED = 20130101
ACTS_OF_PUBLICATION = 24  # a type that has more is killed before as many of them, evenly spread
ACTS_BEFORE = 6

Act = tuple[int, str, bool]


class WarmProject:
    """Runs of a project in children of a process of its own, which has loaded what they need."""

    def __init__(self, start_process: StartProcess, project: Project) -> None:
        self.project = project
        command = [sys.executable, "-m", "tests.pipeline.killed_process", project.path]
        self._warm = Warm(start_process(command, cwd=ROOT, env=project.environment, stdin=subprocess.PIPE))

    def run(self, act: int, *words: str) -> Ended:
        """Run; it ends before an act, or with its end for 0, where it prints its acts, and -1."""
        self._warm.start(act=act, command=[str(self.project.path / RUN_SCRIPT), *words])
        return Ended(*self._warm.ended(RUN_SECONDS))

    def killed_after(self, seconds: float) -> int:
        """Start a run, kill it after a time, and return its exit code."""
        run = self._warm.start(act=-1, command=[str(self.project.path / RUN_SCRIPT)])
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(run, signal.SIGKILL)
        return self._warm.ended(RUN_SECONDS)[0]

    def recovers(self, generation: int) -> None:
        """Require that readers see a whole run, and that the next run succeeds and leaves nothing behind."""
        assert published_generation(self.project) in (generation - 1, generation)
        ended = self.run(-1, "--lock-timeout", "0")
        assert (ended.code, "Traceback" in ended.stderr) == (0, False), f"{ended.stdout}\n{ended.stderr}"
        require_generation(self.project, generation)


def acts_of_a_run(warm: WarmProject) -> list[Act]:
    """Return the acts of a run that imports, builds, checks, publishes and exports all, each with its number."""
    ended = warm.run(0, "--quiet")
    assert ended.code == 0, ended.stderr
    return [(number, name, publishing) for number, (name, publishing) in enumerate(json.loads(ended.stdout), 1)]


def spread(acts: list[Act], most: int) -> list[Act]:
    """Return all acts, or so many of them from the first to the last."""
    if len(acts) <= most:
        return acts
    return [acts[round(number * (len(acts) - 1) / (most - 1))] for number in range(most)]


def kill_before_each(warm: WarmProject, acts: list[Act], generation: int) -> None:
    """Kill a run before each of these acts, and let the next run go on from there."""
    for number, name, _ in acts:
        generation += 1
        write_generation(warm.project, generation)
        ended = warm.run(number)
        assert ended.code in (KILLED, 0), f"{number} {name}: {ended.stderr}"  # a run may have an act less than the one that was counted
        warm.recovers(generation)


def middle_of_publication(acts: list[Act]) -> list[Act]:
    """Return the renames in the middle of a publication."""
    renames = [act for act in acts if act[2] and act[1] == "replace"]
    middle = len(renames) // 2
    return renames[middle - 1 : middle + 2]


@pytest.mark.parametrize("kind", SLOW_BUT_DUCKDB)
def test_killed_in_its_first_run_or_between_the_renames_of_publication_the_next_run_goes_on(
    make_project: MakeProject, start_process: StartProcess, kind: str
) -> None:
    project = pair(make_project(kind))
    warm = WarmProject(start_process, project)
    acts = acts_of_a_run(warm)
    publication = [number for number, _, publishing in acts if publishing]
    for number in (publication[0] // 2, publication[len(publication) // 2], publication[-1]):
        for path in ("db", "data/processed", "data/final"):
            subprocess.run(["rm", "-rf", project.path / path], check=True)
        warm.run(number)
        project.run("--lock-timeout", "0")
        require_generation(project, 0)

    # of a run that replaces what is published
    write_generation(project, 1)
    acts = acts_of_a_run(warm)
    require_generation(project, 1)
    kill_before_each(warm, middle_of_publication(acts), 1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_before_any_act_or_at_any_moment_the_next_run_goes_on(project: Project, start_process: StartProcess) -> None:
    pair(project)
    project.run()
    write_generation(project, 1)
    warm = WarmProject(start_process, project)
    acts = acts_of_a_run(warm)
    publication = [act for act in acts if act[2]]
    preparation = [act for act in acts if not act[2]]
    chosen = spread(publication, ACTS_OF_PUBLICATION) + spread(preparation, ACTS_BEFORE)
    assert len(chosen) > ACTS_BEFORE
    kill_before_each(warm, chosen, 1)
    kill_at_random_moments(warm, 1 + len(chosen))


def kill_at_random_moments(warm: WarmProject, generation: int) -> None:
    """Kill runs within a statement or in another thread, which no act marks: each recovered from at first, then one after another."""
    project = warm.project
    moments = random.Random(f"{SEED} {project.kind}")
    seconds = seconds_of_a_run(warm, generation + 1)
    first, killed, kills = generation + 2, 0, RANDOM_KILLS[project.kind]
    for number in range(first, first + kills):
        write_generation(project, number)
        killed += warm.killed_after(moments.uniform(0.1, 0.9) * seconds) == KILLED
        warm.recovers(number)
    assert killed > kills / 2

    # no finished run between them, and sources that change meanwhile
    last = first + kills + KILLS_IN_A_ROW - 1
    for number in range(first + kills, last + 1):
        write_generation(project, number)
        warm.killed_after(moments.uniform(0.3, 1.0) * seconds)
        assert published_generation(project) <= number
    project.run("--lock-timeout", "0")
    require_generation(project, last)


def seconds_of_a_run(warm: WarmProject, generation: int) -> float:
    """Return how long a run of another generation takes."""
    write_generation(warm.project, generation)
    started = time.monotonic()
    assert warm.run(-1).code == 0
    return time.monotonic() - started
