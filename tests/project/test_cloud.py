"""Other Dagsters on other ports play the cloud: runs reach the right one, give what runs here give, and end clearly whatever happens."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pdbt import PdbtError, backfill, run_cloud, run_local
from pdbt.engine.settings import Parameter
from tests.conftest import StartProcess
from tests.process.conftest import free_port
from tests.process.graphql import ask, assets, runs
from tests.project.conftest import ROOT
from tests.project.elsewhere import TOKEN, Far, Fleet, fleet, given, kill, new_runs, refused, results, stamp, status_of, waited
from tests.project.gate import Gate, opened, wait_for

# The deployments are launched once for all of these tests, on one worker.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("cloud")]

__all__ = ["free_port"]  # a fixture of this room too
PATIENCE_SECONDS = 6.0
PARAMETERS: dict[str, Parameter] = {
    "least": 15,
    "share": 0.1,
    "day": datetime.date(2026, 2, 3),
    "moment": datetime.datetime(2026, 2, 3, 4, 5, 6),
    "fresh": True,
    "word": 'it\'s "so"\nand Zoë 😀 = $least',
    "said": "2026",
    "listed": ["a", "b'c"],
}
RESULT = """\
SELECT id, amount, amount * $share AS share, $day AS day, $moment AS moment, $fresh AS fresh, $word AS word, $said AS said
FROM ORDERS WHERE amount >= $least ORDER BY id
"""
LISTED = """\
import pyarrow


def table(parameters):
    names = sorted(parameters)
    return pyarrow.table({'name': names, 'value': [repr(parameters[name]) for name in names]})
"""
TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two deployments of one project for all tests: paris with DuckDB, lyon with SQLite."""
    with fleet(tmp_path_factory.mktemp("fleet"), paris="duckdb", lyon="sqlite") as found:
        yield found


@pytest.fixture
def here(deployed: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project here, in a folder that is a workspace and names paris as the one deployment."""
    shutil.copytree(deployed.models["duckdb"], tmp_path / "shop")
    name_deployments(tmp_path, deployed, paris="eu")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "shop"


@pytest.fixture
def paris(deployed: Fleet) -> Far:
    """The deployment of DuckDB, up, as if nothing had run on it."""
    return deployed.far("paris")


@pytest.fixture
def lyon(deployed: Fleet) -> Far:
    """The deployment of SQLite, likewise."""
    return deployed.far("lyon")


@pytest.fixture
def held(deployed: Fleet) -> Iterator[Path]:
    """The file that makes runs on paris wait until it has gone: the table that waits is another one than before, so it is made."""
    script = deployed.shops["paris"].project / "scripts/final/SLOW.py"
    script.write_text(f"{script.read_text(encoding='utf-8')}# {time.time_ns()}\n", encoding="utf-8")
    deployed.hold.touch()
    yield deployed.hold
    deployed.hold.unlink(missing_ok=True)


def name_deployments(folder: Path, deployed: Fleet, **labels: str) -> None:
    """Name deployments in the settings of a workspace, with their labels."""
    urls = {name: f"http://127.0.0.1:{deployed.shops[name].port}" for name in labels}
    lines = [f'[deployments.{name}]\nurl = "{urls[name]}"\nlabels = {labels[name].split()}\n' for name in labels]
    (folder / "pdbt-workspace.toml").write_text("".join(lines), encoding="utf-8")


@pytest.fixture
def dated(here: Path, paris: Far) -> Iterator[None]:
    """A result, here and on paris, that a run makes of a parameter without a default."""
    with given({"DAYS.sql": "SELECT $day AS day"}, [here], [paris]):
        yield


def test_labels_lead_to_the_right_one_and_results_are_those_of_a_run_here(
    here: Path, deployed: Fleet, paris: Far, lyon: Far, tmp_path: Path
) -> None:
    name_deployments(tmp_path, deployed, paris="eu night", lyon="eu large")
    light = tmp_path / "deeper/than/projects/shop"
    shutil.copytree(deployed.models["sqlite"], light)
    published = stamp(paris)
    with given({"RESULT.sql": RESULT, "LISTED.py": LISTED}, [here, light], [paris, lyon]):
        local = run_local(light, PARAMETERS)
        assert local.ok, local.error
        assert local.rows["RESULT"] == 2
        far = run_cloud("shop", ["eu", "large"], PARAMETERS, wait=True)
        assert (far.ok, far.status, far.error, far.exit_code, far.deployment) == (True, "done", None, 0, "lyon")
        assert (far.tables, far.rows) == (local.tables, local.rows)
        assert results(lyon.project) == results(light)
        assert runs(lyon.port)[far.run_id] == "SUCCESS"
        assert status_of(lyon) == ["SUCCESS"]
        assert far.url == f"http://127.0.0.1:{lyon.port}/runs/{far.run_id}"
        assert 0 < far.seconds < 100
        assert (status_of(paris), stamp(paris)) == ([], published)

        again = run_cloud("shop", ["large"], PARAMETERS, wait=True)
        assert (again.tables, again.rows) == (local.tables, local.rows)  # also when all of it is reused

        local = run_local(here, PARAMETERS)
        assert local.ok, local.error
        begun = run_cloud(here, ["night"], PARAMETERS)
        assert (begun.status, begun.ok, begun.exit_code, begun.deployment) == ("submitted", False, 0, "paris")
        wait_for(lambda: status_of(paris) == ["SUCCESS"])
        assert runs(paris.port)[begun.run_id] == "SUCCESS"
        assert results(paris.project) == results(here)
        assert results(here)["RESULT"]
        assert len(status_of(lyon)) == 2

        other = {**PARAMETERS, "least": 25}
        local = run_local(here, other)
        there = run_cloud("shop", ["night"], other, wait=True)
        assert (there.tables, there.rows, there.rows["BIG"]) == (local.tables, local.rows, 1)
        shutil.rmtree(here)  # what is run there needs nothing here
        assert run_cloud("acme/shop", ["night"], PARAMETERS, wait=True).rows["BIG"] == 2


def test_what_is_wrong_is_told_with_what_there_is(here: Path, paris: Far, dated: None) -> None:
    where = f"the deployment paris at http://127.0.0.1:{paris.port}"
    assert str(refused("shop", ["us"])) == "No deployment serves the label us. There are: paris (eu)."
    told = refused("shpo", ["eu"])
    assert str(told) == f"T{where[1:]} has no project shpo. Did you mean shop? It has: shop."
    told = refused("shop", parameters={"lest": 1})
    assert told.message == f"--param lest: no file of shop on {where} uses $lest."
    assert told.hint == "Used: $day, $least, $most."
    told = refused("shop", parameters={"least": "many", "day": "2026-01-01"})
    assert str(told) == "--param least=many: least is a whole number in pdbt.toml. Give a whole number."
    assert refused("shop", parameters={"least": 2**70}).hint == "It must be a whole number of at most 64 bits, or a text."
    assert status_of(paris) == []

    failed = run_cloud("shop", parameters={"most": 25, "day": "x"}, wait=True)
    local = run_local(here, {"most": 25, "day": "x"})
    assert (failed.status, failed.ok, failed.exit_code) == ("failed", False, 1)
    assert (failed.error, failed.tables, failed.rows) == (local.error, local.tables, local.rows)
    wrong = paris.project / "scripts/final/WRONG.sql"
    wrong.write_text("SELECT * FROM NOWHERE", encoding="utf-8")
    wait_for(lambda: "cannot load" in str(_said("shop")))
    assert "cannot load shop: " in refused("shop").message
    assert "reads NOWHERE, which no file of this project makes" in refused("shop").message
    wrong.unlink()
    wait_for(lambda: "DAYS" in assets(paris.port))


def _said(project: str) -> str:
    try:
        return run_cloud(project, parameters={"day": "x"}).status
    except PdbtError as error:
        return str(error)


def test_a_run_that_is_stopped_there_after_its_publication(here: Path, deployed: Fleet, paris: Far) -> None:
    with deployed.lingering() as lingers, waited() as (found, _):
        wait_for(lingers.exists)
        (run_id,) = new_runs(paris)
        assert ask(paris.port, TERMINATE, id=run_id)["terminateRun"]["__typename"] == "TerminateRunSuccess"
    (result,) = found
    assert (result.status, result.ok) == ("interrupted", False)
    assert result.error == "The run was stopped. What it made had been published before."
    assert (paris.project / "db" / "database.duckdb").exists()


def test_a_page_that_is_away_for_seconds_another_clock_and_a_token(here: Path, paris: Far, held: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"PARIS_TOKEN={TOKEN}\n", encoding="utf-8")
    for auth, token in (("dagster", ("dagster-cloud-api-token", TOKEN)), ("bearer", ("authorization", f"Bearer {TOKEN}"))):
        with opened(behind=paris.port, token=token, shift=-86_400.0) as gate:
            named(tmp_path, gate, f'token = "${{PARIS_TOKEN}}"\nauth = "{auth}"\n')
            with waited(patience=60.0, full=True) as (found, told):
                wait_for(lambda: status_of(paris)[:1] == ["STARTED"])
                for fault in ("closed", "silent") if auth == "dagster" else ("closed",):
                    before = len(told)
                    setattr(gate, fault, True)
                    wait_for(lambda before=before: len(told) == before + 1)  # type: ignore[misc] # bound now
                    setattr(gate, fault, False)
                    wait_for(lambda before=before: len(told) == before + 2)  # type: ignore[misc]
                    assert told[-1] == "paris is back; the run is still followed."
                held.unlink()
            assert (found[0].status, found[0].rows["SLOW"]) == ("done", 1)
            assert 0 < found[0].seconds < 100
            assert TOKEN not in "".join([*told, repr(found)])
        held.touch()

    with opened(behind=paris.port, falters="launchRun") as gate:  # it has begun, and its answer is lost on the way
        named(tmp_path, gate)
        held.unlink()
        count = len(status_of(paris))
        assert run_cloud("shop", wait=True).ok
        assert len(status_of(paris)) == count + 1


def named(folder: Path, gate: Gate, more: str = "") -> None:
    (folder / "pdbt-workspace.toml").write_text(f'[deployments.paris]\nurl = "{gate.url}"\n{more}', encoding="utf-8")


def test_the_commands(here: Path, paris: Far, held: Path, start_process: StartProcess, tmp_path: Path) -> None:

    def pdbt(*words: str) -> list[str]:
        return [sys.executable, "-m", "pdbt", *words]

    environment = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    shutil.rmtree(here)
    waiting = start_process(pdbt("run", "shop", "--cloud", "--label", "eu", "--wait"), cwd=tmp_path, env=environment)
    wait_for(lambda: status_of(paris) == ["STARTED"])
    assert waiting.stdout is not None
    begun = waiting.stdout.readline()
    url = begun.split()[-1]
    assert begun == f"shop: run {url.rpartition('/')[2]} has begun on paris: {url}\n"
    waiting.send_signal(signal.SIGINT)
    _, said = waiting.communicate(timeout=60)
    assert (waiting.returncode, said) == (130, f"The run goes on, and is no longer waited for: {url}\n")
    assert status_of(paris) == ["STARTED"]
    timed = run_cloud("shop", wait=True, timeout=1.0)
    assert (timed.status, timed.exit_code) == ("running", 1)
    assert timed.error == f"The run has not ended within 1 s. It goes on: {timed.url}"
    held.unlink()
    wait_for(lambda: status_of(paris) == ["SUCCESS", "SUCCESS"])

    for words, code, told in (
        (["--param", "least=15"], 0, "shop: done in "),
        (["--param", "most=15"], 1, "shop: failed in "),
        (["--quiet"], 0, ""),
    ):
        ended = start_process(pdbt("run", "shop", "--cloud", "--wait", *words), cwd=tmp_path, env=environment)
        printed, said = ended.communicate(timeout=60)
        assert (ended.returncode, bool(said)) == (code, code == 1), said
        assert printed.splitlines()[-1].startswith(told) if told else printed == ""
        assert "MOST" in said or code == 0


def test_a_backfill_there_is_resumed_and_begins_nothing_twice(
    here: Path, paris: Far, held: Path, dated: None, start_process: StartProcess, tmp_path: Path
) -> None:
    shutil.rmtree(here)
    words = ["backfill", "shop", "--param", "day", "--from", "2026-01-30", "--to", "2026-02-01", "--cloud"]
    filling = start_process([sys.executable, "-m", "pdbt", *words], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    wait_for(lambda: status_of(paris) == ["STARTED"])
    record = tmp_path / ".pdbt/backfill/shop.jsonl"
    assert '"begun"' in record.read_text(encoding="utf-8")
    os.kill(filling.pid, signal.SIGKILL)
    filling.wait(60)
    held.unlink()
    told: list[str] = []
    result = backfill("shop", "day", "2026-01-30", "2026-02-01", cloud=True, on_value=lambda value: told.append(value.value))
    assert [(value.value, value.status, value.earlier) for value in result.values] == [
        ("2026-01-30", "done", False),
        ("2026-01-31", "done", False),
        ("2026-02-01", "done", False),
    ]
    assert told == ["2026-01-30", "2026-01-31", "2026-02-01"]
    assert status_of(paris) == ["SUCCESS"] * 3
    assert (paris.project / "data/final/DAYS.csv").read_text(encoding="utf-8") == "day\n2026-02-01\n"

    days = backfill("shop", "day", "2026-01-30", "2026-02-03", cloud=True)
    assert [value.earlier for value in days.values] == [True, True, True, False, False]
    assert status_of(paris) == ["SUCCESS"] * 5

    # A run that the deployment knows no longer, as after its history was removed, is begun anew.
    last = json.loads(record.read_text(encoding="utf-8").splitlines()[-1])
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**last, "value": "2026-02-04", "status": "begun", "request": "forgotten"}) + "\n")
    assert [value.status for value in backfill("shop", "day", "2026-02-03", "2026-02-04", cloud=True).values] == ["done", "done"]
    assert len(status_of(paris)) == 6


def test_a_deployment_that_is_killed_is_waited_for_and_followed_on_when_it_is_back_in_time(here: Path, paris: Far, held: Path) -> None:
    where = f"The deployment paris at http://127.0.0.1:{paris.port}"
    # The kill may meet a question that is under way.
    reason = r"(cannot be reached: Connection refused|has broken off: (Remote end closed|Connection reset).*)"
    with waited(patience=100.0) as (found, told):
        wait_for(lambda: status_of(paris) == ["STARTED"])
        kill(paris)
        wait_for(lambda: len(told) == 2)
        assert refused("shop").message == f"{where} cannot be reached: Connection refused."
        with pytest.raises(PdbtError, match="cannot be reached"):
            backfill("shop", "day", "2026-01-30", "2026-02-05", cloud=True)
        with pytest.raises(PdbtError, match="No deployment serves the label us"):
            backfill("shop", "day", "2026-01-30", "2026-02-05", cloud=True, labels=["us"])
        assert paris.launch().code == 0
    assert (found[0].status, status_of(paris)) == ("failed", ["FAILURE"])
    assert str(found[0].error).startswith("Dagster, or the machine, ended while this run was going.")

    with waited(patience=PATIENCE_SECONDS) as (found, told):
        wait_for(lambda: status_of(paris) == ["STARTED", "FAILURE"])
        killed = time.monotonic()
        kill(paris)
    assert time.monotonic() - killed < PATIENCE_SECONDS + 30
    (result,) = found
    assert (result.status, result.ok, result.exit_code) == ("lost", False, 1)
    assert result.error is not None
    assert f"http://127.0.0.1:{paris.port} cannot be reached: Connection refused." in result.error
    assert f"paris having been silent for {PATIENCE_SECONDS:g} s. When it is back, it says so at {result.url}" in result.error
    begun, away = told
    assert begun == f"Run {result.run_id} has begun on paris: {result.url}"
    assert re.fullmatch(rf"{re.escape(where)} {reason}\. It may be back soon: waiting {PATIENCE_SECONDS:g} s for it\.", away)


def test_dagsters_own_page_and_daemon_are_a_deployment_too(
    here: Path, start_process: StartProcess, free_port: Callable[[], int], tmp_path: Path
) -> None:
    """Its location is called after the file; without the daemon it only queues runs, and does not say so."""
    home, port = tmp_path / "dagster_home", free_port()
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    far = tmp_path / "elsewhere" / "far" / "shop"
    shutil.copytree(here, far)
    binaries = Path(sys.executable).parent
    file = ["-f", far / "macro/dagster-run-process.py"]
    (tmp_path / "pdbt-workspace.toml").write_text(f'[deployments.stock]\nurl = "http://127.0.0.1:{port}"\n', encoding="utf-8")
    environment = {"DAGSTER_HOME": str(home)}
    start_process([binaries / "dagster-webserver", *file, "-h", "127.0.0.1", "-p", str(port)], cwd=far, env=environment)
    wait_for(lambda: "shop" in _listed(), 100)
    with waited(parameters={"least": 15}) as (found, told):
        wait_for(lambda: "The run is still in the queue of stock" in "".join(told), 100)
        start_process([binaries / "dagster-daemon", "run", *file], cwd=far, env=environment)
    local = run_local(here, {"least": 15})
    assert (found[0].status, found[0].error) == ("done", None)
    assert (found[0].tables, found[0].rows) == (local.tables, local.rows)
    assert results(far) == results(here)


def _listed() -> str:
    try:
        return run_cloud("nobody").status
    except PdbtError as error:
        return error.hint.partition("It has: ")[2]
