"""What only DuckDB files need."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pdbt.engine.databases import UnusableStart
from pdbt.engine.errors import BuildError, PdbtError
from tests.conftest import StartProcess
from tests.databases.conftest import MakeSubject
from tests.databases.subjects import Subject, load

WRITER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("CREATE TABLE foreign_table AS SELECT 1 AS a")
print("open", flush=True)
sys.stdin.read() if sys.argv[2] == "wait" else __import__("os").kill(__import__("os").getpid(), 9)
"""


@pytest.fixture
def subject(make_subject: MakeSubject) -> Subject:
    """A DuckDB database."""
    return make_subject("duckdb")


def write_from_outside(subject: Subject, start_process: StartProcess, then: str) -> int:
    """Let another process write to the published file, and then wait or be killed; returns its PID."""
    waiting = WRITER.replace("sys.stdin.read()", "__import__('time').sleep(60)")
    process = start_process([sys.executable, "-c", waiting, subject.published, then])
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    if then != "wait":
        process.wait(10)
    return process.pid


@pytest.mark.parametrize(
    ("select", "count"),
    [
        ("FROM S", 4),
        ("FROM S SELECT kind WHERE amount > 1", 3),
        ("PIVOT S ON kind USING sum(amount) GROUP BY shop", 2),
        ("UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b", 2),
        ("(SELECT 1 AS a)", 1),
    ],
)
def test_duckdbs_own_ways_to_write_a_select_make_tables(subject: Subject, select: str, count: int) -> None:
    with subject.run() as database:
        load(database, "S", "FROM (VALUES ('a', 'x', 1), ('a', 'y', 2), ('b', 'x', 3), ('b', 'y', 4)) t(shop, kind, amount)")
        assert database.build("T", select) == count
        assert database.query(select, 10)[2] == count


def test_a_python_variable_is_no_table(subject: Subject) -> None:
    rows = pa.table({"a": [1]})
    assert rows.num_rows == 1
    with subject.run() as database, pytest.raises(BuildError, match="rows"):
        database.build("T", "SELECT * FROM rows")


def test_a_file_that_another_program_writes_to_is_refused_by_its_pid(subject: Subject, start_process: StartProcess) -> None:
    subject.publish(("T", "SELECT 1 AS a"))
    database = subject.database(lock_timeout=0.2)
    database.open("empty")
    database.build("T", "SELECT 2 AS a")
    database.seal()
    pid = write_from_outside(subject, start_process, "wait")
    with pytest.raises(PdbtError, match=rf"db/database.duckdb is open for writing in another program \(PID {pid}\)"):
        database.publish(["T"], [])
    with pytest.raises(PdbtError, match=rf"PID {pid}"):
        database.open("published", ["T"])
    database.close()


def test_what_a_killed_writer_left_beside_the_file_does_not_reach_readers_of_the_next_run(
    subject: Subject, start_process: StartProcess
) -> None:
    token = subject.publish(("T", "SELECT 1 AS a"))
    write_from_outside(subject, start_process, "die")
    log = subject.published.with_name("database.duckdb.wal")
    assert log.exists()
    assert subject.database().published_token() != token  # so that the run makes everything anew
    subject.publish(("T", "SELECT 2 AS a"))
    assert not log.exists()
    assert subject.tables() == ["T"]
    assert subject.read("SELECT a FROM T") == [(2,)]


@pytest.mark.parametrize("content", [b"", b"not a database" * 10_000])
def test_a_foreign_file_gives_a_sentence_and_does_not_stop_a_run_that_starts_empty(subject: Subject, content: bytes) -> None:
    subject.published.parent.mkdir(parents=True)
    subject.published.write_bytes(content)
    if content:
        with pytest.raises(UnusableStart, match=f"db/database.duckdb cannot be opened by DuckDB {duckdb.__version__}: .* Run with --full"):
            subject.database().open("published", ["T"])
    subject.publish(("T", "SELECT 2 AS a"))
    assert subject.read("SELECT a FROM T") == [(2,)]


def test_a_missing_file_cannot_be_started_from(subject: Subject) -> None:
    with pytest.raises(UnusableStart, match=r"db/database.duckdb does not exist"):
        subject.database().open("published", ["T"])
    with pytest.raises(UnusableStart, match=r"db/database.duckdb"):
        subject.database().open("reading")


def test_the_file_does_not_grow_over_many_runs(subject: Subject) -> None:
    subject.publish(("SMALL", "SELECT 1 AS a"), ("LARGE", "SELECT md5(i::VARCHAR) AS a FROM range(100000) t(i)"))
    sizes = []
    for _ in range(6):
        with subject.run("published", ["SMALL"]) as database:
            database.build("LARGE", "SELECT md5(random()::VARCHAR) AS a FROM range(100000) t(i)")
            database.seal()
            database.publish(["LARGE"], [])
        sizes.append(subject.published.stat().st_size)
    assert max(sizes) <= 1.3 * sizes[0]


def test_a_file_that_is_mostly_free_becomes_small(subject: Subject) -> None:
    subject.publish(("SMALL", "SELECT i AS a FROM range(1000) t(i)"), ("LARGE", "SELECT md5(i::VARCHAR) AS a FROM range(600000) t(i)"))
    assert subject.published.stat().st_size > 8 << 20
    for _ in range(2):
        with subject.run("published", ["SMALL"]) as database:
            database.seal()
            database.publish([], ["LARGE"])
    assert subject.published.stat().st_size < 2 << 20
    assert subject.tables() == ["SMALL"]
    assert subject.read("SELECT count(*), max(a) FROM SMALL") == [(1000, 999)]


HEADER_BYTES = 3 * 4096  # the main header and the two of which the newer one counts


@pytest.mark.parametrize("kept", [[], ["KEPT"]])
def test_the_header_of_the_last_run_still_finds_all_of_that_run_in_the_new_file(subject: Subject, tmp_path: Path, kept: list[str]) -> None:
    """DuckDB 2.0 reads a file's header, closes it, and opens it again by name for the rest: a publication may lie between."""
    before, mixed = tmp_path / "before.duckdb", tmp_path / "mixed.duckdb"
    # Of row groups of 61,440; a file of more than 8 MB might be written anew, without the tables that are not kept.
    sizes = [1000, 70_000, 10, 10, 300_000 if kept else 125_000, 60_000, 100_000, 0]
    for run, rows in enumerate(sizes):
        with subject.run("published" if kept and run else "empty", kept) as database:
            if not kept or not run:
                database.build("KEPT", "SELECT i AS n FROM range(5000) t(i)")
            database.build("FIRST", f"SELECT {run} AS run, md5((i * {run + 1})::VARCHAR) AS text FROM range({rows}) t(i)")
            database.build("SECOND", f"SELECT {run} AS run, 'x' AS text FROM range({rows // 2})")
            database.seal()
            database.publish(["FIRST", "SECOND"], [])
        assert subject.read("SELECT count(*), max(run) FROM FIRST") == [(rows, run if rows else None)]
        if run:
            mixed.write_bytes(before.read_bytes()[:HEADER_BYTES] + subject.published.read_bytes()[HEADER_BYTES:])
            with duckdb.connect(str(mixed), read_only=True) as connection:
                select = "SELECT (SELECT count(*) FROM FIRST), (SELECT count(DISTINCT text) FROM FIRST), (SELECT count(*) FROM SECOND)"
                assert connection.execute(select).fetchall() == [(sizes[run - 1], sizes[run - 1], sizes[run - 1] // 2)]
                assert connection.execute("SELECT max(run) FROM FIRST").fetchall() == [(run - 1,)]
                assert connection.execute("SELECT count(*), sum(n) FROM KEPT").fetchall() == [(5000, 12497500)]
        before.write_bytes(subject.published.read_bytes())


def test_an_empty_beginning_keeps_nothing_that_somebody_else_made(subject: Subject) -> None:
    subject.publish(("T", "SELECT 1 AS a"))
    with duckdb.connect(str(subject.published)) as connection:
        connection.execute("CREATE SCHEMA theirs; CREATE TABLE theirs.t AS SELECT 1 AS a; CREATE VIEW v AS FROM theirs.t")
    subject.publish(("T", "SELECT 2 AS a"))
    assert subject.read("SELECT schema_name, table_name FROM duckdb_tables()") == [("main", "T")]
    assert subject.read("SELECT view_name FROM duckdb_views() WHERE NOT internal") == []


def test_a_large_file_of_which_most_is_kept_is_copied(subject: Subject) -> None:
    subject.publish(("SMALL", "SELECT i AS a FROM range(1000) t(i)"), ("LARGE", "SELECT md5(i::VARCHAR) AS a FROM range(600000) t(i)"))
    with subject.run("published", ["LARGE"]) as database:
        database.build("SMALL", "SELECT count(*) AS a FROM LARGE")
        database.seal()
        database.publish(["SMALL"], [])
    assert subject.read("SELECT a FROM SMALL") == [(600_000,)]


def test_a_thousand_small_tables_take_no_thousand_writes_to_the_disk(subject: Subject) -> None:
    with subject.run() as database:
        for number in range(1000):
            load(database, f"T{number}", f"SELECT {number} AS a")
        database.seal()
        database.publish([f"T{number}" for number in range(1000)], [])
    assert len(subject.tables()) == 1000
    assert not list(Path(subject.project, "db").rglob("*.wal"))


def test_the_published_file_keeps_its_permissions(subject: Subject) -> None:
    subject.publish(("T", "SELECT 1 AS a"))
    subject.published.chmod(0o640)
    subject.publish(("T", "SELECT 2 AS a"))
    assert subject.published.stat().st_mode & 0o777 == 0o640


def test_a_path_of_ones_own_has_its_work_on_the_same_file_system(tmp_path: Path) -> None:
    from pdbt.engine.databases import open_database

    target = tmp_path / "elsewhere/shop.duckdb"
    database = open_database("duckdb", project=tmp_path / "project", path="../elsewhere/shop.duckdb")
    database.open("empty")
    database.build("T", "SELECT 1 AS a")
    assert database.seal() == database.work_token()
    assert [path.name for path in (tmp_path / "elsewhere/.work").iterdir()] == ["shop.duckdb.work"]
    database.publish(["T"], [])
    with duckdb.connect(str(target), read_only=True) as connection:
        assert connection.execute("SELECT a FROM T").fetchall() == [(1,)]


def test_no_extension_is_loaded_from_anywhere(subject: Subject) -> None:
    with subject.run() as database:
        settings = "SELECT name, value FROM duckdb_settings() WHERE name LIKE 'auto%_known_extensions' ORDER BY name"
        assert [value for _, value in database.reader.execute(settings).fetchall()] == ["false", "false"]
