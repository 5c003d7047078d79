"""Values in files: what a table holds arrives equal in every format of export, or the export is refused and names the column."""

from __future__ import annotations

import csv
import datetime
import itertools
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import pytest
from python_calamine import CalamineWorkbook

from pdbt.engine.errors import BuildError
from tests.databases.conftest import MakeSubject
from tests.databases.subjects import Subject, load

HUGE = "99999999999999999999999999999999999999"  # 38 digits
LONGER = "170141183460469231731687303715884105727"  # the largest HUGEINT


@pytest.fixture
def duckdb_subject(make_subject: MakeSubject) -> Subject:
    return make_subject("duckdb")


def exported(subject: Subject, select: str, path: Path, file_format: str) -> Path:
    with subject.run() as database:
        load(database, "T", select)
        database.export("T", path, file_format)
    return path


def parquet_of(subject: Subject, values: Sequence[str], folder: Path) -> list[tuple[Any, ...]]:
    """Return the type and the value of each exported value, as text; the first one is column v."""
    names = ["v", *(f"v{number}" for number in range(1, len(values)))]
    select = ", ".join(f"{value} AS {name}" for value, name in zip(values, names, strict=True))
    path = exported(subject, f"SELECT {select}", folder / "t.parquet", "parquet")
    each = " UNION ALL ".join(f"SELECT typeof({name}), CAST({name} AS VARCHAR) FROM '{path}'" for name in names)
    return duckdb.execute(each).fetchall()


# Parquet ------------------------------------------------------------------------------------------------------------------


def test_a_sum_of_integers_is_exact_in_parquet(duckdb_subject: Subject, tmp_path: Path) -> None:
    rows = "(VALUES (9007199254740993::BIGINT), (0), (NULL)) t(n)"
    path = exported(duckdb_subject, f"SELECT sum(n) AS total FROM {rows}", tmp_path / "t.parquet", "parquet")
    assert pyarrow.parquet.read_table(path).to_pylist() == [{"total": Decimal("9007199254740993")}]
    assert duckdb.execute(f"DESCRIBE FROM '{path}'").fetchall()[0][1] == "DECIMAL(38,0)"


OTHER_TYPES = [
    (f"{HUGE}::HUGEINT", "DECIMAL(38,0)", HUGE),
    (f"-{HUGE}::HUGEINT", "DECIMAL(38,0)", f"-{HUGE}"),
    ("12345678901234567890123::UHUGEINT", "DECIMAL(38,0)", "12345678901234567890123"),
    ("NULL::HUGEINT", "DECIMAL(38,0)", None),
    ("[9007199254740993::HUGEINT, NULL]", "DECIMAL(38,0)[]", "[9007199254740993, NULL]"),
    ("{'a HUGEINT': 9007199254740993::HUGEINT}", 'STRUCT("a HUGEINT" DECIMAL(38,0))', "{'a HUGEINT': 9007199254740993}"),
    ("MAP {'k': [9007199254740993::UHUGEINT]}", "MAP(VARCHAR, DECIMAL(38,0)[])", "{k=[9007199254740993]}"),
    ("'12:00:00+02:00'::TIMETZ", "VARCHAR", "12:00:00+02"),
    ("INTERVAL '1 month 2.003 seconds'", "INTERVAL", "1 month 00:00:02.003"),
    ("[INTERVAL '-0.000001 seconds']", "VARCHAR[]", "['-00:00:00.000001']"),
    ("union_value(n := 2)", "VARCHAR", '{"n":2}'),
]


def test_what_parquet_has_no_type_for_is_held_by_another(duckdb_subject: Subject, tmp_path: Path) -> None:
    held = [(kind, text) for _, kind, text in OTHER_TYPES]
    assert parquet_of(duckdb_subject, [value for value, _, _ in OTHER_TYPES], tmp_path) == held


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (f"{LONGER}::HUGEINT", "column v holds an integer of more than 38 digits"),
        ("340282366920938463463374607431768211455::UHUGEINT", "column v holds an integer of more than 38 digits"),
        (f"[1, {LONGER}::HUGEINT]", "column v holds an integer of more than 38 digits"),
        (f"{{'a': {LONGER}::HUGEINT}}", "column v holds an integer of more than 38 digits"),
        ("INTERVAL '3.000001 seconds'", "column v holds an INTERVAL finer than Parquet's milliseconds"),
    ],
)
def test_what_parquet_cannot_hold_is_refused_by_name(duckdb_subject: Subject, tmp_path: Path, value: str, reason: str) -> None:
    with pytest.raises(BuildError) as caught:
        parquet_of(duckdb_subject, [value], tmp_path)
    assert caught.value.message == f"The export of T: {reason}."
    assert caught.value.hint.startswith("Set another [export] format in pdbt.toml")


# JSON ---------------------------------------------------------------------------------------------------------------------


NO_JSON_WITHIN = ["['nan'::DOUBLE, 1]", "{'a': [{'b': 'infinity'::FLOAT}]}", "MAP {'k': 'nan'::DOUBLE}"]


@pytest.mark.parametrize(
    ("file_format", "value"),
    [
        ("json", "'nan'::DOUBLE"),
        ("json", "'-inf'::FLOAT"),
        *((name, value) for name in ("json", "csv", "xlsx") for value in NO_JSON_WITHIN),
    ],
)
def test_nan_and_infinity_never_become_text_that_is_not_json(duckdb_subject: Subject, tmp_path: Path, file_format: str, value: str) -> None:
    with pytest.raises(BuildError, match="The export of T: column ratio holds NaN or infinity, which JSON has no word for"):
        exported(duckdb_subject, f"SELECT 1.5::DOUBLE AS x, {value} AS ratio", tmp_path / f"t.{file_format}", file_format)


@pytest.mark.parametrize(("file_format", "text"), [("csv", "v\nnan\n-inf\n"), ("parquet", "")])
def test_csv_and_parquet_have_words_for_nan_and_infinity(duckdb_subject: Subject, tmp_path: Path, file_format: str, text: str) -> None:
    path = exported(duckdb_subject, "FROM (VALUES ('nan'::DOUBLE), ('-inf'::DOUBLE)) t(v)", tmp_path / f"t.{file_format}", file_format)
    if text:
        assert path.read_text() == text
    assert duckdb.execute(f"SELECT CAST(v::DOUBLE AS VARCHAR) FROM '{path}'").fetchall() == [("nan",), ("-inf",)]


def test_json_holds_every_other_value(duckdb_subject: Subject, tmp_path: Path) -> None:
    select = """SELECT 'NaN' AS word, ['NaN', 'Infinity'] AS words, {'a "NaN"': 'x\\"NaN'} AS s, 1.5::DOUBLE AS d, NULL::DOUBLE AS n,
                12345678901234567890.123456789::DECIMAL(38,9) AS exact, [0.5, NULL]::DOUBLE[] AS l, 9007199254740993::HUGEINT AS h"""
    text = exported(duckdb_subject, select, tmp_path / "t.json", "json").read_text(encoding="utf-8")
    assert json.loads(text, parse_float=Decimal, parse_constant=pytest.fail) == [
        {
            "word": "NaN",
            "words": ["NaN", "Infinity"],
            "s": {'a "NaN"': 'x\\"NaN'},
            "d": Decimal("1.5"),
            "n": None,
            "exact": Decimal("12345678901234567890.123456789"),
            "l": [Decimal("0.5"), None],
            "h": 9007199254740993,
        }
    ]


def test_a_json_number_that_duckdb_would_write_shorter_is_refused(duckdb_subject: Subject, tmp_path: Path) -> None:
    kept = """SELECT '{"a": 1.1, "b": 0.30000000000000004, "c": 12345678901234567890, "d": "1.23456789012345678901"}'::JSON AS v"""
    assert "12345678901234567890" in exported(duckdb_subject, kept, tmp_path / "t.json", "json").read_text()
    with pytest.raises(BuildError, match="column v holds a JSON number of more digits than DuckDB writes"):
        exported(duckdb_subject, """SELECT '{"a": 12345678901234567890.123}'::JSON AS v""", tmp_path / "t.json", "json")


# Lists and objects in CSV and sheets ------------------------------------------------------------------------------------------

NESTED = [
    ("[1, NULL, 3]", [1, None, 3]),
    ("['a,b', 'it''s \"quoted\"', NULL, '']", ["a,b", 'it\'s "quoted"', None, ""]),
    ("{'a': 'x,y', 'b': DATE '2024-01-31', 'c': [true]}", {"a": "x,y", "b": "2024-01-31", "c": [True]}),
    ("MAP {'k': 1.25::DOUBLE}", {"k": 1.25}),
    ("[{'n': 9007199254740993::HUGEINT}]", [{"n": 9007199254740993}]),
    ("[1, 2]::INTEGER[2]", [1, 2]),
    ("union_value(n := 2)", {"n": 2}),
    ("[]::INTEGER[]", []),
]


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_lists_and_objects_are_json_text(subject: Subject, tmp_path: Path, file_format: str) -> None:
    select = ", ".join(f"{value} AS v{number}" for number, (value, _) in enumerate(NESTED))
    path = exported(subject, f"SELECT {select}, 1 AS one", tmp_path / f"t.{file_format}", file_format)
    if file_format == "xlsx":
        cells = list(map(str, CalamineWorkbook.from_path(str(path)).get_sheet_by_name("T").to_python()[1]))
    else:
        with path.open(encoding="utf-8", newline="") as file:
            cells = list(csv.reader(file))[1]
    assert list(map(json.loads, cells)) == [*(expected for _, expected in NESTED), 1]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ("('a'), (NULL), ('b'), (NULL)", 'v\na\n""\nb\n""\n'),
        ("(1), (NULL), (-2)", 'v\n1\n""\n-2\n'),
        ("(DATE '2024-01-31'), (NULL)", 'v\n2024-01-31\n""\n'),
        ("('x, \"y\"'), ([NULL]::VARCHAR)", 'v\n"x, ""y"""\n[NULL]\n'),
    ],
)
def test_a_missing_value_of_a_table_of_one_column_is_a_row(duckdb_subject: Subject, tmp_path: Path, values: str, text: str) -> None:
    """A blank line would be skipped by whatever reads the file, and the row be lost."""
    path = exported(duckdb_subject, f"SELECT * FROM (VALUES {values}) t(v)", tmp_path / "t.csv", "csv")
    assert path.read_text() == text
    rows = len(text.splitlines()) - 1
    with path.open(encoding="utf-8", newline="") as file:
        assert sum(bool(row) for row in csv.reader(file)) == rows + 1


# Sheets -------------------------------------------------------------------------------------------------------------------


CELLS = [
    ("0.30000000000000004::DOUBLE", 0.30000000000000004),
    ("1.7976931348623157e308::DOUBLE", 1.7976931348623157e308),
    ("123456789.12345679::DOUBLE", 123456789.12345679),
    ("9007199254740993", "9007199254740993"),
    ("TIMESTAMP '2024-01-01 12:30:00.123'", datetime.datetime(2024, 1, 1, 12, 30, 0, 123000)),
    ("TIMESTAMP '2024-01-01 12:30:00.123456'", "2024-01-01 12:30:00.123456"),
    ("TIMESTAMP '9999-12-31 23:59:59.999999'", "9999-12-31 23:59:59.999999"),
    ("TIMESTAMP '1900-01-01 12:00:00'", "1900-01-01 12:00:00"),
    ("TIME '23:59:59.999999'", "23:59:59.999999"),
    ("DATE '9999-12-31'", datetime.date(9999, 12, 31)),
    ("'=1+1'", "=1+1"),
]


def test_a_cell_is_the_value(duckdb_subject: Subject, tmp_path: Path) -> None:
    select = ", ".join(f"{value} AS v{number}" for number, (value, _) in enumerate(CELLS))
    path = exported(duckdb_subject, f"SELECT {select}", tmp_path / "t.xlsx", "xlsx")
    assert CalamineWorkbook.from_path(str(path)).get_sheet_by_name("T").to_python()[1] == [cell for _, cell in CELLS]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("DATE 'infinity'", "column v holds infinity, which a sheet has no date for"),
        ("TIMESTAMP '-infinity'", "column v holds infinity, which a sheet has no date for"),
        ("'a' || chr(65534)", "row 1, column v has a character that no sheet takes"),
    ],
)
def test_what_a_sheet_cannot_hold_is_refused_by_name(duckdb_subject: Subject, tmp_path: Path, value: str, reason: str) -> None:
    with pytest.raises(BuildError, match=reason):
        exported(duckdb_subject, f"SELECT {value} AS v", tmp_path / "t.xlsx", "xlsx")


# Databases that lack a value ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("sqlite", "'nan'::DOUBLE", "column v holds NaN, which SQLite does not have"),
        ("sqlite", "'nan'::FLOAT", "column v holds NaN, which SQLite does not have"),
        ("sqlite", "['nan'::DOUBLE]", "column v holds NaN or infinity, which JSON has no word for"),
        ("postgresql", "{'a': 'inf'::DOUBLE}", "column v holds NaN or infinity, which JSON has no word for"),
        ("postgresql", "'2024-01-01 00:00:00.123456789'::TIMESTAMP_NS", "column v holds a time finer than microseconds"),
        ("postgresql", f"{LONGER}::HUGEINT", "column v holds an integer of more than 38 digits"),
    ],
)
def test_what_a_database_cannot_hold_is_refused_by_name(make_subject: MakeSubject, kind: str, value: str, reason: str) -> None:
    with make_subject(kind).run() as database:
        with pytest.raises(BuildError) as caught:
            load(database, "T", f"SELECT {value} AS v")
        assert caught.value.message == f"T: {reason}."
        assert load(database, "T", "SELECT 1.5::DOUBLE AS v") == 1


NUMERICS: list[tuple[list[str], str, str]] = [
    (["12345678901234567890123456789012345678901.5", "1"], "VARCHAR", "12345678901234567890123456789012345678901.5"),
    (["NaN", "12345678901234567890"], "VARCHAR", "NaN"),
    (["NaN", "1.5"], "DOUBLE", "nan"),
    (["1e40", "2"], "DOUBLE", "1e+40"),
    (["1e-350", "1"], "VARCHAR", f"0.{'0' * 349}1"),
]


def test_a_numeric_of_postgresql_is_never_rounded(make_subject: MakeSubject, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with make_subject("postgresql").run() as database:
        for declared, (values, kind, read) in itertools.product(("numeric", "numeric(900,400)"), NUMERICS):
            rows = ", ".join(f"('{value}'::{declared})" for value in values)
            database.build("T", f"SELECT * FROM (VALUES {rows}) t(v)")
            database.export("T", path, "parquet")
            ((found, value),) = duckdb.execute(f"SELECT typeof(v), CAST(v AS VARCHAR) FROM '{path}' LIMIT 1").fetchall()
            scaled = declared != "numeric"
            wanted = f"{read}." if scaled and kind == "VARCHAR" and "." not in read and read != "NaN" else read
            plain = value.rstrip("0") if scaled and "." in value else value
            assert (found, plain) == (kind, wanted), (declared, values)
