"""The README's commands, typed as they stand, one after another, by a person who has only a checkout and Python."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from tests.conftest import RunProcess

README = Path(__file__).resolve().parents[2] / "README.md"
ALL_COMMANDS_SECONDS = 500

pytestmark = [pytest.mark.slow, pytest.mark.timeout(ALL_COMMANDS_SECONDS + 100)]


def test_the_commands_of_the_readme_work_as_they_stand(checkout: Path, empty_environment: Path, run_process: RunProcess) -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 3
    environment = {"PATH": f"{empty_environment}:/usr/bin:/bin", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    script = "set -e -o pipefail -x\n" + "\n".join(blocks)
    result = run_process(["bash", "-c", script], cwd=checkout, env=environment, timeout=ALL_COMMANDS_SECONDS)
    assert result.code == 0, result.stdout + result.stderr
    with (checkout / "shop" / "data" / "final" / "REVENUE_BY_COUNTRY.csv").open(encoding="utf-8") as results:
        countries = {row["country"] for row in csv.DictReader(results)}
    assert countries == {"Denmark", "France", "Germany", "Portugal", "Spain", "Switzerland"}
    assert list((checkout / "shop" / "sample" / "data" / "final").glob("*.csv"))


def test_make_demo_shows_results_twice_over(checkout: Path, run_process: RunProcess) -> None:
    for _ in range(2):
        result = run_process(["make", "demo"], cwd=checkout, timeout=ALL_COMMANDS_SECONDS)
        assert result.code == 0, result.stdout + result.stderr
        assert "REVENUE_BY_COUNTRY" in result.stdout
        assert "Switzerland" in result.stdout
