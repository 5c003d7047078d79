"""Notices of a watcher: a task that fails for file after file is told once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pdbt.engine.errors import SettingsError
from pdbt.watch import Watcher, load_watch_settings
from tests.notices.conftest import TOKEN, Listener

DEADLINE_SECONDS = 30.0
TASK = "import pathlib, sys\nsys.exit('bad' in pathlib.Path(sys.argv[-1]).read_text())\n"


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: Listener) -> Path:
    """Settings of a watcher whose one task fails for files that say so."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "load.py").write_text(TASK, encoding="utf-8")
    path = tmp_path / "watch.toml"
    path.write_text(
        '[watch]\nfolder = "inbox"\nretries = 1\nretry_delay = 0.1\n[watch.tags.orders]\ntasks = ["load.py"]\n'
        '[notifications]\nurls = ["${NOTIFY_URL}"]\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("NOTIFY_URL", listener.url)
    return path


def arrive(folder: Path, name: str, text: str) -> None:
    temporary = folder.parent / f"{name}.part"
    temporary.write_text(text, encoding="utf-8")
    temporary.rename(folder / name)


def wait_for(events: Sequence[object], count: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(events) < count:
        assert time.monotonic() < deadline, events
        time.sleep(0.02)


def test_a_task_that_fails_for_three_files_is_told_once_and_once_when_it_works_again(settings_file: Path, listener: Listener) -> None:
    ended: list[str] = []
    told = lambda event: ended.append(event["state"]) if event["event"] == "ended" else None  # noqa: E731
    inbox = settings_file.parent / "inbox"
    with Watcher(None, settings_file, listener=told):
        for number in range(3):
            arrive(inbox, f"orders_{number}.csv", "bad")
            wait_for(ended, 2 * (number + 1))
        arrive(inbox, "orders_3.csv", "good")
        wait_for(ended, 7)
        arrive(inbox, "orders_4.csv", "good")
        wait_for(ended, 8)
    assert ended == [*["waiting", "failed"] * 3, "done", "done"]
    assert listener.titles == ["inbox: load failed", "inbox: load works again"]
    lines = listener.received[0]["message"].splitlines()
    assert lines[0] == f"File: {inbox}/orders_0.csv"
    assert lines[2] == "Error: it ended with exit code 1"
    assert lines[3].startswith("Log: ")


def test_a_watcher_whose_folder_goes_away_is_told_once_and_when_it_is_back(settings_file: Path, listener: Listener) -> None:
    inbox = settings_file.parent / "inbox"
    with Watcher(None, settings_file):
        inbox.rename(inbox.with_name("elsewhere"))
        wait_for(listener.received, 1)
        inbox.with_name("elsewhere").rename(inbox)
        wait_for(listener.received, 2)
    assert listener.titles == ["inbox: the watcher pauses", "inbox: the watcher goes on"]


def test_what_the_section_may_not_hold_is_told_without_the_value(settings_file: Path) -> None:
    settings_file.write_text(settings_file.read_text(encoding="utf-8").replace('["${NOTIFY_URL}"]', f'"slack://{TOKEN}"'), encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_watch_settings(settings_file)
    assert str(refused.value) == "watch.toml: notifications.urls is not what it may be. It must be a list of texts."
