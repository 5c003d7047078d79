"""`pdbt list-projects` is right in each state, whatever is broken."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pdbt.project.listing import list_projects
from pdbt.project.workspace import Workspace
from tests.conftest import RunProcess
from tests.process.conftest import dressed
from tests.project.conftest import ROOT, Add, Pdbt
from tests.project.diagnosis import check
from tests.project.terminal import on_a_terminal


def test_each_state(
    workspace: Workspace,
    add: Add,
    pdbt: Pdbt,
    run_process: RunProcess,
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    running, failed, broken, _quiet = add("running", "acme"), add("failed", "acme"), add("broken", "beta", database="sqlite"), add("quiet")
    shop = dressed(running, free_port(), run_process, tmp_path)
    assert shop.launch().code == 0
    (failed / "scripts" / "final" / "WRONG.sql").write_text("SELECT 1 / 'x' AS wrong", encoding="utf-8")
    assert pdbt("run", "failed").code == 1
    assert pdbt("run", "acme/running").code == 0
    (broken / "pdbt.toml").write_text("[nonsense]\n", encoding="utf-8")

    told = pdbt("list-projects")
    assert told.code == 0
    lines = {line.split()[1]: line.split() for line in told.stdout.splitlines()[1:5]}
    cron = ["*/5", "*", "*", "*", "*"]
    assert lines["quiet"] == ["-", "quiet", "duckdb", "3004", *cron, "stopped", "-", "-"]
    assert lines["running"][:10] == ["acme", "running", "duckdb", str(shop.port), *cron, "running"]
    assert lines["running"][-1] == "done"
    assert (lines["failed"][9], lines["failed"][-1]) == ("stopped", "failed")
    assert " ".join(lines["broken"]).startswith("beta broken broken: pdbt.toml: there is no section [nonsense]. Allowed: ")
    reserved = told.stdout.partition("Reserved names: ")[2]
    assert "acme" in reserved
    assert "list_projects" in reserved

    shop.family()[0].kill()
    found = json.loads(pdbt("list-projects", "--org", "acme", "--json").stdout)
    assert list(found) == ["workspace", "projects", "reserved"]
    assert [(project["name"], project["state"]) for project in found["projects"]] == [("failed", "stopped"), ("running", "killed")]
    assert "stopped" in pdbt("stop", "running").stdout
    assert [project.state for project in list_projects(workspace, "acme").projects] == ["stopped", "stopped"]


def test_a_broken_project_is_one_red_line_on_a_terminal(workspace: Workspace, add: Add) -> None:
    add("whole")
    (add("broken") / "pdbt.toml").write_bytes(b"\xff\xfe\n")
    code, said = on_a_terminal("list-projects", cwd=workspace.root)
    assert code == 0
    red = [line for line in said.splitlines() if line.startswith("\x1b[31m")]
    assert len(red) == 1
    assert red[0].endswith("pdbt.toml is not UTF-8 text. Save it as UTF-8.\x1b[0m")
    assert "whole" in said


def test_an_organisation_that_there_is_not(add: Add, pdbt: Pdbt, workspace: Workspace) -> None:
    add("orders", "acme")
    told = pdbt("list-projects", "--org", "amce")
    assert (told.code, told.stderr) == (2, f"error: The workspace {workspace.root} has no organisation amce.\nhint: It has: acme.\n")


def test_an_empty_workspace_and_folders_that_are_no_projects(workspace: Workspace, pdbt: Pdbt) -> None:
    for name in ("notes", ".git", "__pycache__"):
        (workspace.root / name).mkdir()
    assert json.loads(pdbt("list-projects", "--json").stdout)["projects"] == []
    assert list_projects(workspace).projects == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_no_organisation(workspace: Workspace, add: Add) -> None:
    add("orders", "acme")
    (workspace.root / "lost+found").mkdir(mode=0)
    assert [project.name for project in list_projects(workspace).projects] == ["orders"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_project_that_may_not_be_read_hinders_no_other(workspace: Workspace, add: Add) -> None:
    settings, macro = add("alone") / "pdbt.toml", add("orders", "acme") / "macro"
    settings.chmod(0)
    add("third")
    macro.chmod(0)
    try:
        told = {project.name: (project.state, project.error) for project in list_projects(workspace).projects}
        examined = check(macro.parent, "pid file")
    finally:
        macro.chmod(0o755)
    assert told["alone"] == ("broken", f"{settings} cannot be read: Permission denied.")
    assert told["orders"] == ("broken", f"{macro} may not be read. Get the right to read it.")
    assert told["third"] == ("stopped", None)
    assert (examined.state, examined.text) == ("error", f"{macro}/.dagster cannot be read: Permission denied.")


# Nothing that reads data, or runs Dagster, is loaded to list projects.
LIST = """
import sys
from pdbt.cli import main
assert main(["list-projects"]) == 0
print(sorted({"duckdb", "dagster", "pyarrow", "pandas", "sqlalchemy"} & set(sys.modules)))
"""


def test_two_hundred_projects_are_read_by_their_settings_alone(workspace: Workspace, add: Add, run_process: RunProcess) -> None:
    """Each is a pdbt.toml; how long the list takes is measured by the benchmarks, not asserted."""
    settings = (add("model", "acme") / "pdbt.toml").read_bytes()
    for number in range(199):
        folder = workspace.root / f"org_{number % 3}" / f"project_{number}"
        (folder / "macro").mkdir(parents=True)
        (folder / "pdbt.toml").write_bytes(settings)
    ended = run_process([sys.executable, "-c", LIST], cwd=workspace.root, env={"PYTHONPATH": str(ROOT)})
    assert (ended.code, ended.stderr) == (0, "")
    _, *lines, loaded = ended.stdout.splitlines()
    assert loaded == "[]"
    listed = [line.split() for line in lines if line.startswith(("acme ", "org_"))]
    assert len(listed) == 200
    assert {tuple(words[2:4] + words[9:]) for words in listed} == {("duckdb", "3000", "stopped", "-", "-")}
