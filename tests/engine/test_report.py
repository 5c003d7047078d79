"""What a run tells: on a terminal, in the log, in the line for programs; and that none of these ever stops a run."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine import report as report_module
from pdbt.engine.report import Report, StepResult, say
from pdbt.engine.settings import Settings
from tests.conftest import ROOT, RunProcess, StartProcess

SECRET = "hunter2-correct-horse"
BEGIN = """
import sys
from pathlib import Path
from pdbt.engine.report import Report, StepResult
report = Report(Path(sys.argv[1]), "run.py")
"""


def a_run(project: Path, *, quiet: bool = False) -> Report:
    settings = Settings(project, "shop", secrets=(SECRET, '"'))
    report = Report(project, "python-run-process.py", quiet=quiet, redact=settings.redact)
    report.add(StepResult("import", "ORDERS", "rebuilt", 2_000_000, 1.234, 12, "data/source/orders.csv changed"))
    report.add(StepResult("import", "CUSTOMERS", "reused", 7))
    report.add(StepResult("build", "A_VERY_LONG_NAME_OF_A_TABLE_THAT_NOBODY_WOULD_TYPE", "rebuilt", 15, 0.012, reason="new"))
    report.add(StepResult("check", "KEYS", "passed", seconds=0.001))
    report.add(StepResult("publish", "db/database.duckdb", "published", seconds=0.05))
    report.add(StepResult("export", "data/final/A.csv", "written", 15))
    return report


# The table of steps -------------------------------------------------------------------------------------------------------


def test_the_table_of_steps_is_aligned(tmp_path: Path) -> None:
    assert a_run(tmp_path).table().splitlines() == [
        "step     table                                                    rows  seconds",
        "───────  ──────────────────────────────────────────────────  ─────────  ───────  ────────────────────",
        "import   ORDERS                                              2,000,000     1.23  rebuilt, 12 rejected",
        "import   CUSTOMERS                                                   7           reused",
        "build    A_VERY_LONG_NAME_OF_A_TABLE_THAT_NOBODY_WOULD_TYPE         15     0.01  rebuilt",
        "check    KEYS                                                                    passed",
        "publish  db/database.duckdb                                                0.05  published",
        "export   data/final/A.csv                                           15           written",
    ]


def test_a_narrow_terminal_shortens_names_and_nothing_else(tmp_path: Path) -> None:
    lines = a_run(tmp_path).table(70).splitlines()
    assert max(map(len, lines)) == 70
    assert lines[4] == "build    A_VERY_LONG_NAME_O…         15     0.01  rebuilt"
    assert "2,000,000     1.23  rebuilt, 12 rejected" in lines[2]


def test_a_terminal_too_narrow_for_any_table_gets_one(tmp_path: Path) -> None:
    assert "A_VERY_LONG_NAM…" in a_run(tmp_path).table(10)


def test_wide_and_accented_names_keep_the_columns_in_line(tmp_path: Path) -> None:
    report = Report(tmp_path, "x")
    for name in ("国家", "e\u0301te\u0301", "ABCDE"):
        report.add(StepResult("import", name, "reused", 5))
    assert report.table().splitlines()[2:] == [
        "import  国家      5           reused",
        "import  e\u0301te\u0301       5           reused",
        "import  ABCDE     5           reused",
    ]


def test_a_name_breaks_no_line(tmp_path: Path) -> None:
    report = Report(tmp_path, "x")
    report.add(StepResult("check", "two\nlines\x1b[31m\udce9", "passed", reason="a\nb"))
    assert r"two\nlines\x1b[31m\udce9" in report.table()
    report.finish("done")
    assert len((tmp_path / "macro" / "execution.log").read_text(encoding="utf-8").splitlines()) == 1


def test_the_summary_counts_what_was_done(tmp_path: Path) -> None:
    summary = a_run(tmp_path).summary("done")
    assert re.fullmatch(rf"{tmp_path.name}: done in \d+\.\d\d s, 3 made, 1 reused, 12 source rows rejected \(data/rejected\)", summary)


# What goes where ----------------------------------------------------------------------------------------------------------


def test_a_run_ends_with_its_table_on_stdout_and_its_notes_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(tmp_path)
    report.note("ORDERS: read as windows-1252")
    report.finish("done")
    out, err = capsys.readouterr()
    assert out.splitlines()[2].split() == ["import", "ORDERS", "2,000,000", "1.23", "rebuilt,", "12", "rejected"]
    assert out.splitlines()[-1].startswith(f"{tmp_path.name}: done in ")
    assert err == "ORDERS: read as windows-1252\n"


def test_a_quiet_run_prints_nothing_and_is_logged_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = a_run(tmp_path, quiet=True)
    report.note("a note")
    report.finish("done")
    assert capsys.readouterr() == ("", "")
    assert "a note" in (tmp_path / "macro" / "execution.log").read_text(encoding="utf-8")


def test_the_log_has_a_line_for_each_step_with_its_time_and_process(tmp_path: Path) -> None:
    a_run(tmp_path, quiet=True).finish("failed", "no more disk")
    lines = (tmp_path / "macro" / "execution.log").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 7
    head = rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{3}} {os.getpid()} "
    assert re.fullmatch(head + r"import ORDERS: rebuilt 2000000 rows in 1\.234 s \(data/source/orders\.csv changed\)", lines[0])
    assert re.fullmatch(head + "failed: no more disk", lines[-1])


def test_a_run_is_one_line_for_programs(tmp_path: Path) -> None:
    a_run(tmp_path, quiet=True).finish("done")
    a_run(tmp_path, quiet=True).finish("failed", "no\nmore")
    done, failed = map(json.loads, (tmp_path / "macro" / "runs.jsonl").read_text(encoding="utf-8").splitlines())
    assert (done["status"], done["error"], done["pid"], done["command"]) == ("done", None, os.getpid(), "python-run-process.py")
    assert done["start"] <= done["end"]
    assert done["steps"][0] == {
        "step": "import",
        "name": "ORDERS",
        "result": "rebuilt",
        "rows": 2_000_000,
        "seconds": 1.234,
        "rejected": 12,
        "reason": "data/source/orders.csv changed",
    }
    assert (failed["status"], failed["error"]) == ("failed", "no\nmore")


def test_a_secret_is_masked_wherever_it_goes_and_the_line_for_programs_stays_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = a_run(tmp_path)
    report.note(f"no answer from postgresql://me:{SECRET}@host/db")
    report.add(StepResult("check", SECRET, "failed", reason=f'"{SECRET}"'))
    report.finish("failed", f"FATAL: {SECRET} is wrong")
    shown = "".join(capsys.readouterr())
    logged = (tmp_path / "macro" / "execution.log").read_text(encoding="utf-8")
    line = (tmp_path / "macro" / "runs.jsonl").read_text(encoding="utf-8")
    for text in (shown, logged, line):
        assert SECRET not in text
        assert "***" in text
    assert json.loads(line)["error"] == "FATAL: *** is wrong"


def test_the_log_of_a_long_run_can_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "LOG_EVERY_SECONDS", 0.0)
    a_run(tmp_path, quiet=True)
    assert len((tmp_path / "macro" / "execution.log").read_text(encoding="utf-8").splitlines()) == 6


def test_a_log_that_grew_is_put_aside_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "LOG_BYTES", 1000)
    for _ in range(6):
        a_run(tmp_path, quiet=True).finish("done")
    log, old, runs, old_runs = (tmp_path / "macro" / name for name in ("execution.log", "execution.log.1", "runs.jsonl", "runs.jsonl.1"))
    assert sorted((tmp_path / "macro").iterdir()) == [log, old, runs, old_runs]
    assert all(json.loads(line)["status"] == "done" for path in (runs, old_runs) for line in path.read_text(encoding="utf-8").splitlines())
    for path in (log, old):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert 0 < path.stat().st_size <= 1000
        assert len(lines) % 6 == 0
        assert all(re.match(r"\d{4}-\d\d-\d\d ", line) for line in lines)


def test_the_log_is_ten_megabytes_at_most() -> None:
    assert report_module.LOG_BYTES == 10 * 1024 * 1024


APPENDS_RUNS = """
import sys
from pathlib import Path
from pdbt.engine.report import Report, StepResult
for number in range(12):
    report = Report(Path(sys.argv[1]), "x" * 2000, quiet=True)
    for step in range(20):
        report.add(StepResult("import", f"T{step}", "rebuilt", number, reason="é" * 50))
    report.finish("done")
"""


def test_runs_that_end_at_once_do_not_mix_their_lines(tmp_path: Path, start_process: StartProcess) -> None:
    command = [sys.executable, "-c", APPENDS_RUNS, tmp_path]
    processes = [start_process(command, env={"PYTHONPATH": str(ROOT)}) for _ in range(3)]
    for process in processes:
        assert process.wait(60) == 0
    lines = [json.loads(line) for line in (tmp_path / "macro" / "runs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(line["pid"] for line in lines) == sorted(process.pid for process in processes for _ in range(12))
    assert all(len(line["steps"]) == 20 for line in lines)
    assert all(re.match(r"\d{4}-", line) for line in (tmp_path / "macro" / "execution.log").read_text(encoding="utf-8").splitlines())


# What cannot be written or shown ------------------------------------------------------------------------------------------


def test_a_run_whose_log_cannot_be_written_says_so_once_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "macro").write_text("a file")
    a_run(tmp_path).finish("done")
    out, err = capsys.readouterr()
    assert f"{tmp_path.name}: done in " in out
    (sentence,) = err.splitlines()
    assert re.fullmatch(r".*/macro/execution\.log cannot be written \(.+\); the run itself is not affected\.", sentence)


def test_a_log_that_is_a_folder_does_not_keep_the_other_file_from_being_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "macro" / "execution.log").mkdir(parents=True)
    a_run(tmp_path).finish("done")
    assert capsys.readouterr().err.count("cannot be written (Is a directory)") == 1
    assert json.loads((tmp_path / "macro" / "runs.jsonl").read_text(encoding="utf-8"))["status"] == "done"


def test_names_that_are_no_unicode_are_written_as_escapes(tmp_path: Path) -> None:
    report = Report(tmp_path, "x", quiet=True)
    report.add(StepResult("import", "T", "rebuilt", reason="data/source/caf\udce9.csv is new"))
    report.finish("done")
    assert r"caf\udce9.csv is new" in (tmp_path / "macro" / "execution.log").read_text(encoding="utf-8")
    (line,) = (tmp_path / "macro" / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["steps"][0]["reason"] == "data/source/caf\udce9.csv is new"


@pytest.mark.parametrize(("encoding", "rule", "name"), [("ascii", "---", "\\xe9"), ("cp1252", "---", "é"), ("utf-8", "───", "é")])
def test_a_terminal_shows_what_it_can(tmp_path: Path, run_process: RunProcess, encoding: str, rule: str, name: str) -> None:
    code = BEGIN + "report.note('é')\nreport.add(StepResult('import', 'é', 'reused'))\nreport.finish('done')"
    command: list[str | Path] = [sys.executable, "-c", f"import sys\nsys.stdout.reconfigure(encoding={encoding!r})\n" + code, tmp_path]
    process = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60)
    assert process.returncode == 0, process.stderr
    lines = process.stdout.decode(encoding).splitlines()
    assert lines[1].startswith(rule)
    assert lines[2].split() == ["import", name, "reused"]


def test_a_reader_that_went_away_does_not_fail_a_run(tmp_path: Path) -> None:
    code = BEGIN + "report.add(StepResult('import', 'A', 'reused'))\nsys.stdin.read()\nreport.finish('done')\nprint('more')"
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""
    assert json.loads((tmp_path / "macro" / "runs.jsonl").read_text(encoding="utf-8"))["status"] == "done"


@given(st.text(st.characters()))
def test_anything_can_be_said(text: str) -> None:
    with open(os.devnull, "w", encoding="ascii") as stream:  # noqa: PTH123 - a device
        say(text, stream)


# Progress -----------------------------------------------------------------------------------------------------------------


def on_a_terminal(code: str, folder: Path, *, columns: int = 60, encoding: str = "utf-8") -> str:
    """Run code with a terminal as its stderr; return what the terminal received."""
    main, side = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": str(columns), "PYTHONIOENCODING": encoding}
    process = subprocess.Popen([sys.executable, "-c", BEGIN + code, folder], stderr=side, stdout=subprocess.DEVNULL, env=environment)
    os.close(side)
    received = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and select.select([main], [], [], 60)[0]:
        try:
            received += os.read(main, 65536)
        except OSError:  # what Linux says when the other side of a terminal is closed
            break
    os.close(main)
    assert process.wait(10) == 0, received
    return received.decode(encoding)


LONG_WORK = """
import time
with report.working("importing " + "ORDERS" * 20, lambda: 42.0):
    time.sleep(1.2)
"""


def test_a_long_import_shows_how_far_it_is_and_clears_its_line(tmp_path: Path) -> None:
    received = on_a_terminal(LONG_WORK.replace('"ORDERS" * 20', '"ORDERS"'), tmp_path)
    states = received.split("\r\x1b[2K")
    assert re.fullmatch(r"importing ORDERS  ████████              42 %  1 s", states[-2])
    assert states[-1] == ""


def test_progress_stays_on_one_line_of_a_narrow_terminal(tmp_path: Path) -> None:
    states = on_a_terminal(LONG_WORK, tmp_path, columns=30).split("\r\x1b[2K")
    assert len(states) > 2
    assert max(map(len, states)) == 29


def test_a_terminal_of_ascii_sees_progress_too(tmp_path: Path) -> None:
    received = on_a_terminal(LONG_WORK.replace('"ORDERS" * 20', '"ORDERS"'), tmp_path, encoding="ascii")
    assert "importing ORDERS  ########              42 %" in received


def test_short_work_shows_nothing(tmp_path: Path) -> None:
    assert on_a_terminal("with report.working('importing ORDERS', lambda: -1.0): pass", tmp_path) == ""


def test_where_there_is_no_terminal_there_is_no_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Report(tmp_path, "x").working("importing ORDERS", lambda: 1 / 0):
        time.sleep(0.8)
    assert capsys.readouterr() == ("", "")
