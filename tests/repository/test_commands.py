"""make's commands say what is missing, where something is."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conftest import RunProcess

ROOT = Path(__file__).resolve().parents[2]


def test_make_without_a_python_says_how_to_name_one(run_process: RunProcess, tmp_path: Path) -> None:
    result = run_process(["make", "demo", "PYTHON=", f"VENV={tmp_path}/venv"], cwd=ROOT)
    assert result.code == 2
    assert "no Python 3.11 or later found. Name one: make demo PYTHON=" in result.stderr


def test_make_with_a_python_that_has_no_venv_says_how_to_get_it(run_process: RunProcess, tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\n[ "$2" = venv ] && {{ mkdir -p "$3"; exit 1; }}\nexec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    result = run_process(["make", "demo", f"PYTHON={python}", f"VENV={tmp_path}/venv"], cwd=ROOT)
    assert result.code == 2
    assert "apt install python3-venv" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_make_alone_says_what_it_can_do(run_process: RunProcess) -> None:
    result = run_process(["make"], cwd=ROOT)
    assert result.code == 0
    assert "make demo" in result.stdout
    assert "make test" in result.stdout
    assert "make test-latest" in result.stdout
    assert "make constraints" in result.stdout


def test_the_ci_script_is_a_script(run_process: RunProcess) -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert run_process(["bash", "-n", ROOT / ".ci" / "run"]).code == 0
