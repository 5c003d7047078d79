"""`kill -9` at every act of a transfer, and at random moments of a large one: the target is as it was, or complete."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdbt.connect import transfer
from pdbt.connect.base import BATCH_ROWS
from tests.conftest import StartProcess
from tests.connect.databases import NAMES, DuckDBFile, Place, SQLiteFile, numbers

ROOT = Path(__file__).resolve().parents[2]
MODES = ("replace", "append", "upsert")
THERE = 1_000
ROWS = 60_000  # two batches
MANY_ROWS = 1_000_000
MOST_ACTS = 30  # a transfer that has more is killed before as many of them, evenly spread
LONGEST_SECONDS = 120.0
Held = tuple[int, int]
# What the target holds: count and sum of the ids.
COUNT = "SELECT count(*), sum(id) FROM t"
BEFORE = (THERE, THERE * (THERE - 1) // 2)


def after(rows: int, mode: str) -> Held:
    """Return what the target holds after a transfer of so many rows, whose first ids are those that are there."""
    total = rows * (rows - 1) // 2
    return (rows + THERE, total + BEFORE[1]) if mode == "append" else (rows, total)


def fill(place: Place, mode: str = "") -> None:
    place.execute(
        "DROP TABLE IF EXISTS t",
        "CREATE TABLE t (id BIGINT NOT NULL, name VARCHAR(40))",
        f"INSERT INTO t SELECT i, 'old' FROM ({numbers(place, THERE)}) r",
        *(["CREATE INDEX t_id ON t (id)"] if mode == "upsert" else []),
    )


def held(place: Place) -> Held:
    ((count, total),) = place.execute(COUNT)
    return int(count), int(total)


def made_origin(folder: Path, rows: int) -> DuckDBFile:
    origin = DuckDBFile(folder / "origin.duckdb")
    origin.execute(f"CREATE TABLE origin AS SELECT i::BIGINT AS id, 'row ' || i AS name FROM range({rows}) r(i)")
    return origin


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("end", NAMES)
def test_killed_before_any_act_a_target_is_never_partial(
    places: dict[str, Place], tmp_path: Path, start_process: StartProcess, end: str, mode: str
) -> None:
    origin, target = made_origin(tmp_path, ROWS), places[end]
    process = start_process([sys.executable, "-m", "tests.connect.killed_transfer"], cwd=ROOT, stdin=subprocess.PIPE)

    def end_before(act: int) -> tuple[int, list[str]]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([act, origin.url, target.url, mode]) + "\n")
        process.stdin.flush()
        code, acts = json.loads(process.stdout.readline())
        return code, acts

    fill(target, mode)
    code, acts = end_before(0)
    assert code == 0
    assert len(acts) > 3 + ROWS // BATCH_ROWS
    assert held(target) == after(ROWS, mode)
    fill(target, mode)
    outcomes = []
    for number in spread(len(acts)):
        code, _ = end_before(number)
        # It may have an act less than the one that was counted, depending on who waited for whom.
        assert code == -signal.SIGKILL or (code == 0 and number > len(acts) - 5), acts[number - 1]
        found = _settled(target)
        assert found in ((BEFORE, after(ROWS, mode)) if code else (after(ROWS, mode),)), acts[number - 1]
        outcomes.append(found)
        if found != BEFORE:
            fill(target, mode)
    assert outcomes[0] == BEFORE
    assert end_before(0)[0] == 0, "the next transfer needs no help"
    assert held(target) == after(ROWS, mode)


def spread(count: int) -> list[int]:
    """Return the numbers of all acts, or of so many of them from the first to the last."""
    if count <= MOST_ACTS:
        return list(range(1, count + 1))
    return [1 + round(number * (count - 1) / (MOST_ACTS - 1)) for number in range(MOST_ACTS)]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("end", "mode"), [("postgresql", "upsert"), ("mysql", "append"), ("mysql", "upsert"), ("sqlite", "replace"), ("duckdb", "append")]
)
def test_killed_within_a_million_rows_a_target_is_never_partial(
    places: dict[str, Place], tmp_path: Path, start_process: StartProcess, end: str, mode: str
) -> None:
    """Within a statement, where no act is: once while rows come, and once when all have been read."""
    origin, target = made_origin(tmp_path, MANY_ROWS), places[end]
    chance = random.Random(f"{end} {mode}")
    for rows, seconds in ((chance.uniform(0, MANY_ROWS), 0.0), (MANY_ROWS, chance.uniform(0, 0.25))):
        fill(target, mode)
        process = start_process([sys.executable, "-m", "tests.connect.transferring_process", origin.url, target.url, mode], cwd=ROOT)
        assert process.stdout is not None
        while (said := process.stdout.readline()).strip().isdecimal() and int(said) < rows:
            pass
        assert said.strip().isdecimal(), process.communicate()[1]
        time.sleep(seconds)
        process.kill()
        process.wait(LONGEST_SECONDS)
        assert _settled(target) in (BEFORE, after(MANY_ROWS, mode))


def _settled(target: Place) -> Held:
    """Look twice: a server may still be ending what the killed process had begun, and what is seen must not change for it."""
    first = held(target)
    if first == BEFORE and not isinstance(target, DuckDBFile | SQLiteFile):
        time.sleep(0.1)
        return held(target)
    return first


def test_a_file_whose_writer_was_killed_is_read_and_written_at_once(
    places: dict[str, Place], tmp_path: Path, start_process: StartProcess
) -> None:
    program = (
        "import os, sqlite3, sys\nconnection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.executescript('PRAGMA cache_size = 5; BEGIN; UPDATE t SET name = name || hex(zeroblob(500)) WHERE id % 2 = 0')\n"
        "print('changed', flush=True)\nsys.stdin.read()\nos.read(os.pipe()[0], 1)\n"
    )
    place = places["sqlite"]
    assert isinstance(place, SQLiteFile)
    fill(place)
    process = start_process([sys.executable, "-c", program, place.path])
    assert process.stdout is not None
    assert process.stdout.readline() == "changed\n"
    process.kill()
    process.wait(LONGEST_SECONDS)
    assert place.path.with_name("place.sqlite-journal").stat().st_size  # what is half done can be taken back by it
    transfer(place.url, str(tmp_path / "copy.duckdb"), table="t")
    assert held(DuckDBFile(tmp_path / "copy.duckdb")) == BEFORE
    assert place.execute("SELECT DISTINCT name FROM t") == [("old",)]
