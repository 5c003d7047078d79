"""docs/watch.md says every setting, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pdbt.watch import load_watch_settings
from pdbt.watch.rules import TAG_KEYS, TASK_KEYS
from pdbt.watch.settings import KEYS, settings_of_dict

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "watch.md").read_text(encoding="utf-8")
SOURCES = (Path(__file__).resolve().parents[2] / "pdbt" / "watch").glob("*.py")


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("key", [*sorted(set(KEYS) - {"tags"}), *TAG_KEYS, *TASK_KEYS])
def test_every_key_is_in_the_docs(key: str) -> None:
    assert re.search(rf"^\| (`\w+`, )*`{key}`(, `\w+`)* \|", PAGE, flags=re.MULTILINE)


def test_every_event_is_in_the_docs() -> None:
    events = {name for path in SOURCES for name in re.findall(r"\.tell\(\s*\"(\w+)\"", path.read_text(encoding="utf-8"))}
    assert len(events) > 8
    assert [event for event in sorted(events) if f"`{event}`" not in PAGE] == []


def test_the_settings_in_the_docs_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "data" / "inbox").mkdir(parents=True)
    (tmp_path / "pdbt.toml").write_text(fenced("toml")[0], encoding="utf-8")
    settings = load_watch_settings(tmp_path / "pdbt.toml")
    assert {tag.name: [task.kind for task in tag.tasks] for tag in settings.pipeline.tags} == {
        "orders": ["python", "project"],
        "archive": ["command"],
    }


def test_the_dict_in_the_docs_is_accepted(tmp_path: Path) -> None:
    names: dict[str, dict[str, list[tuple[str, str, str]]]] = {}
    exec(fenced("python")[0].partition("PyPelineWatcher()")[0], names)
    settings = settings_of_dict(names["PIPELINE"], tmp_path)
    assert settings.pipeline.tags[0].groups == ("1", "2")
