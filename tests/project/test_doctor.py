"""`pdbt doctor` names each fault that it knows, set up as it happens, and says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pdbt.engine.process.place import Place
from pdbt.engine.settings import load_settings
from pdbt.project.doctor import Check, Patient, diagnose
from pdbt.project.doctor.environment import check_python
from pdbt.version import __version__
from tests.project.conftest import Add, Pdbt
from tests.project.diagnosis import check, write
from tests.project.terminal import on_a_terminal

ALL = "python libraries settings scripts update sources pid_file port schedule lock last_run disk file_system".replace("_", "-").split()


# The command ----------------------------------------------------------------------------------------------------------


def test_a_project_with_nothing_wrong(orders: Path, pdbt: Pdbt) -> None:
    assert pdbt("run", "orders").code == 0
    told = pdbt("doctor", "orders")
    assert (told.code, told.stderr) == (0, "")
    head, *lines = told.stdout.splitlines()
    assert head == f"orders  {orders}"
    assert [line[11:23].strip().replace(" ", "-") for line in lines] == ALL
    states = {line[11:23].strip(): line[2:9].strip() for line in lines}
    assert {name for name, state in states.items() if state != "ok"} <= {"schedule", "disk", "file system"}  # the machine's own
    assert states["schedule"] == "warning"  # Dagster does not run


def test_it_changes_and_starts_nothing(orders: Path, pdbt: Pdbt) -> None:
    def tree() -> dict[str, tuple[int, int]]:
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in orders.rglob("*") if "__pycache__" not in path.parts}

    before = tree()
    assert pdbt("doctor", "orders").code == 0
    assert tree() == before


def test_broken_settings_do_not_stop_what_can_be_checked(orders: Path, pdbt: Pdbt) -> None:
    write(orders / "pdbt.toml", "[nonsense]\n")
    told = pdbt("doctor", "orders", "--json")
    assert told.code == 2
    found = {entry["name"]: entry for entry in json.loads(told.stdout)}
    assert list(found["settings"]) == ["project", "folder", "name", "state", "text", "hint"]
    assert found["settings"]["state"] == "error"
    assert found["settings"]["text"] == "pdbt.toml: there is no section [nonsense]."
    assert found["settings"]["hint"].startswith("Allowed: [project], ")
    assert {"python", "libraries", "sources", "pid file", "lock", "last run", "disk", "file system"} <= set(found)


def test_a_whole_workspace(add: Add, pdbt: Pdbt, free_port: Callable[[], int]) -> None:
    add("first", "acme", port=free_port())
    second = add("second")
    write(second / "pdbt.toml", "[database]\ntype = 'oracle'\n")
    for words in (["--all"], []):
        told = pdbt("doctor", *words)
        assert told.code == 2
        assert [line.split()[0] for line in told.stdout.splitlines() if not line.startswith(" ")] == ["second", "first"]
        assert 'error    settings     pdbt.toml: database.type is "oracle". It must be "duckdb" | ' in told.stdout
    assert pdbt("doctor", "first").code == 0
    refused = pdbt("doctor", "first", "--all")
    assert (refused.code, refused.stderr) == (2, "error: --all means every project, and first one.\nhint: Leave one of them out.\n")


def test_an_update_that_was_killed_or_left_conflicts(orders: Path, pdbt: Pdbt) -> None:
    assert check(orders, "update") == Check("update", "ok", f"The templates are those of this pdbt, {__version__}.")
    script = orders / "scripts" / "results.py"
    written = script.read_text(encoding="utf-8")
    write(script, f"# <<<<<<< yours\n{written}# =======\n# >>>>>>> pdbt 9.9\n")
    write(orders / "README.md.pdbt-new", "new\n")
    found = check(orders, "update")
    assert (found.state, found.text) == ("error", "The last update left a conflict in README.md.pdbt-new, scripts/results.py.")
    assert found.hint == "Choose the lines that hold, and remove the marks and the files *.pdbt-new."
    write(script, written)
    (orders / "README.md.pdbt-new").unlink()
    journal = write(orders / ".pdbt" / "update" / "journal.json", "{}")
    assert check(orders, "update").text == "An update was killed midway."
    assert "error    update       An update was killed midway. Finish it: pdbt update" in pdbt("doctor", "orders").stdout
    journal.unlink()
    base = orders / ".pdbt" / "base.json.zst"
    base.write_bytes(base.read_bytes()[:1000])
    assert (check(orders, "update").state, check(orders, "update").text) == ("error", f"{base} is damaged.")
    base.unlink()
    assert check(orders, "update").state == "warning"


def test_a_folder_that_is_nothing(tmp_path: Path, pdbt: Pdbt) -> None:
    (tmp_path / "empty").mkdir()
    told = pdbt("doctor", cwd=tmp_path / "empty")
    assert told.code == 2
    assert "is not in a pdbt project" in told.stderr


def test_a_sample_is_looked_at_too(orders: Path, pdbt: Pdbt) -> None:
    told = pdbt("doctor", "orders", "--sample")
    assert told.code == 0
    assert told.stdout.startswith(f"orders-sample  {orders / 'sample'}\n")
    assert check(orders / "sample", "update") == check(orders, "update")


def test_it_is_coloured_on_a_terminal(orders: Path) -> None:
    write(orders / "data" / "source" / "empty.csv", "")
    code, said = on_a_terminal("doctor", orders)
    assert code == 2
    assert "  \x1b[31merror  \x1b[0m  sources      data/source/empty.csv is empty." in said
    assert "  \x1b[32mok     \x1b[0m  python       " in said


# Python, libraries, settings, scripts ---------------------------------------------------------------------------------


def test_an_old_python() -> None:
    found = check_python((3, 10, 4))
    assert (found.state, found.hint) == ("error", "Install Python 3.11 or later.")
    assert found.text.startswith("3.10.4 at ")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("no-such-library-of-anybody>=2", "no-such-library-of-anybody is not installed; no-such-library-of-anybody>=2 is wanted."),
        ("psutil>=600,<700", f"psutil is {psutil.__version__}; psutil>=600,<700 is wanted."),
        ("duckdb >>> 1", "requirements.txt has a line that is no requirement: duckdb >>> 1"),
    ],
)
def test_a_library_that_is_not_as_wanted(orders: Path, line: str, text: str) -> None:
    write(orders / "requirements.txt", f"# what it needs\nduckdb>=1.5,<3  # rows\n{line}\n")
    found = check(orders, "libraries")
    assert (found.state, found.text) == ("error", text)
    assert found.hint.endswith(f"-m pip install -r {orders / 'requirements.txt'}")


def test_a_section_for_a_source_that_there_is_not(orders: Path) -> None:
    with (orders / "pdbt.toml").open("a", encoding="utf-8") as file:
        file.write('\n[source.ORDRES]\ndelimiter = ";"\n')
    found = check(orders, "settings")
    assert found.state == "warning"
    assert "[source.ORDRES] does nothing" in found.text
    assert "Did you mean ORDERS?" in found.text


def test_scripts_that_cannot_be_put_in_order(orders: Path) -> None:
    write(orders / "scripts" / "final" / "A.sql", "SELECT * FROM B")
    write(orders / "scripts" / "final" / "B.sql", "SELECT * FROM A")
    found = check(orders, "scripts")
    circle = "A (scripts/final/A.sql) -> B (scripts/final/B.sql) -> A (scripts/final/A.sql)"
    assert (found.state, found.text) == ("error", f"These tables read each other in a circle: {circle}.")


# More checks ---------------------------------------------------------------------------------------------------------


def test_a_new_check_is_one_more_function(orders: Path) -> None:
    def examine_weather(patient: Patient) -> list[Check]:
        return [Check("weather", "ok", f"Fine over {patient.name}.")]

    (diagnosis,) = diagnose([orders], [examine_weather])
    assert diagnosis.checks[-1] == Check("weather", "ok", "Fine over orders.")
    assert Place(load_settings(orders)).name == diagnosis.name
