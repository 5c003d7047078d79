"""PostgreSQL's numeric without precision, the usual type of money: new rows of fewer or more decimals go on to arrive."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pdbt.connect import add_connection, transfer
from pdbt.connect.base import TransferFailed, TransferRefused
from pdbt.connect.kinds import decimal, holds, with_decimals_of
from pdbt.connect.landing import land
from tests.conftest import MakeProject, RunProject
from tests.connect.databases import Place

ENDS = ("mysql", "sqlite", "duckdb", "postgresql")
AMOUNTS = ("12.34", "7", "0.125", "-99999.5", "1234567890123.45", "0.00000001", "NULL", "-0.1")


def bring(places: dict[str, Place], end: str, mode: str, *values: str, first: int = 0, **how: object) -> None:
    rows = ", ".join(f"({number}, {value})" for number, value in enumerate(values, first))
    places["postgresql"].execute(
        "DROP TABLE IF EXISTS o", "CREATE TABLE o (id INTEGER, amount NUMERIC)", f"INSERT INTO o VALUES {rows}" if rows else "SELECT 1"
    )
    key = ["id"] if mode == "upsert" else []
    transfer(places["postgresql"].url, places[end].url, table="o", target="t", mode=mode, key=key, **how)  # type: ignore[arg-type]


def found(place: Place) -> list[Decimal | None]:
    return [None if amount is None else Decimal(str(amount)) for (amount,) in place.execute("SELECT amount FROM t ORDER BY id")]


@pytest.mark.parametrize("end", ENDS)
def test_rows_of_fewer_and_of_more_decimals_go_on(places: dict[str, Place], end: str) -> None:
    bring(places, end, "replace", AMOUNTS[0])
    for number, amount in enumerate(AMOUNTS[1:], 1):
        bring(places, end, ("append", "upsert")[number % 2], amount, first=number)  # each with more and with fewer than there were
    assert found(places[end]) == [None if amount == "NULL" else Decimal(amount) for amount in AMOUNTS]
    for mode in ("append", "upsert"):
        bring(places, end, mode)
    transfer(places[end].url, places["postgresql"].url, table="t", target="back")
    back = places["postgresql"].execute("SELECT amount FROM back ORDER BY id")
    assert [amount for (amount,) in back] == [None if amount == "NULL" else Decimal(amount) for amount in AMOUNTS]


@pytest.mark.parametrize(
    ("end", "declared", "after"),
    [
        ("mysql", "DECIMAL(12,2)", "decimal(13,3)"),
        ("duckdb", "DECIMAL(12,2)", "DECIMAL(13,3)"),
        ("postgresql", "NUMERIC(12,2)", "numeric(13,3)"),
        ("postgresql", "NUMERIC", "numeric"),
        ("duckdb", "DECIMAL(38,2)", "DECIMAL(38,3)"),
        ("mysql", "BIGINT", "decimal(22,3)"),
    ],
)
def test_a_target_of_ones_own_becomes_as_wide_as_the_rows_need(places: dict[str, Place], end: str, declared: str, after: str) -> None:
    places[end].execute(f"CREATE TABLE t (id INTEGER, amount {declared})", "INSERT INTO t VALUES (0, 1)")
    bring(places, end, "append", "5.1", "1.125", first=1)
    assert found(places[end]) == [Decimal(1), Decimal("5.1"), Decimal("1.125")]
    catalog = "format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'amount'"
    columns = "FROM information_schema.columns WHERE table_name = 't' AND column_name = 'amount'"
    select = {"postgresql": catalog, "mysql": f"column_type {columns} AND table_schema = database()", "duckdb": f"data_type {columns}"}
    assert places[end].execute(f"SELECT {select[end]}") == [(after,)]


@pytest.mark.parametrize("end", ENDS)
def test_freeze_takes_what_the_target_holds_and_changes_nothing(places: dict[str, Place], end: str) -> None:
    bring(places, end, "replace", "1.25")
    bring(places, end, "append", "3", "4.5", first=1, schema="freeze")
    assert found(places[end]) == [Decimal("1.25"), Decimal(3), Decimal("4.5")]
    if end == "postgresql":  # the column is numeric there, too, and takes them all
        return
    with pytest.raises(TransferRefused, match=r"^t has amount as .*; what arrives is .*38,3\)\. "):
        bring(places, end, "append", "5.125", first=3, schema="freeze")
    assert len(found(places[end])) == 3


@pytest.mark.parametrize("end", ["mysql", "duckdb"])
def test_digits_that_no_type_holds_together_leave_the_target_as_it_was(places: dict[str, Place], end: str) -> None:
    whole = "9" * 36
    places[end].execute("CREATE TABLE t (id INTEGER, amount DECIMAL(38,2))", f"INSERT INTO t VALUES (0, {whole}.25)")
    with pytest.raises((TransferRefused, TransferFailed), match=r"(?i)amount|range|cast"):
        bring(places, end, "append", "0.125", first=1)
    assert found(places[end]) == [Decimal(f"{whole}.25")]


@pytest.mark.parametrize(("value", "said"), [("'NaN'", "NaN or an infinity"), ("1e39", "41 digits"), ("'-Infinity'", "NaN or an infinity")])
def test_a_numeric_that_no_decimal_holds_says_why(places: dict[str, Place], value: str, said: str) -> None:
    with pytest.raises(TransferRefused, match=f"^Column amount is of type numeric, with values of {said}, which DuckDB cannot hold unch"):
        bring(places, "duckdb", "replace", value, "1.5")
    places["postgresql"].execute("CREATE TABLE p (amount NUMERIC(10,2))", "INSERT INTO p VALUES ('NaN')")
    with pytest.raises(TransferRefused, match=r"^Column amount \(numeric\(10,2\)\) holds NaN, which DECIMAL\(10,2\) has not\."):
        transfer(places["postgresql"].url, places["duckdb"].url, table="p", target="t")


@pytest.mark.parametrize("schema", ["evolve", "freeze"])
def test_a_fetch_goes_on_whatever_the_decimals_of_new_rows(
    make_project: MakeProject, run_project: RunProject, places: dict[str, Place], schema: str
) -> None:
    places["postgresql"].execute("CREATE TABLE o (id INTEGER, amount NUMERIC)")
    project = make_project()
    add_connection(project, "shop", places["postgresql"].url)
    (project / "scripts/source").mkdir()
    header = f"-- connection: shop\n-- cursor: id\n-- key: id\n-- schema: {schema}\n"
    (project / "scripts/source/T.sql").write_text(f"{header}SELECT id, amount FROM o\n")
    for number, amount in enumerate(AMOUNTS):
        places["postgresql"].execute(f"INSERT INTO o VALUES ({number}, {amount})")
        if number in (0, 1, len(AMOUNTS) - 1):
            result = run_project(project)
            assert result.code == 0, result.stderr
        else:
            land(project, project / "scripts/source/T.sql", project / "db/.work/landed/T.parquet", full=False)
    assert landed(project) == [None if amount == "NULL" else Decimal(amount) for amount in AMOUNTS]


def test_a_fetch_whose_digits_no_decimal_holds_together_is_refused_and_keeps_what_there_was(
    make_project: MakeProject, run_project: RunProject, places: dict[str, Place]
) -> None:
    places["postgresql"].execute("CREATE TABLE o (id INTEGER, amount NUMERIC)", f"INSERT INTO o VALUES (0, {'9' * 37}), (1, 1)")
    project = make_project()
    add_connection(project, "shop", places["postgresql"].url)
    (project / "scripts/source").mkdir()
    (project / "scripts/source/T.sql").write_text("-- connection: shop\n-- cursor: id\n-- key: id\nSELECT id, amount FROM o\n")
    assert run_project(project).code == 0
    places["postgresql"].execute("INSERT INTO o VALUES (2, 0.125)")
    result = run_project(project)
    assert result.code != 0
    assert "Column amount was DECIMAL(38,0), and is DECIMAL(4,3): together they have more than 38 digits." in result.stderr
    assert landed(project) == [Decimal("9" * 37), Decimal(1)]


@given(st.lists(st.tuples(st.integers(-(10**20), 10**20), st.integers(0, 12)), min_size=1, max_size=4))
@settings(max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("end", ["sqlite", "duckdb"])
def test_any_decimals_in_any_order_go_on(places: dict[str, Place], end: str, parts: list[tuple[int, int]]) -> None:
    amounts = [Decimal(number).scaleb(-decimals) for number, decimals in parts]
    for number, amount in enumerate(amounts):
        bring(places, end, "append" if number else "replace", format(amount, "f"), first=number)
    assert found(places[end]) == amounts


@given(st.integers(1, 38), st.integers(0, 38), st.integers(1, 38), st.integers(0, 38))
def test_a_decimal_with_more_decimals_holds_those_that_come(digits: int, decimals: int, others: int, their_decimals: int) -> None:
    mine, theirs = f"DECIMAL({digits},{min(digits, decimals)})", f"DECIMAL({others},{min(others, their_decimals)})"
    made = with_decimals_of(mine, theirs)
    one, other = decimal(mine), decimal(theirs)
    assert one is not None
    assert other is not None
    assert (made is not None) == (other[1] > one[1])
    assert made is None or holds(made, theirs)


def landed(project: Path) -> list[Decimal | None]:
    with duckdb.connect(str(project / "db/database.duckdb"), read_only=True) as connection:
        return [amount for (amount,) in connection.execute("SELECT amount FROM T ORDER BY id").fetchall()]
