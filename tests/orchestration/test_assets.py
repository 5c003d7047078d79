"""What the page shows of a project before anything runs."""

from __future__ import annotations

import dagster
import pytest

from pdbt.engine.errors import GraphError, SettingsError
from tests.orchestration.conftest import Load
from tests.pipeline.conftest import MakeProject
from tests.pipeline.projects import Project

EDGES = {
    "ORDERS": set(),
    "CUSTOMERS": set(),
    "PRODUCTS": set(),
    "ORDER_LINES": {"ORDERS", "CUSTOMERS"},
    "REVENUE": {"ORDER_LINES"},
    "CATALOGUE": {"PRODUCTS"},
    "data/processed/ORDER_LINES.csv": {"ORDER_LINES"},
    "data/final/REVENUE.csv": {"REVENUE"},
    "data/final/CATALOGUE.csv": {"CATALOGUE"},
}


def edges(repository: dagster.RepositoryDefinition) -> dict[str, set[str]]:
    graph = repository.asset_graph
    return {key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys} for key in graph.get_all_asset_keys()}


def spec(repository: dagster.RepositoryDefinition, *path: str) -> dagster.AssetSpec:
    key = dagster.AssetKey(list(path))
    return repository.assets_defs_by_key[key].specs_by_key[key]


def test_every_table_and_export_is_an_asset_below_what_it_reads(project: Project, load: Load) -> None:
    assert edges(load(project.path)) == EDGES


def test_assets_are_in_the_group_of_their_layer_and_say_what_they_are(project: Project, load: Load) -> None:
    project.write("scripts/final/IN_PYTHON.py", "def table(ORDERS):\n    return ORDERS\n")
    repository = load(project.path)
    assert {key: spec(repository, *key.split("/")).group_name for key in EDGES} == {
        "ORDERS": "source",
        "CUSTOMERS": "source",
        "PRODUCTS": "source",
        "ORDER_LINES": "processed",
        "REVENUE": "final",
        "CATALOGUE": "final",
        "data/processed/ORDER_LINES.csv": "processed",
        "data/final/REVENUE.csv": "final",
        "data/final/CATALOGUE.csv": "final",
    }
    assert spec(repository, "ORDERS").kinds == {"csv", "duckdb"}
    assert spec(repository, "REVENUE").kinds == {"sql", "duckdb"}
    assert spec(repository, "IN_PYTHON").kinds == {"python", "duckdb"}
    assert spec(repository, "data", "final", "REVENUE.csv").kinds == {"csv"}


def test_the_sql_is_in_the_description_whatever_it_holds(project: Project, load: Load) -> None:
    project.final("FENCED", "SELECT '```' AS fence, id FROM ORDERS\n")
    repository = load(project.path)
    assert "```sql\nSELECT country, count(*) AS orders" in (spec(repository, "REVENUE").description or "")
    assert "````sql\nSELECT '```' AS fence, id FROM ORDERS\n````" in (spec(repository, "FENCED").description or "")


def test_every_file_of_checks_is_a_check_upon_the_last_table_that_it_reads(project: Project, load: Load) -> None:
    project.check("EVERY LINE is paid", "SELECT * FROM ORDER_LINES JOIN ORDERS USING (id) WHERE ORDER_LINES.amount < 0\n")
    project.check("EVERY-LINE is paid", "SELECT 1 WHERE false\n")
    graph = load(project.path).asset_graph
    checks = {key.name: (key.asset_key.to_user_string(), graph.get_check_spec(key)) for key in graph.asset_check_keys}
    assert {name: asset for name, (asset, _) in checks.items()} == {
        "ORDERS_HAVE_CUSTOMERS": "ORDERS",
        "EVERY_LINE_is_paid": "ORDER_LINES",
        "EVERY_LINE_is_paid_2": "REVENUE",
    }
    assert all(check.blocking for _, check in checks.values())
    assert [dep.asset_key.to_user_string() for dep in checks["EVERY_LINE_is_paid"][1].additional_deps] == ["ORDERS"]


def test_names_that_are_no_identifiers_are_assets_too(make_project: MakeProject, load: Load) -> None:
    project = make_project("duckdb")
    project.source("Städte & Orte.csv", "id\n1\n")
    project.final("a table-of.its own", "SELECT * FROM STÄDTE_ORTE\n")
    project.check("Größe", "SELECT * FROM STÄDTE_ORTE WHERE id < 0\n")
    repository = load(project.path)
    assert edges(repository) == {
        "STÄDTE_ORTE": set(),
        "a table-of.its own": {"STÄDTE_ORTE"},
        "data/final/a table-of.its own.csv": {"a table-of.its own"},
    }
    assert repository.get_job("main_pipeline_job").execute_in_process().success


def test_a_project_without_tables_has_a_job_that_can_bring_the_first_ones(make_project: MakeProject, load: Load) -> None:
    project = make_project("duckdb")
    repository = load(project.path)
    assert not repository.asset_graph.get_all_asset_keys()
    assert repository.get_job("main_pipeline_job").execute_in_process().success


def test_the_database_is_named_after_what_runs_the_sql(make_project: MakeProject, load: Load) -> None:
    for kind, named in (("sqlite", "sqlite"), ("commune", "sqlite")):
        project = make_project(kind)
        project.source("A.parquet.csv", "id\n1\n")
        assert named in spec(load(project.path), "A_PARQUET").kinds


def test_five_hundred_tables_are_one_step(make_project: MakeProject, load: Load) -> None:
    project = make_project("duckdb")
    project.source("T0.csv", "id\n1\n")
    for number in range(1, 500):
        project.processed(f"T{number}", f"SELECT id FROM T{number - 1}\n")
    repository = load(project.path)
    assert len(repository.asset_graph.get_all_asset_keys()) == 999
    assert len(repository.get_job("main_pipeline_job").nodes) == 1


@pytest.mark.parametrize("cron", ["every now and then", "* * * *", "61 * * * *"])
def test_a_schedule_that_is_none_is_refused(project: Project, load: Load, cron: str) -> None:
    project.setting("dagster", f'schedule = "{cron}"')
    with pytest.raises(SettingsError, match=r"is no cron expression\. Write minute hour day month weekday"):
        load(project.path)


def test_a_fault_of_the_scripts_is_the_sentence_of_the_classic_run(project: Project, load: Load) -> None:
    project.final("LOST", "SELECT * FROM NOWHERE\n")
    with pytest.raises(GraphError, match="reads NOWHERE, which no file of this project makes"):
        load(project.path)
