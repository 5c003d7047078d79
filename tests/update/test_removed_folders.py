"""A folder that its owner removed as a whole stays removed, also when the templates have a new file in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pdbt.scaffold import update_project
from pdbt.version import __version__
from tests.update.conftest import age


@pytest.fixture
def lacking(project: Path) -> Path:
    """A project whose templates had one check of the sample less than they have now."""
    path = next(found for found in sorted((project / "sample/scripts").rglob("*.sql")))
    age(project, {path.relative_to(project).as_posix(): None})
    return path


@pytest.mark.parametrize(
    ("removed", "left", "said"),
    [
        ("sample", (), "sample"),
        ("sample", ("sample/macro/execution.log", "sample/db/database.duckdb"), "sample"),
        ("sample/scripts", (), "sample/scripts"),
    ],
)
def test_a_new_file_is_not_put_into_it(project: Path, lacking: Path, removed: str, left: tuple[str, ...], said: str) -> None:
    shutil.rmtree(project / removed)
    for name in left:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    plan = update_project(project)
    name = lacking.relative_to(project).as_posix()
    (told,) = [file for file in plan.files if file.path == name]
    assert (told.verb, told.note) == ("kept", f"you removed {said}/; pdbt {__version__} has this new file in it")
    assert not lacking.exists()
    assert sorted(path.relative_to(project).as_posix() for path in (project / removed).rglob("*") if path.is_file()) == sorted(left)
    assert update_project(project).files == ()
    assert not lacking.exists()


def test_a_new_file_is_put_into_a_folder_of_which_something_is_left(project: Path, lacking: Path) -> None:
    shutil.rmtree(project / "sample/data")
    update_project(project)
    assert lacking.is_file()


def test_a_new_folder_comes(project: Path) -> None:
    files = [path.relative_to(project).as_posix() for path in (project / "sample").rglob("*") if path.is_file()]
    age(project, dict.fromkeys(files))
    shutil.rmtree(project / "sample", ignore_errors=True)
    update_project(project)
    assert (project / "sample/pdbt.toml").is_file()
