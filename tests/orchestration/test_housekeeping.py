"""An instance's history stays as small as it is meant to be, and its log, too."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import dagster

from pdbt.engine.process.housekeeping import HISTORY_BYTES, MOST_RUNS, forget_old_runs, used_bytes
from tests.orchestration.conftest import Load
from tests.pipeline.projects import Project

RUNS_A_YEAR = 365 * 24 * 12
YEARLY_BYTES = 500_000_000


@dagster.job
def nothing() -> None:
    @dagster.op
    def step() -> None:
        pass

    step()


def run_ids(instance: dagster.DagsterInstance) -> list[str]:
    return [record.dagster_run.run_id for record in instance.get_run_records(ascending=True)]


def test_the_oldest_runs_are_forgotten_with_all_their_files(home: Path, kept: dagster.DagsterInstance) -> None:
    made = [nothing.execute_in_process(instance=kept).run_id for _ in range(5)]
    assert forget_old_runs(kept, home, most_runs=3) == 2
    assert run_ids(kept) == made[2:]
    assert forget_old_runs(kept, home, most_runs=2) == 1  # also one too many
    assert run_ids(kept) == made[3:]
    assert not [file for file in home.rglob("*") for run_id in made[:3] if run_id in file.name]
    assert forget_old_runs(kept, home, most_runs=2) == 0


def test_a_history_that_is_too_large_is_cut_down_but_for_its_last_run(home: Path, kept: dagster.DagsterInstance) -> None:
    made = [nothing.execute_in_process(instance=kept).run_id for _ in range(4)]
    assert forget_old_runs(kept, home, most_bytes=used_bytes(home) + 1) == 0
    assert forget_old_runs(kept, home, most_bytes=1) == 3
    assert run_ids(kept) == made[3:]


def test_a_run_that_is_going_is_kept(home: Path, kept: dagster.DagsterInstance) -> None:
    going = kept.create_run_for_job(nothing, status=dagster.DagsterRunStatus.STARTED)
    nothing.execute_in_process(instance=kept)
    nothing.execute_in_process(instance=kept)
    forget_old_runs(kept, home, most_runs=0, most_bytes=0)
    assert going.run_id in run_ids(kept)


def test_a_year_of_runs_every_five_minutes_stays_small(home: Path, kept: dagster.DagsterInstance, project: Project, load: Load) -> None:
    """The sum: what is kept is at most MOST_RUNS runs, and no more of them than fit into HISTORY_BYTES when they are large."""
    job = load(project.path).get_job("main_pipeline_job")
    job.execute_in_process(instance=kept)
    before = used_bytes(home)
    for _ in range(3):
        job.execute_in_process(instance=kept)
    one = (used_bytes(home) - before) / 3
    ticks_and_logs = 60_000_000  # 30 days of ticks at 1 KB, dagster.log and the one before at 10 MB each
    assert RUNS_A_YEAR > MOST_RUNS
    assert min(one * MOST_RUNS, HISTORY_BYTES) + ticks_and_logs < YEARLY_BYTES
    assert one * MOST_RUNS < HISTORY_BYTES, "a project of this size keeps as many runs as it is allowed"


def test_free_pages_of_a_database_are_not_counted(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "index.db")) as database:
        database.execute("CREATE TABLE t (x)")
        empty = used_bytes(tmp_path)
        database.execute("INSERT INTO t VALUES (zeroblob(1000000))")
        database.commit()
        assert used_bytes(tmp_path) > 1_000_000
        database.execute("DELETE FROM t")
        database.commit()
        assert (tmp_path / "index.db").stat().st_size > 1_000_000
        assert used_bytes(tmp_path) <= empty + 4096
