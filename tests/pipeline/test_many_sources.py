"""Hundreds of source files: one run imports them all, and opens the database a few times, not once for each."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.pipeline.conftest import MakeProject
from tests.pipeline.projects import KINDS, Project

CASES = [("duckdb", 200), *(pytest.param(kind, 1000, marks=pytest.mark.slow) for kind in KINDS)]
FEW = 12
RUN_SECONDS = 400
IN_OPEN, IN_CLOSE = 0x20, 0x18
EVENT_HEADER = struct.Struct("iIII")
EVENT_BYTES = 1 << 22


@contextlib.contextmanager
def database_openings(project: Project) -> Iterator[list[int]]:
    """Count how often any process opens a database file of the project, or connects to its server; one number at the end."""
    counted: list[int] = []
    if project.url:
        before = sessions(project.url)
        yield counted
        counted.append(sessions(project.url) - before - 1)
        return
    work = project.path / "db/.work"
    work.mkdir(exist_ok=True)
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.inotify_init1(os.O_NONBLOCK)
    assert descriptor >= 0
    try:
        for folder in (work, work.parent):
            # Closing is watched too: the kernel makes one event of equal ones that follow each other.
            assert library.inotify_add_watch(descriptor, os.fsencode(folder), IN_OPEN | IN_CLOSE) >= 0
        yield counted
        counted.append(sum(name.endswith(project.database.suffix) for name in opened_files(descriptor)))
    finally:
        os.close(descriptor)


def opened_files(descriptor: int) -> Iterator[str]:
    """Read the names of the files that were opened since."""
    while True:
        try:
            events = os.read(descriptor, EVENT_BYTES)
        except BlockingIOError:
            return
        at = 0
        while at < len(events):
            _, mask, _, length = EVENT_HEADER.unpack_from(events, at)
            at += EVENT_HEADER.size
            if mask & IN_OPEN:
                yield events[at : at + length].rstrip(b"\0").decode()
            at += length


def sessions(url: str) -> int:
    """Return how many connections this database has had, this one included."""
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
        found = server.execute("SELECT sessions FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert found
    return int(found[0])


def write_sources(folder: Path, files: int) -> None:
    """Write small files: number, text with an accent, amount."""
    for number in range(files):
        rows = "".join(f"{number * 10 + row},naïve {row},{number}.5\n" for row in range(10))
        (folder / f"part_{number:04}.csv").write_text(f"id,label,amount\n{rows}", encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="openings are counted by inotify")
@pytest.mark.timeout(3 * RUN_SECONDS)
@pytest.mark.parametrize(("kind", "files"), CASES)
def test_a_thousand_files_are_a_thousand_tables_in_one_run(make_project: MakeProject, kind: str, files: int) -> None:
    project = make_project(kind)
    write_sources(project.path / "data/source", files)
    five = (0, 1, files // 2, files - 2, files - 1)
    united = " UNION ALL ".join(f"SELECT count(*) AS n, sum(id) AS ids, sum(amount) AS amount FROM PART_{number:04}" for number in five)
    project.final("FIVE", united)
    with database_openings(project) as counted:
        project.run(timeout=RUN_SECONDS)
    assert 1 <= counted[0] <= FEW
    rows = sorted((int(n), int(ids), float(amount)) for n, ids, amount in project.query("SELECT n, ids, amount FROM FIVE"))
    assert rows == [(10, number * 100 + 45, number * 10 + 5.0) for number in five]
    imported = [step for step in project.records()[-1]["steps"] if step["step"] == "import"]
    assert {(step["result"], step["rows"]) for step in imported} == {("rebuilt", 10)}
    assert len(imported) == files
    assert project.query("SELECT id, label, amount FROM PART_0177 ORDER BY id LIMIT 1") == [(1770, "naïve 0", 177.5)]

    # one of them changed: one import, whatever the number of files
    (project.path / "data/source/part_0001.csv").write_text("id,label,amount\n1,one,1.25\n", encoding="utf-8")
    with database_openings(project) as counted:
        project.run(timeout=RUN_SECONDS)
    assert 1 <= counted[0] <= FEW
    results = [step["name"] for step in project.records()[-1]["steps"] if step["result"] == "rebuilt"]
    assert results == ["PART_0001", "FIVE"]
    project.run(timeout=RUN_SECONDS)
    assert set(project.outcome().values()) == {"reused"}
