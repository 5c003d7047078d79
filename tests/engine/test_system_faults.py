"""Faults of the system as sentences: which library this Python lacks, and who lacks which right where."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import duckdb
import pytest

from pdbt.engine.databases import open_database
from pdbt.engine.door import through_the_door
from pdbt.engine.errors import BuildError, SourceError
from pdbt.engine.reading.model import ReadOptions, SourceTable
from pdbt.engine.reading.rejects import Rejects
from pdbt.engine.reading.task import ImportTask
from pdbt.engine.system_faults import DiskFull, is_full, system_faults_told
from tests.conftest import RunProcess
from tests.engine.test_folders import as_a_user, project

__all__ = ["project"]  # a folder that every user can get to


def test_a_python_without_duckdb_is_named_with_what_to_install(tmp_path: Path, run_process: RunProcess) -> None:
    (tmp_path / "data/source").mkdir(parents=True)
    (tmp_path / "macro").mkdir()
    (tmp_path / "pdbt.toml").write_text("")
    (tmp_path / "data/source/orders.csv").write_text("id\n1\n")
    engine = Path(__file__).resolve().parents[2] / "pdbt"
    code = f"import sys; sys.path.insert(0, {str(engine)!r}); from engine.command import main; from pathlib import Path; "
    code += f"sys.exit(main(Path({str(tmp_path)!r}), [lambda run: run.import_sources()]))"
    ended = run_process([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path)
    version = ".".join(map(str, sys.version_info[:3]))
    assert ended.code == 2
    assert f"error: duckdb is not installed for the Python that ran this: {sys.executable}, version {version}." in ended.stderr
    assert f"hint: Run: {sys.executable} -m pip install duckdb, or start it with the Python of the project." in ended.stderr


@pytest.mark.parametrize("name", ["duckdb", "pandas", "nobody_wrote_this"])
def test_every_library_that_is_missing_is_named(capsys: pytest.CaptureFixture[str], name: str) -> None:
    def action() -> int:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    assert through_the_door(action, debug=False, interrupted="") == 2
    assert capsys.readouterr().err.startswith(f"error: {name} is not installed for the Python that ran this: {sys.executable}")
    with pytest.raises(ModuleNotFoundError):
        through_the_door(action, debug=True, interrupted="")


def full(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/somewhere/file")


@pytest.mark.parametrize(
    "error",
    [
        full(errno.ENOSPC),
        full(errno.EDQUOT),
        duckdb.IOException('IO Error: Could not write file "/x/y.duckdb": No space left on device'),
    ],
)
def test_a_full_disk_is_known_whoever_met_it(tmp_path: Path, error: Exception) -> None:
    wrapped = BuildError("T: it failed")
    wrapped.__cause__ = error
    for raised in (error, wrapped):
        with pytest.raises(DiskFull, match="The disk of / is full: the run needs more than"), system_faults_told(tmp_path, None):
            raise raised


@pytest.mark.parametrize(
    "error", [BuildError("PostgreSQL: No space left on device"), ValueError("database or disk is full"), full(errno.EACCES)]
)
def test_what_is_no_full_disk_of_this_machine_is_left_as_it_is(error: Exception) -> None:
    assert not is_full(error)


def test_a_full_disk_is_not_a_file_to_set_aside(tmp_path: Path) -> None:
    source = SourceTable("T", (tmp_path / "t.csv",), "data/source/t.csv")
    with (
        duckdb.connect() as connection,
        Rejects(tmp_path / "r.csv") as rejects,
        ImportTask(source, ReadOptions(on_error="reject"), connection, tmp_path, rejects) as task,
    ):
        with pytest.raises(OSError, match="No space left"):
            task.give_up(tmp_path / "t.csv", full(errno.ENOSPC))
        task.give_up(tmp_path / "t.csv", SourceError("t.csv is broken."))
        assert rejects.count == 1


@pytest.mark.parametrize("database", ["duckdb", "sqlite"])
@pytest.mark.parametrize(("place", "mode"), [("db/.work", 0o555), ("db", 0o555)])
def test_a_missing_right_to_write_names_user_and_path(project: Path, database: str, place: str, mode: int) -> None:
    work = project / "db/.work"
    if place == "db/.work":
        work.mkdir(parents=True)
    (project / place).mkdir(parents=True, exist_ok=True)
    (project / place).chmod(mode)

    def build() -> None:
        with system_faults_told(work, None):
            open_database(database, project=project).open("empty")

    text = as_a_user(build)
    assert "the user " in text
    assert f"may not write in {project / place}." in text


def test_a_missing_right_to_read_names_user_and_path(project: Path) -> None:
    file = project / "data/source/orders.csv"
    file.chmod(0o000)

    def read() -> None:
        with system_faults_told(project, None):
            file.read_text()

    assert f"may not read {file}." in as_a_user(read)
