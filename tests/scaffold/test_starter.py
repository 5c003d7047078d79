"""What a person's files begin with: clean tables, summaries and checks that run as they are in all three databases."""

from __future__ import annotations

import csv
import re
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pdbt.engine.errors import GraphError, SourceError
from pdbt.engine.reading.model import ReadOptions, SourceTable
from pdbt.scaffold import NewProject, new_project
from pdbt.scaffold.profile import TableProfile, profile_table
from pdbt.scaffold.staging import PREFIX
from pdbt.scaffold.starter import write_starters
from tests.conftest import RunProject, StartProcess

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "docs" / "demo" / "data"
URL_VARIABLE = "PDBT_STARTER_URL"
DEADLINE_SECONDS = 60.0


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def profile(folder: Path, text: str, table: str = "ORDERS") -> TableProfile:
    path = write(folder, f"{table.lower()}.csv", text)
    return profile_table(SourceTable(table, (path,), f"data/source/{path.name}"), ReadOptions(), folder / "scratch")


def starter_files(table: TableProfile, taken: Sequence[str] = ()) -> dict[str, str]:
    (starter,) = write_starters([table], taken)
    return dict(starter.files)


def summary(folder: Path, text: str) -> list[str]:
    """Return the lines of the summary's SQL that are no comments."""
    sql = starter_files(profile(folder, text))["scripts/final/ORDERS_SUMMARY.sql"]
    return [line.strip().rstrip(",") for line in sql.splitlines() if not line.startswith("--")]


def rows(count: int, row: str) -> str:
    """Return rows of a CSV; ``{n}`` counts them, ``{a}`` takes three values in turn, ``{b}`` two."""
    return "".join(row.format(n=n, a="xyz"[n % 3], b="yn"[n % 2], m=n % 12 + 1) + "\n" for n in range(count))


# The clean table -----------------------------------------------------------------------------------------------------


def test_the_clean_table_names_every_column_and_trims_text(tmp_path: Path) -> None:
    text = "Order ID,Customer Name,order,paid,ordered,amount\n1,Ana,7,true,2024-01-31,1.5\n2,Jo,8,false,2024-02-01,2.5\n"
    assert starter_files(profile(tmp_path, text))["scripts/processed/ORDERS_CLEAN.sql"] == (
        "-- ORDERS_CLEAN: the rows of ORDERS (data/source/orders.csv) with clean names of columns and trimmed text;\n"
        "-- a text of spaces alone is NULL. The types behind the columns are those that the file was found to hold.\n"
        "-- This is written once, to begin with, and yours to change.\n"
        "SELECT\n"
        '    "Order ID" AS order_id,                              -- BIGINT\n'
        "    nullif(trim(\"Customer Name\"), '') AS customer_name,  -- VARCHAR\n"
        '    "order" AS order_,                                   -- BIGINT\n'
        "    paid,                                                -- BOOLEAN\n"
        "    ordered,                                             -- DATE\n"
        "    amount                                               -- DOUBLE\n"
        "FROM ORDERS\n"
    )


def test_tables_of_starters_give_way_to_sources(tmp_path: Path) -> None:
    found = starter_files(profile(tmp_path, "a\n1\n"), taken=["ORDERS_CLEAN", "orders_summary"])
    assert list(found)[:2] == ["scripts/processed/ORDERS_CLEAN_2.sql", "scripts/final/ORDERS_SUMMARY_2.sql"]
    assert "FROM ORDERS_CLEAN_2" in found["scripts/final/ORDERS_SUMMARY_2.sql"]


def test_names_of_tables_stay_short_enough_for_postgresql(tmp_path: Path) -> None:
    table = "O" * 70
    names = [Path(name).stem for name in starter_files(profile(tmp_path, "a\n1\n", table)) if "checks" not in name]
    assert len(set(names)) == 2
    assert all(len(name) <= 63 for name in names)


# The summary ---------------------------------------------------------------------------------------------------------


def test_the_summary_groups_counts_adds_up_and_averages(tmp_path: Path) -> None:
    text = "id,status,note,quantity,price\n" + rows(12, "{n},{a},note {n},{n},{n}.5")
    assert summary(tmp_path, text) == [
        "SELECT",
        "status",
        "count(*) AS row_count",
        "CAST(sum(quantity) AS BIGINT) AS total_quantity",
        "round(avg(price) * 100) / 100 AS avg_price",
        "FROM ORDERS_CLEAN",
        "GROUP BY status",
        "ORDER BY row_count DESC, status",
    ]


@pytest.mark.parametrize(
    ("header", "row", "group"),
    [
        ("flag,kind", "{b},{a}", "kind"),  # a name that says so
        ("label,region", "{a},{b}", "region"),  # even with fewer values
        ("letter,other", "{a},text {n}", "letter"),  # text, without a name that helps
        ("paid,amount", "{n},{n}.5", None),  # numbers are no groups
        ("month,amount", "{m},{n}.5", "month"),  # but for parts of dates
        ("year,country", "2024,{a}", "country"),  # one value alone is no group
        ("when,amount", "2024-{m:02}-01,{n}.5", "when_month"),  # the month of a day, when there is nothing better
        ("category,country", ",{a}", "country"),  # never a column that is empty
        ("id,amount", "{n},{n}.5", None),
    ],
)
def test_the_most_useful_group_is_chosen(header: str, row: str, group: str | None, tmp_path: Path) -> None:
    grouped = [line for line in summary(tmp_path, f"{header}\n{rows(48, row)}") if line.startswith("ORDER BY")]
    assert grouped == ([f"ORDER BY row_count DESC, {group}"] if group else [])


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("amount", "{n}.25", "round(sum(amount) * 100) / 100 AS total_amount"),
        ("population", "{n}000", "CAST(sum(population) AS BIGINT) AS total_population"),
        ("population", "{n}00000000000000000", "avg(CAST(population AS DOUBLE PRECISION)) AS avg_population"),
        ("temp", "{n}.5", "round(avg(temp) * 100) / 100 AS avg_temp"),
        ("latitude", "-{n}.5", "round(avg(latitude) * 100) / 100 AS avg_latitude"),
        ("age", "{n}", "round(avg(CAST(age AS DOUBLE PRECISION)) * 100) / 100 AS avg_age"),
        ("average_salary", "{n}", "round(avg(CAST(average_salary AS DOUBLE PRECISION)) * 100) / 100 AS average_salary"),
        ("something", "0.000{n}", "round(avg(something) * 1000000) / 1000000 AS avg_something"),
        ("total", "{n}.5", "round(sum(total) * 100) / 100 AS total"),
        ("customer_id", "{n}", None),
        ("zip", "{n}", None),
        ("year", "{n}", None),
        ("phone_number", "{n}", None),
        ("order", "{n}.5", "round(avg(order_) * 100) / 100 AS avg_order"),
    ],
)
def test_measures_are_added_or_averaged_by_what_they_are(column: str, value: str, expected: str | None, tmp_path: Path) -> None:
    text = f"key,kind,{column}\n" + "".join(f"k{n},{'xyz'[n % 3]},{value.format(n=n % 20 + 10)}\n" for n in range(40))
    found = [line for line in summary(tmp_path, text) if " AS " in line and "row_count" not in line]
    assert found == ([expected] if expected else [])


def test_names_of_the_summary_do_not_collide(tmp_path: Path) -> None:
    text = "row_count,avg_price,price\n" + "".join(f"{'xyz'[n % 3]},{n}.5,{n}.25\n" for n in range(12))
    found = summary(tmp_path, text)
    assert found[1:5] == [
        "row_count",
        "count(*) AS number_of_rows",
        "round(avg(avg_price) * 100) / 100 AS avg_price",
        "round(avg(price) * 100) / 100 AS avg_price_2",
    ]


# The checks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("name,order_id\n" + rows(9, "name {n},{n}"), ("order_id",)),  # an id goes before a name
        ("name,amount\n" + rows(9, "name {n},{n}"), ("name",)),
        ("amount,population\n" + rows(9, "{n}.5,{n}"), ()),  # what is measured identifies nothing
        ("order_id,name\n" + rows(9, "{n},same").replace("8,", ","), ()),  # not filled
        ("code\n" + rows(9, "a{n}").replace("a8", "A0 "), ("code",)),
        ("code\n" + rows(9, "a{n}").replace("a8", '"a0 "'), ()),  # alike once trimmed
        ("station,day\n" + "".join(f"s{n % 3},2024-01-{n // 3 + 1:02}\n" for n in range(27)), ("station", "day")),
        ("id\n1\n", ()),  # in one row everything is unique
        ("id,name\n", ()),
    ],
)
def test_the_key_that_was_found_is_checked(text: str, key: tuple[str, ...], tmp_path: Path) -> None:
    table = profile(tmp_path, text)
    assert table.key == key
    check = starter_files(table).get("scripts/checks/ORDERS_KEY.sql", "")
    assert bool(check) == bool(key)
    assert f"GROUP BY {', '.join(key)}\n" in check or not key


def test_a_table_without_rows_is_not_expected_to_have_some(tmp_path: Path) -> None:
    assert [name for name in starter_files(profile(tmp_path, "id,name\n")) if "checks" in name] == []


# Run as they are -----------------------------------------------------------------------------------------------------

LONG = "a name that is longer than what PostgreSQL keeps of a name, which is 63 bytes"
NASTY_COLUMNS = [
    "Order ID",
    "OrderId",
    "GROUP",
    'say "hi"',
    "it's",
    "Côte d'Ivoire",
    LONG,
    "名前",
    "SELECT",
    "user",
    "100%",
    "a;b--c",
    "two\nlines",
    "$money",
    "TOTAL",
]
NASTY_CLEAN = [
    "order_id",
    "order_id_2",
    "group_",
    "say_hi",
    "its",
    "cote_d_ivoire",
    "a_name_that_is_longer_than_what_postgre_sql_keeps_of_a_name_which_is",
    "column_8",
    "select_",
    "user_",
    "n_100_percent",
    "a_b_c",
    "two_lines",
    "usd_money",
    "total",
]


def nasty_csv(path: Path, count: int = 30) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(NASTY_COLUMNS)
        for n in range(count):
            row: list[object] = [n, f" o{n} ", "xyz"[n % 3], n % 2 == 0, f"2024-01-{n % 28 + 1:02}", n / 4]
            writer.writerow([*row, f"t {n % 2}", "é", n % 5, f"u{n}", n, f"2024-01-01 10:{n:02}:00", "a\nb", "", n * 10])
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", ["duckdb", "sqlite", "postgresql"])
def test_starters_run_as_they_are_in_every_database(
    kind: str, tmp_path: Path, run_project_warm: RunProject, request: pytest.FixtureRequest
) -> None:
    odd = [
        write(tmp_path, "header.csv", "id,name\n"),
        write(tmp_path, "empty.csv", ""),
        write(tmp_path, "order.csv", "id\n1\n2\n"),
        write(tmp_path, "user.csv", "user,table\na,b\nc,d\n"),
        write(tmp_path, "2024 été.csv", "x\n1\n"),
    ]
    url = str(request.getfixturevalue("postgres_url")) if kind == "postgresql" else None
    wanted = NewProject(str(tmp_path / "shop"), kind if url is None else "commune", f"${{{URL_VARIABLE}}}" if url else None)
    # One file of the demonstration has what differs between databases: texts, days, numbers and months to group by.
    demo = ("customers.csv", "orders.csv", "returns") if kind == "duckdb" else ("orders.csv",)
    data = (nasty_csv(tmp_path / "nasty.csv"), *odd, *(DEMO / name for name in demo))
    project = new_project(replace(wanted, data=data)).target
    result = run_project_warm(project, env={URL_VARIABLE: url} if url else None)
    assert result.code == 0, result.stderr + result.stdout
    results = {path.stem: read(path) for layer in ("processed", "final") for path in (project / "data" / layer).glob("*.csv")}
    _check_nasty(results["NASTY_CLEAN"], results["NASTY_SUMMARY"])
    assert results["HEADER_SUMMARY"] == [{"row_count": "0"}]
    assert results["ORDER_CLEAN"] == [{"id": "1"}, {"id": "2"}]
    assert results["USER_CLEAN"] == [{"user_": "a", "table_": "b"}, {"user_": "c", "table_": "d"}]
    assert results["T_2024_ÉTÉ_CLEAN"] == [{"x": "1"}]
    for table in (name.partition(".")[0].upper() for name in demo):
        summarised = results[f"{table}_SUMMARY"]
        assert len(summarised) > 1
        assert sum(int(row["row_count"]) for row in summarised) == len(results[f"{table}_CLEAN"])


def _check_nasty(clean: list[dict[str, str]], summarised: list[dict[str, str]]) -> None:
    assert list(clean[0]) == [name[:63] for name in NASTY_CLEAN]
    assert len(clean) == 30
    row = next(row for row in clean if row["order_id"] == "7")
    assert (row["order_id_2"], row["group_"], row["its"], row["usd_money"]) == ("o7", "y", "2024-01-08", "")
    assert float(row["cote_d_ivoire"]) == 1.75
    assert row["two_lines"] == "a\nb"
    found = [(row["group_"], row["row_count"], row["total"]) for row in summarised]
    assert found == [("x", "10", "1350"), ("y", "10", "1450"), ("z", "10", "1550")]


# What is brought -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def bring(*paths: Path) -> Path:
    return new_project(NewProject("shop", data=paths)).target


def test_a_folder_of_files_is_one_table(tmp_path: Path) -> None:
    write(tmp_path, "returns/a.csv", "id,why\n1,x\n2,y\n")
    write(tmp_path, "returns/b.csv", "id,why\n3,x\n4,y\n")
    write(tmp_path, "returns/notes.md", "not data")
    (table,) = new_project(NewProject("shop", data=(tmp_path / "returns",))).tables
    assert (table.name, table.rows, table.made) == ("RETURNS", 4, ("RETURNS_CLEAN", "RETURNS_SUMMARY"))
    copied = tmp_path / "shop" / "data" / "source" / "returns"
    assert sorted(path.name for path in copied.iterdir()) == ["a.csv", "b.csv"]


def test_files_are_copied_byte_for_byte_and_followed_through_links(tmp_path: Path) -> None:
    content = "id;näme\r\n1;ö\r\n".encode("windows-1252")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.csv").write_bytes(content)
    (tmp_path / "orders.csv").symlink_to(tmp_path / "real" / "x.csv")
    copy = bring(tmp_path / "orders.csv") / "data" / "source" / "orders.csv"
    assert not copy.is_symlink()
    assert copy.read_bytes() == content


@pytest.mark.parametrize("names", [("orders.csv", "ORDERS.tsv"), ("a/orders.csv", "b/orders.csv"), ("orders.csv", "orders/x.csv")])
def test_two_inputs_that_would_make_one_table_are_named(names: tuple[str, str], tmp_path: Path) -> None:
    paths = [write(tmp_path, name, "id\n1\n") for name in names]
    given = [path.parent if path.parent.name == "orders" else path for path in paths]
    with pytest.raises(GraphError, match=r"would both (make the table ORDERS|be data/source/orders.csv)") as refused:
        bring(*given)
    assert all(re.search(re.escape(path.name), refused.value.message) for path in given)
    assert not (tmp_path / "shop").exists()


def test_the_same_file_twice_counts_once(tmp_path: Path) -> None:
    path = write(tmp_path, "orders.csv", "id\n1\n")
    assert len(new_project(NewProject("shop", data=(path, Path("orders.csv")))).tables) == 1


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("photo.png", "is not of a kind that is read"),
        ("gone.csv", "does not exist"),
        ("empty_folder", "holds no file of a kind that is read"),
    ],
)
def test_what_is_not_read_is_named(name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "photo.png").touch()
    (tmp_path / "empty_folder").mkdir()
    with pytest.raises(SourceError, match=sentence) as refused:
        bring(tmp_path / name)
    assert name in refused.value.message
    assert refused.value.hint
    assert not (tmp_path / "shop").exists()


def test_rows_that_do_not_fit_are_told_of(tmp_path: Path) -> None:
    text = "id,amount\n" + "".join(f"{n},{n}\n" for n in range(100)) + "100,1,2\n"
    (table,) = new_project(NewProject("shop", data=(write(tmp_path, "orders.csv", text),))).tables
    assert table.rows == 100
    assert any('1 row does not fit: a run stops there, unless pdbt.toml says on_error = "reject"' in note for note in table.notes)


# Has the reading of a source go on without end, and shows by a file that grows that DuckDB is at it. With one thread, that of Python,
# DuckDB looks for signals while it works.
READS_ON = """
import os, sys
from pdbt.cli import main
from pdbt.scaffold import profile

def reads_on(connection):
    def create(select, columns):
        more = "SELECT number FROM range(1000000000000) AS numbers(number) WHERE number % 1000 = 0"
        connection.execute("SET threads = 1")
        connection.execute(f"COPY (SELECT id FROM ({select}) UNION ALL {more}) TO '{os.environ['SHOWN']}' (FORMAT csv)")
    return create

profile._table_maker = reads_on
sys.exit(main())
"""


def test_interrupted_while_it_reads_it_ends_without_a_word(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, start_process: StartProcess
) -> None:
    """DuckDB ends its query with an error of its own, which is no fault of pdbt's to report."""
    write(tmp_path, "orders.csv", "id,name,amount\n" + "".join(f"{n},name {n},{n}.5\n" for n in range(1000)))
    shown = tmp_path_factory.mktemp("shown") / "read.csv"
    command = [sys.executable, "-c", READS_ON, "new", "shop", "--data", "orders.csv"]
    process = start_process(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "SHOWN": str(shown)})
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not any(path.stat().st_size for path in shown.parent.iterdir()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert list(tmp_path.glob(f"{PREFIX}*/{PREFIX}*"))
    process.send_signal(signal.SIGINT)
    seen = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, *seen) == (130, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]
