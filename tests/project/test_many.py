"""A workspace of three organisations and twelve projects of all types, four of them up together in a real Dagster."""

from __future__ import annotations

from collections import Counter
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
def test_twelve_projects(
    workspace: Workspace, add: Add, pdbt: Pdbt, run_process: RunProcess, free_port: Callable[[], int], tmp_path: Path
) -> None:
    made = [add(f"{name}_{number}", name, database=TYPES[number % 3]) for name in ORGANISATIONS for number in range(4)]
    found = listed(pdbt)
    assert Counter(project["organisation"] for project in found.values()) == dict.fromkeys(ORGANISATIONS, 4)
    assert Counter(project["type"] for project in found.values()) == {"duckdb": 6, "sqlite": 3, "commune": 3}
    assert len({project["port"] for project in found.values()}) == 12
    assert {project["state"] for project in found.values()} == {"stopped"}

    (workspace.root / "beta" / "constants.toml").write_text("n = 7\n", encoding="utf-8")
    for project in made[4:8]:
        (project / "scripts" / "final" / "N.sql").write_text("SELECT $n AS n", encoding="utf-8")
        assert run_local(project).ok
        assert (project / "data" / "final" / "N.csv").read_text(encoding="utf-8") == "n\n7\n"

    shops = [Shop(project, free_port(), run_process, tmp_path) for project in made[4:8]]
    for shop in shops:  # the ports of the range may be somebody else's on the machine of the test
        dagster_settings(shop.project, port=shop.port, schedule_status="stopped", sensor_status="stopped")
        assert pdbt("launch", shop.project.name).code == 0
    found = listed(pdbt)
    assert {name for name, project in found.items() if project["state"] == "running"} == {shop.project.name for shop in shops}
    for shop in shops:
        assert page.look(shop.port, ANSWER_SECONDS).ready
        assert (found[shop.project.name]["port"], found[shop.project.name]["result"]) == (shop.port, "done")

    (made[0] / "pdbt.toml").write_text("[nonsense]\n", encoding="utf-8")
    (made[8] / "scripts" / "final" / "WRONG.py").write_text("def table():\n    raise ValueError('no')\n", encoding="utf-8")
    assert run_local(made[8]).status == "failed"
    for shop in shops[:2]:
        assert pdbt("stop", shop.project.name).code == 0
    found = listed(pdbt)
    states = {name: project["state"] for name, project in found.items()}
    assert Counter(states.values()) == {"running": 2, "stopped": 9, "broken": 1}
    assert (states["acme_0"], found["gamma_0"]["result"]) == ("broken", "failed")
    for shop in shops[2:]:
        assert pdbt("stop", shop.project.name).code == 0
    assert all(not shop.family() for shop in shops)
