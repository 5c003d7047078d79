"""Dates and numbers that may mean two things: settled by other values or a setting, refused otherwise, and the same in every process."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import SourceError
from tests.reading.loading import load, write

AMBIGUOUS = "d,x\n05/06/2024,1\n06/07/2024,2\n"
SEEDS = ("0", "1", "2")


@pytest.mark.parametrize(
    ("text", "date_type", "value"),
    [
        (AMBIGUOUS, "DATE", "05/06/2024"),
        ("d,x\n5-6-2024 10:30,1\n6-7-2024,2\n", "TIMESTAMP", "5-6-2024 10:30"),
        ("d,x\n,1\n01.02.2024,2\n", "DATE", "01.02.2024"),
        ("d,x\n" + "13/06/2024,1\n06/13/2024,1\n" * 40 + "05/06/2024,2\n", "DATE", "13/06/2024"),
    ],
    ids=["slashes", "a moment", "one value", "values that contradict each other"],
)
def test_a_date_whose_order_cannot_be_known_is_refused(tmp_path: Path, text: str, date_type: str, value: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SourceError, match=rf'^ORDERS: line \d of data/source/orders.csv, column d: "{value}" ') as caught:
        load(file, types={"d": date_type})
    assert caught.value.hint == 'Set date_order = "DMY" or "MDY" under [source.ORDERS] in pdbt.toml.'
    table = load(file, types={"d": date_type}, on_error="reject")
    assert [row[0] for row in table.rows if row[0] is not None] == []
    assert (
        f'"{value}" may be day first or month first ({date_type})' in {row["reason"] for row in table.rejected} or len(table.rejected) == 81
    )


@pytest.mark.parametrize(
    ("said", "loaded"),
    [
        ("DMY", [datetime.date(2024, 6, 5), datetime.date(2024, 7, 6)]),
        ("MDY", [datetime.date(2024, 5, 6), datetime.date(2024, 6, 7)]),
        ("YMD", ["05/06/2024", "06/07/2024"]),
    ],
)
def test_the_order_that_was_said_is_taken(tmp_path: Path, said: str, loaded: list[Any]) -> None:
    assert load(write(tmp_path, AMBIGUOUS), date_order=said).column("d") == loaded
    if said != "YMD":
        assert load(write(tmp_path, AMBIGUOUS), date_order=said, types={"d": "DATE"}).column("d") == loaded


def test_a_date_in_another_order_than_was_said_is_no_date(tmp_path: Path) -> None:
    table = load(write(tmp_path, "d\n" + "05/12/2024\n" * 99 + "06/17/2024\n"), date_order="DMY", on_error="reject")
    assert set(table.column("d")) == {datetime.date(2024, 12, 5)}
    assert [(row["line"], row["reason"]) for row in table.rejected] == [("101", '"06/17/2024" is not a date (DATE)')]
    assert load(write(tmp_path, "d\n05/13/2024\n06/07/2024\n"), date_order="DMY").types == {"d": "VARCHAR"}


def test_years_that_stand_first_and_names_of_months_need_nothing_said(tmp_path: Path) -> None:
    text = "a,b\n2024-05-06,5 Jan 2024\n2024-05-07,6 Feb 2024\n"
    for said in ("DMY", "MDY", "YMD"):
        table = load(write(tmp_path, text), date_order=said, types={"a": "DATE", "b": "DATE"})
        assert table.rows == [
            (datetime.date(2024, 5, 6), datetime.date(2024, 1, 5)),
            (datetime.date(2024, 5, 7), datetime.date(2024, 2, 6)),
        ]


def test_a_late_value_settles_the_order(tmp_path: Path) -> None:
    table = load(write(tmp_path, "d\n" + "05/06/2024\n" * 3000 + "13/07/2024\n"), types={"d": "DATE"})
    assert set(table.column("d")) == {datetime.date(2024, 6, 5), datetime.date(2024, 7, 13)}


def test_a_number_that_may_be_a_decimal_or_a_thousand_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, 'n;x\n"1,234";1\n"2,345";2\n')
    with pytest.raises(SourceError, match=r'line 2 of .*, column n: "1,234" may be a decimal or a thousand \(DOUBLE\)\.') as caught:
        load(file, types={"n": "DOUBLE"})
    assert caught.value.hint == 'Set decimal = "." or "," under [source.ORDERS] in pdbt.toml.'
    assert load(file, types={"n": "DOUBLE"}, decimal=",").column("n") == [1.234, 2.345]
    assert load(file, types={"n": "DOUBLE"}, decimal=".").column("n") == [1234.0, 2345.0]
    proven = write(tmp_path, "n;x\n1.234;1.234,56\n2,345;2,7\n")
    assert load(proven, types={"n": "DOUBLE"}).column("n") == [1234.0, 2.345]


SCRIPT = """
import sys
from pathlib import Path
from tests.reading.loading import load
for file in sys.argv[1:]:
    for types in ({}, {"a": "DATE"}, {"a": "DOUBLE"}):
        table = load(Path(file), types=types, on_error="reject")
        print(table.types, table.rows, table.rejected)
"""


def test_no_choice_depends_on_the_order_of_a_set(tmp_path: Path) -> None:
    """Sets of texts are ordered anew in every process: what is read is not."""
    texts = [
        "a,x\n05/06/2024,1\n06/07/2024,2\n",
        'a,b,c\n"1,234.50",1\'234.50,"1,234"\n"2,234.50",2\'234.50,"3,234"\n',
        "a;b;c\n1.234,50;1 234,50;1.234\n2.234,50;2 234,50;3.234\n",
        "a@@#b@@#c\n1@@#2@@#3\n1@@#2@@#3\n",
        "a|~|b<>c\n1|~|2<>3\n4|~|5<>6\n",
        "a,b\n" + "".join(f"{number % 12 + 1}/{number % 11 + 1}/2024,{number}\n" for number in range(60)) + "13/1/2024,1\n1/13/2024,2\n",
    ]
    files = [str(write(tmp_path, text, f"{number}.csv")) for number, text in enumerate(texts)]
    runs = []
    for seed in SEEDS:
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run([sys.executable, "-c", SCRIPT, *files], env=environment, capture_output=True, text=True, check=True)
        runs.append(done.stdout)
    assert runs[0].count("\n") == 3 * len(files)
    assert set(runs) == {runs[0]}


MARKS = {"DMY": "{0:02}/{1:02}/{2}", "MDY": "{1:02}/{0:02}/{2}"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)), min_size=1, max_size=8), st.sampled_from(["DMY", "MDY"]))
def test_a_date_arrives_as_it_was_meant_or_is_refused(tmp_path: Path, days: list[datetime.date], said: str) -> None:
    file = write(tmp_path, "n,d\n" + "".join(f"{n},{MARKS[said].format(day.day, day.month, day.year)}\n" for n, day in enumerate(days)))
    assert load(file, date_order=said, types={"d": "DATE"}).column("d") == days
    table = load(file, types={"d": "DATE"}, on_error="reject")
    assert all(days[number] == day for number, day in table.rows)
    assert len(table.rows) + len(table.rejected) == len(days)
