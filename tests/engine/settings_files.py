"""A project that is no more than its pdbt.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdbt.engine.errors import SettingsError
from pdbt.engine.settings import Settings, load_settings

PASSWORD = "hunter2-correct-horse"


def load(project: Path, text: str) -> Settings:
    (project / "pdbt.toml").write_text(text, encoding="utf-8")
    return load_settings(project)


def refusal(project: Path, text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(project, text)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return caught.value
