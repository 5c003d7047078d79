"""Values through pandas: each comes back equal, or is refused by its column's name."""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import BuildError
from pdbt.engine.python_tables import compute
from tests.databases.subjects import Subject

LABEL = "scripts/processed/T.py"
DAY = datetime.date(2024, 1, 31)
EAST = datetime.timezone(datetime.timedelta(hours=2))


def made(folder: Path, code: str, table: pa.Table, **values: Any) -> pa.Table:
    """Return what a Python table makes of a table T."""
    path = folder / "T.py"
    path.write_text(f"import pandas as pd\n\n\ndef table(T, parameters):\n    given = parameters.get('given')\n    {code}\n")
    return compute(path, LABEL, lambda _: table, values)


def of_frame(folder: Path, values: Any) -> list[tuple[Any, str | None]]:
    """Return type and values, as text, that a DuckDB table has of a column of a DataFrame."""
    rows = made(folder, "return pd.DataFrame({'v': given})", pa.table({"x": [1]}), given=values)
    with Subject("duckdb", folder).run() as database:
        database.write("T", rows)
        _, found, _ = database.query("SELECT typeof(v), CAST(v AS VARCHAR) FROM T", 10)
    return [(kind, str(text) if text is not None else None) for kind, text in found]


PERIODS = pd.PeriodIndex(["2024-01", None, "2024-02"], freq="M")


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        (PERIODS, "VARCHAR", ["2024-01", None, "2024-02"]),
        (pd.Series(PERIODS, dtype=object), "VARCHAR", ["2024-01", None, "2024-02"]),
        (pd.Categorical(PERIODS), "VARCHAR", ["2024-01", None, "2024-02"]),
        (pd.PeriodIndex(["2024Q1"], freq="Q"), "VARCHAR", ["2024Q1"]),
        (pd.interval_range(0, 2), "VARCHAR", ["(0, 1]", "(1, 2]"]),
        (pd.Categorical(["a", None, "b"]), "VARCHAR", ["a", None, "b"]),
        (pd.Categorical([2, 1]), "BIGINT", ["2", "1"]),
        (pd.arrays.SparseArray([0, 0, 7]), "BIGINT", ["0", "0", "7"]),
        (pd.arrays.SparseArray([0.5, np.nan]), "DOUBLE", ["0.5", None]),
        (pd.array([9007199254740993, None], dtype="Int64"), "BIGINT", ["9007199254740993", None]),
        (pd.array([True, None], dtype="boolean"), "BOOLEAN", ["true", None]),
        (np.array([2**64 - 1], dtype="uint64"), "UBIGINT", ["18446744073709551615"]),
        (np.array([0.5], dtype="float16"), "FLOAT", ["0.5"]),
        (pd.to_timedelta(["1 day 00:00:00.000001"]), "INTERVAL", ["24:00:00.000001"]),
        (pd.Series([Decimal("1.10"), Decimal("12345678901234567890.123")]), "DECIMAL(23,3)", ["1.100", "12345678901234567890.123"]),
        (pd.to_datetime(["2024-01-01 12:00"]).tz_localize("Europe/Paris"), "TIMESTAMP WITH TIME ZONE", ["2024-01-01 11:00:00+00"]),
        (pd.Series([datetime.time(12, 0, 0, 1)]), "TIME", ["12:00:00.000001"]),
        (pd.Series([b"\x00\xff"]), "BLOB", ["\\x00\\xFF"]),
        (pd.Series([uuid.UUID(int=5)]), "UUID", ["00000000-0000-0000-0000-000000000005"]),
        (pd.Series([DAY, None]), "DATE", ["2024-01-31", None]),
        (pd.to_datetime(["2024-01-01 00:00:00.123456789"]), "TIMESTAMP_NS", ["2024-01-01 00:00:00.123456789"]),
        (pd.Series([[1, None], None]), "BIGINT[]", ["[1, NULL]", None]),
        (pd.Series([2**70, -1, None], dtype=object), "DECIMAL(22,0)", ["1180591620717411303424", "-1", None]),
    ],
)
def test_what_only_pandas_has_keeps_its_value(tmp_path: Path, values: Any, kind: str, texts: list[str | None]) -> None:
    found = of_frame(tmp_path, values)
    assert [text for _, text in found] == texts
    assert {name for name, _ in found} == {kind}


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1, 12)], dtype=object),
        pd.Series([datetime.datetime(2024, 1, 1, 12), datetime.date(2024, 1, 1)], dtype=object),
        pd.Series([datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)], dtype=object),
        pd.Series([datetime.time(12, tzinfo=EAST)], dtype=object),
        pd.Series([pd.Timestamp("2024-01-01 00:00:00.123456789"), "x"], dtype=object),
        pd.Series([{"b", "a"}], dtype=object),
        pd.to_timedelta([1], unit="ns"),
        pd.Series([1 + 2j]),
        pd.Series([1, "a"], dtype=object),
        pd.Series([9007199254740993, 2.5], dtype=object),
        pd.Series([True, 2], dtype=object),
        pd.Series([10**40], dtype=object),
        pd.Series([2**70, "x"], dtype=object),
        pd.Series([Decimal("1.1"), 2.5], dtype=object),
        pd.Series(["\ud800"], dtype=object),
        pd.Series([Colour.RED], dtype=object),
        pd.Series([ipaddress.ip_address("10.0.0.1")], dtype=object),
        pd.Series([pd.offsets.MonthEnd(1)], dtype=object),
        pd.Series([decimal.Decimal("1234567890123456789012345678901234567890.1")], dtype=object),
    ],
)
def test_what_would_be_altered_is_refused_by_name(tmp_path: Path, values: Any) -> None:
    with pytest.raises(BuildError) as caught:
        of_frame(tmp_path, values)
    assert "column v" in caught.value.message


# Dates --------------------------------------------------------------------------------------------------------------------

DATES = pa.table(
    {
        "day": pa.array([DAY, None, datetime.date(1066, 10, 14)]),
        "at": pa.array([datetime.datetime(2024, 1, 31), None, datetime.datetime(2024, 2, 1)], pa.timestamp("us")),
        "second": pa.array([datetime.datetime(2024, 1, 31), None, None], pa.timestamp("s")),
        "n": [1, 1, 2],
    }
)


@pytest.mark.parametrize(
    "code",
    [
        "return T",
        "return T.rename(columns={'day': 'other'})",
        "return T[T.n > 1]",
        "return T.merge(T, on='n', suffixes=('', '_2'))",
        "return T.groupby('n')['day'].max().reset_index()",
        "return pd.concat([T, T])",
        "T['day'] = T['day'] + pd.Timedelta(days=1); return T",
        "return T[T.n > 5]",
        "return T.assign(day=T['day'].shift())",
        "return T.set_index('day')",
    ],
)
def test_dates_stay_dates_through_pandas(tmp_path: Path, code: str) -> None:
    found = made(tmp_path, code, DATES)
    kinds = {field.name: field.type for field in found.schema}
    assert kinds["other" if "other" in kinds else "day"] == pa.date32()
    for name, kind in kinds.items():
        if name.startswith(("at", "second")):
            assert kind == pa.timestamp("us")


def test_the_days_are_the_same(tmp_path: Path) -> None:
    assert made(tmp_path, "return T[['day', 'at']]", DATES).to_pylist() == DATES.select(["day", "at"]).to_pylist()


def test_a_date_with_a_time_added_is_a_moment(tmp_path: Path) -> None:
    found = made(tmp_path, "T['day'] = T['day'] + pd.Timedelta(hours=12); return T", DATES)
    assert found["day"].to_pylist()[0] == datetime.datetime(2024, 1, 31, 12)


@settings(max_examples=30, deadline=None)
@given(days=st.lists(st.none() | st.dates(), min_size=1, max_size=5))
def test_every_date_comes_back(tmp_path_factory: pytest.TempPathFactory, days: list[datetime.date | None]) -> None:
    table = pa.table({"day": pa.array(days, pa.date32())})
    assert made(tmp_path_factory.mktemp("days"), "return T", table) == table


# Into pandas --------------------------------------------------------------------------------------------------------------


def _ticks(number: int, unit: str) -> Callable[[], pa.Array]:
    return lambda: pa.array([number], pa.int64()).cast(pa.time64(unit))


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (_ticks(86_400_000_000, "us"), "holds the time 24:00:00, which Python does not have"),
        (_ticks(45_296_789_012_345, "ns"), "holds a time finer than Python's microseconds"),
    ],
)
def test_a_time_that_python_does_not_have_is_refused(tmp_path: Path, column: Callable[[], pa.Array], reason: str) -> None:
    with pytest.raises(BuildError, match=f"{LABEL}: column v {reason}"):
        made(tmp_path, "return T", pa.table({"v": column()}))


def test_a_time_of_nanoseconds_that_are_none_is_given(tmp_path: Path) -> None:
    table = pa.table({"v": pa.array([45_296_789_012_000, None], pa.int64()).cast(pa.time64("ns"))})
    assert made(tmp_path, "return T", table).to_pylist() == [{"v": datetime.time(12, 34, 56, 789012)}, {"v": None}]


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([Decimal("1234567890123456789012345678901234567890.1")], pa.decimal256(41, 1)), "holds a number of more than 38 digits"),
        (pa.array([1], pa.duration("ns")), "holds a duration finer than microseconds"),
        (pa.Table.from_pandas(pd.DataFrame({"v": PERIODS}))["v"], "is a pandas.period, which no database has"),
    ],
)
def test_an_arrow_column_that_no_database_holds_is_refused(tmp_path: Path, kind: str, column: Any, reason: str) -> None:
    with Subject(kind, tmp_path).run() as database, pytest.raises(BuildError, match=f"T: column v {reason}"):
        database.write("T", pa.table({"v": column}))
