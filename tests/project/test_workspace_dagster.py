"""`pdbt launch --all`: one Dagster for a workspace, what it refuses, and how it keeps projects apart."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pdbt.project import workspace_log
from pdbt.project.isolation import Isolation
from pdbt.project.workspace import Workspace
from pdbt.project.workspace_dagster import workspace_of
from pdbt.project.workspace_place import FIRST_PORT, LAST_PORT, WorkspacePlace
from tests.conftest import RunProcess
from tests.process.conftest import dressed, stranger
from tests.project.conftest import Add, Pdbt

__all__ = ["stranger"]  # a fixture of this room too

Stranger = tuple[int, "subprocess.Popen[bytes]"]


def settle(workspace: Workspace, text: str) -> None:
    (workspace.root / "pdbt-workspace.toml").write_text(text, encoding="utf-8")


# What is refused ------------------------------------------------------------------------------------------------------


def test_outside_of_a_workspace(tmp_path: Path, pdbt: Pdbt) -> None:
    (tmp_path / "elsewhere").mkdir()
    for command in ("launch", "stop", "status", "logs"):
        told = pdbt(command, "--all", cwd=tmp_path / "elsewhere")
        assert (told.code, told.stderr.splitlines()[0]) == (2, f"error: {tmp_path / 'elsewhere'} is in no workspace.")


def test_a_workspace_without_projects(workspace: Workspace, pdbt: Pdbt) -> None:
    told = pdbt("launch", "--all")
    assert told.code == 2
    assert told.stderr == f"error: The workspace {workspace.root} has no projects yet.\nhint: Make one with: pdbt add-project NAME\n"
    assert (pdbt("status", "--all").stdout, pdbt("stop", "--all").stdout) == (
        "ws: Dagster is not running.\n",
        "ws: Dagster is not running.\n",
    )


@pytest.mark.parametrize("words", [["orders"], ["--sample"]])
def test_one_and_all_at_once(words: list[str], add: Add, pdbt: Pdbt) -> None:
    add("orders")
    for command in ("launch", "stop", "status", "logs"):
        told = pdbt(command, "--all", *words)
        assert told.stderr == f"error: --all means every project, and {words[0]} one.\nhint: Leave one of them out.\n"
        assert told.code == 2


def test_a_port_that_somebody_else_has(workspace: Workspace, add: Add, pdbt: Pdbt, stranger: Stranger) -> None:
    add("orders")
    port, process = stranger
    settle(workspace, f"[dagster]\nport = {port}\n")
    told = pdbt("launch", "--all")
    assert told.code == 2
    assert f"error: Port {port} is taken by " in told.stderr
    assert f"(PID {process.pid})" in told.stderr
    assert f"in {workspace.root / 'pdbt-workspace.toml'}." in told.stderr


@pytest.mark.parametrize("said", ['"6100"', "80", "true", "70000"])
def test_a_port_that_is_none(workspace: Workspace, add: Add, pdbt: Pdbt, said: str) -> None:
    add("orders")
    settle(workspace, f"[dagster]\nport = {said}\n")
    told = pdbt("launch", "--all")
    assert told.code == 2
    assert "pdbt-workspace.toml: dagster.port is " in told.stderr
    assert "hint: It must be a port, 1024 to 65535." in told.stderr


def test_the_first_port_that_is_free(workspace: Workspace) -> None:
    place = WorkspacePlace(workspace)
    port = place.port
    assert FIRST_PORT <= port <= LAST_PORT
    with socket.create_server(("127.0.0.1", port)):
        assert port < place.port <= LAST_PORT
    settle(workspace, "[dagster]\nport = 7777\n")
    assert place.port == 7777


def test_the_log_of_all(workspace: Workspace, add: Add, pdbt: Pdbt) -> None:
    orders, log = add("orders"), workspace.root / ".dagster" / "dagster.log"
    told = pdbt("logs", "--all")
    assert (told.code, told.stdout) == (2, "")
    assert told.stderr == f"error: There is no {log} yet.\nhint: Dagster writes it from its first launch on: pdbt launch --all\n"
    log.parent.mkdir()
    log.write_text("one\ntwo\nthree\n", encoding="utf-8")
    assert pdbt("logs", "--all", "-n", "2", cwd=orders).stdout == "two\nthree\n"
    texts = workspace_log(workspace, 1, following=True)
    assert next(texts) == "three\n"
    with log.open("a", encoding="utf-8") as file:
        file.write("four\n")
    assert next(texts) == "four\n"


# What is stopped ------------------------------------------------------------------------------------------------------


def test_stopping_all_stops_what_each_project_has_up_by_itself(
    workspace: Workspace, add: Add, pdbt: Pdbt, run_process: RunProcess, free_port: Callable[[], int], tmp_path: Path
) -> None:
    first, second = (dressed(add(name, "acme"), free_port(), run_process, tmp_path) for name in ("first", "second"))
    sample = dressed(first.project / "sample", free_port(), run_process, tmp_path)
    for shop in (first, second, sample):
        assert shop.launch().code == 0
    (second.project / "pdbt.toml").write_text("[nonsense]\n", encoding="utf-8")
    assert "  acme/first   its own Dagster is up at" in pdbt("status", "--all").stdout
    assert "; its Dagster is up: pdbt stop --all\n" in pdbt("list-projects").stdout
    told = pdbt("stop", "--all")
    assert (told.code, told.stderr) == (0, "")
    stopped = re.findall(r"^(\S+): Dagster stopped", told.stdout, flags=re.MULTILINE)
    assert stopped == ["first", "sample", "second"]
    assert [shop.family() for shop in (first, second, sample)] == [[], [], []]
    assert not second.pid_file.exists()


def test_the_workspace_of_a_project(workspace: Workspace, add: Add, tmp_path: Path) -> None:
    first, second = add("first", "acme"), add("second")
    for project in (first, second):
        found = workspace_of(project)
        assert found is not None
        assert found.root == workspace.root
        assert workspace_of(project / "sample") is None
    assert workspace_of(tmp_path / "none") is None


# Keeping projects apart -----------------------------------------------------------------------------------------------

# What a project's own files do, told by what they see.
READER = """
import sys
sys.path.insert(0, {scripts!r})
from engine.errors import PdbtError
from engine import errors
import helper
import engine.orchestration
SEEN = (helper.VALUE, PdbtError.__module__, getattr(errors, "MARK", ""))
"""


def read(isolation: Isolation, project: Path) -> tuple[str, str, str]:
    names: dict[str, object] = {}
    with isolation.reading(project):
        exec(READER.format(scripts=str(project / "scripts")), names)
    seen = names["SEEN"]
    assert isinstance(seen, tuple)
    return seen


def test_each_project_is_read_with_its_own_engine_and_modules(add: Add) -> None:
    plain, other, third = add("plain"), add("other"), add("third")
    for project in (plain, other, third):
        (project / "scripts" / "helper.py").write_text(f"VALUE = {project.name!r}\n", encoding="utf-8")
    for project in (other, third):
        with (project / "scripts" / "engine" / "errors.py").open("a", encoding="utf-8") as file:
            file.write(f"\nMARK = {project.name!r}\n")
    isolation, modules, path = Isolation(), set(sys.modules), list(sys.path)
    assert read(isolation, plain) == ("plain", "pdbt.engine.errors", "")
    for project in (other, third, other):
        value, module, mark = read(isolation, project)
        assert (value, mark) == (project.name, project.name)
        assert re.fullmatch(r"pdbt_engine_[0-9a-f]{16}\.errors", module)
    assert read(isolation, plain) == ("plain", "pdbt.engine.errors", "")
    left = set(sys.modules) - modules
    assert {name.partition(".")[0] for name in left if not name.startswith("pdbt_engine_")} & {"engine", "helper"} == set()
    assert sys.path == path

    (other / "scripts" / "helper.py").write_text("VALUE = 'changed at length'\n", encoding="utf-8")
    shutil.copyfile(plain / "scripts" / "engine" / "errors.py", other / "scripts" / "engine" / "errors.py")
    assert read(isolation, other) == ("changed at length", "pdbt.engine.errors", "")
    for name in [name for name in sys.modules if name.startswith("pdbt_engine_")]:
        del sys.modules[name]


def test_a_project_without_an_engine_says_so(add: Add) -> None:
    project = add("bare")
    (project / "scripts" / "helper.py").write_text("VALUE = ''\n", encoding="utf-8")
    shutil.rmtree(project / "scripts" / "engine")
    with pytest.raises(ModuleNotFoundError, match="engine"):
        read(Isolation(), project)


def test_a_reader_that_fails_leaves_nothing_behind(add: Add) -> None:
    project, isolation = add("broken"), Isolation()
    (project / "scripts" / "helper.py").write_text("raise ValueError('no')\n", encoding="utf-8")
    modules, path, finders = set(sys.modules), list(sys.path), list(sys.meta_path)
    with pytest.raises(ValueError, match="no"):
        read(isolation, project)
    assert (sys.path, sys.meta_path) == (path, finders)
    assert not {"engine", "helper"} & (set(sys.modules) - modules)
