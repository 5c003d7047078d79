"""The releases that make installs: constraints.txt names all of them, and make says how they are renewed."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.conftest import RunProcess
from tests.repository.packages import needed

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pinned(text: str) -> dict[str, str]:
    """Return the release of each package that a file of constraints names."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.]*)", line) for line in lines]
    assert [line for line, match in zip(lines, found, strict=True) if match is None] == []
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def test_constraints_name_a_fitting_release_of_all_that_an_extra_needs() -> None:
    """With nothing left to what is newest on the day, and nothing that two packages do not agree about."""
    releases = pinned((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    for extra, texts in {"dependencies": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}.items():
        wanted = list(needed(texts, frozenset(), set()))
        assert len(wanted) >= len(texts) > 0, extra
        wrong = [str(one) for one in wanted if not one.specifier.contains(releases.get(canonicalize_name(one.name), "0"), prereleases=True)]
        assert wrong == [], extra


def test_make_installs_the_releases_of_the_constraints(checkout: Path, run_process: RunProcess) -> None:
    planned = run_process(["make", "--dry-run", "demo", "test", "VENV=none"], cwd=checkout)
    assert planned.code == 0, planned.stderr
    installs = {line for line in planned.stdout.splitlines() if "pip" in line and "install" in line and "echo" not in line}
    assert {line.partition(" install ")[2] for line in installs} == {"--editable .", " --editable '.[dev]'"}
    for install in installs:
        assert "PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt none/bin/python" in install
    # into an environment that it makes with a Python that it finds
    assert re.search(r"^python3[.0-9]* -m venv none ", planned.stdout, flags=re.MULTILINE)


def test_make_test_latest_installs_what_is_newest_in_an_environment_of_its_own(checkout: Path, run_process: RunProcess) -> None:
    planned = run_process(["make", "--dry-run", "test-latest", "LATEST=none"], cwd=checkout)
    assert planned.code == 0, planned.stderr
    lines = planned.stdout.splitlines()
    install = next(line for line in lines if "pip" in line and "install" in line and "echo" not in line)
    assert "PIP_CONSTRAINT= PIP_BUILD_CONSTRAINT= none/bin/python" in install
    assert "install --upgrade --upgrade-strategy eager --editable '.[dev]'" in install
    (tests,) = [line for line in lines if " -m pytest " in line]
    assert tests.startswith("none/bin/python ")
    assert any(line.startswith("PDBT_TEST_LATEST=1 ") for line in lines)


def test_make_constraints_writes_what_the_newest_environment_has(checkout: Path, run_process: RunProcess) -> None:
    """Here that is the environment of these tests, which make takes as renewed."""
    file = checkout / "renewed.txt"
    file.write_text("# The releases of a test.\nduckdb==0.0.1\n", encoding="utf-8")
    command = ["make", "--assume-old=latest", "constraints", f"LATEST={sys.prefix}", f"CONSTRAINTS={file.name}"]
    made = run_process(command, cwd=checkout)
    assert made.code == 0, made.stderr
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# The releases of a test.\n")
    releases = pinned(text)
    assert releases["duckdb"] == importlib.metadata.version("duckdb")
    assert releases["pytest"] == pytest.__version__
    assert "pdbt" not in releases


def test_constraints_name_no_machine() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert re.search(r"file:|https?:| @ |/|\+", text) is None
