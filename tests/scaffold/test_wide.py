"""Tables of thousands of columns: what they hold is found as for any other, by queries that ask for few columns each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from pdbt.engine.reading.model import ReadOptions, SourceTable
from pdbt.scaffold.columns import ColumnProfile
from pdbt.scaffold.keys import find_key
from pdbt.scaffold.profile import profile_table
from pdbt.scaffold.starter import write_starters

WIDE = 2_000
MEASURED = 1_000  # five times as many as one query asks for
ROWS = 48
MOST_QUERIES_FOR_A_KEY = 20
KINDS = ("text", "day", "number", "flag")


def test_a_table_of_thousands_of_columns_is_measured_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    header = [f"{KINDS[place % len(KINDS)]}_{place}" for place in range(MEASURED)]
    lines = [",".join([f"v{n % 7}", f"2024-{n % 12 + 1:02}-01", f"-{n}.5", "yn"[n % 2]] * (MEASURED // len(KINDS))) for n in range(ROWS)]
    path.write_text("\n".join([",".join(header), *lines, ""]), encoding="utf-8")
    found = profile_table(SourceTable("WIDE", (path,), "data/source/wide.csv"), ReadOptions(), tmp_path / "scratch")
    assert found.rows == ROWS
    assert found.key == ()
    assert [column.source for column in found.columns] == header
    measured = [(column.type, column.filled, column.distinct, column.months, column.negative) for column in found.columns]
    assert measured[0::4] == [("VARCHAR", ROWS, 7, 0, False)] * (MEASURED // 4)
    assert measured[1::4] == [("DATE", ROWS, 12, 12, False)] * (MEASURED // 4)
    assert measured[2::4] == [("DOUBLE", ROWS, ROWS, 0, True)] * (MEASURED // 4)
    assert measured[3::4] == [("VARCHAR", ROWS, 2, 0, False)] * (MEASURED // 4)
    assert {column.size for column in found.columns[2::4]} == {24.0}
    (starter,) = write_starters([found], ())
    assert "\nGROUP BY text_0\n" in dict(starter.files)["scripts/final/WIDE_SUMMARY.sql"]


def test_the_search_for_a_key_asks_for_one_or_two_columns_at_a_time() -> None:
    asked: list[list[str]] = []

    def table_of(columns: Sequence[ColumnProfile]) -> str:
        asked.append([column.name for column in columns])
        return f"(SELECT {', '.join(asked[-1])} FROM wide)"

    columns = [ColumnProfile(f"c{place}", f"c{place}", "VARCHAR", ROWS, ROWS) for place in range(WIDE)]
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE wide AS SELECT {', '.join(f'i % 7 AS {column.name}' for column in columns)} FROM range({ROWS}) t(i)"
        )
        assert find_key(connection, table_of, columns, ROWS) == ()
    assert 0 < len(asked) <= MOST_QUERIES_FOR_A_KEY
    assert {len(names) for names in asked} == {1, 2}


def test_the_last_two_columns_of_a_wide_table_are_found_to_be_its_key() -> None:
    alike = [ColumnProfile(f"c{place}", f"c{place}", "VARCHAR", ROWS, 2) for place in range(WIDE)]
    columns = [*alike, ColumnProfile("area", "area", "VARCHAR", ROWS, 8), ColumnProfile("station", "station", "VARCHAR", ROWS, 6)]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE wide AS SELECT i % 8 AS area, i // 8 AS station FROM range({ROWS}) t(i)")
        found = find_key(connection, lambda some: f"(SELECT {', '.join(column.name for column in some)} FROM wide)", columns, ROWS)
    assert found == ("area", "station")
