"""Any value of every type between any two of the four databases: equal on arrival, or refused by its column's name."""

from __future__ import annotations

import datetime
import itertools
import json
from decimal import Context, Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.connect import transfer
from pdbt.connect.base import TransferFailed, TransferRefused
from tests.connect.databases import NAMES, Place, attached

WHOLE = 10**38 - 1
DAY, MOMENT = st.dates(), st.datetimes()
KINDS: dict[str, st.SearchStrategy[object]] = {
    "BOOLEAN": st.booleans(),
    "SMALLINT": st.integers(-(2**15), 2**15 - 1),
    "INTEGER": st.integers(-(2**31), 2**31 - 1),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "UBIGINT": st.integers(0, 2**64 - 1),
    "DECIMAL(38,10)": st.integers(-WHOLE, WHOLE).map(lambda number: Decimal(number).scaleb(-10, Context(prec=38))),
    "DECIMAL(38,0)": st.integers(-WHOLE, WHOLE).map(Decimal),
    "DECIMAL(5,5)": st.integers(-99_999, 99_999).map(lambda number: Decimal(number).scaleb(-5)),
    "FLOAT": st.floats(width=32),
    "DOUBLE": st.floats(),
    "VARCHAR": st.text(st.characters(exclude_categories=["Cs"])),
    "BLOB": st.binary(),
    "DATE": DAY,
    "TIME": st.times(),
    "TIMESTAMP": MOMENT,
    "TIMESTAMPTZ": MOMENT.map(lambda moment: moment.replace(tzinfo=datetime.UTC)),
    "UUID": st.uuids().map(str),
    "JSON": st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=5,
    ).map(json.dumps),
    "BIGINT[]": st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=3),
    "VARCHAR[]": st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=3),
}
EXAMPLES = 2
# Each database once as the origin and once as the target; the other pairs are slow tests.
QUICK = (("postgresql", "mysql"), ("mysql", "sqlite"), ("sqlite", "duckdb"), ("duckdb", "postgresql"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("start", "end"),
    [pytest.param(*pair, marks=[] if pair in QUICK else [pytest.mark.slow]) for pair in itertools.product(NAMES, NAMES)],
)
def test_a_value_of_any_type_arrives_equal_or_is_refused(places: dict[str, Place], tmp_path: Path, start: str, end: str) -> None:
    """A table of all types goes DuckDB → origin → target → DuckDB, without the columns that one of these transfers refuses by name."""
    made, back = tmp_path / "made.duckdb", tmp_path / "back.duckdb"
    refusals = set()

    def bring(columns: list[str], mode: str, key: list[str]) -> str:
        """Return the column that was refused; the empty text when all have come back."""
        shown = ", ".join(["id", *columns])
        try:
            for place, name in ((start, "o"), (end, "t")):
                places[place].execute(f"DROP TABLE IF EXISTS {name}")
            transfer(str(made), places[start].url, query=f"SELECT {shown} FROM made", target="o")
            for _ in range(1 if mode == "append" else 2):
                transfer(places[start].url, places[end].url, table="o", target="t", mode=mode, key=key)
            transfer(places[end].url, str(back), table="t", target="back")
        except TransferRefused as refused:
            return refused.column
        except TransferFailed as failed:  # PostgreSQL itself tells of NUL in a text, and of no column
            return next(name for name in columns if "VARCHAR" in kinds[name] and "UTF8" in failed.message)
        return ""

    kinds = {f"c{number}": kind for number, kind in enumerate(KINDS)}

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(*(st.none() | values for values in KINDS.values())), min_size=1, max_size=8), st.data())
    def arrive(rows: list[tuple[object, ...]], data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from(["replace", "append", "upsert"]))
        with attached(made) as connection:
            declared = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
            connection.execute(f"CREATE OR REPLACE TABLE made (id BIGINT, {declared})")
            marks = ", ".join("?" * (len(kinds) + 1))
            connection.executemany(f"INSERT INTO made VALUES ({marks})", [[number, *row] for number, row in enumerate(rows)])
        columns = [*kinds]
        while columns and (refused := bring(columns, mode, ["id"] if mode == "upsert" else [])):
            columns.remove(refused)
            refusals.add(refused)
        with attached(back) as connection:
            connection.execute(f"ATTACH '{made}' AS m (READ_ONLY)")
            for name in columns:
                cast = "::VARCHAR" if kinds[name] == "JSON" else ""
                odd = f"SELECT m.{name}::VARCHAR, b.{name}::VARCHAR FROM m.made m FULL JOIN back b USING (id)"
                found = connection.execute(f"{odd} WHERE m.{name}{cast} IS DISTINCT FROM b.{name}{cast}").fetchall()
                assert found == [], f"{kinds[name]} by {mode}"
            connection.execute("DETACH m")

    arrive()
    kept = {kinds[name] for name in kinds} - {kinds[name] for name in refusals}
    assert kept >= {"BOOLEAN", "SMALLINT", "INTEGER", "BIGINT", "DECIMAL(38,10)", "BLOB", "DATE", "TIME", "UUID"}
    assert (len(refusals) >= 2) == (not {start, end} <= {"duckdb", "postgresql"})  # the others have no arrays, and refuse both
