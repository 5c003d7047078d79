"""What only PostgreSQL needs: a server that others use, too."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from pdbt.engine.databases import Database, UnusableStart, open_database
from pdbt.engine.databases.postgres_names import NAME_BYTES, column_names, folded
from pdbt.engine.errors import BuildError, PdbtError, RunInProgress, SettingsError
from tests.conftest import StartProcess
from tests.databases.conftest import MakeSubject
from tests.databases.subjects import Subject, load
from tests.databases.test_readers import REPOSITORY


@pytest.fixture
def subject(make_subject: MakeSubject) -> Subject:
    """A PostgreSQL database."""
    return make_subject("postgresql")


@pytest.fixture
def admin(subject: Subject) -> Iterator[psycopg.Connection]:
    """A connection of somebody else to the database."""
    with psycopg.connect(str(subject.url), autocommit=True) as connection:
        yield connection


def schemas(admin: psycopg.Connection) -> list[str]:
    found = admin.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$' ORDER BY 1").fetchall()
    return [str(name) for (name,) in found]


def test_the_work_schema_is_gone_after_the_publication(subject: Subject, admin: psycopg.Connection) -> None:
    subject.publish(("T", "SELECT 1 AS a"))
    assert schemas(admin) == ["pdbt", "public"]
    assert admin.execute("SELECT relpersistence FROM pg_class WHERE relname = 't'").fetchall() == [("p",)]  # written to the log


def test_unchanged_tables_are_found_where_readers_see_them(subject: Subject) -> None:
    subject.publish(("ORDERS", "SELECT 1 AS a UNION ALL SELECT 2"))
    with subject.run("published", ["ORDERS"]) as database:
        assert database.build("TOTAL", "SELECT sum(a) AS total FROM ORDERS") == 1
        assert database.read("ORDERS").num_rows == 2
        database.seal()
        database.publish(["TOTAL"], [])
    assert subject.read("SELECT total, a FROM total, orders WHERE a = 2") == [(3, 2)]


@pytest.mark.parametrize("made", ["CREATE TABLE t (a integer)", "CREATE VIEW t AS SELECT 1 AS a", "CREATE SEQUENCE t"])
def test_what_the_project_did_not_make_is_never_replaced(subject: Subject, admin: psycopg.Connection, made: str) -> None:
    admin.execute(made)
    with subject.run() as database:
        with pytest.raises(BuildError, match=r"public.t exists and this project did not make it"):
            database.build("T", "SELECT 2 AS a")
        with pytest.raises(BuildError, match=r"public.t exists"):
            load(database, "T", "SELECT 2 AS a")
        with pytest.raises(BuildError):
            database.columns("NOTHING")


def test_a_table_that_somebody_makes_during_the_run_is_not_replaced_either(subject: Subject, admin: psycopg.Connection) -> None:
    with subject.run() as database:
        database.build("T", "SELECT 2 AS a")
        database.build("U", "SELECT 2 AS a")
        database.seal()
        admin.execute("CREATE TABLE t AS SELECT 'mine' AS a")
        with pytest.raises(BuildError, match=r"public.t exists"):
            database.publish(["T", "U"], [])
    assert subject.tables() == ["t"]
    assert subject.read("SELECT a FROM t") == [("mine",)]


def test_two_projects_share_a_database_but_no_table(subject: Subject) -> None:
    subject.publish(("SHARED", "SELECT 1 AS a"))
    other = subject.database(project_name="other")
    other.open("empty")
    other.build("MINE", "SELECT a + 1 AS a FROM SHARED")
    with pytest.raises(BuildError, match=r"public.shared exists and project shop made it"):
        other.build("SHARED", "SELECT 2 AS a")
    other.seal()
    other.publish(["MINE"], [])
    other.close()
    assert subject.tables() == ["mine", "shared"]
    with subject.run() as database:
        database.seal()
        database.publish([], ["SHARED", "MINE"])
    assert subject.tables() == ["mine"]


def test_tables_of_others_can_be_read(subject: Subject, admin: psycopg.Connection) -> None:
    subject.publish(("MADE", "SELECT 1 AS a"))
    admin.execute(
        'CREATE TABLE theirs AS SELECT 5 AS a; CREATE SCHEMA hr; CREATE VIEW hr.people AS SELECT 7 AS a; CREATE TABLE "Mixed Case" ()'
    )
    database = subject.database()
    found = [name for name in ("theirs", "THEIRS", "hr.people", "Mixed Case", "MADE", "people", "nothing") if database.external(name)]
    assert found == ["theirs", "THEIRS", "hr.people", "Mixed Case"]
    database.open("empty")
    assert database.build("T", "SELECT theirs.a + people.a AS a FROM theirs, hr.people") == 1
    assert not database.external("T")
    database.close()


def test_a_second_run_is_told_who_runs(subject: Subject) -> None:
    with subject.run():
        other = subject.database(lock_timeout=0.3)
        with pytest.raises(
            RunInProgress, match=rf"Another run of shop is in progress: PID {os.getpid()} on {socket.gethostname()}, started 2"
        ) as caught:
            other.open("empty")
        assert caught.value.exit_code == 75
        with pytest.raises(RunInProgress):
            other.discard()  # it would remove what the other builds
        other.close()
    subject.publish(("T", "SELECT 1 AS a"))


def test_a_second_run_waits_for_the_first(subject: Subject) -> None:
    first, second = subject.database(), subject.database()
    first.open("empty")
    threading.Timer(0.5, first.close).start()
    started = time.monotonic()
    second.open("empty")
    assert time.monotonic() - started > 0.3
    second.close()


def test_a_killed_run_lets_go_though_its_statement_goes_on(subject: Subject, start_process: StartProcess) -> None:
    code = f"""
from pathlib import Path
from tests.databases.subjects import Subject
database = Subject("postgresql", Path({str(subject.project)!r}), {subject.url!r}).database()
database.open("empty")
print("open", flush=True)
database.build("T", "SELECT pg_sleep(600)")
"""
    process = start_process([sys.executable, "-c", code], cwd=REPOSITORY)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    time.sleep(0.3)
    process.kill()
    process.wait()
    database = subject.database(lock_timeout=10)
    database.open("empty")
    database.close()


def test_a_connection_that_is_cut_is_one_sentence_and_changes_nothing(subject: Subject, admin: psycopg.Connection) -> None:
    subject.publish(("T", "SELECT 1 AS a"))
    with subject.run() as database:
        database.build("T", "SELECT 2 AS a")
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        admin.execute(others)
        with pytest.raises(PdbtError, match=r"The connection to PostgreSQL at .* was lost: .* run again") as caught:
            database.build("U", "SELECT 1 AS a")
        assert "\n" not in str(caught.value)
    assert subject.read("SELECT a FROM t") == [(1,)]
    assert subject.database().work_token() is None
    subject.publish(("T", "SELECT 3 AS a"))


def test_sealed_work_that_a_crash_of_the_server_emptied_is_not_published(subject: Subject, admin: psycopg.Connection) -> None:
    with subject.run() as database:
        database.build("T", "SELECT 1 AS a")
        database.seal()
        admin.execute('TRUNCATE pdbt_work_shop."pdbt sealed", pdbt_work_shop.t')  # what recovery does to unlogged tables
        assert database.work_token() is None
        with pytest.raises(BuildError, match="no longer in PostgreSQL"):
            database.publish(["T"], [])
    with pytest.raises(UnusableStart):
        subject.database().open("work")
    assert subject.tables() == []


def test_a_table_that_somebody_dropped_makes_the_publication_unknown(subject: Subject, admin: psycopg.Connection) -> None:
    token = subject.publish(("T", "SELECT 1 AS a"), ("U", "SELECT 1 AS a"))
    assert subject.database().published_token() == token
    admin.execute("DROP TABLE u")
    assert subject.database().published_token() is None
    subject.publish(("T", "SELECT 1 AS a"), ("U", "SELECT 1 AS a"))
    assert subject.tables() == ["t", "u"]


def test_grants_and_indexes_outlive_publications(subject: Subject, admin: psycopg.Connection) -> None:
    role = f"pdbt_reader_{os.getpid()}"
    subject.publish(("T", "SELECT 1 AS a"))
    admin.execute(f"CREATE ROLE {role}")
    try:
        admin.execute(f"CREATE INDEX t_a ON t (a); GRANT SELECT ON t TO {role}; GRANT SELECT ON t TO PUBLIC")
        subject.publish(("T", "SELECT 2 AS a"))
        assert admin.execute("SELECT indexname FROM pg_indexes WHERE tablename = 't'").fetchall() == [("t_a",)]
        subject.publish(("T", "SELECT 'other' AS a, 2 AS b"))
        granted = "SELECT grantee FROM information_schema.table_privileges WHERE table_name = 't' AND privilege_type = 'SELECT'"
        assert {str(name) for (name,) in admin.execute(granted)} >= {role, "PUBLIC"}
    finally:
        admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_view_on_a_table_whose_columns_change_is_named(subject: Subject, admin: psycopg.Connection) -> None:
    subject.publish(("T", "SELECT 1 AS a"))
    admin.execute("CREATE VIEW report AS SELECT a FROM t")
    subject.publish(("T", "SELECT 2 AS a"))
    assert subject.read("SELECT a FROM report") == [(2,)]
    with pytest.raises(BuildError, match="report"):
        subject.publish(("T", "SELECT 'x' AS b"))
    assert subject.read("SELECT a FROM report") == [(2,)]


def test_many_publications_leave_no_dead_rows_behind(subject: Subject, admin: psycopg.Connection) -> None:
    sizes = []
    for run in range(8):
        subject.publish(("T", f"SELECT i, {run} AS run FROM generate_series(1, 5000) AS i"))
        sizes.append(admin.execute("SELECT pg_total_relation_size('t')").fetchall()[0][0])
    assert sizes[-1] <= 2.5 * sizes[0]


def test_long_names_are_cut_where_postgresql_cuts_them(subject: Subject) -> None:
    long = "a" * 70
    with subject.run() as database:
        assert load(database, long.upper(), f'SELECT 1 AS "{long}", 2 AS "{long}_second", 3 AS "{"é" * 40}"') == 1
        names = [column.name for column in database.columns(long.upper())]
        assert names == ["a" * 63, "a" * 61 + "_2", "é" * 31]
        with pytest.raises(BuildError, match=r"2 columns of a* may be meant"):
            database.build("T", f"SELECT {long} AS x FROM {long}")
        assert database.build("T", f'SELECT {long[:63]} AS x, "{"é" * 40}" AS y FROM {long}') == 1
        with pytest.raises(BuildError, match="same name"):
            database.build(long + "_other", "SELECT 1 AS a")


def test_names_of_columns_are_unique_short_and_not_the_servers_own() -> None:
    names = column_names(["XMin", "ymin", "Total", "total", "a b", "A B", "é" * 70, "é" * 70 + "x"])
    assert names == ["xmin_", "ymin", "total", "total_2", "a b", "A B", "é" * 31, "é" * 30 + "_2"]
    assert all(len(name.encode()) <= NAME_BYTES for name in names)
    assert folded("Straße") == "Straße"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://someone:s3cret@127.0.0.1:1/shop", "PostgreSQL at 127.0.0.1:1/shop cannot be reached: Connection refused"),
        ("postgresql://someone:s3cret@nowhere.invalid/shop", "PostgreSQL at nowhere.invalid:5432/shop cannot be reached"),
        ("postgresql://someone:s3cret@127.0.0.1:1/shop?nonsense=s3cret", "nonsense"),
    ],
)
def test_a_server_that_cannot_be_reached_is_named_without_the_password(tmp_path: Path, url: str, said: str) -> None:
    database = open_database("commune", project=tmp_path, url=url, project_name="shop")
    with pytest.raises(PdbtError, match=said) as caught:
        database.published_token()
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in database.name
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://a:s3cret@b/c", "postgresql://a:s3cret@b:port/c", "s3cret"])
def test_a_url_of_something_else_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match=r"\[database\] url") as caught:
        open_database("commune", project=tmp_path, url=url)
    assert "s3cret" not in str(caught.value)


def test_a_database_that_does_not_exist_is_named(subject: Subject, tmp_path: Path) -> None:
    url = make_url(str(subject.url)).set(database="no_such_database").render_as_string(hide_password=False)
    with pytest.raises(PdbtError, match='database "no_such_database" does not exist'):
        open_database("commune", project=tmp_path, url=url).published_token()


def test_a_schema_of_ones_own_is_published_to(subject: Subject, admin: psycopg.Connection) -> None:
    admin.execute("CREATE SCHEMA reports")
    subject.publish(("T", "SELECT 1 AS a"))
    url = f"{subject.url}{'&' if '?' in str(subject.url) else '?'}options=-csearch_path%3Dreports"
    other = Subject("postgresql", subject.project, url)
    other.publish(("T", "SELECT 2 AS a"))
    assert admin.execute("SELECT public.t.a, reports.t.a FROM public.t, reports.t").fetchall() == [(1, 2)]
    assert (subject.database().published_token(), schemas(admin)) == (subject.database().published_token(), ["pdbt", "public", "reports"])


def test_a_user_who_may_not_make_tables_is_told_so(subject: Subject, admin: psycopg.Connection) -> None:
    role = f"pdbt_guest_{os.getpid()}"
    admin.execute(f"CREATE ROLE {role} LOGIN")
    try:
        url = make_url(str(subject.url)).set(username=role, password=None).render_as_string(hide_password=False)
        database: Database = Subject("postgresql", subject.project, url).database()
        with pytest.raises(BuildError, match="permission denied"):
            database.open("empty")
        database.close()
    finally:
        admin.execute(f"DROP ROLE {role}")
