"""scripts/source with a cursor: what is new is fetched whatever the cursor's type, what was there stays whole, what cannot be is named."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.connect.base import TransferRefused
from pdbt.connect.landing import land
from pdbt.engine.errors import PdbtError
from tests.connect.databases import NAMES, Place, duckdb_here

Land = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def bring(tmp_path: Path) -> Land:
    """Runs a script of a small project's scripts/source; gives all rows that are there then, in order."""

    def bring(text: str, place: Place | None = None, *, name: str = "t.sql", full: bool = False, notes: list[str] | None = None) -> object:
        project = tmp_path / "project"
        (project / "scripts/source").mkdir(parents=True, exist_ok=True)
        url = f'[connections.origin]\nurl = "{place.url}"\n' if place is not None else ""
        (project / "pdbt.toml").write_text(f'[project]\nname = "p"\n[database]\ntype = "duckdb"\n{url}', encoding="utf-8")
        path, landed = project / "scripts/source" / name, project / "db/.work/landed/T.parquet"
        path.write_text(text, encoding="utf-8")
        land(project, path, landed, full, (notes if notes is not None else []).append)
        assert [file.name for file in landed.parent.iterdir()] == ["T.parquet"]
        with duckdb_here().cursor() as connection:
            return connection.execute(f"SELECT * FROM read_parquet('{landed}') ORDER BY ALL").fetchall()

    return bring  # type: ignore[return-value]


def query(cursor: str = "seen", key: str = "id", select: str = "SELECT * FROM o", more: str = "") -> str:
    return f"-- connection: origin\n-- cursor: {cursor}\n-- key: {key}\n{more}{select}\n"


@pytest.mark.parametrize(
    ("end", "declared", "first", "later"),
    [
        ("sqlite", "DECIMAL TEXT(10,2)", ["'99.5'", "'9'"], ["'99.50'", "'100.50'", "'1000'", "'9999999.25'"]),
        ("sqlite", "DECIMAL TEXT(20,0)", ["'9'"], ["'10'", "'18446744073709551615'"]),
        ("sqlite", "DECIMAL TEXT(38,10)", ["'-5.5'", "'-50.5'"], ["'-5.4'", "'0.0000000001'", "'12345678901234567890.1'"]),
        ("sqlite", "DATETIME", ["'2024-05-01 10:01:00'"], ["'2024-05-01 10:01'", "'2024-05-01T10:01'", "'2024-05-01 10:01:00.000'"]),
        ("sqlite", "TIMESTAMP", ["'2024-05-01 10:01:00.5'"], ["'2024-05-01 10:01:00.500'", "'2024-05-01 10:01:01'", "'2024-05-02'"]),
        ("sqlite", "DATETIME", ["'2024-05-01 00:00:00'"], ["'2024-05-01'", "'2024-05-01 00:00'"]),
        ("sqlite", "DATETIME", ["'2024-05-01'"], ["'2024-05-01'", "'2024-05-01 00:00:00.123456'"]),
        ("sqlite", "TIMESTAMPTZ", ["'2024-05-01 10:01:00+00:00'"], ["'2024-05-01T10:01:00Z'", "'2024-05-01 10:01+00:00'"]),
        ("sqlite", "TIME TEXT", ["'10:01:00'"], ["'10:01'", "'10:01:00.000001'"]),
        ("sqlite", "REAL", ["0.1"], ["0.1", "1e300"]),
        ("sqlite", "TEXT", ["'b'"], ["'b'", "'c'"]),
        ("postgresql", "REAL", ["0.7"], ["0.7", "0.70000005"]),
        ("postgresql", "NUMERIC(20,5)", ["99.5"], ["99.50000", "100.5"]),
        ("postgresql", "TIMESTAMPTZ", ["'2024-05-01 10:01:00+02'"], ["'2024-05-01 08:01:00+00'"]),
        ("mysql", "FLOAT", ["0.7"], ["0.7", "16777216"]),
        ("mysql", "BIGINT UNSIGNED", ["9"], ["10", "18446744073709551615"]),
        ("mysql", "TIMESTAMP(6)", ["'2024-05-01 10:01:00.5'"], ["'2024-05-01 10:01:00.500000'", "'2024-05-01 10:01:01'"]),
        ("mysql", "DATETIME", ["'2024-05-01 10:01:00'"], ["'2024-05-01 10:01:00'"]),
        ("duckdb", "FLOAT", ["0.7", "'inf'", "'nan'"], ["0.7", "1e30"]),
        ("duckdb", "UBIGINT", ["9"], ["10", "18446744073709551615"]),
        ("duckdb", "TIMESTAMP", ["'2024-05-01 10:01:00'"], ["'2024-05-01 10:01:00'", "'2024-05-01 10:01:00.000001'"]),
    ],
)
def test_rows_from_the_highest_cursor_on_are_fetched(
    places: dict[str, Place], bring: Land, end: str, declared: str, first: list[str], later: list[str]
) -> None:
    place = places[end]
    place.execute(f"CREATE TABLE o (id INTEGER, seen {declared})")
    for number, value in enumerate([*first, "NULL"]):
        place.execute(f"INSERT INTO o VALUES ({number}, {value})")
    assert len(bring(query(), place)) == len(first) + 1
    for number, value in enumerate(later):
        place.execute(f"INSERT INTO o VALUES ({100 + number}, {value})")
    assert [row[0] for row in bring(query(), place)] == [*range(len(first) + 1), *range(100, 100 + len(later))]


@pytest.mark.parametrize("end", NAMES)
def test_any_cursor_finds_what_comes_after_it(places: dict[str, Place], bring: Land, end: str) -> None:
    place = places[end]
    forms = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M", "%Y-%m-%d"] if end == "sqlite" else ["%Y-%m-%d %H:%M:%S.%f"]
    stored = {"sqlite": "TIMESTAMP", "mysql": "DATETIME(6)"}.get(end, "TIMESTAMP")
    decimal = "DECIMAL TEXT(20,4)" if end == "sqlite" else "DECIMAL(20,4)"
    moment = st.datetimes(datetime.datetime(1000, 1, 1)).map(lambda moment: ("seen", moment))
    number = st.integers(-(10**19), 10**19).map(lambda number: ("n", Decimal(number).scaleb(-4)))
    double = st.floats(-1e300, 1e300).map(lambda number: ("d", number))

    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def find(data: st.DataObject) -> None:
        values = data.draw(st.one_of(*(st.lists(kind, min_size=2, max_size=12) for kind in (moment, number, double))))
        place.execute("DROP TABLE IF EXISTS o", f"CREATE TABLE o (id INTEGER, seen {stored}, n {decimal}, d DOUBLE PRECISION)")
        column = values[0][0]
        ordered = sorted(values, key=lambda value: value[1])
        half = len(ordered) // 2
        bring_all = query(column, select=f"SELECT id, {column} FROM o /* {data.draw(st.integers())} */")
        for start, some in ((0, ordered[:half]), (half, ordered[half:])):
            for place_of, (_, value) in enumerate(some, start):
                form = data.draw(st.sampled_from(forms)) if isinstance(value, datetime.datetime) else ""
                text = value.strftime(form).rjust(len("0999-01-01"), "0") if isinstance(value, datetime.datetime) else ""
                if form == "%Y-%m-%d" and place_of >= half and text < str(ordered[half - 1][1]):
                    text = value.strftime(forms[1])  # without its hours it would lie before the highest one
                shown = f"'{text}'" if text else f"'{value}'" if column == "n" else repr(value)
                place.execute(f"INSERT INTO o (id, {column}) VALUES ({place_of}, {shown})")
            found = bring(bring_all, place)
        assert sorted(row[0] for row in found) == list(range(len(ordered)))  # type: ignore[type-var]

    find()


@pytest.mark.parametrize("end", NAMES)
@pytest.mark.parametrize(
    ("change", "gone"),
    [("ALTER TABLE o RENAME COLUMN name TO title", "name"), ("ALTER TABLE o DROP COLUMN name", "name")],
)
def test_a_column_that_is_renamed_or_dropped_stops_until_all_is_fetched_anew(
    places: dict[str, Place], bring: Land, end: str, change: str, gone: str
) -> None:
    place = places[end]
    place.execute("CREATE TABLE o (id INTEGER, seen INTEGER, name VARCHAR(20))", "INSERT INTO o VALUES (1, 1, 'a')")
    assert bring(query(), place) == [(1, 1, "a")]
    place.execute(change, "INSERT INTO o (id, seen) VALUES (2, 2)")
    with pytest.raises(TransferRefused) as refused:
        bring(query(), place)
    assert refused.value.message == f"scripts/source/t.sql: the rows have no column {gone} any more, which the rows before them have."
    assert "--full" in refused.value.hint
    assert [row[:2] for row in bring(query(), place, full=True)] == [(1, 1), (2, 2)]


@pytest.mark.parametrize(
    ("declared", "value", "shown"),
    [
        ("DATE", "9999-12-31", "9999-12-31"),
        ("DATETIME", "2999-01-01 10:00", "2999-01-01 10:00:00"),
        ("TEXT", "9999-12-31T00:00:00", "9999-12-31T00:00:00"),
    ],
)
def test_a_highest_cursor_in_the_future_is_noted(places: dict[str, Place], bring: Land, declared: str, value: str, shown: str) -> None:
    place = places["sqlite"]
    place.execute(f"CREATE TABLE o (id INTEGER, seen {declared})", "INSERT INTO o VALUES (1, '2024-05-01')")
    notes: list[str] = []
    bring(query(), place, notes=notes)
    assert notes == []
    place.execute(f"INSERT INTO o VALUES (2, '{value}')")
    for _ in range(2):
        notes.clear()
        bring(query(), place, notes=notes)
        assert len(notes) == 1
        assert notes[0].startswith(f"scripts/source/t.sql: the highest seen is {shown}, which lies in the future: new rows with lower ones")


@pytest.mark.parametrize(
    ("end", "declared", "value"), [("sqlite", "BLOB", "x'00'"), ("sqlite", "BOOLEAN", "1"), ("duckdb", "INTEGER[]", "[1]")]
)
def test_a_cursor_without_an_order_is_refused(places: dict[str, Place], bring: Land, end: str, declared: str, value: str) -> None:
    places[end].execute(f"CREATE TABLE o (id INTEGER, seen {declared})", f"INSERT INTO o VALUES (1, {value})")
    with pytest.raises(
        PdbtError, match=r"^scripts/source/t.sql: the cursor seen is of type \S+, which tells no newer rows from older ones\."
    ):
        bring(query(), places[end])


def script(*frames: str, header: str = "", imports: str = "") -> str:
    yields = "".join(f"    yield {frame}\n" for frame in frames)
    return f"{header}{imports}def table(since):\n{yields}"


KEYED = "# cursor: seen\n# key: seen\n"


@pytest.mark.parametrize(
    ("frames", "rows"),
    [
        (["[{'a': 1}, {'a': 2, 'b': 'x'}]"], [(1, None), (2, "x")]),
        (["[{'a': 1}]", "[{'b': 'x', 'a': 2}]"], [(1, None), (2, "x")]),
        (["[{'a': 1, 'b': None}]", "[{'a': 2, 'b': 'x'}]"], [(1, None), (2, "x")]),
        (["[{'a': 1, 'b': 1}]", "[{'a': 2, 'b': 1.5}]", "[{'a': 3}]"], [(1, 1.0), (2, 1.5), (3, None)]),
        (["[{'a': 1, 'b': None}]", "[{'a': 2, 'b': None}]"], [(1, None), (2, None)]),
        (["[{'a': 1, 'b': {'x': 1}}]", "[{'a': 2, 'b': {'y': 'z'}}]"], [(1, {"x": 1, "y": None}), (2, {"x": None, "y": "z"})]),
        (["[{'a': 1, 'b': []}]", "[{'a': 2, 'b': ['z']}]"], [(1, []), (2, ["z"])]),
        (["[{'a': 1, 'b': 2**70}]"], [(1, Decimal(2**70))]),
        (["[{'a': 2**53 + 1}]", "[{'a': 7.0}]"], [(7,), (2**53 + 1,)]),
        (["[]", "[{'a': 1}]", "[]"], [(1,)]),
    ],
)
def test_rows_of_an_api_have_the_keys_of_all_of_them(bring: Land, frames: list[str], rows: list[tuple[object, ...]]) -> None:
    assert bring(script(*frames), name="t.py") == rows


@pytest.mark.parametrize(
    "frames",
    [["pd.DataFrame({'a': [1], 'b': [None]})", "pd.DataFrame({'a': [2], 'b': ['x']})"], ["pa.table({'a': [1], 'b': [None]})"] * 2],
)
def test_a_frame_whose_column_has_no_value_yet_is_no_end(bring: Land, frames: list[str]) -> None:
    found = bring(script(*frames, imports="import pandas as pd, pyarrow as pa\n"), name="t.py")
    assert [row[0] for row in found] == [1, 2] or found == [(1, None), (1, None)]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (["[{'a': 1}]", "[{'a': 'x'}]"], "scripts/source/t.py: column a is int64 at first, and then string."),
        (["[{'a': 2**53 + 1}]", "[{'a': 1.5}]"], "scripts/source/t.py: column a holds values that are not of one type: "),
        (["[{'a': 1}, {'a': 'x'}]"], "scripts/source/t.py: a is of several types: number, str."),
        (["[{'a': 1.5}, {'a': True}]"], "scripts/source/t.py: a is of several types: bool, number."),
        (["[{'a': 'x'}, {'a': b'x'}]"], "scripts/source/t.py: a is of several types: bytes, str."),
        (["[{'a': d.date(2024, 1, 1)}, {'a': d.datetime(2024, 1, 1, 5)}]"], "scripts/source/t.py: a is of several types: date, datetime."),
        (
            ["[{'a': d.datetime(2024, 1, 1)}, {'a': d.datetime(2024, 1, 1, tzinfo=d.UTC)}]"],
            "scripts/source/t.py: a is of several types: time with zone, time without zone.",
        ),
        (
            ["[{'a': d.datetime(2024, 1, 1, 5)}]", "[{'a': d.date(2024, 1, 1)}]"],
            "column a is timestamp[us] at first, and then date32[day].",
        ),
        (["[{'a': 1}, {'A': 2}]"], "scripts/source/t.py: rows have the keys a and A, which are one column."),
        (["[{1: 2}]"], "scripts/source/t.py: a row has the key 1, which is no text."),
        (["[{'a': d.timedelta(1)}]"], "scripts/source/t.py: column a is of type duration[us], which no file keeps."),
        (["pd.DataFrame({'a': pd.period_range('2024-01', periods=1, freq='M')})"], "column a is of type "),
        (["pd.DataFrame({'a': [1]})", "pd.DataFrame({'b': [1]})"], "scripts/source/t.py yields the columns a, then b."),
    ],
)
def test_what_an_api_gives_of_several_types_is_refused_by_name(bring: Land, frames: list[str], message: str) -> None:
    with pytest.raises(PdbtError) as refused:
        bring(script(*frames, imports="import datetime as d\nimport pandas as pd\n"), name="t.py")
    assert message in refused.value.message
    assert "\n" not in str(refused.value)


def test_an_optional_key_may_be_missing_later_and_what_every_row_had_may_not(bring: Land) -> None:
    pages = "def table(since):\n    return {None: [{'seen': 1, 'n': 5, 'note': 'x'}, {'seen': 2, 'n': 1.5}], 2: %s}.get(since, [])\n"
    text = KEYED + pages
    later = "[{'seen': 3, 'n': 2, 'more': 'y'}]"
    assert bring(text % later, name="t.py") == [(1, 5.0, "x"), (2, 1.5, None)]
    assert bring(text % later, name="t.py") == [(1, 5.0, "x", None), (2, 1.5, None, None), (3, 2.0, None, "y")]
    lost = text % "[{'seen': 3, 'amount': 2}]"
    assert bring(lost, name="t.py") == [(1, 5.0, "x"), (2, 1.5, None)]
    with pytest.raises(TransferRefused, match="the rows have no column n any more, which the rows before them have"):
        bring(lost, name="t.py")


def test_a_column_that_had_no_value_takes_the_type_of_the_first_one_later(bring: Land) -> None:
    text = (
        KEYED
        + "def table(since):\n    return [{'seen': 2, 'v': 'x'}] if since == 1 else [{'seen': 1, 'v': None}] if since is None else []\n"
    )
    assert bring(text, name="t.py") == [(1, None)]
    assert bring(text, name="t.py") == [(1, None), (2, "x")]
    number = text.replace("'x'", "7")
    assert bring(number, name="t.py") == [(1, None)]
    assert bring(number, name="t.py") == [(1, None), (2, 7)]
