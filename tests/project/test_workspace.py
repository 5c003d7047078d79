"""A workspace: names and ports given once, wherever projects lie in it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from pdbt.cli.app import COMMANDS as PROGRAM_COMMANDS
from pdbt.engine.errors import PdbtError
from pdbt.engine.settings import load_settings
from pdbt.project.listing import list_projects
from pdbt.project.names import COMMANDS, check_workspace_name
from pdbt.project.workspace import Workspace, find_workspace, init_workspace, ports_in_use
from pdbt.project.workspace_place import WorkspacePlace
from pdbt.scaffold import NameRefused
from tests.conftest import RunProcess, StartProcess
from tests.project.conftest import ROOT, Add, Pdbt


def ports(project: Path) -> tuple[int | None, int | None]:
    return load_settings(project).dagster.port, load_settings(project / "sample").dagster.port


def test_projects_lie_in_it_and_in_organisations(workspace: Workspace, pdbt: Pdbt) -> None:
    assert pdbt("add-project", "orders").code == 0
    assert pdbt("add-project", "sales", "--org", "acme", "--db", "sqlite").code == 0
    assert pdbt("add-project", "stock", "--org", "acme", cwd=workspace.root / "acme" / "sales").code == 0
    assert [(member.organisation, member.name) for member in workspace.members()] == [("", "orders"), ("acme", "sales"), ("acme", "stock")]
    assert {path.name for path in (workspace.root / "acme").iterdir()} == {
        "constants.toml",
        "schedules.toml",
        "sql",
        "python",
        "sales",
        "stock",
    }
    assert find_workspace(workspace.root / "acme" / "sales" / "scripts") == workspace
    assert pdbt("run", "sales", "--sample").code == 0
    assert (workspace.root / "acme" / "sales" / "sample" / "data" / "final" / "CONTINENTS.csv").is_file()


def test_a_dry_run_and_a_refusal_make_nothing(workspace: Workspace, pdbt: Pdbt) -> None:
    assert pdbt("add-project", "orders", "--org", "acme", "--dry-run").code == 0
    assert pdbt("add-project", "orders", "--org", "acme", "--data", "gone.csv").code == 2
    assert not (workspace.root / "acme").exists()


def test_each_project_has_a_pair_of_ports_in_its_types_range(workspace: Workspace, add: Add) -> None:
    made = [add(f"{kind}_{number}", "acme", database=kind) for kind in ("duckdb", "sqlite", "commune") for number in range(2)]
    assert [ports(project) for project in made] == [(3000, 3001), (3002, 3003), (4000, 4001), (4002, 4003), (5000, 5001), (5002, 5003)]
    assert len(ports_in_use(workspace)) == 12


def test_a_port_of_a_broken_project_is_not_given_again(add: Add, pdbt: Pdbt) -> None:
    first = add("first")
    settings = first / "pdbt.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + "\n[nonsense\n", encoding="utf-8")
    assert ports(add("second")) == (3002, 3003)
    told = pdbt("add-project", "third", "--port", "3001")
    assert (told.code, told.stderr.splitlines()[0]) == (2, f"error: Port 3001 is that of {first / 'sample'}.")
    assert "a pair that is free: 3004 and the next" in told.stderr


def test_projects_added_at_once_clash_in_nothing(workspace: Workspace, start_process: StartProcess) -> None:
    command = [sys.executable, "-m", "pdbt", "add-project"]
    names = [*(f"project_{number}" for number in range(4)), "project_0"]
    started = [start_process([*command, name, "--org", "acme"], cwd=workspace.root, env={"PYTHONPATH": str(ROOT)}) for name in names]
    for process in started:
        process.communicate(timeout=100)
    codes = [process.returncode for process in started]
    assert sorted(codes) == [0, 0, 0, 0, 2]
    assert len({ports(member.folder) for member in workspace.members()}) == 4


@pytest.mark.parametrize(
    ("name", "sentence", "hint"),
    [
        ("MyShop", "'MyShop' is not snake_case, as the name of a project must be.", "Write my_shop."),
        ("my-shop", "'my-shop' is not snake_case, as the name of a project must be.", "Write my_shop."),
        ("été", "'été' is not snake_case, as the name of a project must be.", "Write t."),
        ("../shop", "'../shop' is not snake_case, as the name of a project must be.", "Write shop."),
        ("import", "'import' is a keyword of Python.", "Say more about it, as in import_data."),
        ("json", "'json' is a module of Python's standard library, which the folder could hide.", "Say more about it, as in json_data."),
        ("run", "'run' is reserved: it is a command of pdbt.", "Say more about it, as in run_data."),
        ("scripts", "'scripts' is reserved: it is a folder of pdbt.", "Say more about it, as in scripts_data."),
    ],
)
def test_names_that_cannot_be(name: str, sentence: str, hint: str) -> None:
    with pytest.raises(NameRefused) as refused:
        check_workspace_name(name, {})
    assert (refused.value.message, refused.value.hint) == (sentence, hint)


def test_a_clash_says_where_the_other_one_is(workspace: Workspace, add: Add, pdbt: Pdbt) -> None:
    other = add("orders", "acme")
    for words in (["orders"], ["orders", "--org", "beta"], ["orders", "--org", "acme"]):
        told = pdbt("add-project", *words)
        assert (told.code, told.stderr.splitlines()[0]) == (2, f"error: 'orders' is given already: {other}.")
    assert f"'acme' is given already: {workspace.root / 'acme'}." in pdbt("add-project", "acme").stderr
    assert f"'orders' is given already: {other}." in pdbt("add-project", "more", "--org", "orders").stderr
    assert "'same' is given already" in pdbt("add-project", "same", "--org", "same").stderr


def test_a_copied_folder_is_told_and_hinders_no_other(workspace: Workspace, add: Add, pdbt: Pdbt) -> None:
    first, stock = add("orders", "acme"), add("stock", "acme")
    second = workspace.root / "beta" / "orders"
    shutil.copytree(first, second)
    fault = f"{first} has this name, too. Names are unique in the whole workspace: rename one of the two folders."
    lines = [" ".join(line.split()) for line in pdbt("list-projects").stdout.splitlines()]
    assert f"beta orders broken: {fault}" in lines
    assert [project.state for project in list_projects(workspace, "acme").projects] == ["stopped", "stopped"]
    told = pdbt("run", "orders")
    assert (told.code, told.stderr.splitlines()[0]) == (2, f"error: {first} and {second} have one name.")
    assert pdbt("run", "beta/orders").code == 0
    assert [project.folder for project in WorkspacePlace(workspace).projects()] == [first, stock]
    assert f"beta/orders  broken: {fault}" in pdbt("status", "--all").stdout
    second.rename(second.with_name("orders_2"))
    assert {project.state for project in list_projects(workspace).projects} == {"stopped"}
    assert len(WorkspacePlace(workspace).projects()) == 3


def test_every_command_is_a_reserved_name() -> None:
    assert {name.replace("-", "_") for name in PROGRAM_COMMANDS} == COMMANDS


def test_a_workspace_is_marked_once_and_lies_in_no_other(workspace: Workspace, add: Add, tmp_path: Path, pdbt: Pdbt) -> None:
    (workspace.root / "pdbt-workspace.toml").write_text("# mine\n", encoding="utf-8")
    assert init_workspace(workspace.root) == workspace
    assert (workspace.root / "pdbt-workspace.toml").read_text(encoding="utf-8") == "# mine\n"
    project = add("orders")
    for inner, what in ((workspace.root / "inner", f"workspace {workspace.root}"), (project, f"project {project}")):
        with pytest.raises(PdbtError) as refused:
            init_workspace(inner)
        assert refused.value.message == f"{inner} is in the {what}."
    told = pdbt("list-projects", cwd=tmp_path)
    assert (told.code, told.stderr.splitlines()[0]) == (2, f"error: {tmp_path} is in no workspace.")


def test_a_project_that_there_is_not_is_told_with_those_that_there_are(workspace: Workspace, add: Add, pdbt: Pdbt) -> None:
    add("orders")
    told = pdbt("run", "odrers")
    assert (told.code, told.stderr) == (2, f"error: The workspace {workspace.root} has no project odrers.\nhint: It has: orders.\n")


def test_the_commands_of_the_page_do_what_it_says(run_process: RunProcess, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "workspace.md").read_text(encoding="utf-8")
    commands = page.partition("```bash\n")[2].partition("```")[0].replace("pdbt ", f"{sys.executable} -m pdbt ")
    ended = run_process(["bash", "-ec", commands], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert ended.code == 0, ended.stderr
    for name in ("acme/constants.toml", "acme/schedules.toml", "acme/sql", "acme/python", "acme/orders", "acme/stock", "beta/payroll"):
        assert (tmp_path / "pipelines" / name).exists()
    assert [line.split()[:4] for line in ended.stdout.splitlines() if line.startswith(("acme", "beta"))] == [
        ["acme", "orders", "duckdb", "3000"],
        ["acme", "stock", "sqlite", "4000"],
        ["beta", "payroll", "duckdb", "3002"],
    ]
