"""What the tests of the shipped thing share: the wheel, an empty environment, a clean checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.repository.packages import link

ROOT = Path(__file__).resolve().parents[2]
NOT_SHIPPED = shutil.ignore_patterns(".git", ".venv*", ".demo", "__pycache__", ".*_cache", ".hypothesis", "build", "dist", "*.duckdb")
PIP = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_COMPILE": "1"}
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


def environment_with(folder: Path, requirements: Iterable[str]) -> Path:
    """Make an environment with pip and what requirements ask for, and nothing else; return its folder of programs."""
    venv.create(folder, with_pip=False)
    link(folder, ("pip", *requirements))
    return folder / "bin"


@pytest.fixture(scope="session")
def demo_environment(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of the environment that `make demo` makes: with pdbt, what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    made = make(checkout, folder, str(folder / "bin" / "python"), f"PYTHON={sys.executable}")
    assert made.returncode == 0, made.stdout + made.stderr
    link(folder, tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"])
    demo = make(checkout, folder, "demo")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    return folder / "bin"


def make(checkout: Path, environment: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run make in a checkout, with an environment, which it makes if there is none."""
    command = ["make", f"VENV={environment}", *words]
    found = {**_clean_environment(), **PIP}
    return subprocess.run(command, cwd=checkout, env=found, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)


@pytest.fixture
def installed(wheel: Path, demo_environment: Path) -> Path:
    """The folder of programs of an environment with the wheel in place of the checkout; all that it asks for is there already."""
    pip = [str(demo_environment / "python"), "-m", "pip", "--quiet", "install", "--no-index", "--no-deps", "--force-reinstall"]
    environment = {**_clean_environment(), **PIP}
    result = subprocess.run([*pip, str(wheel)], capture_output=True, text=True, timeout=INSTALL_SECONDS, env=environment, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return demo_environment


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
