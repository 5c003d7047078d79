"""Projects that an older pdbt made: one that really was, and new ones that are made to look older."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pdbt.scaffold.base import BASE_FILE, pack_base, read_base
from pdbt.scaffold.generated import Answers
from pdbt.version import __version__
from tests.conftest import MakeProject

# Made by the pdbt of commit 860d4ad, the last one before Dagster:
#   git archive 860d4ad templates sample pdbt | tar -x -C OLD
#   PYTHONPATH=OLD python3 -c "from pdbt.scaffold import *; new_project(NewProject('shop'))"
#   tar --sort=name --mtime=@0 --owner=0 --group=0 --exclude=__pycache__ -cJf project-of-860d4ad.tar.xz shop
# That pdbt kept no base yet; it is packed from the untouched files, which is what a pdbt that keeps one would have written.
OLD_PROJECT = Path(__file__).parents[1] / "fixtures" / "project-of-860d4ad.tar.xz"
OLD_VERSION = "0.0.9"

Age = Callable[[Path, Mapping[str, bytes | None]], None]


def contents(project: Path) -> dict[str, bytes]:
    """Return all files of a project that are neither Python's nor a run's, by path."""
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file() and not path.is_symlink() and not {"__pycache__", ".work"} & set(path.parts)
    }


@pytest.fixture
def old_project(tmp_path: Path) -> Path:
    """A project that an older pdbt made, with its base."""
    with tarfile.open(OLD_PROJECT) as archive:
        archive.extractall(tmp_path, filter="data")
    project = tmp_path / "shop"
    base = pack_base(Answers("shop", "duckdb", None, 3000), contents(project), OLD_VERSION)
    (project / ".pdbt").mkdir()
    (project / BASE_FILE).write_bytes(base)
    return project


def age(project: Path, older: Mapping[str, bytes | None], version: str = OLD_VERSION) -> None:
    """Let a project be one that an older pdbt made, whose templates differed in these files; None is a file that it had not."""
    base = read_base(project)
    assert base is not None
    files = {**base.files, **older}
    for path, content in older.items():
        (project / path).unlink(missing_ok=True)
        if content is not None:
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_bytes(content)
    kept = {path: content for path, content in files.items() if content is not None}
    for name in ("pdbt.toml", "sample/pdbt.toml"):
        if name not in older:
            kept[name] = kept[name].replace(f'"{__version__}"'.encode(), f'"{version}"'.encode())
            (project / name).write_bytes(kept[name])
    (project / BASE_FILE).write_bytes(pack_base(base.answers, kept, version))


@pytest.fixture
def project(make_project: MakeProject) -> Path:
    """A project of this pdbt, to be made older."""
    return make_project()
