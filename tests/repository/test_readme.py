"""The README's commands, typed as they stand, one after another, by a person who has only a checkout and Python."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from tests.conftest import RunProcess
from tests.repository.conftest import PIP, make

README = Path(__file__).resolve().parents[2] / "README.md"
ALL_COMMANDS_SECONDS = 500

# In one group with those of the wheel, which use the same environment: filling one takes most of a minute.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * ALL_COMMANDS_SECONDS), pytest.mark.xdist_group("wheel")]


def test_a_person_with_a_checkout_and_python_gets_results(checkout: Path, demo_environment: Path, run_process: RunProcess) -> None:
    demo = make(checkout, demo_environment.parent, "demo")  # once more, as it was made by the first
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "REVENUE_BY_COUNTRY" in demo.stdout
    assert "Switzerland" in demo.stdout

    blocks = re.findall(r"^```bash\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 3
    script = "set -e -o pipefail -x\n" + "\n".join(blocks)
    environment = {**PIP, "PATH": f"{demo_environment}:/usr/bin:/bin"}
    typed = run_process(["bash", "-c", script], cwd=checkout, env=environment, timeout=ALL_COMMANDS_SECONDS)
    assert typed.code == 0, typed.stdout + typed.stderr
    with (checkout / "shop" / "data" / "final" / "REVENUE_BY_COUNTRY.csv").open(encoding="utf-8") as results:
        countries = {row["country"] for row in csv.DictReader(results)}
    assert countries == {"Denmark", "France", "Germany", "Portugal", "Spain", "Switzerland"}
    assert list((checkout / "shop" / "sample" / "data" / "final").glob("*.csv"))
