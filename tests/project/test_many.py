"""A workspace of three organisations and projects of all types, one of them up in a real Dagster of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pdbt import run_local
from pdbt.engine.process import page
from pdbt.project.workspace import Workspace
from tests.conftest import RunProcess
from tests.process.instances import Shop, dagster_settings
from tests.project.conftest import ORGANISATIONS, TYPES, Add, Pdbt, listed

ANSWER_SECONDS = 30.0


@pytest.mark.slow
def test_a_project_of_each_type_and_organisation(
    workspace: Workspace, add: Add, pdbt: Pdbt, run_process: RunProcess, free_port: Callable[[], int], tmp_path: Path
) -> None:
    """Twelve projects in one Dagster are in test_together."""
    acme, beta, gamma = made = [add(f"{name}_shop", name, database=kind) for name, kind in zip(ORGANISATIONS, TYPES, strict=True)]
    found = listed(pdbt)
    assert {name: (project["organisation"], project["type"]) for name, project in found.items()} == {
        f"{name}_shop": (name, kind) for name, kind in zip(ORGANISATIONS, TYPES, strict=True)
    }
    assert len({project["port"] for project in found.values()}) == len(made)
    assert {project["state"] for project in found.values()} == {"stopped"}

    (workspace.root / "beta" / "constants.toml").write_text("n = 7\n", encoding="utf-8")
    (beta / "scripts" / "final" / "N.sql").write_text("SELECT $n AS n", encoding="utf-8")
    assert run_local(beta).ok
    assert (beta / "data" / "final" / "N.csv").read_text(encoding="utf-8") == "n\n7\n"

    shop = Shop(beta, free_port(), run_process, tmp_path)  # the ports of the range may be somebody else's on the machine of the test
    dagster_settings(beta, port=shop.port, schedule_status="stopped", sensor_status="stopped")
    assert pdbt("launch", beta.name).code == 0
    assert page.look(shop.port, ANSWER_SECONDS).ready
    (acme / "pdbt.toml").write_text("[nonsense]\n", encoding="utf-8")
    (gamma / "scripts" / "final" / "WRONG.py").write_text("def table():\n    raise ValueError('no')\n", encoding="utf-8")
    assert run_local(gamma).status == "failed"
    found = listed(pdbt)
    assert {name: project["state"] for name, project in found.items()} == {
        acme.name: "broken",
        beta.name: "running",
        gamma.name: "stopped",
    }
    assert (found[beta.name]["port"], found[beta.name]["result"], found[gamma.name]["result"]) == (shop.port, "done", "failed")
    assert pdbt("stop", beta.name).code == 0
    assert listed(pdbt)[beta.name]["state"] == "stopped"
    assert shop.family() == []
