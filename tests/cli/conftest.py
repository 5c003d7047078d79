"""The command line as tests type it: within this process, as most of a small command is the start of a Python and its imports."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from pdbt.cli import main
from tests import bytecode
from tests.conftest import Ended, take_project_environment


class Typed:
    """Runs the command line within this process; the scripts that it starts are processes of their own, as always."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *words: str | Path, cwd: Path | None = None) -> Ended:
        folder = cwd or Path.cwd()
        with contextlib.chdir(folder):
            bytecode.lend(words, folder)
            code = main([str(word) for word in words])
        seen = self._capfd.readouterr()
        return Ended(code, seen.out, seen.err)


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Typed:
    """Type a command in the test's own folder, which is empty at first, without the settings of the tester."""
    take_project_environment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return Typed(capfd)
