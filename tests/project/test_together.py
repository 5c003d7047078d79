"""Projects of three organisations and all types in one real Dagster, one of them broken on purpose, and one up by itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from pdbt.engine.process import page
from pdbt.project.workspace import Workspace
from tests.conftest import RunProcess
from tests.process import graphql
from tests.process.instances import Shop, dagster_settings, is_running, wait_until
from tests.project.conftest import ORGANISATIONS, TYPES, Add, Pdbt, listed

TOGETHER_SECONDS = 120.0
ANSWER_SECONDS = 30.0
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
  __typename ... on RepositoryLocation { repositories { assetNodes { id } schedules { description scheduleState { status } } } }
} } } } }"""
TICKS = """query($location: String!) { sensorOrError(sensorSelector: {repositoryName: "__repository__",
  repositoryLocationName: $location, sensorName: "source_files"}) { ... on Sensor { sensorState { ticks(limit: 5) { skipReason } } } } }"""


def locations(port: int) -> dict[str, dict[str, Any]]:
    """Return the code locations of the page that can be used, each with its one repository."""
    entries = graphql.ask(port, LOCATIONS)["workspaceOrError"]["locationEntries"]
    found = {entry["name"]: entry["locationOrLoadError"] for entry in entries}
    return {name: one["repositories"][0] for name, one in found.items() if one["__typename"] == "RepositoryLocation"}


def furnish(project: Path) -> None:
    """Give a project the sample's pipeline, and helpers of names that the other projects use too."""
    sample = project / "sample"
    for folder in ("data/source", "scripts/processed", "scripts/final", "scripts/checks"):
        shutil.copytree(sample / folder, project / folder, dirs_exist_ok=True)
    (project / "scripts" / "helper.py").write_text(f"NAME = {project.name!r}\n", encoding="utf-8")
    script = project / "scripts" / "results.py"
    text = script.read_text(encoding="utf-8")
    told = "import helper\nfrom pathlib import Path\nPath('seen.txt').write_text(helper.NAME)\n"
    script.write_text(text.replace("from __future__ import annotations\n", f"from __future__ import annotations\n{told}"), encoding="utf-8")
    dagster_settings(project, schedule_status="stopped", sensor_status="stopped")


@pytest.mark.slow
def test_the_whole_workspace_in_one_dagster(
    workspace: Workspace, add: Add, pdbt: Pdbt, run_process: RunProcess, free_port: Callable[[], int], tmp_path: Path
) -> None:
    kinds = dict(zip((f"{name}_{number}" for name in ORGANISATIONS for number in range(4)), 4 * TYPES, strict=True))
    made = [add(name, name.partition("_")[0], database=kind) for name, kind in kinds.items()]
    first, failing, healthy, broken, other, alone = (made[place] for place in (0, 1, 4, 5, 8, 9))
    for project in made:
        furnish(project)
    found = listed(pdbt)
    assert {name: (one["organisation"], one["type"]) for name, one in found.items()} == {
        name: (name.partition("_")[0], kind) for name, kind in kinds.items()
    }
    assert len({one["port"] for one in found.values()}) == len(made)
    assert {one["state"] for one in found.values()} == {"stopped"}

    # What an organisation shares, and a run that failed before.
    (healthy.parent / "constants.toml").write_text("n = 7\n", encoding="utf-8")
    (healthy / "scripts" / "final" / "N.sql").write_text("SELECT $n AS n", encoding="utf-8")
    wrong = failing / "scripts" / "final" / "WRONG.py"
    wrong.write_text("def table():\n    raise ValueError('no')\n", encoding="utf-8")
    assert pdbt("run", failing.name).code == 1
    assert listed(pdbt)[failing.name]["result"] == "failed"
    wrong.unlink()
    settings = (broken / "pdbt.toml").read_text(encoding="utf-8")
    (broken / "pdbt.toml").write_text("[nonsense]\n", encoding="utf-8")
    automation = other / "scripts" / "engine" / "orchestration" / "automation.py"
    automation.write_text(
        automation.read_text(encoding="utf-8").replace("Runs the pipeline; what did", "Its own engine; what did"), "utf-8"
    )
    shop = Shop(alone, free_port(), run_process, tmp_path)
    dagster_settings(alone, port=shop.port, sensor_status="running")
    assert pdbt("launch", alone.name).code == 0
    assert page.look(shop.port, ANSWER_SECONDS).ready
    found = listed(pdbt)
    assert (found[alone.name]["state"], found[alone.name]["port"]) == ("running", shop.port)

    port = free_port()
    told = pdbt("launch", "--all", "--port", str(port), "--timeout", str(TOGETHER_SECONDS))
    assert (told.code, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    record = json.loads((workspace.root / ".dagster" / "dagster.pid").read_text(encoding="utf-8"))
    assert lines[0] == f"ws: Dagster is running at http://127.0.0.1:{port} (PID {record['pid']})."
    states = dict(line.split(maxsplit=1) for line in lines[1:13])
    assert [*states] == [f"{project.parent.name}/{project.name}" for project in made]
    assert states[f"beta/{broken.name}"].startswith("broken: pdbt.toml: there is no section [nonsense]. Allowed: ")
    assert states[f"gamma/{alone.name}"] == f"its own Dagster is up at http://127.0.0.1:{shop.port} and keeps schedule and sensor"
    assert sorted(states.values()).count("ready") == 10
    assert lines[13:] == [f"Log:  {workspace.root / '.dagster' / 'dagster.log'}", "Stop: pdbt stop --all"]
    again = pdbt("launch", "--all")
    assert (again.code, again.stdout.startswith("ws: Dagster is already running at ")) == (0, True)
    assert pdbt("status", "--all").stdout.startswith(f"ws: Dagster is running at http://127.0.0.1:{port} (PID {record['pid']}) since ")
    root = psutil.Process(record["pid"])
    assert len(root.children(recursive=True)) == 2  # what runs are forked from, and what counts its files

    usable = locations(port)
    assert set(usable) == {project.name for project in made} - {broken.name}
    assert {name: len(found["assetNodes"]) for name, found in usable.items()} == {name: 7 if name == healthy.name else 5 for name in usable}
    assert {"acme_0/SAMPLE_DATA", "gamma_1/SAMPLE_DATA"} <= graphql.assets(port)
    described = {name: found["schedules"][0]["description"] for name, found in usable.items()}
    assert {name for name, text in described.items() if text.startswith("Its own engine;")} == {other.name}

    wanted = [project for project in made if project != broken]
    started = {project: graphql.launch_run(port, project.name) for project in wanted}
    assert {project.name: graphql.wait_for_run(port, run) for project, run in started.items()} == {p.name: "SUCCESS" for p in wanted}
    for project in wanted:
        assert (project / "seen.txt").read_text(encoding="utf-8") == project.name
    assert len({(project / "data" / "final" / "CONTINENTS.csv").read_bytes() for project in wanted}) == 1
    assert (healthy / "data" / "final" / "N.csv").read_text(encoding="utf-8") == "n\n7\n"
    assert ", 0 made, " in pdbt("run", first.name).stdout
    tags = graphql.ask(port, "{ runsOrError(limit: 20) { ... on Runs { results { tags { key value } } } } }")["runsOrError"]["results"]
    assert {tag["value"] for run in tags for tag in run["tags"] if tag["key"] == "pdbt/project"} == {project.name for project in wanted}

    found = listed(pdbt)
    assert found[broken.name]["state"] == "broken"
    assert {name: (one["state"], one["dagster"]) for name, one in found.items() if name != broken.name} == {
        project.name: ("running", "own" if project == alone else "workspace") for project in wanted
    }
    assert {one["port"] for name, one in found.items() if name not in (broken.name, alone.name)} == {port}
    assert {one["result"] for name, one in found.items() if name != broken.name} == {"done"}

    own = json.loads(pdbt("status", first.name, "--json").stdout)
    assert (own["running"], own["workspace_url"]) == (False, f"http://127.0.0.1:{port}")
    schedule = [entry for entry in json.loads(pdbt("doctor", first.name, "--json").stdout) if entry["name"] == "schedule"]
    assert [(entry["state"], entry["text"]) for entry in schedule] == [("warning", "*/5 * * * *, UTC: it is switched off.")]

    # The schedule and sensor of the one that is up by itself run there, and only there.
    def skipped() -> bool:
        ticks = graphql.ask(port, TICKS, location=alone.name)["sensorOrError"]["sensorState"]["ticks"]
        return any(f"The project's own Dagster at http://127.0.0.1:{shop.port} " in (tick["skipReason"] or "") for tick in ticks)

    wait_until(skipped)

    # What is corrected, broken and added is read anew.
    (broken / "pdbt.toml").write_text(settings, encoding="utf-8")
    (first / "scripts" / "final" / "A.sql").write_text("SELECT * FROM A", encoding="utf-8")
    added = add("late", "gamma")
    wanted_names = {project.name for project in made} - {first.name} | {added.name}
    wait_until(lambda: set(locations(port)) == wanted_names)
    assert graphql.wait_for_run(port, graphql.launch_run(port, broken.name)) == "SUCCESS"
    assert listed(pdbt)[first.name]["state"] == "broken"
    shutil.rmtree(added)
    wait_until(lambda: added.name not in locations(port))

    ended = pdbt("stop", "--all")
    assert (ended.code, ended.stderr) == (0, "")
    assert f"ws: Dagster stopped (PID {record['pid']}, 3 processes) in " in ended.stdout
    assert f"{alone.name}: Dagster stopped (PID " in ended.stdout
    assert not is_running(record["pid"])
    assert shop.family() == []
    assert {one["state"] for one in listed(pdbt).values()} == {"stopped"}
