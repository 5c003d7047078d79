"""Values that nobody thought of: whatever they are, they arrive, or the transfer is refused."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.connect import transfer
from tests.connect.databases import NAMES, Place, attached

WHOLE = 10**38 - 1
ROW = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.none() | st.integers(-WHOLE, WHOLE).map(lambda number: Decimal(f"{number}E-10")),
    st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.none() | st.binary(),
    st.none() | st.dates(datetime.date(1000, 1, 1)),
    st.none() | st.times(),
    st.none() | st.datetimes(datetime.datetime(1000, 1, 1)),
    st.none() | st.booleans(),
)
TYPES = [
    pa.int64(), pa.float64(), pa.float32(), pa.decimal128(38, 10), pa.string(), pa.binary(),
    pa.date32(), pa.time64("us"), pa.timestamp("us"), pa.bool_(),
]  # fmt: skip


@pytest.mark.parametrize("end", NAMES)
def test_any_values_come_back_as_they_left(places: dict[str, Place], end: str, tmp_path: Path) -> None:
    origin = tmp_path / "origin.duckdb"

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(ROW, min_size=1, max_size=30))
    def arrive(rows: list[tuple[object, ...]]) -> None:
        columns = [pa.array([row[number] for row in rows], kind) for number, kind in enumerate(TYPES)]
        table = pa.table([pa.array(range(len(rows)), pa.int64()), *columns], names=["id", *(f"c{number}" for number in range(len(TYPES)))])
        with attached(origin) as connection:
            connection.register("given", table)
            connection.execute("CREATE OR REPLACE TABLE o AS FROM given")
        transfer(str(origin), places[end].url, table="o", target="t")
        transfer(places[end].url, str(origin), table="t", target="back")
        with attached(origin) as connection:
            back = connection.sql("FROM back ORDER BY id").to_arrow_table()
        assert back.to_pylist() == table.to_pylist()

    arrive()
