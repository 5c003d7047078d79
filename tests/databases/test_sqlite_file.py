"""What only SQLite files need."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pdbt.engine.databases import UnusableStart
from pdbt.engine.errors import PdbtError
from tests.conftest import StartProcess
from tests.databases.conftest import MakeSubject
from tests.databases.subjects import Subject, load

# Changes every row of T within a transaction and, killed with its journal on the disk, leaves the file half changed.
HALF_WRITTEN = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN")
connection.execute("UPDATE T SET a = a || ' changed'")
print("written", flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def subject(make_subject: MakeSubject) -> Subject:
    """A SQLite database."""
    return make_subject("sqlite")


ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT 'row ' || i AS a FROM n"


def test_a_half_written_file_is_restored_before_it_is_replaced_or_copied(subject: Subject, start_process: StartProcess) -> None:
    token = subject.publish(("T", ROWS))
    start_process([sys.executable, "-c", HALF_WRITTEN, subject.published]).wait(20)
    journal = subject.published.with_name("database.sqlite-journal")
    assert journal.exists()
    assert subject.database().published_token() != token
    with subject.run("published", ["T"]) as database:
        assert database.query("SELECT a FROM T WHERE a LIKE '% changed'", 1)[2] == 0
        assert not journal.exists()
        database.build("U", "SELECT count(*) AS n FROM T")
        database.seal()
        database.publish(["U"], [])
    assert subject.read("SELECT n FROM U") == [(20000,)]


def test_a_journal_of_the_old_file_is_not_applied_to_the_new_one(subject: Subject, start_process: StartProcess) -> None:
    subject.publish(("T", ROWS))
    start_process([sys.executable, "-c", HALF_WRITTEN, subject.published]).wait(20)
    subject.publish(("T", "SELECT 'new' AS a"))
    assert subject.read("SELECT a FROM T") == [("new",)]
    assert [path.name for path in subject.published.parent.iterdir() if path.is_file()] == ["database.sqlite"]


def test_a_file_that_somebody_put_into_wal_mode_is_brought_back(subject: Subject) -> None:
    subject.publish(("T", "SELECT 1 AS a"))
    with closing(sqlite3.connect(subject.published, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO T VALUES (2)")
    with subject.run("published", ["T"]) as database:
        database.seal()
        database.publish([], [])
    with closing(sqlite3.connect(f"{subject.published.as_uri()}?mode=ro&immutable=0", uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_writer_is_waited_for_and_then_named_by_its_deed(subject: Subject) -> None:
    subject.publish(("T", "SELECT 1 AS a"))
    database = subject.database(lock_timeout=0.2)
    database.open("empty")
    database.build("T", "SELECT 2 AS a")
    database.seal()
    with closing(sqlite3.connect(subject.published, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO T VALUES (3)")
        with pytest.raises(PdbtError, match=r"db/database.sqlite is being written to by another program"):
            database.publish(["T"], [])
        writer.execute("ROLLBACK")
        database.publish(["T"], [])
    database.close()
    assert subject.read("SELECT a FROM T") == [(2,)]


def test_an_open_reader_does_not_hinder_a_publication_and_goes_on_reading(subject: Subject) -> None:
    subject.publish(("T", ROWS))
    with closing(sqlite3.connect(f"{subject.published.as_uri()}?mode=ro", uri=True)) as reader:
        rows = reader.execute("SELECT a FROM T")
        assert rows.fetchone() == ("row 1",)
        subject.publish(("T", "SELECT 'new' AS a"))
        assert len(rows.fetchall()) == 19999
    assert subject.read("SELECT a FROM T") == [("new",)]


def test_a_foreign_file_gives_a_sentence_and_does_not_stop_a_run_that_starts_empty(subject: Subject) -> None:
    subject.published.parent.mkdir(parents=True)
    subject.published.write_bytes(b"not a database" * 10_000)
    for start in ("published", "reading"):
        with pytest.raises(UnusableStart, match=r"db/database.sqlite cannot be opened by SQLite: file is not a database"):
            subject.database().open(start, ["T"])
    subject.publish(("T", "SELECT 2 AS a"))
    assert subject.read("SELECT a FROM T") == [(2,)]


def test_a_large_file_of_which_little_is_kept_becomes_small(subject: Subject) -> None:
    with subject.run() as database:
        load(database, "SMALL", "SELECT i AS a, 'x' AS rowid FROM range(1000) t(i)")
        load(database, "LARGE", "SELECT md5(i::VARCHAR) AS a FROM range(300000) t(i)")
        database.seal()
        database.publish(["SMALL", "LARGE"], [])
    assert subject.published.stat().st_size > 8 << 20
    with subject.run("published", ["SMALL"]) as database:
        database.seal()
        database.publish([], ["LARGE"])
    assert subject.published.stat().st_size < 1 << 20
    assert subject.tables() == ["SMALL"]
    assert subject.read("SELECT count(*), max(a) FROM SMALL") == [(1000, 999)]


def test_the_space_of_what_is_rebuilt_is_used_again(subject: Subject) -> None:
    subject.publish(("KEPT", ROWS), ("REBUILT", ROWS))
    before = subject.published.stat().st_size
    for _ in range(4):
        with subject.run("published", ["KEPT"]) as database:
            database.build("REBUILT", "SELECT a FROM KEPT")
            database.seal()
            database.publish(["REBUILT"], [])
    assert subject.published.stat().st_size <= 1.1 * before


def test_rows_are_counted_when_a_column_is_called_rowid(subject: Subject) -> None:
    with subject.run() as database:
        assert database.build("T", "SELECT 'x' AS rowid UNION ALL SELECT 'y'") == 2
        assert database.build("U", "SELECT 1 AS rowid, 2 AS _rowid_, 3 AS oid") == 1
        assert database.build("V", "SELECT rowid FROM T WHERE 0") == 0


def test_readers_need_not_be_able_to_write(subject: Subject, tmp_path: Path) -> None:
    subject.publish(("T", "SELECT 1 AS a"))
    header = subject.published.read_bytes()[:100]
    assert header[18:20] == b"\x01\x01"  # a rollback journal, for which a reader writes nothing, and not WAL
