"""What becomes of a project when Dagster runs it, wholly or in part."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster
import pytest

from pdbt.engine.settings import DagsterSettings, load_settings
from tests.conftest import RunProject
from tests.orchestration.conftest import Load
from tests.pipeline.conftest import MakeProject
from tests.pipeline.projects import ALL_REVENUE, REVENUE, REVENUE_ROWS, Project, ask, shop

JOB = "main_pipeline_job"


def materialized(result: dagster.ExecuteInProcessResult) -> dict[str, str]:
    """Return what was made, and whether it was rebuilt, reused or written, in order."""
    events = [event.materialization for event in result.all_events if event.event_type_value == "ASSET_MATERIALIZATION"]
    return {event.asset_key.to_user_string(): str(event.metadata["result"].value) for event in events}


def reported(instance: dagster.DagsterInstance) -> set[str]:
    """Return what the history has of all runs, also of what a run that failed had made."""
    events = instance.event_log_storage.get_event_records(dagster.EventRecordsFilter(dagster.DagsterEventType.ASSET_MATERIALIZATION))
    return {event.asset_key.to_user_string() for event in events if event.asset_key is not None}


def checked(result: dagster.ExecuteInProcessResult) -> dict[str, bool]:
    return {evaluation.check_name: evaluation.passed for evaluation in result.get_asset_check_evaluations()}


def failure(result: dagster.ExecuteInProcessResult) -> str:
    """Return what the person is told of the step that failed."""
    (event,) = (event for event in result.all_events if event.event_type_value == "STEP_FAILURE")
    data = event.step_failure_data
    assert data.user_failure_data is not None
    return str(data.user_failure_data.description)


def part(repository: dagster.RepositoryDefinition, *keys: str) -> dagster.JobDefinition:
    """Return the job that the page runs when these assets are chosen."""
    chosen = [dagster.AssetKey(key.split("/")) for key in keys]
    job = repository.get_implicit_job_def_for_assets(chosen)
    assert job is not None
    return job.get_subset(asset_selection=set(chosen))


EVERY_ASSET = [
    "ORDERS",
    "CUSTOMERS",
    "PRODUCTS",
    "ORDER_LINES",
    "REVENUE",
    "CATALOGUE",
    "data/processed/ORDER_LINES.csv",
    "data/final/REVENUE.csv",
    "data/final/CATALOGUE.csv",
]


@pytest.mark.parametrize("kind", ["duckdb", "sqlite", "postgresql"])
def test_the_job_does_what_the_classic_run_does(
    make_project: MakeProject, load: Load, instance: dagster.DagsterInstance, kind: str, apart: RunProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = shop(replace(make_project(kind), run_project=apart))
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    job = load(project.path).get_job(JOB)
    first = job.execute_in_process(instance=instance)
    assert materialized(first) == {key: "written" if "/" in key else "rebuilt" for key in EVERY_ASSET}
    assert checked(first) == {"ORDERS_HAVE_CUSTOMERS": True}
    assert project.query(ALL_REVENUE) == REVENUE_ROWS
    assert project.exported("final/REVENUE.csv")[0]["amount"] == "75"
    assert project.made_by_a_run() == set(), "the classic run finds nothing left to do"

    second = job.execute_in_process(instance=instance)
    assert materialized(second) == dict.fromkeys(EVERY_ASSET, "reused")
    assert checked(second) == {"ORDERS_HAVE_CUSTOMERS": True}
    assert project.records()[-1]["status"] == "done"


def test_a_materialization_shows_rows_columns_a_preview_and_of_a_result_a_chart(
    project: Project, load: Load, instance: dagster.DagsterInstance
) -> None:
    result = load(project.path).get_job(JOB).execute_in_process(instance=instance)
    events = result.get_asset_materialization_events()
    made: dict[str, dict[str, Any]] = {
        event.materialization.asset_key.to_user_string(): {key: shown.value for key, shown in event.materialization.metadata.items()}
        for event in events
    }
    revenue = made["REVENUE"]
    assert revenue["dagster/row_count"] == 2
    assert [(column.name, column.type) for column in revenue["dagster/column_schema"].columns] == [
        ("country", "VARCHAR"),
        ("orders", "BIGINT"),
        ("amount", "BIGINT"),
    ]
    assert revenue["preview"] == "| country | orders | amount |\n| --- | --- | --- |\n| CH | 2 | 75 |\n| PT | 2 | 150 |"
    assert "CH" in revenue["chart"]
    assert "chart" not in made["ORDERS"]
    assert revenue["seconds"] > 0


def looks(result: dagster.ExecuteInProcessResult) -> dict[str, tuple[object, object]]:
    """Return of each table what became of it, and its preview."""
    events = [event.materialization for event in result.get_asset_materialization_events()]
    return {
        event.asset_key.path[0]: (event.metadata["result"].value, event.metadata["preview"].value)
        for event in events
        if len(event.asset_key.path) == 1
    }


def test_a_reused_table_keeps_its_preview_until_it_is_another(project: Project, load: Load, instance: dagster.DagsterInstance) -> None:
    job = load(project.path).get_job(JOB)
    first, second = (looks(job.execute_in_process(instance=instance)) for _ in range(2))
    assert {name: preview for name, (_, preview) in second.items()} == {name: preview for name, (_, preview) in first.items()}
    assert {result for result, _ in second.values()} == {"reused"}

    project.source("ORDERS.csv", "id,customer,amount\n1,10,1000\n")
    project.run()
    third = looks(job.execute_in_process(instance=instance))
    assert third["REVENUE"] == ("reused", "| country | orders | amount |\n| --- | --- | --- |\n| PT | 1 | 1000 |")


def test_a_part_is_made_and_not_published(project: Project, load: Load, instance: dagster.DagsterInstance) -> None:
    project.run()
    project.source("ORDERS.csv", "id,customer,amount\n1,10,1000\n")
    repository = load(project.path)
    result = part(repository, "ORDERS", "ORDER_LINES").execute_in_process(instance=instance)
    assert materialized(result) == {"ORDERS": "rebuilt", "ORDER_LINES": "rebuilt"}
    assert project.query(ALL_REVENUE) == REVENUE_ROWS
    assert project.query("SELECT count(*) FROM ORDERS") == [(4,)]

    whole = repository.get_job(JOB).execute_in_process(instance=instance)
    assert materialized(whole)["ORDER_LINES"] == "reused", "what the part made is gone on with"
    assert materialized(whole)["REVENUE"] == "rebuilt"
    assert project.query(ALL_REVENUE) == [("PT", 1, 1000)]


def test_a_part_reads_what_is_there_of_what_was_not_chosen(project: Project, load: Load, instance: dagster.DagsterInstance) -> None:
    project.run()
    project.source("ORDERS.csv", "id,customer,amount\n1,10,1000\n")
    project.final("REVENUE", "SELECT country, 0 AS orders, 0 AS amount FROM ORDER_LINES GROUP BY country ORDER BY country\n")
    result = part(load(project.path), "REVENUE").execute_in_process(instance=instance)
    assert materialized(result) == {"REVENUE": "rebuilt"}
    assert project.query(ALL_REVENUE) == REVENUE_ROWS
    project.run()
    assert project.query(ALL_REVENUE) == [("PT", 0, 0)]


def test_a_part_whose_inputs_were_never_made_says_which(project: Project, load: Load, instance: dagster.DagsterInstance) -> None:
    result = part(load(project.path), "REVENUE").execute_in_process(instance=instance, raise_on_error=False)
    assert "scripts/final/REVENUE.sql reads ORDER_LINES, which is not there yet." in failure(result)


def test_an_export_by_itself_is_refused_while_something_is_not_up_to_date(
    project: Project, load: Load, instance: dagster.DagsterInstance
) -> None:
    project.run()
    project.source("ORDERS.csv", "id,customer,amount\n1,10,1000\n")
    repository = load(project.path)
    chosen = part(repository, "PRODUCTS", "CATALOGUE", "data/final/CATALOGUE.csv")
    refused = chosen.execute_in_process(instance=instance, raise_on_error=False)
    assert "ORDERS is not up to date (data/source/ORDERS.csv changed), so nothing was published." in failure(refused)
    assert project.query(ALL_REVENUE) == REVENUE_ROWS

    project.run()
    (project.path / "data/final/CATALOGUE.csv").unlink()
    assert materialized(chosen.execute_in_process(instance=instance))["data/final/CATALOGUE.csv"] == "written"
    assert (project.path / "data/final/CATALOGUE.csv").exists()


def test_a_check_that_fails_is_shown_and_nothing_is_published(project: Project, load: Load, instance: dagster.DagsterInstance) -> None:
    project.run()
    project.source("ORDERS.csv", "id,customer,amount\n1,10,100\n9,99,1\n")
    result = load(project.path).get_job(JOB).execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    assert checked(result) == {"ORDERS_HAVE_CUSTOMERS": False}
    assert "found 1 row that is wrong: id = 9. Nothing was published." in failure(result)
    assert project.query(ALL_REVENUE) == REVENUE_ROWS
    assert not any(key.startswith("data/") for key in materialized(result)), "no export is reported that readers do not have"
    assert project.records()[-1]["status"] == "failed"


def test_exports_whose_delivery_failed_are_reported_for_readers_have_them(
    project: Project, load: Load, instance: dagster.DagsterInstance, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    project.setting("connections.shelf", f'url = "sqlite:///{away}/shelf.sqlite"')
    project.final("REVENUE", f"-- load: shelf.revenue\n{REVENUE}")
    result = load(project.path).get_job(JOB).execute_in_process(instance=instance, raise_on_error=False)
    assert failure(result).startswith("scripts/final/REVENUE.sql: ")
    assert project.exported("final/REVENUE.csv")[0]["amount"] == "75"
    assert {key for key in reported(instance) if key.startswith("data/")} == {key for key in EVERY_ASSET if key.startswith("data/")}

    away.mkdir()
    project.run()
    assert {step for step, result in project.outcome().items() if result != "reused"} == {"deliver shelf.revenue"}
    assert ask("sqlite", str(away / "shelf.sqlite"), "SELECT country, amount FROM revenue ORDER BY country") == [("CH", 75), ("PT", 150)]


def test_a_check_by_itself_is_asked(project: Project, load: Load, instance: dagster.DagsterInstance) -> None:
    project.run()
    project.check("ORDERS_HAVE_CUSTOMERS", "SELECT id FROM ORDERS WHERE id = 1\n")
    repository = load(project.path)
    keys = set(repository.asset_graph.asset_check_keys)
    job = repository.get_implicit_job_def_for_assets([]) or repository.get_job("__ASSET_JOB")
    result = job.get_subset(asset_selection=set(), asset_check_selection=keys).execute_in_process(instance=instance, raise_on_error=False)
    assert checked(result) == {"ORDERS_HAVE_CUSTOMERS": False}
    assert materialized(result) == {}


def unlucky(project: Project, times: int) -> Path:
    """Write a table that fails so many times; return the file that counts the tries."""
    count = project.path / "tries"
    project.write(
        "scripts/final/UNLUCKY.py",
        "from pathlib import Path\n\n\ndef table(ORDERS):\n"
        f"    file = Path({str(count)!r})\n    tries = int(file.read_text()) if file.exists() else 0\n"
        f"    file.write_text(str(tries + 1))\n    if tries < {times}:\n        raise ValueError('not yet')\n    return ORDERS\n",
    )
    return count


def restarts(result: dagster.ExecuteInProcessResult) -> int:
    return sum(event.event_type_value == "STEP_RESTARTED" for event in result.all_events)


@pytest.mark.parametrize(("said", "times"), [("", 2), ("retries = 1", 1), ("retries = 3", 3)])
def test_a_run_that_failed_is_tried_again_as_often_as_the_settings_say(
    project: Project, load: Load, instance: dagster.DagsterInstance, said: str, times: int
) -> None:
    count = unlucky(project, times)
    project.setting("dagster", said)
    result = load(project.path).get_job(JOB).execute_in_process(instance=instance)
    assert result.success
    assert count.read_text() == str(times + 1)
    assert restarts(result) == times


def test_a_run_that_always_fails_is_tried_three_times_and_by_zero_retries_once(
    project: Project, load: Load, instance: dagster.DagsterInstance
) -> None:
    count = unlucky(project, 99)
    result = load(project.path).get_job(JOB).execute_in_process(instance=instance, raise_on_error=False)
    assert (result.success, restarts(result), count.read_text()) == (False, 2, "3")
    project.setting("dagster", "retries = 0")
    result = load(project.path).get_job(JOB).execute_in_process(instance=instance, raise_on_error=False)
    assert (result.success, restarts(result), count.read_text()) == (False, 0, "4")


def test_each_try_waits_twice_as_long_as_the_one_before_at_first_10_seconds(
    project: Project, load: Load, instance: dagster.DagsterInstance
) -> None:
    assert (load_settings(project.path).dagster.retries, DagsterSettings().retries, DagsterSettings().retry_delay) == (2, 2, 10)
    unlucky(project, 3)
    text = (project.path / "pdbt.toml").read_text(encoding="utf-8")
    (project.path / "pdbt.toml").write_text(text.replace("retry_delay = 0", "retry_delay = 0.01\nretries = 3"), encoding="utf-8")
    result = load(project.path).get_job(JOB).execute_in_process(instance=instance)
    waits = [event.step_retry_data.seconds_to_wait for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]
    assert waits == [0.01, 0.02, 0.04]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("scripts/checks/NEVER.sql", "SELECT 1 AS one\n"),
        ("scripts/final/NOWHERE.sql", "SELECT * FROM NOWHERE_AT_ALL\n"),
        ("data/source/ORDERS.csv", "id,amount\n1,2\n3,4,5,6\n" + "7,8\n" * 50),
        ("pdbt.toml", "[database]\ntype = 'none'\n"),
    ],
)
def test_what_would_fail_again_or_waits_for_a_person_is_not_tried_again(
    project: Project, load: Load, instance: dagster.DagsterInstance, file: str, text: str
) -> None:
    repository = load(project.path)
    project.write(file, text)
    result = repository.get_job(JOB).execute_in_process(instance=instance, raise_on_error=False)
    assert (result.success, restarts(result)) == (False, 0)


def test_a_server_that_does_not_answer_is_tried_again(make_project: MakeProject, load: Load, instance: dagster.DagsterInstance) -> None:
    project = make_project("duckdb")
    shop(project)
    project.setting("dagster", "retry_delay = 0")
    repository = load(project.path)
    text = (project.path / "pdbt.toml").read_text(encoding="utf-8")
    url = "postgresql://a:b@127.0.0.1:1/shop"
    (project.path / "pdbt.toml").write_text(text.replace('type = "duckdb"', f'type = "commune"\nurl = "{url}"'), encoding="utf-8")
    result = repository.get_job(JOB).execute_in_process(instance=instance, raise_on_error=False)
    assert "cannot be reached" in failure(result)
    assert restarts(result) == 2


def test_parameters_of_the_run_are_those_of_the_command_line(project: Project, load: Load, instance: dagster.DagsterInstance) -> None:
    project.setting("parameters", "least = 0\nname = 'x'")
    project.final("LARGE", "SELECT id, $name AS name FROM ORDERS WHERE amount >= $least ORDER BY id\n")
    config = {"ops": {"run_pipeline": {"config": {"parameters": {"least": 70, "name": "it's"}, "full": True}}}}
    load(project.path).get_job(JOB).execute_in_process(instance=instance, run_config=config)
    assert project.query("SELECT * FROM LARGE") == [(1, "it's"), (3, "it's")]
    assert project.made_by_a_run("--param", "least=70", "--param", "name=it's") == set()


def test_a_run_of_the_page_waits_for_a_classic_run(
    project: Project, load: Load, instance: dagster.DagsterInstance, apart: RunProject
) -> None:
    project = replace(project, run_project=apart)
    project.setting("database", "lock_timeout = 0")
    project.write("scripts/final/SLOW.py", "import time\n\n\ndef table(ORDERS):\n    time.sleep(1)\n    return ORDERS\n")
    classic = threading.Thread(target=project.run)
    classic.start()
    lock = project.path / "db/.work/run.lock"
    while not (lock.exists() and lock.read_text()):
        pass
    result = load(project.path).get_job(JOB).execute_in_process(instance=instance)
    classic.join()
    assert materialized(result)["SLOW"] == "reused"


def test_a_source_that_could_not_be_read_is_not_reported_as_made(project: Project, load: Load, instance: dagster.DagsterInstance) -> None:
    project.setting("source", 'on_error = "reject"')
    (project.path / "data/source/BROKEN.parquet").write_bytes(b"no parquet")
    result = load(project.path).get_job(JOB).execute_in_process(instance=instance)
    assert "BROKEN" not in materialized(result)
    assert materialized(result)["REVENUE"] == "rebuilt"
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["pdbt/partial"] == "true"


def test_the_job_of_an_empty_project_tells_what_it_is(make_project: MakeProject, load: Load) -> None:
    project = make_project("duckdb")
    told = load(project.path).get_job(JOB).metadata["pdbt"].value
    assert told == {"project": project.path.name, "parameters": {}, "anything": False}


def test_the_job_tells_who_has_no_files_which_parameters_it_takes(project: Project, load: Load) -> None:
    project.setting("parameters", "least = 0\nname = 'x'\nunused = 2026-01-01")
    project.final("LARGE", "SELECT id, $name AS name, $day AS day FROM ORDERS WHERE amount >= $least\n")
    told: Any = load(project.path).get_job(JOB).metadata["pdbt"].value
    assert told["parameters"] == {"day": "", "least": "a whole number", "name": "a text"}
    project.write("scripts/final/ANY.py", "def table(parameters):\n    return [parameters]\n")
    told = load(project.path).get_job(JOB).metadata["pdbt"].value
    assert (told["anything"], told["parameters"]["unused"]) == (True, "a date")
