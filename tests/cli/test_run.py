"""`pdbt run` is the project's own script: the same results, the same exit code, ended together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Typed
from tests.conftest import Ended, MakeProject, RunProcess, RunProject, StartProcess
from tests.scaffold.snapshots import files_below

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("source.py", "transforming.py", "results.py")
DEADLINE_SECONDS = 90.0
ENVIRONMENT = {"PYTHONPATH": str(ROOT)}

EndProcess = Callable[["subprocess.Popen[str]"], None]


@pytest.fixture
def project(make_project: MakeProject, tmp_path: Path) -> Path:
    """A project with one source, one table, and a check that wants amounts above a parameter."""
    (tmp_path / "orders.csv").write_text("id,amount\n1,10\n2,20\n", encoding="utf-8")
    path = make_project(data=[tmp_path / "orders.csv"])
    text = (path / "pdbt.toml").read_text(encoding="utf-8").replace("[parameters]\n", "[parameters]\nleast = 1\n")
    (path / "pdbt.toml").write_text(text, encoding="utf-8")
    (path / "scripts" / "checks" / "LEAST.sql").write_text("SELECT * FROM ORDERS WHERE amount < $least\n", encoding="utf-8")
    return path


def pdbt(run_process: RunProcess, cwd: Path, *words: str | Path) -> Ended:
    return run_process([sys.executable, "-m", "pdbt", *words], cwd=cwd, env=ENVIRONMENT)


def exported(project: Path) -> str:
    return (project / "data" / "processed" / "ORDERS_CLEAN.csv").read_text(encoding="utf-8")


def test_run_does_what_the_script_does(project: Path, typed: Typed, run_process: RunProcess, tmp_path: Path) -> None:
    planned = typed("run", "shop", "--dry-run")
    assert planned.code == 0, planned.stderr
    assert "ORDERS_CLEAN" in planned.stdout
    assert not (project / "db" / "database.duckdb").exists()
    first = pdbt(run_process, tmp_path, "run", "shop")
    assert first.code == 0, first.stderr
    assert exported(project) == "id,amount\n1,10\n2,20\n"
    assert (project / "db" / "database.duckdb").is_file()
    refused = typed("run", "--param", "least=15", "--full", cwd=project / "data" / "source")
    assert refused.code == 1
    assert "LEAST" in refused.stderr


def test_debug_reaches_the_script(project: Path, typed: Typed) -> None:
    (project / "pdbt.toml").write_text("[nonsense]\n", encoding="utf-8")
    told = typed("run", "shop")
    assert (told.code, "Traceback" in told.stderr) == (2, False)
    assert told.stderr.startswith("error: ")
    assert "Traceback" in typed("run", "shop", "--debug").stderr


def test_the_sample_runs_from_the_project_and_from_within(project: Path, typed: Typed) -> None:
    assert typed("run", "--sample", cwd=project).code == 0
    continents = project / "sample" / "data" / "final" / "CONTINENTS.csv"
    assert continents.is_file()
    continents.unlink()
    assert typed("run", cwd=project / "sample" / "scripts").code == 0
    assert continents.is_file()
    assert not (project / "db" / "database.duckdb").exists()


def test_a_project_without_its_sample_or_script_is_told(project: Path, typed: Typed, tmp_path: Path) -> None:
    (project / "sample").rename(tmp_path / "elsewhere")
    result = typed("run", "--sample", cwd=project)
    assert (result.code, result.stderr.splitlines()[0]) == (2, f"error: {project} has no sample.")
    (project / "macro" / "python-run-process.py").unlink()
    result = typed("run", cwd=project)
    assert (result.code, result.stderr.splitlines()[0]) == (2, f"error: {project} has no macro/python-run-process.py.")


def test_outside_a_project_it_says_so(typed: Typed, tmp_path: Path) -> None:
    result = typed("run")
    assert result.code == 2
    assert result.stderr.startswith(f"error: {tmp_path} is not in a pdbt project: there is no pdbt.toml here or above.\nhint: ")


# Steps alone ---------------------------------------------------------------------------------------------------------


def test_the_steps_run_alone_from_anywhere_without_pdbt(project: Path, run_project: RunProject) -> None:
    """PYTHONPATH is not set here, and the scripts are given by their absolute path."""
    for script in SCRIPTS:
        result = run_project(project, script=f"scripts/{script}")
        assert result.code == 0, result.stderr
    assert exported(project) == "id,amount\n1,10\n2,20\n"
    # The sample's scripts are the same, and know by where they lie what they are to work on: one of them shows it.
    for script in SCRIPTS:
        assert (project / "sample" / "scripts" / script).read_bytes() == (project / "scripts" / script).read_bytes()
    before = files_below(project)
    result = run_project(project, script="sample/scripts/source.py")
    assert result.code == 0, result.stderr
    made = {name for name in set(files_below(project)) - set(before) if not name.endswith(".pyc")}
    assert made
    assert {name for name in made if not name.startswith("sample/")} == set()


def test_the_owners_code_runs_where_the_scripts_say_wherever_the_project_was_moved(
    project: Path, run_project_warm: RunProject, tmp_path: Path
) -> None:
    path = project / "scripts" / "source.py"
    text = path.read_text(encoding="utf-8")
    text = text.replace("        # Your own code before the import", '        print("BEFORE")\n        # Your own code before the import')
    path.write_text(
        text.replace("        # Your own code after", '        print("AFTER")\n        # Your own code after'), encoding="utf-8"
    )
    moved = project.rename(tmp_path / "a shop élan")
    seen = run_project_warm(moved).stdout
    assert seen.index("BEFORE") < seen.index("AFTER")
    assert exported(moved) == "id,amount\n1,10\n2,20\n"


def test_update_says_what_it_needs(project: Path, run_project: RunProject) -> None:
    path = project / "python-data-build-tool.py"
    path.write_text(path.read_text(encoding="utf-8").replace('find_spec("pdbt")', 'find_spec("pdbt_gone")'), encoding="utf-8")
    result = run_project(project, script=path.name)
    assert result.code == 2
    error, hint, *_ = result.stderr.splitlines()
    assert error == f"error: updating a project needs pdbt, which is not installed for {sys.executable}."
    assert hint.startswith(f"hint: Run: {sys.executable} -m pip install pdbt.")


# Ended together ------------------------------------------------------------------------------------------------------


def wait_until(path: Path, process: subprocess.Popen[str]) -> int:
    """Wait until the run has written its PID; return it."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (path.is_file() and path.read_text(encoding="utf-8").endswith("\n")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(path.read_text(encoding="utf-8"))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def interrupt_all(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does for Ctrl-C


def interrupt_one(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def terminate_one(process: subprocess.Popen[str]) -> None:
    process.terminate()


@pytest.mark.parametrize("end", [interrupt_all, interrupt_one, terminate_one])
def test_what_ends_the_command_ends_the_run(end: EndProcess, project: Path, start_process: StartProcess, tmp_path: Path) -> None:
    path = project / "scripts" / "source.py"
    slow = f"        import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(f'{{os.getpid()}}\\n'); time.sleep(60)\n"
    text = path.read_text(encoding="utf-8").replace("        run.import_sources()\n", f"{slow}        run.import_sources()\n")
    path.write_text(text, encoding="utf-8")
    process = start_process([sys.executable, "-m", "pdbt", "run", project], env=ENVIRONMENT)
    pid = wait_until(tmp_path / "pid", process)
    end(process)
    _, said = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert not is_running(pid)
