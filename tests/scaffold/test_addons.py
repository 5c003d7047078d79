"""`add_addon` brings files and settings into a project, and loses nothing of a person's."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdbt.engine.errors import PdbtError
from pdbt.engine.settings import load_settings
from pdbt.scaffold import add_addon
from pdbt.scaffold.apply import add_files
from pdbt.scaffold.plan import Plan, PlannedFile
from tests.conftest import MakeProject
from tests.scaffold.snapshots import files_below

ADDED = ["data/inbox/.gitkeep", *(f"macro/watch-run-process{ending}.py" for ending in ("-launch", "-stop", ""))]
EXTENDED = [".gitignore", "pdbt.toml", "requirements.txt"]
BASE = ".pdbt/base.json.zst"  # it is told of the add-on, and is nobody's text


@pytest.fixture
def project(make_project: MakeProject) -> Path:
    return make_project()


def contents(project: Path) -> dict[str, bytes]:
    return {name: (project / name).read_bytes() for name in files_below(project) if name != BASE}


def test_a_watcher_is_added_and_what_was_there_stays(project: Path) -> None:
    before = contents(project)
    planned = add_addon("watch", project, dry_run=True)
    assert contents(project) == before
    assert add_addon("watch", project) == planned
    after = contents(project)
    assert sorted(set(after) - set(before)) == sorted(ADDED)
    assert [name for name in before if after[name] != before[name]] == EXTENDED
    assert all(after[name].startswith(before[name]) for name in before)
    assert load_settings(project).name == "shop"


def test_a_second_time_nothing_changes(project: Path) -> None:
    add_addon("watch", project)
    before = contents(project)
    assert {file.action for file in add_addon("watch", project).files} == {"identical"}
    assert contents(project) == before


def test_settings_of_ones_own_stay(project: Path) -> None:
    settings = project / "pdbt.toml"
    settings.write_text('[watch]\nfolder = "mine"\n', encoding="utf-8")
    plan = add_addon("watch", project)
    assert [file.path for file in plan.with_action("identical")] == ["pdbt.toml"]
    assert settings.read_text(encoding="utf-8") == '[watch]\nfolder = "mine"\n'


def test_a_file_without_a_last_line_end_is_extended_on_a_new_line(project: Path) -> None:
    (project / "requirements.txt").write_text("duckdb", encoding="utf-8")
    add_addon("watch", project)
    assert (project / "requirements.txt").read_text(encoding="utf-8").startswith("duckdb\n\npdbt[watch]>=")


def test_a_script_with_other_content_is_a_conflict_and_nothing_is_written(project: Path) -> None:
    (project / "macro" / "watch-run-process.py").write_text("print('mine')\n", encoding="utf-8")
    before = contents(project)
    with pytest.raises(PdbtError, match=r"There with other content: macro/watch-run-process\.py\. Nothing was written\."):
        add_addon("watch", project)
    assert contents(project) == before


def test_what_was_extended_is_taken_back_when_something_fails(project: Path) -> None:
    before = contents(project)
    mine = PlannedFile("extend", "pdbt.toml", (project / "pdbt.toml").read_bytes() + b"\n# more\n")
    stale = PlannedFile("extend", "README.md", b"what was there when the plan was made, and more")
    with pytest.raises(PdbtError, match=r"There with other content: README\.md"):
        add_files(Plan(project, (PlannedFile("create", "new.txt", b"x"), mine, stale)))
    assert contents(project) == before


def test_a_stream_is_added_and_what_was_there_stays(project: Path) -> None:
    before = contents(project)
    planned = add_addon("stream", project, dry_run=True)
    assert contents(project) == before
    assert add_addon("stream", project) == planned
    after = contents(project)
    assert sorted(set(after) - set(before)) == [
        *(f"data/stream/{name}/.gitkeep" for name in ("clients", "scores", "transactions")),
        *(f"macro/stream-run-process{ending}.py" for ending in ("-launch", "-stop", "")),
        "scripts/stream/pipeline.py",
    ]
    assert [name for name in before if after[name] != before[name]] == [".gitignore", "requirements.txt"]
    assert {file.action for file in add_addon("stream", project).files} == {"identical"}
