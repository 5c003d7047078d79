"""What a run tells: sentences, exit codes, the log, rejected rows; and what stops publication."""

from __future__ import annotations

import csv
import datetime
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import RUN_SCRIPT, Ended, RunProcess
from tests.pipeline.conftest import MakeProject
from tests.pipeline.projects import ALL_REVENUE, ORDERS, PRODUCTS, REVENUE, REVENUE_ROWS, Project

BAD_ORDERS = ORDERS + "".join(f"{number},{number},1\n" for number in range(101, 108))


def errors(ended: Ended) -> list[str]:
    """Return the lines of stderr that tell an error or what to do about it."""
    return [line for line in ended.stderr.splitlines() if line.startswith(("error: ", "hint: "))]


# Checks ---------------------------------------------------------------------------------------------------------------


def test_a_failed_check_shows_itself_its_count_and_five_rows(a_shop: Project) -> None:
    a_shop.source("ORDERS.csv", BAD_ORDERS)
    a_shop.check("ORDERS_HAVE_CUSTOMERS", "SELECT o.id, o.amount FROM ORDERS o WHERE o.id > 100 ORDER BY o.id")
    told = errors(a_shop.run(code=1))
    assert told == [
        "error: scripts/checks/ORDERS_HAVE_CUSTOMERS.sql found 7 rows that are wrong: the first 5: "
        "id = 101, amount = 1; id = 102, amount = 1; id = 103, amount = 1; id = 104, amount = 1; id = 105, amount = 1. "
        "Nothing was published.",
        "hint: Mend the data or the SQL, then run again.",
    ]
    if not a_shop.url:
        assert not a_shop.database.exists()
    assert not list((a_shop.path / "data").glob("[pf]*/*.csv*"))
    assert a_shop.outcome()["check ORDERS_HAVE_CUSTOMERS"] == "failed"


def test_all_failing_checks_are_told_at_once(duckdb_shop: Project) -> None:
    duckdb_shop.check("CODES_ARE_NUMBERS", "SELECT code FROM PRODUCTS WHERE code LIKE '00%'")
    duckdb_shop.check("NOBODY_BUYS", "SELECT country FROM REVENUE WHERE orders > 0 ORDER BY country")
    duckdb_shop.check("BROKEN", "SELECT nothing_like_it FROM REVENUE")
    (error, _) = errors(duckdb_shop.run(code=1))
    assert "scripts/checks/CODES_ARE_NUMBERS.sql found 2 rows that are wrong: code = 007; code = 008." in error
    assert "scripts/checks/NOBODY_BUYS.sql found 2 rows that are wrong: country = CH; country = PT." in error
    assert "scripts/checks/BROKEN.sql" in error
    assert "nothing_like_it" in error
    assert "ORDERS_HAVE_CUSTOMERS" not in error
    assert duckdb_shop.outcome()["check ORDERS_HAVE_CUSTOMERS"] == "passed"

    # a check that failed runs again although nothing changed, and what it stopped is published without it
    for name in ("NOBODY_BUYS", "BROKEN"):
        (duckdb_shop.path / f"scripts/checks/{name}.sql").unlink()
    assert "scripts/checks/CODES_ARE_NUMBERS.sql found 2 rows" in duckdb_shop.run(code=1).stderr
    (duckdb_shop.path / "scripts/checks/CODES_ARE_NUMBERS.sql").unlink()
    duckdb_shop.check("NEVER", "SELECT id FROM ORDERS WHERE id = 1")
    assert "scripts/checks/NEVER.sql found 1 row that is wrong: id = 1." in duckdb_shop.run(code=1).stderr
    (duckdb_shop.path / "scripts/checks/NEVER.sql").unlink()
    duckdb_shop.run()
    assert duckdb_shop.query(ALL_REVENUE) == REVENUE_ROWS


# What the person has to mend ------------------------------------------------------------------------------------------


def test_faults_in_a_project_are_sentences_and_exit_with_2(duckdb_shop: Project) -> None:
    duckdb_shop.run()
    before = duckdb_shop.identities()

    def refused(*arguments: str) -> str:
        told = errors(duckdb_shop.run(*arguments, code=2))
        assert len(told) == 2, told
        assert duckdb_shop.identities() == before
        return " ".join(told)

    assert "--param lesat: no file of this project uses $lesat." in refused("--param", "lesat=1")
    assert "--param country is not name=value." in refused("--param", "country")

    twin = duckdb_shop.source("orders.tsv", "id\n1\n")
    told = refused()
    assert "data/source/ORDERS.csv" in told
    assert "data/source/orders.tsv" in told
    twin.unlink()

    second = duckdb_shop.processed("REVENUE", "SELECT 1 AS one")
    told = refused()
    assert "scripts/processed/REVENUE.sql" in told
    assert "scripts/final/REVENUE.sql" in told
    second.unlink()

    circle = duckdb_shop.processed("ORDER_LINES", "SELECT * FROM REVENUE")
    told = refused()
    assert "circle" in told
    assert "scripts/processed/ORDER_LINES.sql" in told
    assert "scripts/final/REVENUE.sql" in told

    circle.write_text("SELECT * FROM ORDRES", encoding="utf-8")
    assert "scripts/processed/ORDER_LINES.sql reads ORDRES, which no file of this project makes. hint: Did you mean ORDERS?" in refused()

    circle.write_text("SELECT * FROM ORDERS WHERE amount > $least", encoding="utf-8")
    told = refused()
    assert "scripts/processed/ORDER_LINES.sql uses $least" in told
    assert "--param least=VALUE" in told

    circle.write_text("DELETE FROM ORDERS", encoding="utf-8")
    assert "scripts/processed/ORDER_LINES.sql" in refused()

    duckdb_shop.setting("source", 'on_eror = "reject"')
    told = refused()
    assert "on_eror" in told
    assert "on_error" in told


def test_usage_errors_exit_with_2(duckdb_shop: Project) -> None:
    assert "--nonsense" in duckdb_shop.run("--nonsense", code=2).stderr
    assert "usage:" in duckdb_shop.run("--help").stdout


def test_failing_sql_and_python_exit_with_1_and_name_file_and_reason(a_shop: Project) -> None:
    a_shop.final("REVENUE", REVENUE.replace("sum(amount)", "sum(no_such_column)"))
    (error, *_) = errors(a_shop.run(code=1))
    assert "scripts/final/REVENUE.sql" in error
    assert "no_such_column" in error
    if a_shop.kind != "duckdb":  # tables in Python do not depend on it
        return
    a_shop.final("REVENUE", REVENUE)
    a_shop.write("scripts/final/FAILS.py", "def table(ORDERS):\n    return ORDERS['nothing']\n")
    (error, *_) = errors(a_shop.run(code=1))
    assert "scripts/final/FAILS.py line 2: KeyError: 'nothing'" in error
    assert a_shop.records()[-1]["error"].startswith("scripts/final/FAILS.py line 2")
    a_shop.write("scripts/final/FAILS.py", "def table(ORDERS):\n    return 5\n")
    assert "scripts/final/FAILS.py: table() returned int." in a_shop.run(code=1).stderr


def test_the_owners_own_code_fails_with_a_sentence_and_debug_shows_where(duckdb_shop: Project) -> None:
    path = duckdb_shop.path / "scripts/source.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("        run.import_sources()\n", "        raise RuntimeError('the share is gone')\n"), encoding="utf-8")
    assert "error: RuntimeError: the share is gone" in duckdb_shop.run(code=1).stderr
    shown = duckdb_shop.run_project(duckdb_shop.path, "--debug")
    assert shown.code == 1
    assert "Traceback" in shown.stderr
    assert duckdb_shop.records()[-1]["status"] == "failed"


def test_files_that_the_owners_code_fetches_are_imported_in_the_same_run(duckdb_shop: Project) -> None:
    path = duckdb_shop.path / "scripts/source.py"
    fetch = "        (PROJECT / 'data/source/RATES.csv').write_text('country,rate\\nCH,2\\n')\n        run.import_sources()\n"
    path.write_text(path.read_text(encoding="utf-8").replace("        run.import_sources()\n", fetch), encoding="utf-8")
    duckdb_shop.final("RATED", "SELECT r.country, r.amount * s.rate AS amount FROM REVENUE r JOIN RATES s ON s.country = r.country")
    duckdb_shop.run()
    assert duckdb_shop.query("SELECT country, amount FROM RATED") == [("CH", 150)]


# Rows and files that do not fit ---------------------------------------------------------------------------------------


def test_by_default_a_row_that_does_not_fit_stops_the_run(duckdb_shop: Project) -> None:
    duckdb_shop.source("ORDERS.csv", ORDERS + "5,30\n6,30,1\n")
    (error, hint) = errors(duckdb_shop.run(code=2))
    assert error == "error: ORDERS: line 6 of data/source/ORDERS.csv has 2 fields, 3 expected."
    assert 'Set on_error = "reject"' in hint
    duckdb_shop.source("ORDERS.csv", ORDERS)
    duckdb_shop.run()
    assert duckdb_shop.query(ALL_REVENUE) == REVENUE_ROWS


def test_rejected_rows_are_kept_counted_and_forgotten_when_mended(duckdb_shop: Project) -> None:
    duckdb_shop.setting("source", 'on_error = "reject"')
    duckdb_shop.source("ORDERS.csv", ORDERS + "5,30\n6,30,1,extra\n7,30,25\n")
    told = duckdb_shop.run()
    assert duckdb_shop.query(ALL_REVENUE) == [("CH", 3, 100), ("PT", 2, 150)]
    with (duckdb_shop.path / "data/rejected/ORDERS.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["line"], row["text"]) for row in rows] == [
        ("data/source/ORDERS.csv", "6", "5,30"),
        ("data/source/ORDERS.csv", "7", "6,30,1,extra"),
    ]
    assert [row["reason"] for row in rows] == ["has 2 fields, 3 expected", "has 4 fields, 3 expected"]
    assert "2 source rows rejected (data/rejected)" in told.stdout
    step = next(step for step in duckdb_shop.records()[-1]["steps"] if step["name"] == "ORDERS")
    assert (step["rows"], step["rejected"]) == (5, 2)
    # reused, they are still told
    assert "2 source rows rejected (data/rejected)" in duckdb_shop.run().stdout
    assert duckdb_shop.made_by_a_run() == set()

    duckdb_shop.source("ORDERS.csv", ORDERS)
    assert "rejected" not in duckdb_shop.run().stdout
    assert not (duckdb_shop.path / "data/rejected/ORDERS.csv").exists()


def test_a_value_that_its_given_type_refuses_is_named_with_its_column(duckdb_shop: Project) -> None:
    duckdb_shop.setting("source.ORDERS", 'types = { amount = "BIGINT" }')
    duckdb_shop.source("ORDERS.csv", ORDERS.replace("3,20,70", "3,20,7O"))
    (error, _) = errors(duckdb_shop.run(code=2))
    assert error == 'error: ORDERS: line 4 of data/source/ORDERS.csv, column amount: "7O" is not an integer (BIGINT).'


def test_an_unreadable_file_is_named_while_the_others_go_on(duckdb_shop: Project) -> None:
    duckdb_shop.setting("source", 'on_error = "reject"')
    (duckdb_shop.path / "data/source/RATES.csv.gz").write_bytes(b"\x1f\x8b\x08 this is no gzip")
    duckdb_shop.source("VISITS/monday.csv", "day,visitors\nmon,5\n")
    (duckdb_shop.path / "data/source/VISITS/tuesday.csv.gz").write_bytes(b"\x1f\x8b\x08 nor is this")
    duckdb_shop.processed("RATED", "SELECT * FROM RATES")
    told = duckdb_shop.run()
    assert duckdb_shop.query(ALL_REVENUE) == REVENUE_ROWS
    assert duckdb_shop.query("SELECT day, visitors FROM VISITS") == [("mon", 5)]
    assert "RATES.csv.gz" in told.stderr
    assert "tuesday.csv.gz" in told.stderr
    outcome = duckdb_shop.outcome()
    assert outcome["import RATES"] == "skipped"
    assert outcome["build RATED"] == "skipped"
    assert duckdb_shop.records()[-1]["status"] == "partial"


def test_a_file_that_becomes_unreadable_leaves_its_table_as_it_was(duckdb_shop: Project) -> None:
    duckdb_shop.setting("source", 'on_error = "reject"')
    path = duckdb_shop.source("RATES.csv", "day,rate\nmon,5\n")
    duckdb_shop.processed("RATED", "SELECT day, rate FROM RATES")
    duckdb_shop.run()
    path.write_bytes(b"PK\x03\x04\x00junk" * 50)
    duckdb_shop.source("ORDERS.csv", ORDERS + "5,30,25\n")
    assert "RATES.csv" in duckdb_shop.run().stderr
    assert duckdb_shop.records()[-1]["status"] == "partial"
    assert duckdb_shop.query(ALL_REVENUE) == [("CH", 3, 100), ("PT", 2, 150)]
    assert duckdb_shop.query("SELECT day, rate FROM RATED") == [("mon", 5)]
    path.write_text("day,rate\ntue,6\n", encoding="utf-8")
    duckdb_shop.run()
    assert duckdb_shop.query("SELECT day, rate FROM RATED") == [("tue", 6)]
    assert duckdb_shop.records()[-1]["status"] == "done"


def test_an_unreadable_file_stops_the_run_by_default(duckdb_shop: Project) -> None:
    (duckdb_shop.path / "data/source/RATES.csv.gz").write_bytes(b"\x1f\x8b\x08 this is no gzip")
    (error, _) = errors(duckdb_shop.run(code=2))
    assert "data/source/RATES.csv.gz" in error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_sentence(duckdb_shop: Project) -> None:
    (duckdb_shop.path / "data/source/ORDERS.csv").chmod(0)
    (error, _) = errors(duckdb_shop.run(code=2))
    assert "ORDERS.csv" in error


# What is written down -------------------------------------------------------------------------------------------------


def test_a_run_writes_down_what_it_did(duckdb_shop: Project) -> None:
    before = datetime.datetime.now().astimezone()
    shown = duckdb_shop.run()
    after = datetime.datetime.now().astimezone()
    (record,) = duckdb_shop.records()
    start, end = (datetime.datetime.fromisoformat(record[key]) for key in ("start", "end"))
    assert before - datetime.timedelta(milliseconds=1) <= start <= end <= after
    assert record["seconds"] == pytest.approx((end - start).total_seconds(), abs=0.05)
    assert record["status"] == "done"
    assert record["error"] is None
    rows = {step["name"]: step["rows"] for step in record["steps"] if step["step"] in ("import", "build")}
    assert rows == {"ORDERS": 4, "CUSTOMERS": 3, "PRODUCTS": 2, "ORDER_LINES": 4, "REVENUE": 2, "CATALOGUE": 2}
    assert all(0 <= step["seconds"] < 30 for step in record["steps"])
    assert [step["step"] for step in record["steps"] if step["step"] == "publish"] == ["publish"]

    log = (duckdb_shop.path / "macro/execution.log").read_text(encoding="utf-8")
    assert "import ORDERS: rebuilt 4 rows" in log
    assert "build REVENUE: rebuilt 2 rows" in log
    for text in ("ORDERS", "REVENUE", "rebuilt", "data/final/REVENUE.csv", "9 made"):
        assert text in shown.stdout

    duckdb_shop.source("ORDERS.csv", BAD_ORDERS)
    failed = duckdb_shop.run(code=1)
    record = duckdb_shop.records()[-1]
    assert record["status"] == "failed"
    assert record["error"] in " ".join(line.partition(": ")[2] for line in errors(failed))
    assert "ORDERS_HAVE_CUSTOMERS" in (duckdb_shop.path / "macro/execution.log").read_text(encoding="utf-8").splitlines()[-1]


def test_quiet_prints_nothing_but_errors(duckdb_shop: Project) -> None:
    ended = duckdb_shop.run("--quiet")
    assert (ended.stdout, ended.stderr) == ("", "")
    assert "import ORDERS: rebuilt 4 rows" in (duckdb_shop.path / "macro/execution.log").read_text(encoding="utf-8")
    duckdb_shop.source("ORDERS.csv", BAD_ORDERS)
    ended = duckdb_shop.run("--quiet", code=1)
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == errors(ended)


def test_the_log_is_rotated(duckdb_shop: Project) -> None:
    log = duckdb_shop.path / "macro/execution.log"
    log.write_bytes(b"x" * (10 * 1024 * 1024))
    duckdb_shop.run()
    assert log.stat().st_size < 100_000
    assert log.with_name("execution.log.1").stat().st_size == 10 * 1024 * 1024


def test_a_secret_is_written_nowhere(make_project: MakeProject) -> None:
    secret = "hunter2-äöü"
    project = make_project("duckdb")
    project.source("ORDERS.csv", ORDERS)
    project.write(".env", f"TOKEN={secret}\n")
    project.setting("parameters", 'token = "${TOKEN}"')
    project.final("SEES", "SELECT length($token) AS seen, CAST('x' || $token AS INTEGER) AS fails FROM ORDERS")
    ended = project.run(code=1)
    assert secret not in ended.stdout + ended.stderr
    for path in (project.path / "macro").iterdir():
        assert secret not in path.read_text(encoding="utf-8"), path
    project.final("SEES", "SELECT length($token) AS seen FROM ORDERS LIMIT 1")
    project.run()
    assert project.query("SELECT seen FROM SEES") == [(len(secret),)]
    for path in (project.path / "db/.work").iterdir():
        assert secret.encode() not in path.read_bytes(), path


# Wherever it runs -----------------------------------------------------------------------------------------------------


def test_a_run_works_from_any_folder_and_without_pdbt(a_shop: Project, run_process: RunProcess, tmp_path: Path) -> None:
    blocked = "import runpy, sys; sys.modules['pdbt'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    places = [(tmp_path, a_shop.path / RUN_SCRIPT), (a_shop.path / "macro", Path("python-run-process.py"))]
    for cwd, script in places if a_shop.kind == "duckdb" else places[1:]:
        a_shop.source("PRODUCTS.csv", PRODUCTS + f"9,{cwd.name}\n")
        ended = run_process([sys.executable, "-I", "-c", blocked, script], cwd=cwd, env=a_shop.environment)
        assert ended.code == 0, ended.stderr
        assert (f"{cwd.name}",) in a_shop.query("SELECT label FROM CATALOGUE")
