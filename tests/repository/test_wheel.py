"""The installed wheel works where there is no checkout, and what it made works where there is no pdbt."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import RUN_SCRIPT, RunProcess
from tests.handlers.serving import free_port
from tests.repository.conftest import CONSTRAINTS, environment_with

ROOT = Path(__file__).resolve().parents[2]
INSTALL_SECONDS = 600
LAUNCH_SECONDS = 90
SAMPLE_SCRIPT = "sample/macro/python-run-process-sample.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(INSTALL_SECONDS), pytest.mark.xdist_group("wheel")]


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_the_wheel_carries_the_templates_and_the_sample_whole(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    carried = {name for name in names if name.startswith("pdbt/_shipped/")}
    expected = {
        f"pdbt/_shipped/{path.relative_to(ROOT).as_posix()}"
        for folder in ("templates", "sample")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert carried == expected


def test_projects_outlive_pdbt(installed: Path, run_process: RunProcess, tmp_path: Path) -> None:
    shops = {database: tmp_path / database / "shop" for database in ("duckdb", "sqlite", "commune")}
    rows = {}
    for database, shop in shops.items():
        words = ("new", shop, "--db", database, "--data", ROOT / "docs" / "demo" / "data" / "orders.csv")
        made = run_process([installed / "pdbt", *words], cwd=tmp_path)
        assert made.code == 0, made.stderr
        first = run_process([installed / "pdbt", "run", shop], cwd=tmp_path)
        assert first.code == 0, first.stderr
        (summary,) = (shop / "data" / "final").glob("*.csv")
        rows[summary] = rows_of(summary)
        assert len(rows[summary]) > 1

    pip = [installed / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    checked = run_process([*pip, "check"])
    assert checked.code == 0, checked.stdout

    # pdbt goes; the projects, with the libraries that they need, stay
    assert run_process([*pip, "uninstall", "--yes", "pdbt"]).code == 0
    assert "ModuleNotFoundError" in run_process([installed / "python", "-c", "import pdbt"], cwd=tmp_path).stderr
    for summary, shop in zip(rows, shops.values(), strict=True):
        summary.unlink()
        again = run_process([installed / "python", shop / RUN_SCRIPT, "--full"], cwd=tmp_path)
        assert again.code == 0, again.stderr
        sample = run_process([installed / "python", shop / SAMPLE_SCRIPT], cwd=tmp_path)
        assert sample.code == 0, sample.stderr
        assert rows_of(summary) == rows[summary]


def test_the_requirements_of_a_project_are_all_it_needs(installed: Path, run_process: RunProcess, tmp_path: Path) -> None:
    """An environment made from requirements.txt alone, with the command that the README of a project names."""
    made = run_process([installed / "pdbt", "new", "shop"], cwd=tmp_path)
    assert made.code == 0, made.stderr
    requirements = tmp_path / "shop" / "requirements.txt"
    asked = [line for line in requirements.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    python = environment_with(tmp_path / "alone", asked) / "python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    filled = run_process([*pip, "install", *CONSTRAINTS, "-r", requirements], timeout=INSTALL_SECONDS)
    assert filled.code == 0, filled.stderr
    assert run_process([python, "-c", "import pdbt"], cwd=tmp_path).code == 1
    result = run_process([python, tmp_path / "shop" / SAMPLE_SCRIPT], cwd=tmp_path)
    assert result.code == 0, result.stderr
    macro, port = tmp_path / "shop" / "macro", free_port()
    try:
        launched = run_process([python, macro / "dagster-run-process-launch.py", "--port", str(port)], cwd=tmp_path, timeout=LAUNCH_SECONDS)
        assert launched.code == 0, launched.stdout + launched.stderr
        assert f"http://127.0.0.1:{port}" in launched.stdout
    finally:
        stopped = run_process([python, macro / "dagster-run-process-stop.py"], cwd=tmp_path, timeout=LAUNCH_SECONDS)
    assert stopped.code == 0, stopped.stderr
