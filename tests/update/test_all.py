"""`pdbt update --all`: every project of a workspace, each in a line, none stopped by another."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdbt.cli import main
from pdbt.project.workspace import add_project, init_workspace
from pdbt.scaffold import NewProject
from pdbt.scaffold.base import BASE_FILE
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


def test_each_project_is_a_line_and_a_broken_one_stops_no_other(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(root)
    monkeypatch.chdir(root / "bakery")
    assert main(["update", "--all", "--dry-run"]) == 2
    assert capsys.readouterr().out.splitlines() == expected(root, would=True)
    assert contents(root) == before
    assert main(["update", "--all"]) == 2
    assert capsys.readouterr().out.splitlines() == expected(root, would=False)
    assert b"<<<<<<< yours\n# mine\n" in (root / "bakery/edited" / SCRIPT).read_bytes()
    assert f"pdbt {OLD_VERSION}".encode() in (root / "bakery/edited" / SCRIPT).read_bytes()


def expected(root: Path, *, would: bool) -> list[str]:
    """Return the lines that an update of the workspace prints, or a dry run of it."""
    return [
        "fresh: up to date",
        f"bakery/edited: {'2 would replace, 1 would conflict' if would else '2 replaced, 1 conflict'}",
        f"  {'would conflict' if would else 'conflict':<15}{SCRIPT}: marked in 1 place",
        f"bakery/older: {'3 would replace' if would else '3 replaced'}",
        f"cellar/broken: {root}/cellar/broken/{BASE_FILE} is damaged. Bring it back from version control; or remove it, and the update"
        " keeps each file that differs and puts the new one beside it.",
    ]


def test_a_project_and_all_are_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    add_project(init_workspace(tmp_path / "work"), NewProject("fresh"), None)
    monkeypatch.chdir(tmp_path / "work")
    assert main(["update", "fresh", "--all"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: --all means every project, and ")
