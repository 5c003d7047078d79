"""`kill -9` at random moments of a transfer of two million rows: the target is as it was, or complete."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest

from pdbt.connect import transfer
from tests.conftest import StartProcess
from tests.connect.databases import NAMES, DuckDBFile, Place, SQLiteFile

PROGRAM = Path(__file__).with_name("transferring_process.py")
ROWS, THERE, KILLS = 2_000_000, 1_000, 20
LONGEST_SECONDS = 120.0
# What the target holds: count and sum of the ids.
COUNT = "SELECT count(*), sum(id) FROM t"
BEFORE = (THERE, THERE * (THERE - 1) // 2)
AFTER = {
    "replace": (ROWS, ROWS * (ROWS - 1) // 2),
    "append": (ROWS + THERE, ROWS * (ROWS - 1) // 2 + BEFORE[1]),
    "upsert": (ROWS, ROWS * (ROWS - 1) // 2),
}


def fill(place: Place, rows: int = THERE) -> None:
    numbers = f"WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM r WHERE i < {rows - 1}) SELECT i, 'old' FROM r"
    place.execute("DROP TABLE IF EXISTS t", "CREATE TABLE t (id BIGINT NOT NULL, name VARCHAR(40))", f"INSERT INTO t {numbers}")


def held(place: Place) -> tuple[int, int]:
    ((count, total),) = place.execute(COUNT)
    return int(count), int(total)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["replace", "append", "upsert"])
@pytest.mark.parametrize("end", NAMES)
def test_a_target_is_never_partial(places: dict[str, Place], tmp_path: Path, start_process: StartProcess, end: str, mode: str) -> None:
    origin, target = DuckDBFile(tmp_path / "origin.duckdb"), places[end]
    origin.execute(f"CREATE TABLE origin AS SELECT i::BIGINT AS id, 'row ' || i AS name FROM range({ROWS}) r(i)")
    chance = random.Random(f"{end} {mode}")
    fill(target)
    if mode == "upsert":
        target.execute("CREATE INDEX t_id ON t (id)")
    seconds = _carry_out(start_process, origin, target, mode)
    assert held(target) == AFTER[mode]
    outcomes = []
    fill(target)
    if mode == "upsert":
        target.execute("CREATE INDEX t_id ON t (id)")
    for _ in range(KILLS):
        process = start_process([sys.executable, PROGRAM, origin.url, target.url, mode])
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        time.sleep(chance.uniform(0, seconds * 1.05))
        process.kill()
        process.wait(LONGEST_SECONDS)
        found = _settled(target)
        assert found in (BEFORE, AFTER[mode])
        outcomes.append(found)
        if found != BEFORE:
            fill(target)
            if mode == "upsert":
                target.execute("CREATE INDEX t_id ON t (id)")
    assert BEFORE in outcomes


def _carry_out(start_process: StartProcess, origin: Place, target: Place, mode: str) -> float:
    """Let a transfer end; return how long it took once its libraries were loaded."""
    process = start_process([sys.executable, PROGRAM, origin.url, target.url, mode])
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    started = time.monotonic()
    _, errors = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 0, errors
    return time.monotonic() - started


def _settled(target: Place) -> tuple[int, int]:
    """Look twice: a server may still be ending what the killed process had begun, and what is seen must not change for it."""
    first = held(target)
    if first == BEFORE:
        time.sleep(0.2)
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
