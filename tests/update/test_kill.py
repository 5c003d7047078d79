"""kill -9 at any moment of an update: the old project or the new one, whoever comes next, and no run on half of each."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdbt.engine.errors import PdbtError
from pdbt.engine.interrupted import JOURNAL, NEW_SUFFIX, finish_update
from pdbt.scaffold import update_project
from pdbt.scaffold.update import plan_update
from pdbt.scaffold.update_apply import _stage
from tests.conftest import RUN_SCRIPT, RunProcess, RunProject, StartProcess
from tests.update.conftest import age, contents
from tests.update.killed_update import digest_of

KILLED_UPDATE = Path(__file__).with_name("killed_update.py")
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "scripts/transforming.py"
SAMPLE_SCRIPT = "sample/macro/python-run-process-sample.py"
RANDOM_KILLS = 4
SEED = 20261121
FEWEST_ACTS = 40


def make_older(project: Path) -> None:
    """Make it a project of which an update creates, replaces, merges and removes files, and marks a conflict."""
    script = (project / SCRIPT).read_bytes()
    older = script.replace(b"        # Your own code before the tables are built.\n", b"        # once\n")
    engine = (project / "scripts/engine/toml.py").read_bytes()
    init = (project / "scripts/engine/__init__.py").read_bytes()
    age(
        project,
        {
            SCRIPT: older,
            "README.md": b"# old\n",
            "macro/dagster-run-process.py": None,
            "scripts/engine/interrupted.py": (project / "scripts/engine/interrupted.py").read_bytes() + b"# older\n",
            "scripts/engine/__init__.py": init + b"# older\n",
            "scripts/engine/toml.py": engine + b"# older\n",
            "scripts/engine/gone.py": b"# gone\n",
        },
    )
    (project / SCRIPT).write_bytes(older.replace(b"# once\n", b'print("mine")\n'))
    (project / "README.md").write_bytes(b"# old\n\nmine\n")


@pytest.fixture
def still_pdbt(tmp_path: Path) -> Path:
    """A copy of pdbt that nobody edits while a test compares what several updates made."""
    for name in ("pdbt", "templates", "sample"):
        shutil.copytree(ROOT / name, tmp_path / "still" / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "still"


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 9])
def test_killed_before_any_act_it_is_the_old_project_or_the_new_one(
    project: Path, run_process: RunProcess, tmp_path: Path, step: int
) -> None:
    make_older(project)
    old = digest_of(project)
    ended = run_process([sys.executable, KILLED_UPDATE, project, tmp_path / "work", str(step)], env={"PYTHONPATH": str(ROOT)})
    assert ended.code == 0, ended.stderr
    *killed, whole = json.loads(ended.stdout)
    assert whole[1] == 0
    new = whole[4]
    assert new != old
    assert len(killed) >= FEWEST_ACTS // step
    assert {code for _, code, *_ in killed} == {-signal.SIGKILL}
    for act, _, digest, journal, finished in killed:
        # Without a journal nothing has happened, or all; with one, whoever comes next finishes it.
        assert journal or digest in (old, new), act
        assert finished == (new if journal or digest == new else old), act
    assert {old, new} == {finished for *_, finished in killed}


def interrupt(project: Path) -> None:
    """Leave a project as an update does that is killed right after its journal was written."""
    plan = plan_update(project)
    _stage(plan)
    assert (project / JOURNAL).exists()


def test_a_run_finishes_the_update_before_anything_else(project: Path, run_project: RunProject, tmp_path: Path) -> None:
    make_older(project)
    shutil.copytree(project, tmp_path / "new" / "shop")
    update_project(tmp_path / "new" / "shop")
    expected = contents(tmp_path / "new" / "shop")
    interrupt(project)
    entries = json.loads((project / JOURNAL).read_text())["entries"]
    for put_in_place in (0, 1, 3):
        killed = tmp_path / f"killed {put_in_place}"
        shutil.copytree(project, killed)
        for entry in entries[:put_in_place]:
            (killed / ".pdbt/update" / entry["staged"]).replace(killed / entry["path"])
        # The update comes before what a run is asked for: once that is a run, else what costs least.
        ended = run_project(killed, *([] if put_in_place == 1 else ["--help"]), script=SAMPLE_SCRIPT)
        assert ended.code == 0, ended.stderr
        assert not (killed / ".pdbt/update").exists()
        assert {name: content for name, content in contents(killed).items() if name in expected} == expected, put_in_place


def test_what_the_owner_changed_after_the_kill_is_kept(project: Path) -> None:
    make_older(project)
    new = {file.path: file.content for file in plan_update(project).files}
    interrupt(project)
    (project / SCRIPT).write_bytes(b"# later\n")
    (project / "scripts/engine/gone.py").write_bytes(b"# later\n")
    assert finish_update(project)
    assert (project / SCRIPT).read_bytes() == b"# later\n"
    assert (project / (SCRIPT + NEW_SUFFIX)).read_bytes() == new[SCRIPT]
    assert (project / "scripts/engine/gone.py").read_bytes() == b"# later\n"
    assert not finish_update(project)


def test_an_update_that_cannot_be_put_in_place_is_finished_later(project: Path) -> None:
    make_older(project)
    shutil.copytree(project, project.with_name("other"))
    update_project(project.with_name("other"))
    interrupt(project)
    (project / "scripts/engine").rename(project / "engine")
    (project / "scripts/engine").write_bytes(b"in the way")
    for _ in range(2):
        with pytest.raises(PdbtError, match=r"cannot be updated: .*\. It is begun: the next pdbt update, or the next run, finishes it"):
            update_project(project)
    with pytest.raises(PdbtError, match="was interrupted"):
        update_project(project, dry_run=True)
    (project / "scripts/engine").unlink()
    (project / "engine").rename(project / "scripts/engine")
    assert update_project(project).files == ()
    assert digest_of(project) == digest_of(project.with_name("other"))


def test_an_update_that_cannot_be_prepared_changes_nothing(project: Path) -> None:
    make_older(project)
    (project / ".pdbt/update").write_bytes(b"in the way")
    before = contents(project)
    with pytest.raises(PdbtError, match=r"cannot be updated: File exists\. Nothing was changed"):
        update_project(project)
    assert contents(project) == before


def test_a_run_that_had_the_old_engine_loaded_is_refused(project: Path, start_process: StartProcess) -> None:
    make_older(project)
    code = f"""
import runpy, sys
sys.path[:0] = [{str(project / "scripts")!r}]
import engine
print("loaded", flush=True)
import time, pathlib
while not pathlib.Path({str(project / "go")!r}).exists():
    time.sleep(0.02)
sys.argv = ["run"]
runpy.run_path({str(project / RUN_SCRIPT)!r}, run_name="__main__")
"""
    process = start_process([sys.executable, "-c", code])
    assert process.stdout is not None
    assert process.stdout.readline() == "loaded\n"
    update_project(project)
    (project / "go").touch()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 75
    assert said.endswith("error: The project was updated while this process had its old engine loaded.\nhint: Start it again.\n")


@pytest.mark.slow
def test_killed_at_random_moments_the_next_run_is_whole(
    old_project: Path, start_process: StartProcess, run_project: RunProject, still_pdbt: Path
) -> None:
    """A whole update, of all files of an engine, ended by somebody else."""
    moments = random.Random(SEED)
    work = old_project.with_name("work")
    old = digest_of(old_project)

    def begin() -> subprocess.Popen[str]:
        return start_process([sys.executable, "-m", "pdbt", "update", work], cwd=still_pdbt)

    shutil.copytree(old_project, work)
    started = time.monotonic()
    assert begin().wait(120) == 0
    seconds, new = time.monotonic() - started, digest_of(work)
    found = []
    for number in range(RANDOM_KILLS):
        shutil.rmtree(work)
        shutil.copytree(old_project, work)
        process = begin()
        time.sleep(moments.uniform(0.3, 1.0) * seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        journal, digest = (work / JOURNAL).exists(), digest_of(work)
        assert journal or digest in (old, new), number
        assert run_project(work, script=SAMPLE_SCRIPT).code == 0, number
        found.append("between" if journal else "old" if digest == old else "new")
        assert begin().wait(120) == 0
        assert engine_of(work) == engine_of(still_pdbt)
    assert set(found) - {"new"}, found


def engine_of(folder: Path) -> dict[str, bytes]:
    """Return the files of the engine of a project, or of pdbt itself."""
    engine = folder / "scripts/engine" if (folder / "scripts").is_dir() else folder / "pdbt/engine"
    return {path.relative_to(engine).as_posix(): path.read_bytes() for path in engine.rglob("*.py")}
