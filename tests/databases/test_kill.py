"""A run that is killed at any moment leaves what was published whole, and the next run needs no cleaning."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.conftest import processes
from tests.databases.reader_process import ROWS, rows
from tests.databases.subjects import Subject
from tests.databases.test_readers import REPOSITORY
from tests.warm import Warm

RANDOM_KILLS = 6
STEP_SECONDS = 60.0
LONGEST_SECONDS = 0.15  # about what a run of these takes


def published_run(subject: Subject) -> int:
    """Return the run that readers see; fails unless they see the whole of one."""
    first, second = (subject.read(f"SELECT count(*), min(run), max(run) FROM {table}") for table in ("FIRST", "SECOND"))
    assert first == second
    count, least, most = first[0]
    assert (count, least) == (ROWS, most)
    return int(str(most))


def check_next_run(subject: Subject, run: int) -> None:
    """Publish once more, as if nothing had happened."""
    database = subject.database()
    published, sealed = database.published_token(), database.work_token()
    assert published is not None
    if sealed is not None:  # whole, by its token: it can be gone on with
        database.open("work")
        assert database.query("SELECT count(*) FROM SECOND", 1)[1] == [(ROWS,)]
    database.close()
    with subject.run("published", ["FIRST"]) as database:
        database.build("SECOND", rows(run))
        database.build("FIRST", rows(run))
        database.seal()
        database.publish(["FIRST", "SECOND"], [])
    assert published_run(subject) == run
    assert subject.database().work_token() is None


class Publishing:
    """Runs of a database that follow each other in a child of a process that has loaded what they need, until it is killed."""

    def __init__(self, warm: Warm, subject: Subject, first: int, last: str = "") -> None:
        self._warm = warm
        self._steps = subject.project / "steps"
        self._steps.unlink(missing_ok=True)
        where = {"kind": subject.kind, "project": str(subject.project), "url": subject.url}
        self._number = warm.start(**where, first=first, last=last, steps=str(self._steps))

    def wait_for(self, step: str) -> None:
        deadline = time.monotonic() + STEP_SECONDS
        while not self._steps.exists() or step not in self._steps.read_text():
            assert time.monotonic() < deadline, f"{step!r} did not come"
            time.sleep(0.005)

    def kill(self) -> None:
        os.kill(self._number, signal.SIGKILL)
        code, _, errors = self._warm.ended(STEP_SECONDS)
        assert code == -signal.SIGKILL, errors


@pytest.fixture(scope="module")
def publisher() -> Iterator[Warm]:
    """Publishes in children of one process."""
    with processes() as start:
        yield Warm(start([sys.executable, "-m", "tests.databases.killed_process"], cwd=REPOSITORY, stdin=subprocess.PIPE))


def test_a_run_killed_after_a_step_changes_nothing_unpublished(subject: Subject, publisher: Warm) -> None:
    subject.publish(("FIRST", rows(1)), ("SECOND", rows(1)))
    for number, step in enumerate(("open", "built", "sealed", "published")):
        before, run = 100 * number or 1, 100 * number + 2
        publishing = Publishing(publisher, subject, run, step)
        publishing.wait_for(f"{run} {step}\n")
        publishing.kill()
        assert published_run(subject) == (run if step == "published" else before), step
        check_next_run(subject, 100 * (number + 1))


@pytest.mark.slow
def test_a_run_killed_at_any_moment_leaves_one_run_whole(subject: Subject, publisher: Warm) -> None:
    subject.publish(("FIRST", rows(1)), ("SECOND", rows(1)))
    chance = random.Random(20260101)
    run = 1
    for _ in range(RANDOM_KILLS):
        publishing = Publishing(publisher, subject, run + 1)
        publishing.wait_for("open")
        time.sleep(chance.uniform(0, LONGEST_SECONDS))
        publishing.kill()
        assert published_run(subject) >= run
        run = published_run(subject) + 1000
        check_next_run(subject, run)
