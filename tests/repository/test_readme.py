"""The README's commands, typed as they stand, one after another, by a person who has only a checkout and Python."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from tests.conftest import RunProcess

README = Path(__file__).resolve().parents[2] / "README.md"
ALL_COMMANDS_SECONDS = 500
PIP = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_COMPILE": "1"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * ALL_COMMANDS_SECONDS)]


def test_a_person_with_a_checkout_and_python_gets_results(checkout: Path, empty_environment: Path, run_process: RunProcess) -> None:
    """One environment for both halves, as filling one takes most of a minute."""
    for _ in range(2):
        demo = run_process(["make", "demo", f"VENV={empty_environment.parent}"], cwd=checkout, env=PIP, timeout=ALL_COMMANDS_SECONDS)
        assert demo.code == 0, demo.stdout + demo.stderr
        assert "REVENUE_BY_COUNTRY" in demo.stdout
        assert "Switzerland" in demo.stdout

    blocks = re.findall(r"^```bash\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 3
    script = "set -e -o pipefail -x\n" + "\n".join(blocks)
    environment = {**PIP, "PATH": f"{empty_environment}:/usr/bin:/bin"}
    typed = run_process(["bash", "-c", script], cwd=checkout, env=environment, timeout=ALL_COMMANDS_SECONDS)
    assert typed.code == 0, typed.stdout + typed.stderr
    with (checkout / "shop" / "data" / "final" / "REVENUE_BY_COUNTRY.csv").open(encoding="utf-8") as results:
        countries = {row["country"] for row in csv.DictReader(results)}
    assert countries == {"Denmark", "France", "Germany", "Portugal", "Spain", "Switzerland"}
    assert list((checkout / "shop" / "sample" / "data" / "final").glob("*.csv"))
