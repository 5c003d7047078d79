"""Cost follows change: what did not change is not imported, built, checked, published or exported again."""

from __future__ import annotations

import json
import os

import pytest

from tests.pipeline.conftest import MakeProject
from tests.pipeline.projects import (
    ALL_REVENUE,
    CUSTOMERS,
    EVERYTHING,
    ORDERS,
    PRODUCTS,
    REVENUE,
    REVENUE_ROWS,
    Project,
    touch_later,
)

BUILT_FROM_ORDERS = {
    "build ORDER_LINES",
    "build REVENUE",
    "check ORDERS_HAVE_CUSTOMERS",
    "export data/processed/ORDER_LINES.csv",
    "export data/final/REVENUE.csv",
}
MORE_REVENUE_ROWS = [("CH", 3, 100), ("PT", 2, 150)]
STEP_SCRIPTS = ("scripts/source.py", "scripts/transforming.py", "scripts/results.py")


def test_a_run_makes_what_a_change_concerns_and_nothing_else(a_shop: Project) -> None:
    if a_shop.kind == "duckdb":
        assert a_shop.dry_run() == EVERYTHING
    assert a_shop.made_by_a_run() == EVERYTHING
    assert a_shop.query(ALL_REVENUE) == REVENUE_ROWS
    assert a_shop.exported("final/REVENUE.csv") == [
        {"country": "CH", "orders": "2", "amount": "75"},
        {"country": "PT", "orders": "2", "amount": "150"},
    ]
    assert a_shop.exported("final/CATALOGUE.csv")[0] == {"code": "007", "label": "lamp"}
    before = a_shop.identities()
    assert len(before) == (3 if a_shop.url else 4)

    # a second run makes nothing
    assert a_shop.made_by_a_run() == set()
    assert set(a_shop.outcome().values()) == {"reused"}
    assert a_shop.identities() == before
    assert a_shop.leftovers() == []

    # only what reads a changed source is made again
    a_shop.source("ORDERS.csv", ORDERS + "5,30,25\n")
    assert a_shop.made_by_a_run() == {"import ORDERS", *BUILT_FROM_ORDERS}
    assert a_shop.query(ALL_REVENUE) == MORE_REVENUE_ROWS
    catalogue, changed = "data/final/CATALOGUE.csv", a_shop.identities()
    assert changed[catalogue] == before[catalogue]

    # an export that was deleted is written again
    path = a_shop.path / "data/final/REVENUE.csv"
    right = path.read_text(encoding="utf-8")
    path.unlink()
    assert a_shop.made_by_a_run() == {"export data/final/REVENUE.csv"}
    assert path.read_text(encoding="utf-8") == right
    after = a_shop.identities()
    assert {name for name in changed if changed[name] != after[name]} == {"data/final/REVENUE.csv"}


def test_files_that_come_and_go_take_their_tables_along(a_run_shop: Project) -> None:
    revenue = a_run_shop.identities()["data/final/REVENUE.csv"]
    a_run_shop.source("RETURNS.csv", "order,reason\n1,broken\n")
    a_run_shop.processed("BROKEN", 'SELECT o.id, r.reason FROM RETURNS r JOIN ORDERS o ON o.id = r."order"')
    assert a_run_shop.made_by_a_run() == {"import RETURNS", "build BROKEN", "export data/processed/BROKEN.csv"}
    assert a_run_shop.query("SELECT id, reason FROM BROKEN") == [(1, "broken")]

    (a_run_shop.path / "data/source/RETURNS.csv").unlink()
    (a_run_shop.path / "scripts/processed/BROKEN.sql").unlink()
    assert a_run_shop.made_by_a_run() == {"drop RETURNS", "drop BROKEN"}
    assert a_run_shop.identities()["data/final/REVENUE.csv"] == revenue
    assert not (a_run_shop.path / "data/processed/BROKEN.csv").exists()
    for gone in ("RETURNS", "BROKEN"):
        with pytest.raises(Exception, match=f"(?i){gone}"):
            a_run_shop.query(f"SELECT * FROM {gone}")
    assert a_run_shop.query(ALL_REVENUE) == REVENUE_ROWS


def test_a_source_with_the_same_content_is_not_imported_again(duckdb_run_shop: Project) -> None:
    before = duckdb_run_shop.identities()
    path = duckdb_run_shop.path / "data/source/ORDERS.csv"
    touch_later(path)
    assert duckdb_run_shop.made_by_a_run() == set()
    # written again
    path.unlink()
    duckdb_run_shop.source("ORDERS.csv", ORDERS)
    assert duckdb_run_shop.made_by_a_run() == set()
    assert duckdb_run_shop.made_by_a_run() == set()
    assert duckdb_run_shop.identities() == before

    # a change of the same length and time is seen: size and time of change alone do not show it, as after `cp -p`
    stat = path.stat()
    duckdb_run_shop.source("ORDERS.csv", ORDERS.replace("4,30,5", "4,30,6"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    duckdb_run_shop.run()
    assert duckdb_run_shop.query(ALL_REVENUE) == [("CH", 2, 76), ("PT", 2, 150)]


def test_only_the_table_whose_sql_changed_is_built_again(duckdb_run_shop: Project) -> None:
    # a comment leaves the results as they are
    duckdb_run_shop.final("REVENUE", f"-- what each country brings; not $tax\n{REVENUE}")
    duckdb_run_shop.run()
    assert duckdb_run_shop.query(ALL_REVENUE) == REVENUE_ROWS
    assert duckdb_run_shop.outcome()["build ORDER_LINES"] == "reused"

    duckdb_run_shop.final("REVENUE", REVENUE.replace("FROM ORDER_LINES", "FROM ORDER_LINES WHERE amount > 5"))
    assert duckdb_run_shop.made_by_a_run() == {"build REVENUE", "export data/final/REVENUE.csv"}
    assert duckdb_run_shop.query(ALL_REVENUE) == [("CH", 1, 70), ("PT", 2, 150)]

    # a new check runs alone and touches nothing
    before = duckdb_run_shop.identities()
    duckdb_run_shop.check("AMOUNTS", "SELECT id FROM ORDERS WHERE amount < 0")
    assert duckdb_run_shop.made_by_a_run() == {"check AMOUNTS"}
    assert duckdb_run_shop.made_by_a_run() == set()
    duckdb_run_shop.check("AMOUNTS", "SELECT id FROM ORDERS WHERE amount > 0")
    duckdb_run_shop.run(code=1)
    assert duckdb_run_shop.identities() == before


def test_a_parameter_concerns_the_tables_that_use_it(a_shop: Project) -> None:
    a_shop.setting("parameters", "least = 0")
    a_shop.setting("parameters", 'season = "spring"')
    a_shop.final("REVENUE", REVENUE.replace("FROM ORDER_LINES", "FROM ORDER_LINES WHERE amount >= $least"))
    a_shop.final("CATALOGUE", "SELECT code, label, $season AS season FROM PRODUCTS ORDER BY code")
    a_shop.run()
    assert a_shop.query(ALL_REVENUE) == REVENUE_ROWS
    its_steps = {"build REVENUE", "export data/final/REVENUE.csv"}

    assert a_shop.made_by_a_run("--param", "least=70") == its_steps
    assert a_shop.query(ALL_REVENUE) == [("CH", 1, 70), ("PT", 1, 100)]
    if a_shop.kind == "duckdb":  # back to what pdbt.toml says
        assert a_shop.made_by_a_run() == its_steps
        assert a_shop.query(ALL_REVENUE) == REVENUE_ROWS
        least = []
    else:
        least = ["--param", "least=70"]
    assert a_shop.made_by_a_run(*least, "--param", "season=it's winter") == {"build CATALOGUE", "export data/final/CATALOGUE.csv"}
    assert {row["season"] for row in a_shop.exported("final/CATALOGUE.csv")} == {"it's winter"}


def test_a_table_may_become_a_source_and_change_its_folder(duckdb_run_shop: Project) -> None:
    (duckdb_run_shop.path / "scripts/final/CATALOGUE.sql").rename(duckdb_run_shop.path / "scripts/processed/CATALOGUE.sql")
    duckdb_run_shop.run()
    assert duckdb_run_shop.exported("processed/CATALOGUE.csv")[0] == {"code": "007", "label": "lamp"}
    assert not (duckdb_run_shop.path / "data/final/CATALOGUE.csv").exists()

    (duckdb_run_shop.path / "scripts/processed/CATALOGUE.sql").unlink()
    duckdb_run_shop.source("catalogue.csv", "code,label\n9x,by hand\n")
    duckdb_run_shop.run()
    assert duckdb_run_shop.query("SELECT code, label FROM CATALOGUE") == [("9x", "by hand")]
    assert not (duckdb_run_shop.path / "data/processed/CATALOGUE.csv").exists()


def test_a_table_whose_name_changes_its_case_keeps_no_twin(duckdb_run_shop: Project) -> None:
    (duckdb_run_shop.path / "scripts/final/CATALOGUE.sql").rename(duckdb_run_shop.path / "scripts/final/Catalogue.sql")
    duckdb_run_shop.run()
    assert duckdb_run_shop.query("SELECT count(*) FROM Catalogue") == [(2,)]
    assert [path.name for path in (duckdb_run_shop.path / "data/final").glob("[cC]*")] == ["Catalogue.csv"]
    assert duckdb_run_shop.made_by_a_run() == set()
    (duckdb_run_shop.path / "scripts/final/Catalogue.sql").unlink()
    assert duckdb_run_shop.made_by_a_run() == {"drop Catalogue"}


def test_a_table_that_is_gone_is_missed_also_when_it_is_named_as_a_catalogs(project: Project) -> None:
    orders = project.source("PG_ORDERS.csv", "id\n1\n")
    project.final("PG_N", "SELECT count(*) AS n FROM PG_ORDERS\n")
    project.run()
    orders.unlink()
    ended = project.run(code=2)
    assert ended.stderr.splitlines()[0] == "error: scripts/final/PG_N.sql reads PG_ORDERS, which no file of this project makes."
    assert project.query("SELECT n FROM PG_N") == [(1,)]


def test_the_catalog_of_the_server_is_read(make_project: MakeProject) -> None:
    project = make_project("postgresql")
    project.final("OWNERS", "SELECT count(*) > 0 AS owned FROM pg_roles JOIN pg_database ON datdba = pg_roles.oid\n")
    project.run()
    assert project.query("SELECT owned FROM OWNERS") == [(True,)]


def test_a_failure_publishes_nothing_and_the_work_before_it_is_kept(a_shop: Project) -> None:
    # a table that fails, in the first run
    a_shop.final("REVENUE", REVENUE.replace("amount)", "amountt)"))
    ended = a_shop.run(code=1)
    assert "scripts/final/REVENUE.sql" in ended.stderr
    assert "amountt" in ended.stderr

    a_shop.final("REVENUE", REVENUE)
    assert not {"import ORDERS", "build ORDER_LINES"} & a_shop.made_by_a_run()
    assert a_shop.outcome()["import ORDERS"] == "reused"
    assert a_shop.query(ALL_REVENUE) == REVENUE_ROWS
    assert len(a_shop.exported("final/REVENUE.csv")) == 2

    # a check that fails, in a later one
    before = a_shop.identities()
    a_shop.source("ORDERS.csv", ORDERS + "5,99,25\n")
    ended = a_shop.run(code=1)
    assert "ORDERS_HAVE_CUSTOMERS" in ended.stderr
    assert a_shop.query(ALL_REVENUE) == REVENUE_ROWS
    assert a_shop.identities() == before

    a_shop.source("CUSTOMERS.csv", CUSTOMERS + "99,Eve,PT\n")
    assert a_shop.made_by_a_run() == {"import CUSTOMERS", *BUILT_FROM_ORDERS}
    assert a_shop.outcome()["import ORDERS"] == "reused"
    assert a_shop.query(ALL_REVENUE) == [("CH", 2, 75), ("PT", 3, 175)]
    assert a_shop.leftovers() == []


def test_a_change_taken_back_after_a_failure_publishes_the_old_results(duckdb_run_shop: Project) -> None:
    duckdb_run_shop.source("ORDERS.csv", ORDERS + "5,99,25\n")
    duckdb_run_shop.run(code=1)
    duckdb_run_shop.source("ORDERS.csv", ORDERS)
    duckdb_run_shop.run()
    assert duckdb_run_shop.query(ALL_REVENUE) == REVENUE_ROWS
    assert len(duckdb_run_shop.exported("processed/ORDER_LINES.csv")) == 4
    assert duckdb_run_shop.made_by_a_run() == set()


def test_full_makes_everything_again_and_what_was_edited_or_set_is_made_anew(duckdb_run_shop: Project) -> None:
    # an export that was edited is written again
    path = duckdb_run_shop.path / "data/final/REVENUE.csv"
    right = path.read_text(encoding="utf-8")
    path.write_text(right + "XX,1,1\n", encoding="utf-8")
    assert duckdb_run_shop.made_by_a_run() == {"export data/final/REVENUE.csv"}
    assert path.read_text(encoding="utf-8") == right

    assert duckdb_run_shop.made_by_a_run("--full") == EVERYTHING
    assert duckdb_run_shop.query(ALL_REVENUE) == REVENUE_ROWS
    assert duckdb_run_shop.made_by_a_run() == set()

    # changed reading settings import the table again
    duckdb_run_shop.setting("source.ORDERS", 'types = { id = "VARCHAR" }')
    assert duckdb_run_shop.made_by_a_run() == {"import ORDERS", *BUILT_FROM_ORDERS}
    assert duckdb_run_shop.query("SELECT id FROM ORDERS ORDER BY id LIMIT 1") == [("1",)]

    # another export format writes exports and builds nothing
    duckdb_run_shop.setting("export", 'format = "json"')
    assert duckdb_run_shop.made_by_a_run() == {
        "export data/processed/ORDER_LINES.json",
        "export data/final/REVENUE.json",
        "export data/final/CATALOGUE.json",
    }
    assert json.loads((duckdb_run_shop.path / "data/final/REVENUE.json").read_text(encoding="utf-8")) == [
        {"country": "CH", "orders": 2, "amount": 75},
        {"country": "PT", "orders": 2, "amount": 150},
    ]
    assert not list((duckdb_run_shop.path / "data").rglob("ORDER_LINES.csv"))


def test_python_tables_follow_their_text_and_inputs(a_shop: Project) -> None:
    doubled = "import pyarrow as pa\n\n\ndef table(ORDERS: pa.Table) -> pa.Table:\n    return ORDERS.select(['id', 'amount'])\n"
    a_shop.write("scripts/final/AMOUNTS.py", doubled)
    a_shop.write("scripts/final/BY_COUNTRY.py", "def table(REVENUE):\n    return REVENUE.assign(share=REVENUE['amount'] / 225)\n")
    steps = {"build AMOUNTS", "build BY_COUNTRY", "export data/final/AMOUNTS.csv", "export data/final/BY_COUNTRY.csv"}
    assert a_shop.made_by_a_run() == EVERYTHING | steps
    assert a_shop.query("SELECT sum(id), sum(amount) FROM AMOUNTS") == [(10, 225)]
    assert a_shop.query("SELECT share FROM BY_COUNTRY WHERE country = 'CH'")[0][0] == pytest.approx(1 / 3)
    if a_shop.kind != "duckdb":  # the rest does not depend on it
        return
    assert a_shop.made_by_a_run() == set()

    a_shop.write("scripts/final/AMOUNTS.py", doubled.replace("['id', 'amount']", "['id', 'amount', 'customer']"))
    assert a_shop.made_by_a_run() == {"build AMOUNTS", "export data/final/AMOUNTS.csv"}
    a_shop.source("CUSTOMERS.csv", CUSTOMERS.replace("Ana,PT", "Ana,ES"))
    made = a_shop.made_by_a_run()
    assert "build BY_COUNTRY" in made
    assert "build AMOUNTS" not in made
    assert a_shop.query("SELECT country FROM BY_COUNTRY ORDER BY country") == [("CH",), ("ES",)]


def test_the_steps_can_be_run_one_by_one(a_shop: Project) -> None:
    for script in STEP_SCRIPTS:
        a_shop.run(script=script)
    assert a_shop.query(ALL_REVENUE) == REVENUE_ROWS
    assert len(a_shop.exported("processed/ORDER_LINES.csv")) == 4
    if a_shop.kind != "duckdb":  # each step has gone on from what the one before it did
        return
    assert a_shop.made_by_a_run() == set()

    before = a_shop.identities()
    a_shop.source("PRODUCTS.csv", PRODUCTS + "009,table\n")
    a_shop.run(script=STEP_SCRIPTS[0])
    assert a_shop.outcome() == {"import ORDERS": "reused", "import CUSTOMERS": "reused", "import PRODUCTS": "rebuilt"}
    assert a_shop.identities() == before
    # the whole run goes on from what the step did
    a_shop.run()
    assert a_shop.outcome()["import PRODUCTS"] == "reused"
    assert a_shop.outcome()["build CATALOGUE"] == "rebuilt"
    assert a_shop.query("SELECT count(*) FROM CATALOGUE") == [(3,)]


def test_results_alone_refuse_what_is_not_up_to_date(duckdb_shop: Project) -> None:
    # tables cannot be built before the import
    refused = duckdb_shop.run(script=STEP_SCRIPTS[1], code=1)
    assert "which is not there yet" in refused.stderr
    assert "python3 scripts/source.py" in refused.stderr

    duckdb_shop.run()
    before = duckdb_shop.identities()
    duckdb_shop.source("ORDERS.csv", ORDERS + "5,30,25\n")
    refused = duckdb_shop.run(script=STEP_SCRIPTS[2], code=1)
    assert "ORDERS is not up to date (data/source/ORDERS.csv changed), so nothing was published." in refused.stderr
    assert "python3 scripts/source.py" in refused.stderr
    duckdb_shop.run(script=STEP_SCRIPTS[0])
    refused = duckdb_shop.run(script=STEP_SCRIPTS[2], code=1)
    assert "ORDER_LINES is not up to date (" in refused.stderr
    assert "python3 scripts/transforming.py" in refused.stderr
    assert duckdb_shop.identities() == before
    assert duckdb_shop.query(ALL_REVENUE) == REVENUE_ROWS
