"""What the benchmark measures and how it says it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.agreement import same_values
from benchmarks.contest import Bar, Contest, Contestant, Disagreement, Outcome, hold
from benchmarks.measure import CommandFailed, measure
from benchmarks.record import Measurement, read, write
from benchmarks.report import page, table

REPOSITORY = Path(__file__).resolve().parents[2]
MEGABYTE = 1_000_000


def python(code: str, folder: Path, name: str) -> Contestant:
    return Contestant(name, (sys.executable, "-c", code), folder)


def test_measures_seconds_and_the_memory_of_the_largest_process(tmp_path: Path) -> None:
    # In a process of its own: at exec a child inherits the peak of the process that started it, and this one is large.
    code = f"""
import os, pathlib, sys
from benchmarks.measure import measure
child = "b = bytearray(b'1') * 150_000_000; import time; time.sleep(0.2)"
parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {{child!r}}], check=True)"
cost = measure([sys.executable, "-c", parent], pathlib.Path({str(tmp_path)!r}), os.environ)
print(cost.seconds, cost.peak)
"""
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True)
    seconds, peak = map(float, answer.stdout.split())
    assert seconds > 0.2
    assert 150 * MEGABYTE < peak < 250 * MEGABYTE


def test_a_command_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no such table"):
        measure([sys.executable, "-c", "import sys; sys.exit('no such table')"], tmp_path, os.environ)


def test_contestants_take_turns_after_one_unmeasured_round(tmp_path: Path) -> None:
    said: list[str] = []
    contest = Contest("turns", (python("pass", tmp_path, "a"), python("pass", tmp_path, "b")), (Bar("a / b", "a", 9, "b"),), lambda: None)
    (outcome,) = hold(contest, 3, os.environ, said.append)
    assert [line.split(":")[0].split()[-1] for line in said] == ["a", "b"] * 3
    assert len(outcome.ours) == len(outcome.rival) == 3
    assert outcome.met


def test_results_that_differ_are_not_measured(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("city,amount\nOslo,10.000000000001\n")
    (tmp_path / "two.csv").write_text("city,amount\nOslo,10\n")
    (tmp_path / "three.csv").write_text("city,amount\nOslo,11\n")
    same_values(tmp_path / "one.csv", tmp_path / "two.csv")
    with pytest.raises(Disagreement, match="row 2"):
        same_values(tmp_path / "one.csv", tmp_path / "three.csv")


def test_the_report_divides_medians_and_names_what_is_missed() -> None:
    fast = Outcome(Bar("new / rival", "pdbt", 0.7, "rival"), (0.1, 0.2, 9.0), (0.3, 0.4, 0.5))
    fat = Outcome(Bar("peak", "pdbt", 1000 * MEGABYTE, quantity="peak"), (1200.0 * MEGABYTE,), ())
    assert (fast.figure, fast.met, fat.met) == (0.5, True, False)
    first, second = table([fast, fat]).splitlines()[1:]
    assert "0.50 x" in first
    assert first.endswith("met")
    assert "at most 1000 MB" in second
    assert second.endswith("MISSED")
    measured = {"new": Measurement("2026-01-02", 3, 0.5, "a machine", ["DuckDB 2"], [fast, fat])}
    text = page(measured, ["new", "memory-sqlite"])
    assert "Missed: peak." in text
    assert "Not measured: memory-sqlite." in text
    assert "| new | 2026-01-02 | 3 | 0.50 | DuckDB 2 |" in text


def test_what_was_measured_is_kept_with_every_figure(tmp_path: Path) -> None:
    fast = Outcome(Bar("new / rival", "pdbt", 0.7, "rival"), (0.1, 0.2, 9.0), (0.3, 0.4, 0.5))
    measured = {"new": Measurement("2026-01-02", 3, 0.5, "a machine", ["DuckDB 2"], [fast])}
    write(tmp_path / "results.json", measured)
    assert read(tmp_path / "results.json") == measured
    assert read(tmp_path / "none.json") == {}
