"""`pdbt update --all`: every project of a workspace, each in a line, none stopped by another."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pdbt.project.workspace import add_project, init_workspace
from pdbt.scaffold import NewProject
from pdbt.scaffold.base import BASE_FILE
from tests.conftest import RunProcess
from tests.update.conftest import OLD_VERSION, age, contents

SCRIPT = "scripts/transforming.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace of one project that is new, one that is old, one with a conflict, and one that cannot be read."""
    workspace = init_workspace(tmp_path / "work")
    for organisation, name in (("", "fresh"), ("bakery", "older"), ("bakery", "edited"), ("cellar", "broken")):
        add_project(workspace, NewProject(name), organisation or None)
    for name in ("bakery/older", "bakery/edited", "cellar/broken"):
        age(workspace.root / name, {SCRIPT: b"# old\n"})
    (workspace.root / "bakery/edited" / SCRIPT).write_bytes(b"# mine\n")
    (workspace.root / "cellar/broken" / BASE_FILE).write_bytes(b"nothing")
    return workspace.root


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_each_project_is_a_line_and_a_broken_one_stops_no_other(root: Path, run_process: RunProcess, options: list[str]) -> None:
    before = contents(root)
    ended = run_process([sys.executable, "-m", "pdbt", "update", "--all", *options], cwd=root / "bakery")
    would = bool(options)
    assert ended.code == 2
    assert ended.stdout.splitlines() == [
        "fresh: up to date",
        f"bakery/edited: {'2 would replace, 1 would conflict' if would else '2 replaced, 1 conflict'}",
        f"  {'would conflict' if would else 'conflict':<15}{SCRIPT}: marked in 1 place",
        f"bakery/older: {'3 would replace' if would else '3 replaced'}",
        f"cellar/broken: {root}/cellar/broken/{BASE_FILE} is damaged. Bring it back from version control; or remove it, and the update"
        " keeps each file that differs and puts the new one beside it.",
    ]
    assert (contents(root) == before) == would
    if not would:
        assert b"<<<<<<< yours\n# mine\n" in (root / "bakery/edited" / SCRIPT).read_bytes()
        assert f"pdbt {OLD_VERSION}".encode() in (root / "bakery/edited" / SCRIPT).read_bytes()


def test_a_project_and_all_are_too_much(root: Path, run_process: RunProcess) -> None:
    ended = run_process([sys.executable, "-m", "pdbt", "update", "fresh", "--all"], cwd=root)
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: --all means every project, and ")
