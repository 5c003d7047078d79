"""`pdbt update` gives files that the templates renamed their new names, in projects that have them under the former ones."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from pdbt.scaffold import update_project
from pdbt.scaffold.base import BASE_FILE, pack_base, read_base
from pdbt.scaffold.generated import generated_files
from pdbt.scaffold.renames import RENAMED
from pdbt.version import __version__
from tests.conftest import RunProcess, RunProject
from tests.update.conftest import OLD_VERSION, contents

LAUNCH = "sample/macro/dagster-run-process-launch-sample.py"
STOP = "sample/macro/dagster-run-process-stop-sample.py"
DATA = "sample/data/source/COUNTRIES.csv"
SAMPLE_SCRIPT = "sample/macro/python-run-process-sample.py"
FIGURES = "sample/scripts/processed/COUNTRY_FIGURES.sql"


@pytest.fixture
def formerly(project: Path) -> Path:
    """A project as it was before the renames, untouched."""
    base = read_base(project)
    assert base is not None
    files = dict(base.files)
    for former, path in RENAMED.items():
        files[former] = files.pop(path)
        (project / path).rename(project / former)
    files[FIGURES] = files[FIGURES].replace(b"FROM SAMPLE_DATA", b"FROM COUNTRIES")
    (project / FIGURES).write_bytes(files[FIGURES])
    (project / BASE_FILE).write_bytes(pack_base(base.answers, files, OLD_VERSION))
    return project


def test_an_untouched_project_has_the_new_names_alone(formerly: Path) -> None:
    """Byte for byte it is what a new project is, which tests/scaffold/test_sample.py runs."""
    plan = update_project(formerly)
    base = read_base(formerly)
    assert base is not None
    assert contents(formerly) == {**generated_files(base.answers), BASE_FILE: (formerly / BASE_FILE).read_bytes()}
    notes = {file.path: file.note for file in plan.files if file.note}
    assert notes == {
        **{path: f"it was {former}" for former, path in RENAMED.items()},
        **{former: f"it is {path} now" for former, path in RENAMED.items()},
    }
    assert plan.exit_code == 0


def test_edits_and_modes_come_along_under_the_new_name(formerly: Path, run_project_warm: RunProject) -> None:
    launch, data = formerly / LAUNCH, formerly / DATA
    launch.write_bytes(launch.read_bytes() + b"\n# my own line\n")
    launch.chmod(0o750)
    rows = data.read_bytes().rstrip(b"\n") + b"\nAtlantis,Oceania,Poseidonis,0.5,-30.5,1000,100\n"
    data.write_bytes(rows)
    assert update_project(formerly).exit_code == 0
    moved = formerly / RENAMED[LAUNCH]
    assert moved.read_bytes().endswith(b"\n# my own line\n")
    assert stat.S_IMODE(moved.stat().st_mode) == 0o750
    assert (formerly / RENAMED[DATA]).read_bytes() == rows
    assert not any((formerly / former).exists() for former in RENAMED)
    assert run_project_warm(formerly, script=SAMPLE_SCRIPT).code == 0
    assert "Atlantis" in (formerly / "sample/data/processed/COUNTRY_FIGURES.csv").read_text(encoding="utf-8")
    assert update_project(formerly).files == ()


def test_what_was_removed_does_not_come_back_and_what_is_taken_is_not_overwritten(formerly: Path) -> None:
    (formerly / STOP).unlink()
    taken = formerly / RENAMED[LAUNCH]
    taken.write_bytes(b"# mine, under this name\n")
    (formerly / LAUNCH).write_bytes(b"# mine too\n")
    plan = update_project(formerly)
    assert not (formerly / RENAMED[STOP]).exists()
    assert taken.read_bytes() == b"# mine, under this name\n"
    assert (formerly / LAUNCH).read_bytes() == b"# mine too\n"
    found = {(file.verb, file.path): file.note for file in plan.files}
    assert found["kept", RENAMED[STOP]] == f"you removed {STOP}, which pdbt {__version__} calls so"
    assert found["beside", RENAMED[LAUNCH]] == f"yours; pdbt {__version__} brings one of the same name"
    assert ("kept", LAUNCH) in found


def test_a_link_and_a_file_that_cannot_be_merged_stay_where_they_are(formerly: Path, tmp_path: Path) -> None:
    (formerly / STOP).rename(tmp_path / "stop.py")
    (formerly / STOP).symlink_to(tmp_path / "stop.py")
    (formerly / DATA).write_bytes(b"caf\xe9\x00binary\n")
    plan = update_project(formerly)
    assert (formerly / STOP).is_symlink()
    assert not (formerly / RENAMED[STOP]).exists()
    assert (formerly / DATA).read_bytes() == b"caf\xe9\x00binary\n"
    assert (formerly / RENAMED[DATA]).is_file()
    found = {(file.verb, file.path): file.note for file in plan.files}
    assert found["left", STOP] == f"it is a symbolic link; pdbt {__version__} calls it {RENAMED[STOP]}"
    assert found["kept", DATA].startswith("you edited it, and it cannot be merged")


def test_without_a_base_the_former_files_stay_and_are_noted(formerly: Path) -> None:
    (formerly / BASE_FILE).unlink()
    before = contents(formerly)
    plan = update_project(formerly)
    after = contents(formerly)
    assert {name: after[name] for name in before} == before
    notes = {file.path: file.note for file in plan.files if file.verb == "kept"}
    assert notes == {
        former: f"pdbt {__version__} calls it {path}; remove it when nothing of yours uses it" for former, path in RENAMED.items()
    }
    assert all((formerly / path).is_file() for path in RENAMED.values())


def test_commands_find_the_former_names_before_an_update(formerly: Path, run_process: RunProcess) -> None:
    (formerly / LAUNCH).write_text("print('the former script')\n", encoding="utf-8")
    launched = run_process([sys.executable, "-m", "pdbt", "launch", formerly, "--sample"])
    assert (launched.code, launched.stdout) == (0, "the former script\n")
