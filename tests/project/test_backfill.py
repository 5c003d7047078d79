"""`pdbt backfill` runs once for each value, goes on where it stopped, and says what failed."""

from __future__ import annotations

import datetime
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt import PdbtError, backfill
from pdbt.project.backfill_record import open_record
from pdbt.project.backfill_values import values_between, values_listed
from tests.conftest import Ended, MakeProject, RunProcess, StartProcess
from tests.project.conftest import ROOT
from tests.project.gate import wait_for
from tests.typed import typed

ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
# Each run leaves a line behind; one that begins with a value that is to fail fails, one that is to wait waits.
DIARY = """\
import time
from pathlib import Path

import duckdb

HERE = Path({folder!r})


def table(parameters):
    value = f"{{parameters['day']}} {{parameters.get('region', '')}}".strip()
    with (HERE / "diary").open("a") as diary:
        diary.write(value + "\\n")
    while (HERE / f"hold {{value}}").exists():
        time.sleep(0.05)
    if (HERE / f"fail {{value}}").exists():
        raise ValueError(f"nothing for {{value}}")
    return duckdb.sql(f"SELECT '{{value}}' AS value").to_arrow_table()
"""


class Shop:
    """A project whose runs keep a diary."""

    def __init__(self, project: Path, folder: Path) -> None:
        self.project = project
        self.folder = folder
        (project / "scripts/final/DIARY.py").write_text(DIARY.format(folder=str(folder)), encoding="utf-8")

    @property
    def diary(self) -> list[str]:
        """The values of the runs that began, in order."""
        path = self.folder / "diary"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    @property
    def record(self) -> Path:
        return self.project / "macro/backfill.jsonl"

    def command(self, *words: str) -> list[str | Path]:
        return [sys.executable, "-m", "pdbt", "backfill", self.project, *words]

    def fill(self, *words: str) -> Ended:
        """Type the command."""
        return typed("backfill", self.project, *words, cwd=self.folder)


@pytest.fixture
def shop(make_project: MakeProject, tmp_path: Path) -> Shop:
    return Shop(make_project("shop"), tmp_path)


def days(first: int, last: int) -> list[str]:
    return ["--param", "day", "--from", f"2026-02-{first:02}", "--to", f"2026-02-{last:02}"]


def test_what_failed_is_told_at_the_end_and_nothing_else_is_run_again(shop: Shop) -> None:
    failing = shop.folder / "fail 2026-02-02"
    failing.touch()
    ended = shop.fill(*days(1, 3))
    assert (ended.code, shop.diary) == (1, ["2026-02-01", "2026-02-02", "2026-02-03"])
    assert [line.split()[:2] for line in ended.stdout.splitlines()[:3]] == [
        ["2026-02-01", "done"],
        ["2026-02-02", "failed"],
        ["2026-02-03", "done"],
    ]
    assert ended.stdout.splitlines()[3] == "3 values: 2 done, 1 failed"
    assert "error: 2026-02-02: scripts/final/DIARY.py line 16" in ended.stderr
    assert "nothing for 2026-02-02" in ended.stderr
    assert ended.stderr.endswith("hint: The same command runs again what did not end well, and nothing else.\n")
    assert (shop.project / "data/final/DIARY.csv").read_text(encoding="utf-8") == "value\n2026-02-03\n"

    failing.unlink()
    again = shop.fill(*days(1, 4))
    assert (again.code, again.stderr, shop.diary[3:]) == (0, "", ["2026-02-02", "2026-02-04"])
    assert again.stdout.splitlines()[-1] == "4 values: 2 done earlier, 2 done"
    quiet = shop.fill(*days(1, 4), "--quiet")
    assert (quiet.code, quiet.stdout, quiet.stderr, len(shop.diary)) == (0, "", "", 5)
    assert backfill(shop.project, "day", "2026-02-01", datetime.date(2026, 2, 4)).ok
    assert len(shop.diary) == 5
    assert shop.fill(*days(4, 4), "--again", "--full").code == 0
    assert shop.diary[5:] == ["2026-02-04"]


def test_others_are_left_when_one_fails_and_it_is_asked_for(shop: Shop) -> None:
    (shop.folder / "fail 2026-02-02").touch()
    result = backfill(shop.project, "day", "2026-02-01", "2026-02-04", stop_on_error=True)
    assert [value.status for value in result.values] == ["done", "failed", "not run", "not run"]
    assert (result.ok, result.exit_code, len(result.failed), len(shop.diary)) == (False, 1, 3, 2)
    ended = shop.fill(*days(1, 4), "--stop-on-error")
    assert ended.stdout.splitlines()[-1] == "4 values: 1 done earlier, 1 failed, 2 not run"
    assert ended.stderr.count("error: ") == 1


def test_interrupted_and_killed_in_the_midst_it_says_where_it_goes_on_and_goes_on_there(shop: Shop, start_process: StartProcess) -> None:
    held = shop.folder / "hold 2026-02-02"
    held.touch()
    for number, runs in ((signal.SIGINT, 2), (signal.SIGKILL, 3), (signal.SIGTERM, 4)):
        filling = start_process(shop.command(*days(1, 4)), env=ENVIRONMENT)
        wait_for(lambda runs=runs: len(shop.diary) == runs)  # type: ignore[misc] # bound now
        if number == signal.SIGKILL:
            os.killpg(filling.pid, number)
            filling.wait(60)
            with shop.record.open("ab") as record:
                record.write(b'{"backfill": "cut o')  # as a machine that loses its power leaves it
            continue
        filling.send_signal(number)
        printed, said = filling.communicate(timeout=60)
        assert (filling.returncode, said) == (130, "Stopped at day=2026-02-02. The same command goes on there.\n")
        assert printed.startswith("2026-02-01  done  " if number == signal.SIGINT else "2026-02-01  done earlier\n")
    held.unlink()
    ended = shop.fill(*days(1, 4))
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "4 values: 1 done earlier, 3 done"
    assert shop.diary[4:] == ["2026-02-02", "2026-02-03", "2026-02-04"]
    assert shop.fill(*days(1, 4)).stdout.splitlines()[-1] == "4 values: 4 done earlier"


def test_the_command_alone_is_killed_and_its_run_goes_on(shop: Shop, start_process: StartProcess) -> None:
    held = shop.folder / "hold 2026-02-01"
    held.touch()
    filling = start_process(shop.command(*days(1, 2)), env=ENVIRONMENT)
    wait_for(lambda: len(shop.diary) == 1)
    filling.kill()
    filling.wait(60)
    second = start_process(shop.command(*days(1, 2), "--lock-timeout", "60"), env=ENVIRONMENT)
    wait_for(lambda: shop.record.read_text(encoding="utf-8").count('"begun"') == 2)
    held.unlink()
    printed, said = second.communicate(timeout=100)
    assert (second.returncode, said) == (0, "")
    assert printed.splitlines()[-1] == "2 values: 2 done"


def test_other_parameters_make_it_another_backfill_and_stay_unwritten(shop: Shop) -> None:
    for region, code in (("a-secret-region", 0), ("FR", 0), ("FR", 0)):
        assert shop.fill(*days(1, 1), "--param", f"region={region}").code == code
    assert shop.diary == ["2026-02-01 a-secret-region", "2026-02-01 FR"]
    assert "region" not in shop.record.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in shop.record.read_text(encoding="utf-8").splitlines()]
    assert [(line["value"], line["status"]) for line in lines] == [("2026-02-01", "begun"), ("2026-02-01", "done")] * 2


def test_months_numbers_and_lists(shop: Shop) -> None:
    assert shop.fill("--param", "day", "--from", "2025-12", "--to", "2026-01", "--step", "2").code == 0
    assert shop.fill("--param", "day", "--from", "-1", "--to", "-1").code == 0
    assert shop.fill("--param", "day", "--values", "red, red").code == 0
    assert shop.diary == ["2025-12", "-1", "red"]
    assert values_between("2025-12", "2026-03", 2) == ["2025-12", "2026-02"]
    assert values_between("-1", "1") == ["-1", "0", "1"]
    assert values_listed(["red", "green", "red"]) == ["red", "green"]


def test_two_at_once_are_one(shop: Shop, run_process: RunProcess) -> None:
    with open_record(shop.record):
        ended = run_process(shop.command(*days(1, 1)), env=ENVIRONMENT)
    assert (ended.code, shop.diary) == (75, [])
    assert ended.stderr.startswith(f"error: Another backfill of this project is going: it has {shop.record}.\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "1", "--to", "2"], "No parameter is said to vary."),
        (["--param", "a", "--param", "b", "--from", "1", "--to", "2"], "--param a --param b: one parameter varies."),
        (["--param", "day", "--from", "1"], "A backfill goes from one value to another, or through a list."),
        (["--param", "day", "--from", "1", "--to", "2", "--values", "3"], "A backfill goes from one value to another, or through a list."),
        (["--param", "day", "--values", "1,,2"], "A value of the list is empty."),
        (["--param", "day", "--from", "2026-02-30", "--to", "2026-03-01"], "2026-02-30 is no day, month or whole number."),
        (["--param", "day", "--from", "soon", "--to", "2026-03-01"], "soon is no day, month or whole number."),
        (["--param", "day", "--from", "2026-03", "--to", "2026-03-01"], "2026-03 is a month, and 2026-03-01 is a day."),
        (["--param", "day", "--from", "2", "--to", "1"], "2 comes after 1."),
        (["--param", "day", "--from", "1", "--to", "2", "--step", "0"], "A step of 0 leads nowhere."),
        (["--param", "day", "--from", "0", "--to", "1000000000"], "From 0 to 1000000000 there are 1,000,000,001 values."),
        (["--param", "day", "--param", "day=1", "--from", "1", "--to", "2"], "day is given twice: as what varies, and as day=…."),
        (["--param", "day", "--from", "1", "--to", "2", "--label", "eu"], "--label does not go with a backfill here."),
        (["--param", "day", "--from", "1", "--to", "2", "--cloud", "--lock-timeout", "1"], "--lock-timeout does not go with --cloud."),
        (["--param", "day", "--from", "1", "--to", "2", "--cloud"], "There are no deployments to run on."),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_is_run(shop: Shop, words: list[str], message: str) -> None:
    ended = shop.fill(*words)
    assert (ended.code, ended.stdout, ended.stderr.splitlines()[0]) == (2, "", f"error: {message}")
    assert shop.diary == []


def test_a_parameter_that_the_project_does_not_take_is_told_before_anything_is_run(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project("plain")
    settings = project / "pdbt.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("[parameters]\n", "[parameters]\nmonth = 1\n"), encoding="utf-8")
    (project / "scripts/final/M.sql").write_text("SELECT $month AS month", encoding="utf-8")
    with pytest.raises(PdbtError) as told:
        backfill(project, "mnth", 1, 2)
    assert str(told.value) == "--param mnth: no file of this project uses $mnth. Used: $month."
    with pytest.raises(PdbtError) as told:
        backfill(project, "month", "2026-01", "2026-02")
    assert str(told.value) == "--param month=2026-01: month is a whole number in pdbt.toml. Give a whole number."
    assert not (project / "macro/runs.jsonl").exists()
    assert backfill(project, "month", 1, 2).ok
    with pytest.raises(PdbtError, match=r"gone does not exist\."):
        backfill(tmp_path / "gone", "month", 1, 2)


@given(first=st.dates(), count=st.integers(0, 400), step=st.integers(1, 40))
def test_days_are_those_of_the_calendar(first: datetime.date, count: int, step: int) -> None:
    last = min(first.toordinal() + count, datetime.date.max.toordinal())
    found = values_between(first, datetime.date.fromordinal(last), step)
    assert found == [datetime.date.fromordinal(day).isoformat() for day in range(first.toordinal(), last + 1, step)]
    months = values_between(first.isoformat()[:7], datetime.date.fromordinal(last).isoformat()[:7])
    assert months == sorted({day[:7] for day in values_between(first, datetime.date.fromordinal(last))} | {months[-1]})
