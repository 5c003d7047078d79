"""`pdbt connection`: what it writes, what it prints, and the sentence of each fault; a password is never among them."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pdbt.cli import main
from pdbt.connect import add_connection, resolve_name
from pdbt.connect.drivers import DRIVERS
from pdbt.engine.settings import load_settings
from tests import mysql
from tests.conftest import MakeProject, RunProcess
from tests.connect.databases import Place

SECRET = "s3cret/p@ss:w#rd"
ENCODED = "s3cret%2Fp%40ss%3Aw%23rd"


class Told:
    """What a command answered."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Command = Callable[..., Told]


@pytest.fixture
def pdbt(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[..., Told]:
    caplog.set_level(logging.DEBUG)

    def run(*words: str) -> Told:
        code = main([str(word) for word in words])
        out, err = capfd.readouterr()
        for text in (out, err, caplog.text):
            assert SECRET not in text
            assert ENCODED not in text
        return Told(code, out, err)

    return run


def test_a_connection_is_added_listed_and_removed_with_its_password_in_env(make_project: MakeProject, pdbt: Command) -> None:
    project = make_project()
    before = (project / "pdbt.toml").read_text(encoding="utf-8")
    added = pdbt("connection", "add", "warehouse", f"mysql://root:{ENCODED}@127.0.0.1:3306/sales", "--project", project)
    assert (added.code, added.out.splitlines()[0]) == (0, "Added warehouse: mysql://root:***@127.0.0.1:3306/sales")
    written = (project / "pdbt.toml").read_text(encoding="utf-8")
    assert written == f'{before.rstrip()}\n\n[connections.warehouse]\nurl = "mysql://root:${{WAREHOUSE_PASSWORD}}@127.0.0.1:3306/sales"\n'
    assert f'WAREHOUSE_PASSWORD="{SECRET}"' in (project / ".env").read_text(encoding="utf-8")
    assert (project / ".env").stat().st_mode & 0o077 == 0
    assert load_settings(project).connections == {"warehouse": "mysql://root:${WAREHOUSE_PASSWORD}@127.0.0.1:3306/sales"}
    listed = pdbt("connection", "list", "--project", project)
    *words, place = listed.out.split()
    assert words == ["warehouse", "MySQL", "mysql://root:***@127.0.0.1:3306/sales"]
    assert Path(place.strip("()")).resolve() == project / "pdbt.toml"  # as it is typed from here
    again = pdbt("connection", "add", "warehouse", "x.duckdb", "--project", project)
    assert (again.code, again.err.splitlines()) == (
        2,
        ["error: pdbt.toml has a connection warehouse already.", "hint: Remove it first: pdbt connection remove warehouse"],
    )
    assert pdbt("connection", "remove", "warehouse", "--project", project).code == 0
    assert (project / "pdbt.toml").read_text(encoding="utf-8") == f"{before.rstrip()}\n"
    gone = pdbt("connection", "remove", "warehouse", "--project", project)
    assert gone.err.splitlines()[0] == "error: There is no connection warehouse."


@pytest.mark.parametrize(
    ("url", "written", "secret"),
    [
        (
            f"postgresql:///sales?host=127.0.0.1&user=u&password={ENCODED}&port=1",
            "postgresql:///sales?host=127.0.0.1&user=u&password=${W_PASSWORD}&port=1",
            SECRET,
        ),
        ("postgresql://u:it%27s%22it@127.0.0.1:1/d", "postgresql://u:${W_PASSWORD}@127.0.0.1:1/d", "it's\"it"),
    ],
)
def test_a_password_goes_into_env_wherever_it_stands_and_whatever_it_holds(
    make_project: MakeProject, pdbt: Command, url: str, written: str, secret: str
) -> None:
    project = make_project()
    assert pdbt("connection", "add", "w", url, "--project", project).code == 0
    assert load_settings(project).connections == {"w": written}
    assert resolve_name("w", project).password == secret
    assert secret not in pdbt("connection", "test", "w", "--project", project).err


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("cassandra://x/y", "cassandra:// is no database that pdbt knows."),
        ("nothing", "There is no connection nothing."),
        ("postgresql://", "The URL of a PostgreSQL connection cannot be read."),
        (f"postgresql://u:{SECRET}@h/d", "The URL of a PostgreSQL connection cannot be read."),
        ("sqlite:///", "SQLite: the URL names no file."),
        ("missing/place.duckdb", "there is no such file."),
        ("postgresql://u@db..example.org/d", "No host is called db..example.org: its name was not found."),
    ],
)
def test_a_url_that_is_none_is_told_in_one_sentence(pdbt: Command, url: str, message: str) -> None:
    told = pdbt("connection", "test", url)
    assert told.code == 2
    assert message in told.err.splitlines()[0]


def test_a_working_connection_says_what_is_there(pdbt: Command, postgres_url: str, mysql_url: str, tmp_path: Path) -> None:
    for url, product in ((postgres_url, "PostgreSQL"), (mysql_url, "M"), (f"sqlite:///{tmp_path}/a.sqlite", "SQLite")):
        if url.startswith("sqlite"):
            (tmp_path / "a.sqlite").touch()
        told = pdbt("connection", "test", url)
        assert (told.code, told.err) == (0, "")
        assert f" works: {product}" in told.out
        # How many there are on a server is the doing of other tests too.
        assert re.search(r", (1 table|(0|[2-9]|[1-9]\d+) tables); you may create tables\.\n$", told.out)


def at(url: str, *, user: str | None = None, host: str = "127.0.0.1", port: int | None = None, database: str | None = None) -> str:
    """Return a server's URL with other parts, and a password that must never be shown."""
    from sqlalchemy.engine import make_url

    parts = make_url(url).set(host=host, password=SECRET)
    parts = parts.set(username=user) if user else parts
    parts = parts.set(port=port) if port else parts
    return parts.set(database=database or parts.database).render_as_string(hide_password=False).replace(SECRET, ENCODED)


def closed_port() -> int:
    with contextlib.closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.mark.parametrize("server", ["postgres_server", "mysql_server"])
def test_a_name_that_is_not_found_and_a_port_that_is_closed(pdbt: Command, server: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(server)
    told = pdbt("connection", "test", at(url, host="no-such-host.invalid", database="x"))
    assert (told.code, told.err.splitlines()[0]) == (2, "error: No host is called no-such-host.invalid: its name was not found.")
    port = closed_port()
    told = pdbt("connection", "test", at(url, port=port, database="x"))
    assert (told.code, told.err.splitlines()[0]) == (2, f"error: Nothing answers at 127.0.0.1:{port}: the port is closed.")


@pytest.mark.parametrize("server", ["postgres_server", "mysql_server"])
def test_a_user_that_is_refused_and_a_database_that_is_missing(pdbt: Command, server: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(server)
    told = pdbt("connection", "test", at(url, user="nobody_of_pdbt", database="postgres"))
    assert told.code == 2
    assert told.err.splitlines()[0].endswith(" refuses the user or the password of nobody_of_pdbt.")
    base = url.rpartition("/")[0]
    told = pdbt("connection", "test", f"{base}/no_such_database")
    assert told.code == 2
    assert told.err.splitlines()[0].endswith("/no_such_database: there is no database 'no_such_database'.")


def test_a_wrong_password_and_a_missing_privilege_in_mysql(pdbt: Command, mysql_server: str, mysql_url: str) -> None:
    mysql.execute(mysql_server, "CREATE OR REPLACE USER pdbt_poor@'127.0.0.1' IDENTIFIED BY 'right'", "FLUSH PRIVILEGES")
    try:
        told = pdbt("connection", "test", at(mysql_url, user="pdbt_poor"))
        assert told.err.splitlines()[0].endswith(" refuses the user or the password of pdbt_poor.")
        told = pdbt("connection", "test", at(mysql_url, user="pdbt_poor").replace(ENCODED, "right"))
        assert told.code == 2
        assert " pdbt_poor lacks a privilege: Access denied for user " in told.err.splitlines()[0]
    finally:
        mysql.execute(mysql_server, "DROP USER pdbt_poor@'127.0.0.1'")


def test_privileges_elsewhere_create_no_tables_here_in_mysql(pdbt: Command, mysql_server: str, mysql_url: str) -> None:
    database = mysql_url.rpartition("/")[2]
    poor = at(mysql_url, user="pdbt_poor").replace(ENCODED, "right")
    mysql.execute(
        mysql_server,
        "CREATE OR REPLACE USER pdbt_poor@'127.0.0.1' IDENTIFIED BY 'right'",
        f"GRANT SELECT, CREATE VIEW, CREATE TEMPORARY TABLES ON {database}.* TO pdbt_poor@'127.0.0.1'",
        "GRANT ALL PRIVILEGES ON pdbt_elsewhere.* TO pdbt_poor@'127.0.0.1'",
        f"CREATE TABLE {database}.t (id INT)",
    )
    try:
        assert pdbt("connection", "test", poor).out.endswith(", 1 table; you may not create tables.\n")
        for pattern in (database, database.replace("_", r"\_"), "pdbt\\_test%"):
            mysql.execute(mysql_server, f"GRANT CREATE ON `{pattern}`.* TO pdbt_poor@'127.0.0.1'")
            assert pdbt("connection", "test", poor).out.endswith("; you may create tables.\n")
            mysql.execute(mysql_server, f"REVOKE CREATE ON `{pattern}`.* FROM pdbt_poor@'127.0.0.1'")
    finally:
        mysql.execute(mysql_server, "DROP USER pdbt_poor@'127.0.0.1'")


def test_a_missing_privilege_in_postgresql(pdbt: Command, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute("DROP ROLE IF EXISTS pdbt_poor")
        connection.execute("CREATE ROLE pdbt_poor LOGIN")
        connection.execute(f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC'.encode())
        try:
            told = pdbt("connection", "test", at(postgres_url, user="pdbt_poor"))
            assert told.code == 2
            assert told.err.splitlines()[0].endswith(f'pdbt_poor lacks a privilege: permission denied for database "{name}".')
            connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO PUBLIC'.encode())
            connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
            told = pdbt("connection", "test", at(postgres_url, user="pdbt_poor"))
            assert told.err.splitlines()[0].endswith("pdbt_poor lacks a privilege: it may read no table and create none.")
        finally:
            connection.execute("DROP ROLE pdbt_poor")


def test_a_transfer_tells_a_drivers_words_without_the_password(pdbt: Command, mysql_url: str, tmp_path: Path) -> None:
    told = pdbt("transfer", "--from", at(mysql_url), "--table", "t", "--to", tmp_path / "x.duckdb")
    assert told.code == 2
    assert "refuses the user or the password" in told.err


def test_a_dry_run_shows_ddl_and_rows_and_writes_nothing(pdbt: Command, postgres_url: str, tmp_path: Path) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT g::bigint AS id, 'x' AS name FROM generate_series(1, 1000) g")
        connection.execute("ANALYZE t")
    target = tmp_path / "new.duckdb"
    told = pdbt("transfer", "--from", postgres_url, "--tables", "t*", "--to", target, "--dry-run")
    assert told.code == 0, told.err
    assert "public.t: about 1,000 rows" in told.out
    assert 'CREATE OR REPLACE TABLE "t" (\n  "id" BIGINT,\n  "name" VARCHAR\n)' in told.out
    assert not target.exists()
    assert pdbt("transfer", "--from", postgres_url, "--tables", "public.*", "--to", target, "--parallel", "2").out.startswith(
        "t: 1,000 rows, "
    )


@pytest.mark.parametrize("end", ["postgresql", "mysql", "duckdb"])
def test_a_dry_run_shows_the_changes_of_a_target_as_they_are_made(pdbt: Command, places: dict[str, Place], end: str) -> None:
    start, target = places["sqlite"], places[end]
    start.execute('CREATE TABLE "select" (id BIGINT, "a b" SMALLINT)', 'INSERT INTO "select" VALUES (5000000000, 1)')
    name = f"{target.quote}select{target.quote}"
    target.execute(f"CREATE TABLE {name} (id INTEGER)", f"INSERT INTO {name} VALUES (1)")
    words = ("transfer", "--from", start.url, "--to", target.url, "--table", "select", "--mode", "append")
    shown = [line for line in pdbt(*words, "--dry-run").out.splitlines() if line.startswith("ALTER")]
    assert target.execute(f"SELECT * FROM {name}") == [(1,)]
    if end == "mysql":
        shown = [statement.replace('"', "`") for statement in shown]
    target.execute(*shown)
    assert not [line for line in pdbt(*words, "--dry-run").out.splitlines() if line.startswith("ALTER")]
    assert pdbt(*words).code == 0
    assert target.execute(f"SELECT * FROM {name} ORDER BY id") == [(1, None), (5000000000, 1)]


def test_a_change_that_sqlite_cannot_make_is_refused_by_the_dry_run_too(pdbt: Command, places: dict[str, Place]) -> None:
    start, target = places["duckdb"], places["sqlite"]
    start.execute("CREATE TABLE t AS SELECT 5000000000 AS id")
    target.execute("CREATE TABLE t (id SMALLINT)")
    told = pdbt("transfer", "--from", start.url, "--to", target.url, "--table", "t", "--mode", "append", "--dry-run")
    assert (told.code, told.err.splitlines()[0]) == (2, "error: SQLite cannot change the type of a column (id).")


def test_the_table_of_databases_in_the_docs_is_that_of_the_code() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "connections.md").read_text(encoding="utf-8")
    for driver in DRIVERS:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {driver.name}") and "://" in line]
        assert driver.example in row
        assert driver.reads in row
        assert driver.writes in row


def test_a_missing_library_is_one_sentence_with_the_command(tmp_path: Path, run_process: RunProcess) -> None:
    program = "import sys; sys.modules['pymysql'] = None; from pdbt.cli import main; sys.exit(main(sys.argv[1:]))"
    result = run_process([sys.executable, "-c", program, "connection", "test", "mysql://root@127.0.0.1/x"], cwd=tmp_path)
    assert (result.code, result.stderr.splitlines()) == (
        2,
        ["error: MySQL needs a library that is not installed.", "hint: Run: python3 -m pip install pymysql cryptography numpy pyarrow"],
    )


def test_listing_connections_loads_no_driver(make_project: MakeProject, run_process: RunProcess) -> None:
    project = make_project()
    add_connection(project, "a", "mysql://root@127.0.0.1/x")
    program = (
        "import sys; from pdbt.cli import main; main(sys.argv[1:]); print({'pymysql', 'duckdb', 'psycopg', 'pyarrow'} & set(sys.modules))"
    )
    result = run_process([sys.executable, "-c", program, "connection", "list", "--project", project])
    assert result.stdout.splitlines()[-1] == "set()"
