"""A full disk: one sentence with how much is needed and where, and nothing half made that keeps it full."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RUN_SCRIPT, RunProcess, project_environment
from tests.pipeline.conftest import MakeProject
from tests.pipeline.projects import Project

DISK_MEGABYTES = 24
GROWING = {
    "duckdb": "SELECT id, a || (SELECT string_agg('x', '') FROM range(100)) || n AS b FROM ORDERS, range(40) r(n)",
    "sqlite": """WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 20)
                 SELECT id, a || hex(zeroblob(100)) || n AS b FROM ORDERS, r""",
}
ROWS = 200_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(place)]
    if mount is None or subprocess.run([mount, *options], capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here: it takes Linux and the rights of root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(project: Project, table: str) -> None:
    project.source("ORDERS.csv", "id,a\n" + "".join(f"{number},{number * 7919 % 100003}x\n" for number in range(ROWS)))
    project.processed("BIG", table)


def used(folder: Path) -> int:
    return shutil.disk_usage(folder).used


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_run_that_fills_the_disk_says_so_and_leaves_it_as_it_was(make_project: MakeProject, small_disk: Path, kind: str) -> None:
    made = make_project(kind)
    shutil.copytree(made.path, small_disk / "shop")
    project = Project(small_disk / "shop", kind, made.run_project)
    fill(project, "SELECT id, a AS b FROM ORDERS")
    project.run()
    before, rows = used(small_disk), project.query("SELECT count(*), max(id) FROM BIG")
    project.processed("BIG", GROWING[kind])
    error = project.run(code=2).stderr.splitlines()
    assert error[-2].startswith(f"error: The disk of {small_disk / 'shop'}/")
    assert " is full: the run needs more than " in error[-2]
    assert error[-2].endswith(" MB were free before it.")
    assert error[-1] == "hint: Make room there, then run again: what was half made has been removed."
    assert used(small_disk) <= before + 1_000_000
    assert project.query("SELECT count(*), max(id) FROM BIG") == rows
    project.processed("BIG", "SELECT id, a AS b FROM ORDERS WHERE id = 1")
    project.run()
    assert project.query("SELECT count(*), max(id) FROM BIG") == [(1, 1)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
def test_a_limit_of_the_size_of_files_is_said(make_project: MakeProject, run_process: RunProcess) -> None:
    """A limit of how much a file may grow, which tells of a full disk without one."""
    project = make_project("duckdb")
    fill(project, "SELECT id, a AS b FROM ORDERS WHERE id < 10")
    project.run()
    rows = project.query("SELECT count(*) FROM BIG")
    project.processed("BIG", GROWING["duckdb"])
    for blocks in (2_000, 6_000):
        command = ["bash", "-c", f"ulimit -f {blocks}; exec {sys.executable} {RUN_SCRIPT}"]
        ended = run_process(command, cwd=project.path, env=project_environment())
        assert ended.code == 2, ended.stderr
        assert " cannot grow beyond " in ended.stderr
        assert "this user may write no larger file (ulimit -f), and the run needs one." in ended.stderr
        assert list((project.path / "db/.work").glob("building*")) == []
        assert project.query("SELECT count(*) FROM BIG") == rows
