"""Files that are never put away: what the watcher needs, secrets, and projects; and what a file system says of capitals."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pdbt.engine.errors import SettingsError
from pdbt.watch import load_watch_settings
from pdbt.watch.protection import ignores_case, what_it_is
from pdbt.watch.settings import settings_of_dict
from tests.watch.conftest import Scene, wait_until

WAYS = [{"unmatched": "delete"}, {"unmatched": "move", "unmatched_folder": "/elsewhere"}]


def place(folder: Path) -> Path:
    """Make a folder with settings, scripts, a project, and several inboxes."""
    for name in ("inbox", "inbox/below", "tasks", "shop/data/source", "shop/data/inbox", "shop/scripts/final", "shop/data/final"):
        (folder / name).mkdir(parents=True)
    for name in ("shop/pdbt.toml", "tasks/load.py", "tasks/load.sh", "inbox/below/pdbt.toml", ".env"):
        (folder / name).touch()
    (folder / "watch.toml").write_text(
        '[watch]\nlogs = "logs"\n[watch.tags.x]\ntasks = ["tasks/load.py", "sh tasks/load.sh"]\n', encoding="utf-8"
    )
    return folder


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("folder", "recursive", "sentence"),
    [
        (".", False, "holds the file of the settings: "),
        (".", True, "holds the file of the settings: "),
        ("tasks", False, "holds a script of the task 'tasks/load.py': "),
        ("inbox", True, "holds a project: "),
        ("shop", False, "holds a project: "),
        ("shop/scripts/final", False, "holds files of a project: "),
        ("shop/data/final", False, "holds the data of a project: "),
        ("shop/data", True, "holds the data of a project: "),
    ],
)
def test_a_folder_that_holds_more_than_arrivals_is_refused(
    tmp_path: Path, way: dict[str, str], folder: str, recursive: bool, sentence: str
) -> None:
    settings = place(tmp_path) / "watch.toml"
    with pytest.raises(SettingsError) as caught:
        load_watch_settings(settings, tmp_path / folder, recursive=recursive, **way)
    assert sentence in caught.value.message
    assert 'set unmatched = "log"' in caught.value.hint
    assert load_watch_settings(settings, tmp_path / folder, recursive=recursive).unmatched == "log"


@pytest.mark.parametrize(("folder", "recursive"), [("inbox", False), ("shop/data/inbox", True), ("shop/data/source", False)])
def test_a_folder_of_arrivals_is_taken(tmp_path: Path, folder: str, recursive: bool) -> None:
    settings = place(tmp_path) / "watch.toml"
    assert load_watch_settings(settings, tmp_path / folder, recursive=recursive, **WAYS[0]).unmatched == "delete"


def test_the_script_that_has_the_dict_is_not_put_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "watcher.py"
    program.touch()
    monkeypatch.setattr(sys, "argv", [str(program)])
    with pytest.raises(SettingsError, match=r"holds the file of the settings: .*watcher\.py"):
        settings_of_dict({"x": ["load.py"]}, tmp_path, unmatched="delete")
    (tmp_path / "pipeline.py").write_text('PIPELINE = {"x": ["load.py"]}\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"holds the file of the settings: .*pipeline\.py"):
        load_watch_settings(tmp_path / "pipeline.py", tmp_path, unmatched="delete")


def test_a_file_that_came_later_is_kept_when_it_is_one_of_the_watchers(tmp_path: Path) -> None:
    settings = load_watch_settings(place(tmp_path) / "watch.toml", tmp_path / "inbox", **WAYS[0])
    (tmp_path / "inbox" / "link").symlink_to(tmp_path / "watch.toml")
    assert what_it_is(tmp_path / "inbox" / "photo.jpg", settings) == ""
    assert what_it_is(tmp_path / "inbox" / "link", settings) == "the file of the settings"
    assert what_it_is(tmp_path / "inbox" / "below" / "data.csv", settings) == "a file of a project"
    assert what_it_is(tmp_path / "inbox" / ".env.prod", settings) == "a .env.prod"


def test_a_project_that_is_copied_into_the_watched_folder_stays(scene: Scene) -> None:
    scene.watch({"orders": [scene.task("a.py")]}, recursive=True, unmatched="delete")
    (scene.home / "new").mkdir()
    (scene.home / "new" / "pdbt.toml").touch()
    (scene.home / "new" / "notes.txt").touch()
    (scene.home / "new").rename(scene.inbox / "new")
    scene.drop("photo.jpg")
    wait_until(lambda: "notes.txt has no tag, and is kept: it is a file of a project" in scene.log_lines())
    wait_until(lambda: not (scene.inbox / "photo.jpg").exists())
    assert (scene.inbox / "new" / "pdbt.toml").exists()
    assert (scene.inbox / "new" / "notes.txt").exists()


def test_a_file_system_says_whether_it_heeds_capitals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Arrival.csv").touch()
    heeds = not (tmp_path / "aRRIVAL.CSV").exists()
    assert ignores_case(tmp_path) is not heeds
    # As on a system that takes both names for one file: the other name leads to the same file.
    os.link(tmp_path / "Arrival.csv", tmp_path / "aRRIVAL.CSV") if heeds else None
    assert ignores_case(tmp_path)


def test_the_settings_say_more_than_the_file_system(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    (tmp_path / "ONE").touch(exist_ok=True)
    for said in (True, False):
        settings = settings_of_dict({"orders": ["load.py"]}, tmp_path, base=tmp_path, ignore_case=said)
        assert bool(settings.pipeline.matching("ORDERS.csv")) is said
