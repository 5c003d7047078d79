"""`pdbt doctor` names each fault that it knows, set up as it happens, and says what to do."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pdbt.engine.process.place import Place
from pdbt.engine.settings import load_settings
from pdbt.project.doctor import Check, Patient, diagnose
from pdbt.project.doctor.environment import check_python
from pdbt.version import __version__
from tests.conftest import RunProcess, StartProcess
from tests.process.conftest import dressed, sleeper, stranger
from tests.process.instances import Shop, dagster_settings, wait_until
from tests.project.conftest import ROOT, Add, Pdbt

__all__ = ["sleeper", "stranger"]  # fixtures of this room too

Stranger = tuple[int, "subprocess.Popen[bytes]"]
ALL = "python libraries settings scripts update sources pid_file port schedule lock last_run disk file_system".replace("_", "-").split()


def checks(project: Path, name: str) -> list[Check]:
    """Return what is found of a project under a name."""
    (diagnosis,) = diagnose([project])
    return [check for check in diagnosis.checks if check.name == name]


def check(project: Path, name: str) -> Check:
    (found,) = checks(project, name)
    return found


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def orders(add: Add, free_port: Callable[[], int]) -> Path:
    """A project with nothing wrong."""
    project = add("orders", "acme", port=free_port())
    write(project / "data" / "source" / "orders.csv", "id,amount\n1,2\n")
    return project


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


def test_it_is_coloured_on_a_terminal(orders: Path) -> None:
    write(orders / "data" / "source" / "empty.csv", "")
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "pdbt", "doctor", str(orders)]
    with subprocess.Popen(command, stdout=child, env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}) as process:
        os.close(child)
        said = b""
        with contextlib.suppress(OSError):  # the other end is closed: all is said
            while part := os.read(parent, 65536):
                said += part
        assert process.wait(60) == 2
    os.close(parent)
    assert "  \x1b[31merror  \x1b[0m  sources      data/source/empty.csv is empty." in said.decode()
    assert "  \x1b[32mok     \x1b[0m  python       " in said.decode()


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
    assert found.state == "error"
    assert "A" in found.text
    assert "B" in found.text


# Sources --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("empty.csv", b"", "data/source/empty.csv is empty."),
        ("text.csv", b"a,b\n1,\0\0\n" * 40, "data/source/text.csv is no text: it has NUL bytes."),
        ("t.parquet", b"a,b\n", "data/source/t.parquet is no .parquet file: it begins with other bytes."),
        ("half.parquet", b"PAR1" + b"x" * 50, "data/source/half.parquet is no whole Parquet file: its end is missing."),
        ("t.csv.gz", b"a,b\n", "data/source/t.csv.gz is no .gz file: it begins with other bytes."),
        ("t.json", b"a,b\n", "data/source/t.json is no JSON: it begins with neither [ nor {."),
        ("t.xlsx", b"PK\x03\x04 half", "data/source/t.xlsx is no whole spreadsheet: it cannot be opened."),
    ],
)
def test_a_source_that_is_not_what_it_says(orders: Path, name: str, content: bytes, text: str) -> None:
    write(orders / "data" / "source" / name, content)
    found = check(orders, "sources")
    assert (found.state, found.text) == ("error", text)
    assert found.hint.startswith("Bring it again")


def test_sources_that_are_what_they_say(orders: Path) -> None:
    folder = orders / "data" / "source"
    write(folder / "wide.csv", "a,b\n1,é\n".encode("utf-16"))
    write(folder / "wider.csv", "a,b\n1,2\n".encode("utf-16-le"))
    write(folder / "packed.csv.gz", gzip.compress(b"a\n1\n"))
    write(folder / "rows.jsonl", b'{"a": 1}\n')
    write(folder / "days" / "one.csv", b"a\n1\n")
    assert check(orders, "sources") == Check("sources", "ok", "6 files of 6 tables, all readable.")


def test_a_source_that_cannot_be_opened(orders: Path) -> None:
    (orders / "data" / "source" / "gone.csv").symlink_to(orders / "nowhere.csv")
    found = check(orders, "sources")
    assert (found.state, found.text) == ("error", "data/source/gone.csv cannot be read: No such file or directory.")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes to a file")
def test_a_source_that_is_still_being_written(orders: Path, start_process: StartProcess) -> None:
    path = orders / "data" / "source" / "coming.csv"
    program = f"import time; f = open({str(path)!r}, 'w'); f.write('a\\n1\\n'); f.flush(); print('open', flush=True); time.sleep(600)"
    writer = start_process([sys.executable, "-S", "-c", program])
    assert writer.stdout is not None
    assert writer.stdout.readline() == "open\n"
    found = check(orders, "sources")
    assert (found.state, found.text) == ("warning", "data/source/coming.csv is still being written.")
    writer.kill()
    writer.wait()
    assert check(orders, "sources").state == "ok"


def test_a_file_of_no_kind_and_many_faults(orders: Path) -> None:
    write(orders / "data" / "source" / "notes.docx", b"x")
    assert check(orders, "sources").text == "data/source/notes.docx is not a kind of file that is read."
    for number in range(9):
        write(orders / "data" / "source" / f"empty_{number}.csv", b"")
    found = checks(orders, "sources")
    assert len(found) == 6
    assert found[-1].text == "5 more files have faults."


# Dagster: PID file, port, schedule ------------------------------------------------------------------------------------


def test_a_port_that_somebody_else_has(orders: Path, stranger: Stranger) -> None:
    port, process = stranger
    dagster_settings(orders, port=port)
    found = check(orders, "port")
    name = psutil.Process(process.pid).name()
    assert (found.state, found.text) == ("error", f"{port} is taken by {name} (PID {process.pid}).")
    assert found.hint.startswith("Stop that, or set [dagster] port = ")


@pytest.fixture
def shop(orders: Path, free_port: Callable[[], int], run_process: RunProcess, tmp_path: Path) -> Shop:
    """The project with a stand-in for a server."""
    return dressed(orders, free_port(), run_process, tmp_path)


def test_a_dagster_that_runs(shop: Shop) -> None:
    assert shop.launch().code == 0
    pid = shop.record["pid"]
    found = check(shop.project, "pid file")
    assert found.state == "ok"
    assert found.text.startswith(f"Dagster runs: PID {pid}, since ")
    assert check(shop.project, "port") == Check("port", "ok", f"http://127.0.0.1:{shop.port} answers (PID {pid}).")
    shop.pid_file.unlink()
    found = check(shop.project, "pid file")
    assert (found.state, found.hint) == ("warning", "pdbt launch writes it again.")


def test_a_pid_file_of_somebody_else(shop: Shop, sleeper: subprocess.Popen[bytes]) -> None:
    shop.launch()
    record = shop.record
    shop.stop()
    write(shop.pid_file, json.dumps({**record, "pid": sleeper.pid}))
    found = check(shop.project, "pid file")
    assert found.state == "error"
    assert found.text == f"{shop.pid_file} is stale: PID {sleeper.pid} is now sleep (PID {sleeper.pid}), somebody else's."
    write(shop.pid_file, json.dumps(record))
    assert check(shop.project, "pid file").text == f"{shop.pid_file} is stale: PID {record['pid']} is gone."
    write(shop.pid_file, "{")
    assert check(shop.project, "pid file").text == f"{shop.pid_file} says nothing that can be checked."
    assert shop.pid_file.exists()


def test_processes_that_a_killed_dagster_left_behind(shop: Shop) -> None:
    shop.launch()
    root = psutil.Process(shop.record["pid"])
    children = sorted(child.pid for child in root.children())
    root.kill()
    wait_until(lambda: shop.record["pid"] not in {process.pid for process in shop.family()})
    found = check(shop.project, "pid file")
    assert (found.state, found.hint) == ("error", "End them with: pdbt stop")
    assert sorted(map(int, found.text.rstrip(".").rpartition(": ")[2].split(", "))) == children


def test_a_page_that_does_not_answer(shop: Shop) -> None:
    shop.behave(silent=True)
    shop.launch("--no-wait")
    found = check(shop.project, "port")
    assert found.state == "warning"
    assert found.text == f"Dagster (PID {shop.record['pid']}) has {shop.port}, and its page did not answer in 3 s."
    assert check(shop.project, "schedule").text.endswith("does not say how it is.")


def test_a_page_that_cannot_load_the_project(shop: Shop) -> None:
    shop.behave(fault="table B is twice")
    assert shop.launch().code == 1
    found = check(shop.project, "port")
    assert found.state == "error"
    assert found.text == f"http://127.0.0.1:{shop.port} answers, and cannot load the project: table B is twice"


def test_the_schedule(orders: Path) -> None:
    found = check(orders, "schedule")
    assert (found.state, found.hint) == ("warning", "Start it with: pdbt launch")
    assert found.text == "*/5 * * * *, UTC: Dagster does not run, so nothing runs by itself."
    dagster_settings(orders, schedule="every day")
    found = check(orders, "schedule")
    assert (found.state, found.text) == ("error", 'dagster.schedule = "every day" is no cron expression.')


# The work database ----------------------------------------------------------------------------------------------------


@pytest.fixture
def running(orders: Path, start_process: StartProcess) -> Iterator[subprocess.Popen[str]]:
    """A run that goes on, and holds the work database."""
    write(orders / "scripts" / "final" / "LONG.sql", "SELECT sum(a.range * b.range) AS n FROM range(3000000) a, range(3000000) b")
    process = start_process([sys.executable, orders / "macro" / "python-run-process.py"])
    lock = orders / "db" / ".work" / "run.lock"
    wait_until(lambda: lock.exists() and str(process.pid) in lock.read_text(encoding="utf-8"))
    yield process
    process.kill()
    process.wait()


def test_a_run_that_holds_the_work_database(orders: Path, running: subprocess.Popen[str]) -> None:
    found = check(orders, "lock")
    assert found.state == "warning"
    assert found.text.startswith(f"A run is in progress: PID {running.pid}, started ")
    assert checks(orders, "last run") == []


def test_a_run_that_was_killed(orders: Path, running: subprocess.Popen[str]) -> None:
    running.send_signal(signal.SIGKILL)
    running.wait()
    found = check(orders, "last run")
    assert (found.state, found.hint) == ("error", "Run it again: pdbt run; it goes on from there.")
    assert found.text.startswith(f"The run of PID {running.pid}, started ")
    assert check(orders, "lock").state == "ok"
    (orders / "scripts" / "final" / "LONG.sql").unlink()


def test_a_run_that_failed(orders: Path, pdbt: Pdbt) -> None:
    assert check(orders, "last run").text == "There was none yet."
    write(orders / "scripts" / "final" / "WRONG.sql", "SELECT 'x'::INTEGER AS n")
    assert pdbt("run", "orders").code == 1
    found = check(orders, "last run")
    assert found.state == "error"
    assert found.text.startswith("failed at ")
    assert "scripts/final/WRONG.sql" in found.text
    (orders / "scripts" / "final" / "WRONG.sql").unlink()
    assert pdbt("run", "orders").code == 0
    assert check(orders, "last run").state == "ok"


def test_a_work_database_that_is_open_elsewhere(orders: Path, start_process: StartProcess) -> None:
    path = orders / "db" / ".work" / "database.duckdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    program = f"import duckdb, time; c = duckdb.connect({str(path)!r}); print('open', flush=True); time.sleep(600)"
    other = start_process([sys.executable, "-c", program])
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    found = check(orders, "lock")
    assert found.state == "error"
    assert f"(PID {other.pid})" in found.text
    assert found.text.endswith(", which is no run.")


# More checks ---------------------------------------------------------------------------------------------------------


def test_a_new_check_is_one_more_function(orders: Path) -> None:
    def examine_weather(patient: Patient) -> list[Check]:
        return [Check("weather", "ok", f"Fine over {patient.name}.")]

    (diagnosis,) = diagnose([orders], [examine_weather])
    assert diagnosis.checks[-1] == Check("weather", "ok", "Fine over orders.")
    assert Place(load_settings(orders)).name == diagnosis.name
