"""A run that is killed at any moment leaves what was published whole, and the next run needs no cleaning."""

from __future__ import annotations

import random
import sys
import time

import pytest

from tests.conftest import StartProcess
from tests.databases.reader_process import ROWS, rows
from tests.databases.subjects import Subject
from tests.databases.test_readers import REPOSITORY

RANDOM_KILLS = 6
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


@pytest.mark.parametrize("step", ["open", "built", "sealed", "published"])
def test_a_run_killed_after_a_step_changes_nothing_unpublished(subject: Subject, start_process: StartProcess, step: str) -> None:
    subject.publish(("FIRST", rows(1)), ("SECOND", rows(1)))
    command = [sys.executable, "-m", "tests.databases.killed_process", subject.kind, subject.project, subject.url or "", "2", step]
    process = start_process(command, cwd=REPOSITORY)
    assert process.stdout is not None
    assert any(line == f"2 {step}\n" for line in process.stdout)
    process.kill()
    process.wait()
    assert published_run(subject) == (2 if step == "published" else 1)
    check_next_run(subject, 100)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_leaves_one_run_whole(subject: Subject, start_process: StartProcess) -> None:
    subject.publish(("FIRST", rows(1)), ("SECOND", rows(1)))
    chance = random.Random(20260101)
    run = 1
    for _ in range(RANDOM_KILLS):
        command = [sys.executable, "-m", "tests.databases.killed_process", subject.kind, subject.project, subject.url or "", str(run + 1)]
        process = start_process(command, cwd=REPOSITORY)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, LONGEST_SECONDS))
        process.kill()
        process.wait()
        assert published_run(subject) >= run
        run = published_run(subject) + 1000
        check_next_run(subject, run)
