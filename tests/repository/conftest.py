"""What the tests of the shipped thing share: the wheel, an empty environment, a clean checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_SHIPPED = shutil.ignore_patterns(".git", ".venv*", ".demo", "__pycache__", ".*_cache", ".hypothesis", "build", "dist", "*.duckdb")
BUILD_SECONDS = 120
INSTALL_SECONDS = 400
# The releases that make installs; none are named where the tests run with what is newest, as `make test-latest` has it.
CONSTRAINTS = () if os.environ.get("PDBT_TEST_LATEST") else ("--constraint", str(ROOT / "constraints.txt"))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository as a person gets it: without environments, caches and what runs left behind."""
    copy = tmp_path_factory.mktemp("checkout") / "pdbt"
    shutil.copytree(ROOT, copy, ignore=NOT_SHIPPED)
    return copy


@pytest.fixture(scope="session")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(checkout)]
    subprocess.run(command, check=True, capture_output=True, timeout=BUILD_SECONDS)
    (built,) = out.glob("*.whl")
    return built


def make_environment(folder: Path) -> Path:
    """Make an empty virtual environment; return its folder of programs."""
    venv.create(folder, with_pip=True)
    return folder / "bin"


@pytest.fixture
def empty_environment(tmp_path: Path) -> Path:
    """An empty virtual environment's folder of programs, for one test."""
    return make_environment(tmp_path / "empty")


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment into which the wheel, and only the wheel, was installed."""
    programs = make_environment(tmp_path_factory.mktemp("environment") / "venv")
    pip = [str(programs / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "install", "--no-compile", *CONSTRAINTS, str(wheel)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, env=_clean_environment(), check=False)
    assert result.returncode == 0, result.stderr
    return programs


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
