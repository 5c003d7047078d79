"""What tests of the engine's settings share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be a project, in an environment without the variables that these tests use."""
    for name in ("DATABASE_URL", "DB_PASSWORD", "REGION", "API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path
