"""`add_sources` brings data into a project that exists, and never touches what a person wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdbt.engine.errors import GraphError, PdbtError, SettingsError
from pdbt.scaffold import NotAProject, add_sources, find_project
from pdbt.scaffold.apply import add_files
from pdbt.scaffold.plan import Plan, PlannedFile
from tests.conftest import MakeProject
from tests.scaffold.snapshots import files_below

ORDERS = "id,status,amount\n1,paid,1.5\n2,open,2.5\n3,paid,3.5\n4,open,4.5\n"
ADDED = [
    "data/source/orders.csv",
    "scripts/checks/ORDERS_HAS_ROWS.sql",
    "scripts/checks/ORDERS_KEY.sql",
    "scripts/final/ORDERS_SUMMARY.sql",
    "scripts/processed/ORDERS_CLEAN.sql",
]


@pytest.fixture
def project(make_project: MakeProject) -> Path:
    return make_project()


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


def test_files_and_starters_are_added_and_nothing_else_changes(project: Path, orders: Path) -> None:
    before = {name: (project / name).read_bytes() for name in files_below(project)}
    plan = add_sources([orders], project)
    assert sorted(set(files_below(project)) - set(before)) == ADDED
    assert {name: (project / name).read_bytes() for name in before} == before
    assert sorted(file.path for file in plan.with_action("create")) == ADDED
    assert [(table.name, table.rows, table.columns) for table in plan.tables] == [("ORDERS", 4, 3)]


def test_a_second_time_everything_is_identical(project: Path, orders: Path) -> None:
    add_sources([orders], project)
    assert {file.action for file in add_sources([orders], project).files} == {"identical"}


def test_data_that_lies_there_already_gets_its_starters(project: Path, orders: Path) -> None:
    there = orders.rename(project / "data" / "source" / "orders.csv")
    plan = add_sources([there], project)
    assert [file.path for file in plan.with_action("identical")] == ["data/source/orders.csv"]
    assert sorted(file.path for file in plan.with_action("create")) == ADDED[1:]


@pytest.mark.parametrize("name", ["data/source/orders.csv", "scripts/final/ORDERS_SUMMARY.sql", "scripts/checks/ORDERS_KEY.sql"])
def test_a_persons_file_is_a_conflict_and_nothing_is_written(name: str, project: Path, orders: Path) -> None:
    (project / name).write_text("mine", encoding="utf-8")
    before = files_below(project)
    with pytest.raises(PdbtError) as refused:
        add_sources([orders], project)
    assert refused.value.message == f"There with other content: {name}. Nothing was written."
    assert refused.value.exit_code == 2
    assert files_below(project) == before
    assert (project / name).read_text(encoding="utf-8") == "mine"
    planned = add_sources([orders], project, dry_run=True)
    assert [file.path for file in planned.with_action("conflict")] == [name]


def test_a_name_taken_since_the_plan_was_made_stays_and_the_rest_is_taken_back(project: Path, tmp_path: Path) -> None:
    files = tuple(PlannedFile("create", name, b"new") for name in ("new/folder/a.sql", "pdbt.toml"))
    before = files_below(project)
    settings = (project / "pdbt.toml").read_bytes()
    with pytest.raises(PdbtError, match=r"There with other content: pdbt\.toml"):
        add_files(Plan(project, files))
    assert files_below(project) == before
    assert not (project / "new").exists()
    assert (project / "pdbt.toml").read_bytes() == settings


def test_a_folder_that_leads_out_of_the_project_is_not_written_to(project: Path, orders: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    checks = project / "scripts" / "checks"
    (checks / ".gitkeep").unlink()
    checks.rmdir()
    checks.symlink_to(outside)
    with pytest.raises(PdbtError, match="leads out of the project by a symbolic link"):
        add_sources([orders], project)
    assert list(outside.iterdir()) == []
    assert not (project / "data" / "source" / "orders.csv").exists()


def test_a_table_that_the_project_has_is_named(project: Path, orders: Path, tmp_path: Path) -> None:
    add_sources([orders], project)
    for name, other in (("orders.tsv", "data/source/orders.csv"), ("orders_clean.csv", "scripts/processed/ORDERS_CLEAN.sql")):
        path = tmp_path / name
        path.write_text("a\tb\n1\t2\n", encoding="utf-8")
        with pytest.raises(GraphError) as refused:
            add_sources([path], project)
        assert {other, f"data/source/{name}"} <= set(refused.value.message.split())


def test_starters_give_way_to_the_projects_sources(project: Path, orders: Path, tmp_path: Path) -> None:
    (project / "data" / "source" / "ORDERS_CLEAN.csv").write_text("a\n1\n", encoding="utf-8")
    (table,) = add_sources([orders], project).tables
    assert table.made == ("ORDERS_CLEAN_2", "ORDERS_SUMMARY")


def test_data_is_read_as_the_settings_say(project: Path, tmp_path: Path) -> None:
    with (project / "pdbt.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[source.CODES]\nheader = false\ntypes = { column_1 = "VARCHAR" }\n')
    path = tmp_path / "codes.csv"
    path.write_text("1,a\n2,b\n", encoding="utf-8")
    add_sources([path], project)
    text = (project / "scripts" / "processed" / "CODES_CLEAN.sql").read_text(encoding="utf-8")
    assert "nullif(trim(column_1), '') AS column_1" in text


def test_wrong_settings_are_told_before_anything_is_read(project: Path, orders: Path) -> None:
    (project / "pdbt.toml").write_text("[nonsense]\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="there is no section"):
        add_sources([orders], project)


def test_the_project_is_the_nearest_one(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(project / "scripts" / "engine")
    assert find_project(None) == project
    monkeypatch.chdir(project / "sample" / "data")
    assert find_project(None) == project / "sample"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotAProject, match="is not in a pdbt project"):
        find_project(None)
    with pytest.raises(NotAProject, match=r"is not a pdbt project: it has no pdbt\.toml"):
        find_project(Path("shop/data"))
