"""The watcher's settings: a section of pdbt.toml, a file of its own, or a dict."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdbt.engine.errors import SettingsError
from pdbt.engine.settings import load_settings
from pdbt.watch.settings import WatchSettings, load_watch_settings, number_of_cores, settings_of_dict

TAGS = '[watch.tags.orders]\nmatch = "prefix"\ntasks = [["load.py", "1", "logs"], { run = "gzip -k", group = "2" }]\n'


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def load(folder: Path, text: str) -> WatchSettings:
    path = folder / "watch.toml"
    path.write_text(text, encoding="utf-8")
    return load_watch_settings(path)


def refusal(folder: Path, text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(folder, text)
    return caught.value


def test_defaults(tmp_path: Path, inbox: Path) -> None:
    settings = load(tmp_path, f'[watch]\nfolder = "inbox"\n{TAGS}')
    assert settings.folder == inbox
    assert settings.max_workers == number_of_cores()
    assert (settings.recursive, settings.existing, settings.unmatched, settings.grace, settings.rescan) == (False, True, "log", 30, 60)
    assert settings.state.parent == tmp_path / ".pdbt" / "watch"
    assert [task.run for task in settings.pipeline.tags[0].tasks] == ["load.py", "gzip -k"]


def test_every_key_is_read(tmp_path: Path, inbox: Path) -> None:
    text = f"""
[watch]
folder = "{inbox}"
recursive = true
existing = false
unmatched = "move"
unmatched_folder = "other"
max_workers = 7
grace = 1.5
settle = 2
rescan = 5
poll = 0.5
polling = true
state = "state"
logs = "logs/watch"
timeout = 60
retries = 2
retry_delay = 3
{TAGS}
[connections.warehouse]
url = "${{WAREHOUSE_URL}}"
"""
    settings = load(tmp_path, text)
    assert (settings.recursive, settings.existing, settings.unmatched, settings.unmatched_folder) == (
        True,
        False,
        "move",
        tmp_path / "other",
    )
    assert (settings.max_workers, settings.grace, settings.settle, settings.rescan, settings.poll, settings.polling) == (
        7,
        1.5,
        2,
        5,
        0.5,
        True,
    )
    assert settings.state == tmp_path / "state"
    task = settings.pipeline.tags[0].tasks[1]
    assert (task.logs, task.timeout, task.retries, task.retry_delay) == (tmp_path / "logs" / "watch", 60, 2, 3)
    assert settings.connections == {"warehouse": "${WAREHOUSE_URL}"}


def test_a_project_with_the_section_still_runs(tmp_path: Path) -> None:
    (tmp_path / "pdbt.toml").write_text(f'[watch]\nfolder = "inbox"\n{TAGS}', encoding="utf-8")
    assert load_settings(tmp_path).name == tmp_path.name


def test_a_python_file_defines_the_dict(tmp_path: Path, inbox: Path) -> None:
    script = tmp_path / "rules.py"
    script.write_text('PIPELINE = {"orders": [("load.py", "1", "logs")]}\n', encoding="utf-8")
    settings = load_watch_settings(script, inbox, recursive=True)
    assert settings.recursive
    assert settings.pipeline.tags[0].tasks[0].words == (str(tmp_path / "load.py"),)


def test_the_command_line_overrides_the_file(tmp_path: Path, inbox: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    path = tmp_path / "watch.toml"
    path.write_text(f'[watch]\nfolder = "inbox"\ngrace = 1\n{TAGS}', encoding="utf-8")
    settings = load_watch_settings(path, other, recursive=None, grace=5)
    assert (settings.folder, settings.grace, settings.recursive) == (other, 5, False)
    assert load_watch_settings(path).state != settings.state


def test_a_dict_takes_the_same_keys(inbox: Path, tmp_path: Path) -> None:
    settings = settings_of_dict({"x": [("a.py", "1", "logs")]}, inbox, base=tmp_path, max_workers=3)
    assert (settings.max_workers, settings.folder, settings.base) == (3, inbox, tmp_path)


def test_a_dict_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"No folder to watch was named\."):
        settings_of_dict({"x": [("a.py", "1", "logs")]}, base=tmp_path)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "has no [watch].", "[watch.tags.NAME]"),
        ("watch = 1", "watch.toml: watch is 1.", "It must be a section: [watch]."),
        (f"[watch]\nfoldr = 'x'\n{TAGS}", "watch.toml: watch has no key 'foldr'.", "Did you mean folder?"),
        (f"[watch]\nmax_workers = 0\n{TAGS}", "watch.toml: watch.max_workers is 0.", "It must be a whole number, 1 or more."),
        (f"[watch]\nunmatched = 'drop'\n{TAGS}", "watch.unmatched is drop.", 'It must be "log" | "delete" | "move".'),
        (f"[watch]\nrescan = 0\n{TAGS}", "watch.rescan is 0.", "It must be a number of seconds, 0.1 or more."),
        ("[watch]\ntags = 1\n", "watch.tags is 1.", "It must be a section for each tag: [watch.tags.NAME]."),
        ("[watch]\nfolder = '.'", "watch.toml: watch.tags has no tags.", "Write tasks under one"),
        (f"[watch]\n{TAGS}", "No folder to watch was named.", "pdbt watch FOLDER"),
        (f"[watch]\nfolder = 'gone'\n{TAGS}", "gone does not exist, so it cannot be watched.", "Make the folder"),
        (f"[watch]\nfolder = 'watch.toml'\n{TAGS}", "watch.toml is no folder", "Make the folder"),
        (f"[watch]\nfolder = '.'\nunmatched = 'move'\n{TAGS}", "watch.unmatched_folder is missing.", "Name the folder"),
        (f"[watch]\nfolder='.'\nunmatched='move'\nunmatched_folder='.'\n{TAGS}", "which is watched itself.", "outside the watched one"),
        ("[watch]\nfolder='.'\nlogs='.'\n[watch.tags]\na=['b.py']", "The log folder of tag a is the watched folder", "Name another folder"),
        ("[watch", "is not valid TOML: ", "Texts stand in quotes"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(tmp_path: Path, text: str, message: str, hint: str) -> None:
    error = refusal(tmp_path, text)
    assert message in error.message
    assert hint in error.hint
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "cannot be run: ZeroDivisionError: division by zero."),
        ("X = 1", "defines no dict PIPELINE."),
        ("PIPELINE = []", "defines no dict PIPELINE."),
    ],
)
def test_a_python_file_without_the_dict_is_a_sentence(tmp_path: Path, inbox: Path, text: str, message: str) -> None:
    script = tmp_path / "rules.py"
    script.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_watch_settings(script, inbox)
    assert message in caught.value.message


@pytest.mark.parametrize("name", ["gone.toml", "gone.py"])
def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path, inbox: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"does not exist\. Name the file with the tags: --pipeline FILE\."):
        load_watch_settings(tmp_path / name, inbox)
