"""Readers are never disturbed by a publication, and see one run only."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from pdbt.engine.errors import BuildError
from tests.conftest import StartProcess
from tests.databases.conftest import MakeSubject
from tests.databases.reader_process import ROWS, rows
from tests.databases.subjects import Subject

READERS = 4
RUNS = 20
ENDING_SECONDS = 30
REPOSITORY = Path(__file__).resolve().parents[2]


def test_readers_never_fail_and_never_see_a_mixture_while_runs_follow_each_other(
    subject: Subject, start_process: StartProcess, tmp_path: Path
) -> None:
    tables = ("FIRST", "SECOND")
    subject.publish(*((name, rows(1)) for name in tables))
    stop = tmp_path / "stop"
    command = [sys.executable, "-m", "tests.databases.reader_process", subject.kind, subject.url or subject.published, stop]
    readers = [start_process(command, cwd=REPOSITORY) for _ in range(READERS)]
    for run in range(2, RUNS + 1):
        kept = [] if run % 2 else ["FIRST"]
        with subject.run("published" if kept else "empty", kept) as database:
            database.build("FIRST", rows(run))
            database.build("SECOND", "SELECT run FROM FIRST")
            database.seal()
            database.publish(tables, [])
    stop.touch()
    for reader in readers:
        output, errors = reader.communicate(timeout=ENDING_SECONDS)
        assert errors == ""
        seen = json.loads(output)
        assert seen["faults"] == []
        assert seen["reads"] > 0
        assert seen["runs"] == sorted(seen["runs"])
    assert subject.read("SELECT count(*), min(run), max(run) FROM SECOND") == [(ROWS, RUNS, RUNS)]


def test_a_long_transaction_goes_on_seeing_what_it_saw(make_subject: MakeSubject) -> None:
    subject = make_subject("postgresql")
    subject.publish(("FIRST", rows(1)), ("SECOND", rows(1)))
    with psycopg.connect(str(subject.url)) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert reader.execute("SELECT max(run) FROM FIRST").fetchall() == [(1,)]
        started = time.monotonic()
        subject.publish(("FIRST", rows(2)), ("SECOND", rows(2)))
        assert time.monotonic() - started < 5  # the publication did not wait for it
        assert reader.execute("SELECT count(*), max(run) FROM SECOND").fetchall() == [(ROWS, 1)]
        reader.commit()
        assert reader.execute("SELECT count(*), max(run) FROM SECOND").fetchall() == [(ROWS, 2)]


def test_new_columns_wait_for_readers_without_stopping_others(make_subject: MakeSubject) -> None:
    subject = make_subject("postgresql")
    subject.publish(("FIRST", rows(1)))
    with psycopg.connect(str(subject.url)) as slow, subject.run() as database:
        slow.execute("SELECT count(*) FROM FIRST")
        database.build("FIRST", "SELECT 2 AS run, 'new' AS added")
        database.seal()
        publishing = threading.Thread(target=database.publish, args=(["FIRST"], []))
        publishing.start()
        longest = 0.0
        for _ in range(20):
            started = time.monotonic()
            assert subject.read("SELECT max(run) FROM FIRST") == [(1,)]
            longest = max(longest, time.monotonic() - started)
        assert publishing.is_alive()
        assert longest < 1.0  # less than deadlock_timeout, after which PostgreSQL might cancel a reader
        slow.commit()
        publishing.join(10)
        assert not publishing.is_alive()
    assert subject.read("SELECT run, added FROM FIRST") == [(2, "new")]


def test_a_session_that_never_lets_go_is_named_and_nothing_is_published(make_subject: MakeSubject) -> None:
    subject = make_subject("postgresql")
    subject.publish(("FIRST", rows(1)), ("SECOND", rows(1)))
    with psycopg.connect(str(subject.url), application_name="report") as slow:
        slow.execute("SELECT count(*) FROM FIRST")
        database = subject.database(lock_timeout=0.5)
        database.open("empty")
        database.build("FIRST", "SELECT 2 AS other_column")
        database.build("SECOND", rows(2))
        token = database.seal()
        with pytest.raises(BuildError, match=rf"locked for 0.5 s: PID {slow.info.backend_pid} \(postgres report\)"):
            database.publish(["FIRST", "SECOND"], [])
        assert subject.read("SELECT max(run) FROM SECOND") == [(1,)]
        assert database.work_token() == token
        slow.commit()
        database.publish(["FIRST", "SECOND"], [])
        database.close()
    assert subject.read("SELECT other_column, max(run) FROM FIRST, SECOND GROUP BY 1") == [(2, 2)]
