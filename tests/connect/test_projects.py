"""Projects whose sources come from connections and whose results go there, as a person runs them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pdbt.connect import add_connection
from pdbt.connect.landing import land
from pdbt.engine.errors import PdbtError
from tests.conftest import MakeProject, RunProject
from tests.connect.databases import Place

QUERY = """-- connection: origin
-- cursor: updated_at
-- key: id
-- lookback: 2 days
SELECT * FROM orders;
"""
TOTALS = """-- load: destination.totals
-- mode: upsert
-- key: id
SELECT id, amount * 2 AS twice, updated_at FROM ORDERS
"""
TICKS, RUNS = 10, 4


@pytest.fixture
def project(make_project: MakeProject, places: dict[str, Place]) -> Path:
    """A project from PostgreSQL to MariaDB."""
    made = make_project()
    add_connection(made, "origin", places["postgresql"].url)
    add_connection(made, "destination", places["mysql"].url)
    places["postgresql"].execute(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, amount NUMERIC(10, 2), updated_at TIMESTAMP(6))",
        "INSERT INTO orders SELECT g, g * 1.5, TIMESTAMP '2025-01-01' + g * INTERVAL '1 minute' FROM generate_series(1, 1000) g",
    )
    write(made, "source/orders.sql", QUERY)
    write(made, "final/TOTALS.sql", TOTALS)
    return made


def write(project: Path, name: str, text: str) -> None:
    path = project / "scripts" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_rows_added_changed_and_late_arrive_once_over_four_runs(project: Path, places: dict[str, Place], run_project: RunProject) -> None:
    origin, target = places["postgresql"], places["mysql"]
    for tick in range(RUNS):
        result = run_project(project)
        assert result.code == 0, result.stderr
        expected = origin.execute("SELECT id, amount * 2, updated_at FROM orders ORDER BY id")
        assert target.execute("SELECT id, twice, updated_at FROM totals ORDER BY id") == expected
        day = f"TIMESTAMP '2025-01-02' + {tick} * INTERVAL '1 hour'"
        origin.execute(
            f"INSERT INTO orders VALUES ({2000 + tick}, 7.25, {day})",
            f"UPDATE orders SET amount = amount + 1, updated_at = {day} WHERE id = {tick + 1}",
            f"INSERT INTO orders VALUES ({3000 + tick}, 1, {day} - INTERVAL '1 day')",  # late: older than the highest cursor
        )
    assert len(expected) == 1000 + 2 * (RUNS - 1)


def test_a_run_without_news_fetches_little_and_builds_nothing(project: Path, run_project: RunProject) -> None:
    assert "1,000" in run_project(project).stdout
    again = run_project(project)
    assert "0 made" in again.stdout
    assert "deliver" not in again.stdout


def test_a_python_script_brings_rows_and_is_told_how_far_it_came(make_project: MakeProject, run_project: RunProject) -> None:
    project = make_project()
    write(
        project,
        "source/rates.py",
        "# cursor: day\n# key: day\nimport pandas as pd\n\ndef table(since):\n    start = since or 0\n"
        "    yield pd.DataFrame({'day': [start + 1], 'since': [str(since)]})\n",
    )
    write(project, "final/RATES_SEEN.sql", "SELECT * FROM RATES ORDER BY day")
    for _ in range(3):
        result = run_project(project)
        assert result.code == 0, result.stderr
    assert (project / "data/final/RATES_SEEN.csv").read_text(encoding="utf-8") == "day,since\n1,None\n2,1\n3,2\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("orders.sql", "SELECT 1", "scripts/source/orders.sql line 1 names no connection. Write on its first line: -- connection: NAME"),
        ("orders.sql", "-- connection: origin\n-- cursor: id\nSELECT 1 AS id", "scripts/source/orders.sql has a cursor and no key."),
        (
            "orders.sql",
            "-- connection: origin\n-- cursr: id\nSELECT 1 AS id",
            "scripts/source/orders.sql line 2: cursr means nothing here.",
        ),
        ("orders.sql", "-- connection: origin\n-- lookback: soon\nSELECT 1 AS id", "scripts/source/orders.sql: lookback is 'soon'."),
        ("orders.sql", "-- connection: origin\nSELECT nope", 'column "nope" does not exist. Mend the query.'),
        ("api.py", "def table():\n    raise ValueError('no answer')\n", "scripts/source/api.py line 2: ValueError: no answer"),
        ("api.py", "x = 1\n", "scripts/source/api.py has no function called table."),
    ],
)
def test_what_is_wrong_with_a_script_is_one_sentence(project: Path, name: str, text: str, message: str) -> None:
    write(project, f"source/{name}", text)
    with pytest.raises(PdbtError) as refused:
        land(project, project / "scripts/source" / name, project / "db/.work/landed/T.parquet", full=False)
    assert message in f"{refused.value.message} {refused.value.hint}"
    assert "\n" not in refused.value.message


def test_a_run_says_what_is_wrong_with_a_script_and_shows_no_traceback(project: Path, run_project: RunProject) -> None:
    for name, text, message in (
        ("api.py", "def table():\n    raise ValueError('no answer')\n", "scripts/source/api.py line 2: ValueError: no answer"),
        ("orders.sql", "-- connection: nowhere\nSELECT 1", "scripts/source/orders.sql: There is no connection nowhere."),
        ("orders.sql", "-- connection: origin\nSELECT nope", 'column "nope" does not exist. Mend the query.'),
    ):
        write(project, f"source/{name}", text)
        result = run_project(project)
        assert result.code in (1, 2)
        assert message in result.stderr.replace("\nhint:", "")
        assert "Traceback" not in result.stderr
        (project / "scripts/source" / name).unlink()


def test_a_delivery_that_fails_leaves_the_run_published_and_is_tried_again(
    project: Path, places: dict[str, Place], run_project: RunProject
) -> None:
    places["mysql"].execute("CREATE TABLE totals (id INTEGER PRIMARY KEY, twice DATE, updated_at DATETIME(6))")
    failed = run_project(project)
    assert failed.code == 2
    assert "scripts/final/TOTALS.sql: totals has twice as date; what arrives is " in failed.stderr
    assert (project / "data/final/TOTALS.csv").exists()
    places["mysql"].execute("DROP TABLE totals")
    assert run_project(project).code == 0
    assert places["mysql"].execute("SELECT count(*) FROM totals") == [(1000,)]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("-- load: destination.totals\n-- mode: sideways", "scripts/final/TOTALS.sql: there is no mode 'sideways'."),
        ("-- load: destination.totals\n-- mode: upsert", "scripts/final/TOTALS.sql: upsert finds a row by its key, and none is named."),
        ("-- load: destination", "scripts/final/TOTALS.sql: load: destination names no table."),
    ],
)
def test_a_delivery_that_cannot_be_is_refused_before_anything_is_done(
    make_project: MakeProject, run_project: RunProject, header: str, message: str
) -> None:
    project = make_project()
    write(project, "final/TOTALS.sql", f"{header}\nSELECT 1 AS id\n")
    refused = run_project(project)
    assert refused.code == 2
    assert message in refused.stderr
    assert not list((project / "db").glob("database.*"))


def landed(project: Path, table: str = "ORDERS") -> list[tuple[object, ...]]:
    """Return what was brought for a table, in order."""
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT * FROM read_parquet('{project}/db/.work/landed/{table}.parquet') ORDER BY ALL").fetchall()


@pytest.fixture
def small(make_project: MakeProject, places: dict[str, Place]) -> Path:
    """A project that reads a table of two columns from a SQLite file."""
    made = make_project()
    add_connection(made, "origin", places["sqlite"].url)
    places["sqlite"].execute("CREATE TABLE o (id INTEGER, name TEXT)", "INSERT INTO o VALUES (1, 'a'), (2, 'b')")
    return made


@pytest.mark.parametrize("cursor", ["", "-- cursor: id\n-- key: id\n"])
def test_freeze_stops_at_other_columns_and_leaves_what_there_was(
    small: Path, places: dict[str, Place], run_project: RunProject, cursor: str
) -> None:
    write(small, "source/orders.sql", f"-- connection: origin\n-- schema: freeze\n{cursor}SELECT * FROM o")
    assert run_project(small).code == 0
    assert run_project(small).code == 0
    places["sqlite"].execute("ALTER TABLE o ADD COLUMN age INTEGER", "INSERT INTO o VALUES (3, 'c', 30)")
    refused = run_project(small)
    assert refused.code == 2
    assert "its columns were id BIGINT, name VARCHAR, and are id BIGINT, name VARCHAR, age BIGINT." in refused.stderr
    assert landed(small) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("cursor", ["", "-- cursor: id\n-- key: id\n"])
def test_evolve_takes_new_columns_and_stops_at_another_type(
    small: Path, places: dict[str, Place], run_project: RunProject, cursor: str
) -> None:
    write(small, "source/orders.sql", f"-- connection: origin\n{cursor}SELECT * FROM o")
    assert run_project(small).code == 0
    places["sqlite"].execute("ALTER TABLE o ADD COLUMN age SMALLINT", "INSERT INTO o VALUES (3, 'c', 30)")
    assert run_project(small).code == 0
    assert landed(small) == [(1, "a", None), (2, "b", None), (3, "c", 30)]
    places["sqlite"].execute("ALTER TABLE o RENAME TO p", "CREATE VIEW o AS SELECT id, name, 'age ' || age AS age FROM p")
    refused = run_project(small)
    assert refused.code == 2
    assert "scripts/source/orders.sql: column age was SMALLINT, and is VARCHAR." in refused.stderr
    assert landed(small)[2] == (3, "c", 30)
    assert run_project(small, "--full").code == 0
    assert landed(small)[2] == (3, "c", "age 30")


def test_a_key_stands_once_from_the_first_fetch_on_and_must_be_a_column(
    small: Path, places: dict[str, Place], run_project: RunProject
) -> None:
    places["sqlite"].execute("INSERT INTO o VALUES (4, 'a')")
    write(small, "source/orders.sql", "-- connection: origin\n-- cursor: id\n-- key: name\nSELECT * FROM o")
    assert run_project(small).code == 0
    assert landed(small) == [(2, "b"), (4, "a")]
    write(small, "source/orders.sql", "-- connection: origin\n-- cursor: id\n-- key: nam\nSELECT * FROM o")
    refused = run_project(small)
    assert refused.code == 2
    assert "scripts/source/orders.sql: what it brings has no column nam." in refused.stderr


def test_a_python_script_without_news_changes_nothing(make_project: MakeProject, run_project: RunProject) -> None:
    project = make_project()
    script = (
        "# cursor: day\n# key: day\ndef table(since):\n    return [{'day': 7, 'rate': None if since else 1.5}] if since in {} else []\n"
    )
    write(project, "source/rates.py", script.replace("{}", "(None, 7)"))
    assert run_project(project).code == 0
    result = run_project(project)
    assert result.code == 0, result.stderr
    assert landed(project, "RATES") == [(7, None)]  # of a column without any value its type is the one that it had
    write(project, "source/rates.py", script.replace("{}", "(None,)"))
    for _ in range(2):
        result = run_project(project)
        assert result.code == 0, result.stderr
    assert landed(project, "RATES") == [(7, 1.5)]


@pytest.mark.parametrize(
    ("cursor", "lookback", "first", "late", "too_late"),
    [
        ("NUMERIC(10, 2)", "5", "100.5", "96.0", "95.0"),
        ("DOUBLE PRECISION", "5", "100.5", "96.0", "95.0"),
        ("DATE", "30 hours", "'2025-01-10'", "'2025-01-08'", "'2025-01-07'"),
        ("TIMESTAMPTZ", "2 hours", "'2025-01-10 12:00+00'", "'2025-01-10 10:00+00'", "'2025-01-10 09:59:59+00'"),
    ],
)
def test_late_rows_come_within_the_lookback_whatever_the_cursor_is(
    make_project: MakeProject,
    places: dict[str, Place],
    run_project: RunProject,
    cursor: str,
    lookback: str,
    first: str,
    late: str,
    too_late: str,
) -> None:
    project = make_project()
    add_connection(project, "origin", places["postgresql"].url)
    places["postgresql"].execute(f"CREATE TABLE o (id INTEGER, at {cursor})", f"INSERT INTO o VALUES (1, {first})")
    write(project, "source/orders.sql", f"-- connection: origin\n-- cursor: at\n-- key: id\n-- lookback: {lookback}\nSELECT * FROM o")
    assert run_project(project).code == 0
    places["postgresql"].execute(f"INSERT INTO o VALUES (2, {late}), (3, {too_late})")
    result = run_project(project)
    assert result.code == 0, result.stderr
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT id FROM read_parquet('{project}/db/.work/landed/ORDERS.parquet') ORDER BY id").fetchall()
    assert found == [(1,), (2,)]


def test_a_lookback_from_a_text_is_refused(small: Path, run_project: RunProject) -> None:
    write(small, "source/orders.sql", "-- connection: origin\n-- cursor: name\n-- key: id\n-- lookback: 2 days\nSELECT * FROM o")
    refused = run_project(small)
    assert refused.code == 2
    assert "scripts/source/orders.sql: the cursor name is text, which no lookback can be counted from." in refused.stderr
