"""Values on a round trip: from a file through a table and every format of export into a table again, equal or refused by name."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.engine.databases import Database
from pdbt.engine.errors import BuildError, PdbtError, SourceError
from pdbt.engine.reading import load_table
from pdbt.engine.reading.model import ReadOptions, SourceTable
from tests.databases.conftest import MakeSubject
from tests.databases.subjects import KINDS, Subject


def import_file(database: Database, table: str, path: Path, scratch: Path, types: dict[str, str] | None = None) -> None:
    """Import a file as a run does."""
    source = SourceTable(table, (path,), f"data/source/{path.name}")

    def create(select: str, columns: Sequence[Any]) -> int:
        return database.load(table, select, columns)

    load_table(source, ReadOptions(types=types or {}), database.reader, create, scratch)


# Decimals of more than 38 digits in Parquet files ----------------------------------------------------------------------------

WIDE = pa.decimal256(60, 2)


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [
        (pa.array([Decimal("12345678901234567890.12"), None], WIDE), "DECIMAL(38,2)", "12345678901234567890.12"),
        (pa.array([[Decimal("12345678901234567890.12")], None], pa.list_(WIDE)), "DECIMAL(38,2)[]", "[12345678901234567890.12]"),
        (pa.array([{"q": Decimal("1.10")}, None], pa.struct([("q", WIDE)])), "STRUCT(q DECIMAL(38,2))", "{'q': 1.10}"),
        (pa.array([[("k", Decimal("1.10"))], None], pa.map_(pa.string(), WIDE)), "MAP(VARCHAR, DECIMAL(38,2))", "{k=1.10}"),
    ],
)
def test_wide_decimals_of_a_parquet_file_keep_their_digits(tmp_path: Path, column: pa.Array, kind: str, value: str) -> None:
    pyarrow.parquet.write_table(pa.table({"v": column}), tmp_path / "t.parquet")
    subject = Subject("duckdb", tmp_path)
    with subject.run() as database:
        import_file(database, "T", tmp_path / "t.parquet", tmp_path / "scratch")
        assert [described.type for described in database.columns("T")] == [kind]
        assert database.query("SELECT CAST(v AS VARCHAR) FROM T", 5)[1] == [(value,), (None,)]
    assert not list((tmp_path / "scratch").glob("*"))


def test_a_longer_decimal_of_a_parquet_file_is_refused_by_name(tmp_path: Path) -> None:
    number = Decimal("12345678901234567890123456789012345678901234567890.12")
    pyarrow.parquet.write_table(pa.table({"price": pa.array([number], WIDE)}), tmp_path / "t.parquet")
    with (
        Subject("duckdb", tmp_path).run() as database,
        pytest.raises(ValueError, match="column price holds a number of more than 38 digits"),
    ):
        import_file(database, "T", tmp_path / "t.parquet", tmp_path / "scratch")


# Hypothesis: from a file through a table and each format into a table again ---------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A type of values: as Arrow has it, as pdbt.toml calls it, how they are drawn, and what a value read is as one of them."""

    arrow: pa.DataType
    said: str
    values: st.SearchStrategy[Any]
    restored: Callable[[Any], Any]


def _moment(value: Any) -> datetime.datetime:
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None) if value.tzinfo is None else value.astimezone(datetime.UTC).replace(tzinfo=None)
    return datetime.datetime.fromisoformat(str(value)).replace(tzinfo=None)


def _truth(value: Any) -> bool:
    return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]


def _json(value: Any) -> Any:
    found = json.loads(value) if isinstance(value, str) else value
    return [None if item is None else int(item) for item in found]


# A lone carriage return is a matter of reading: tests/reading.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=12)
MOMENTS = st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30))
SUPPORTED = {
    "BIGINT": Kind(pa.int64(), "BIGINT", st.integers(-(2**63), 2**63 - 1), int),
    "UBIGINT": Kind(pa.uint64(), "DECIMAL(38,0)", st.integers(0, 2**64 - 1), int),
    "DOUBLE": Kind(pa.float64(), "DOUBLE", st.floats(), float),
    "FLOAT": Kind(pa.float32(), "DOUBLE", st.floats(width=32), lambda value: pa.scalar(float(value), pa.float32()).as_py()),
    "DECIMAL": Kind(pa.decimal128(38, 9), "DECIMAL(38,9)", st.decimals(-(10**28), 10**28, places=9), lambda value: Decimal(str(value))),
    "BOOLEAN": Kind(pa.bool_(), "BOOLEAN", st.booleans(), _truth),
    "DATE": Kind(pa.date32(), "DATE", st.dates(), lambda value: datetime.date.fromisoformat(str(value)[:10])),
    "TIME": Kind(pa.time64("us"), "TIME", st.times(), lambda value: datetime.time.fromisoformat(str(value))),
    "TIMESTAMP": Kind(pa.timestamp("us"), "TIMESTAMP", MOMENTS, _moment),
    "TIMESTAMPTZ": Kind(pa.timestamp("us", "UTC"), "TIMESTAMPTZ", MOMENTS, _moment),
    "VARCHAR": Kind(pa.string(), "VARCHAR", TEXT, str),
    "LIST": Kind(pa.list_(pa.int64()), "VARCHAR", st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=4), _json),
}


# Those that a format refuses for the same reason share a table, and all others share one.
TABLES = {"floats": ["DOUBLE", "FLOAT"], "decimals": ["DECIMAL"], "texts": ["VARCHAR"]}
TABLES["others"] = [name for name in SUPPORTED if [name] not in TABLES.values() and name not in TABLES["floats"]]


@pytest.mark.parametrize("names", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("kind", ["duckdb", *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind != "duckdb")])
def test_values_travel_through_a_table_and_every_format_or_are_refused(
    make_subject: MakeSubject, tmp_path: Path, kind: str, names: list[str]
) -> None:
    columns, subject = {f"v{number}": SUPPORTED[name] for number, name in enumerate(names)}, make_subject(kind)
    rows = st.lists(st.tuples(*(st.none() | column.values for column in columns.values())), min_size=1, max_size=6)

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values=rows)
    def travel(values: list[tuple[Any, ...]]) -> None:
        source = tmp_path / "source.parquet"
        drawn = dict(zip(columns, map(list, zip(*values, strict=True)), strict=True))
        arrays = {name: pa.array(drawn[name], column.arrow) for name, column in columns.items()}
        pyarrow.parquet.write_table(pa.table({"number": pa.array(range(len(values)), pa.int64()), **arrays}), source)
        wanted = {name: [None if value is None else columns[name].restored(value) for value in drawn[name]] for name in columns}
        try:
            import_file(database, "T", source, tmp_path / "scratch")
        except BuildError as error:
            assert_refused_for(error, drawn)
            return
        assert_same(restored(database, "T", columns), wanted)
        for file_format in ("csv", "parquet", "json", "xlsx"):
            path = tmp_path / f"t.{file_format}"
            try:
                database.export("T", path, file_format)
            except BuildError as error:
                assert_refused_for(error, drawn)
                continue
            if file_format == "json" and names == ["DECIMAL"]:  # which has no word for a decimal: a reader decides what a number is
                written = json.loads(path.read_text(), parse_float=Decimal)
                assert [None if row["v0"] is None else Decimal(row["v0"]) for row in written] == wanted["v0"]
                continue
            types = {name: column.said for name, column in columns.items()} if file_format in ("csv", "xlsx") else {}
            try:
                import_file(database, "U", path, tmp_path / "scratch", types)
            except (BuildError, SourceError) as error:
                assert_not_read(error, [value for values in drawn.values() for value in values], file_format)
                continue
            # The word nan is a missing value in a CSV file and in a sheet, as docs/reading-files.md says.
            missing = {name: [None if types and value != value else value for value in wanted[name]] for name in columns}
            assert_same(restored(database, "U", columns), missing, file_format)

    with subject.run() as database:
        travel()


def restored(database: Database, table: str, columns: dict[str, Kind]) -> dict[str, list[Any]]:
    rows = sorted(database.read(table).to_pylist(), key=lambda row: int(row["number"]))
    return {name: [None if row[name] is None else kind.restored(row[name]) for row in rows] for name, kind in columns.items()}


def assert_same(found: dict[str, list[Any]], wanted: dict[str, list[Any]], file_format: str = "table") -> None:
    """Require equal values; NaN is NaN."""
    for name, values in wanted.items():
        assert len(found[name]) == len(values), (file_format, name)
        assert all(map(_same, found[name], values)), (file_format, name, found[name], values)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    # A number of up to 17 digits is read as a double, as docs/databases.md says.
    double = isinstance(one, Decimal) and isinstance(other, Decimal) and len(other.as_tuple().digits) <= 17
    return bool(one == other or (double and float(one) == float(other)))


def assert_refused_for(error: BuildError, drawn: dict[str, list[Any]]) -> None:
    """Require that a refusal names a column, in which there is a value to refuse."""
    (named,) = re.findall(r"column (v\d)\b", error.message)
    values = drawn[named]
    assert has_no_json(values) or any(isinstance(value, str) and ("\ufffe" in value or "\uffff" in value) for value in values)


def has_no_json(values: list[Any]) -> bool:
    return any(isinstance(value, float) and not math.isfinite(value) for value in values)


def assert_not_read(error: PdbtError, values: list[Any], file_format: str) -> None:
    """Require that a value which the next import refuses is one that such a file has no number or letter for."""
    infinite = has_no_json(values) and "is not a number" in error.message
    tiny = file_format in ("csv", "xlsx") and any(isinstance(value, Decimal) and 0 < abs(value) < Decimal("1e-4") for value in values)
    control = file_format in ("csv", "xlsx") and any(isinstance(value, str) and min(value) < " " for value in values)
    assert infinite or (tiny and "is not a number" in error.message) or (control and "is not a text file" in error.message), error.message
