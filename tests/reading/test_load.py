"""Text files become tables: every value is looked at, none is lost, and a fault is told with its place."""

from __future__ import annotations

import datetime
import gzip
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.engine.csv_writer import CsvWriter
from pdbt.engine.errors import SettingsError, SourceError
from tests.reading.loading import column_file, load, write

MANY = 1500  # rows, so that the sample does not see the last of them


def test_types_are_found_and_text_is_kept_as_it_is(tmp_path: Path) -> None:
    text = "id,name,paid,day,at,ok\n1, Ann ,12.50,2024-01-05,2024-01-05T10:00:00,true\n2,,NA,,,FALSE\n3, \t,-0.5,2024-1-6,2024-01-06,\n"
    table = load(write(tmp_path, text))
    assert table.types == {"id": "BIGINT", "name": "VARCHAR", "paid": "DOUBLE", "day": "DATE", "at": "TIMESTAMP", "ok": "BOOLEAN"}
    assert table.rows == [
        (1, " Ann ", 12.5, datetime.date(2024, 1, 5), datetime.datetime(2024, 1, 5, 10), True),
        (2, None, None, None, None, False),
        (3, None, -0.5, datetime.date(2024, 1, 6), datetime.datetime(2024, 1, 6), None),
    ]
    assert table.loaded.notes == ()


def test_an_empty_file_is_a_table_without_rows_and_says_so(tmp_path: Path) -> None:
    table = load(write(tmp_path, b""))
    assert (table.types, table.rows) == ({"column_1": "VARCHAR"}, [])
    assert table.loaded.notes == ("The file is empty.",)


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    table = load(write(tmp_path, "id,name\n"))
    assert (table.types, table.rows) == ({"id": "VARCHAR", "name": "VARCHAR"}, [])


def test_one_value(tmp_path: Path) -> None:
    assert load(write(tmp_path, "total\n12\n")).rows == [(12,)]


def test_a_column_without_values_is_text(tmp_path: Path) -> None:
    table = load(write(tmp_path, "id,nothing,words\n1,,NA\n2, ,-\n"))
    assert table.types == {"id": "BIGINT", "nothing": "VARCHAR", "words": "VARCHAR"}
    assert table.rows == [(1, None, "NA"), (2, None, "-")]


def test_namibia_is_a_country_and_no_missing_value(tmp_path: Path) -> None:
    table = load(write(tmp_path, "country,population\nNA,2604172\nFR,NA\n"))
    assert table.rows == [("NA", 2604172), ("FR", None)]


@pytest.mark.parametrize(
    ("last", "expected", "value"),
    [
        ("007", "VARCHAR", "007"),
        ("12345678901234567890", "VARCHAR", "12345678901234567890"),
        ("1e5", "VARCHAR", "1e5"),
        ("+33612345678", "VARCHAR", "+33612345678"),
        ("C-1002", "VARCHAR", "C-1002"),
        ("2024-01-05", "VARCHAR", "2024-01-05"),
        ("1.5", "DOUBLE", 1.5),
        ("1,234,567", "BIGINT", 1234567),
        (" 12 ", "BIGINT", 12),
        ("#N/A", "BIGINT", None),
        ("+5", "BIGINT", 5),
        ("-0", "BIGINT", 0),
    ],
)
def test_the_last_value_of_a_long_column_of_integers_counts(tmp_path: Path, last: Any, expected: Any, value: Any) -> None:
    table = load(column_file(tmp_path, [*map(str, range(1, MANY)), last]))
    assert table.types["value"] == expected
    assert table.column("value")[-1] == value
    assert table.column("value")[0] == ("1" if expected == "VARCHAR" else 1)


@pytest.mark.parametrize(
    ("first", "last", "expected", "value"),
    [
        ("12.5", "12.123456789012345678", "DECIMAL(38,18)", None),
        ("12.5", "1e5", "DOUBLE", 1e5),
        ("12.5", "00.5", "VARCHAR", "00.5"),
        ("12.5", "1,234.5", "DOUBLE", 1234.5),
        ("12,5", "1.234,5", "DOUBLE", 1234.5),
        ("12,5", "1.5", "VARCHAR", "1.5"),
        ("2024-01-05", "2024-01-06 10:00", "TIMESTAMP", datetime.datetime(2024, 1, 6, 10)),
        ("2024-01-05", "12", "VARCHAR", "12"),
        ("2024-01-05 10:00:00", "2024-01-05T10:00:00Z", "VARCHAR", "2024-01-05T10:00:00Z"),
        ("2024-01-05T10:00:00Z", "2024-01-05T10:00:00+02:00", "TIMESTAMP WITH TIME ZONE", "2024-01-05 08:00:00.000000Z"),
        ("01/02/2024", "13/01/2024", "DATE", datetime.date(2024, 1, 13)),
        ("01/02/2024", "01/13/2024", "DATE", datetime.date(2024, 1, 13)),
        ("13/02/2024", "01/13/2024", "VARCHAR", None),
        ("true", "1", "VARCHAR", "1"),
        ("", "12", "BIGINT", 12),
        ("NA", "12", "BIGINT", 12),
        ("NA", "FR", "VARCHAR", "FR"),
        ("1e5", "12.5", "DOUBLE", 12.5),
        ("1,234", "1,234,567", "BIGINT", 1234567),
        ("552 081", "1 234,5", "DOUBLE", 1234.5),
        ("1.0", "1.0e400", "VARCHAR", None),
    ],
)
def test_a_late_value_decides_anew(tmp_path: Path, first: Any, last: Any, expected: Any, value: Any) -> None:
    late = [last] * (MANY if value is None and "e400" in last else 1)  # so many that they are no exceptions
    if expected == "VARCHAR" and value is None and first == "13/02/2024":
        late = [last] * 100
    table = load(column_file(tmp_path, [first] * MANY + late))
    assert table.types["value"] == expected
    if value is not None:
        assert table.column("value")[-1] == value


def test_a_proof_at_the_end_of_one_column_decides_for_another(tmp_path: Path) -> None:
    lines = [f"{number};1.{number % 900 + 100};{number}" for number in range(1, MANY)]
    table = load(write(tmp_path, "\n".join(["number;amount;price", *lines, "0;1.500;12,5"])))
    assert table.types == {"number": "BIGINT", "amount": "BIGINT", "price": "DOUBLE"}
    assert table.rows[-1] == (0, 1500, 12.5)


def test_decimal_commas_in_a_file_of_semicolons(tmp_path: Path) -> None:
    table = load(write(tmp_path, "article;price;weight\nA;1.234,50;0,125\nB;-7;1,5\n"))
    assert table.rows == [("A", 1234.5, 0.125), ("B", -7.0, 1.5)]


def test_the_decimal_that_was_said_settles_what_nothing_proves(tmp_path: Path) -> None:
    file = write(tmp_path, "article;amount\nA;1,234\nB;5,678\n")
    assert load(file).column("amount") == ["1,234", "5,678"]
    assert load(file, decimal=",").column("amount") == [1.234, 5.678]
    assert load(file, decimal=".").column("amount") == [1234, 5678]


def test_impossible_dates_make_a_short_column_text(tmp_path: Path) -> None:
    assert load(column_file(tmp_path, ["13/02/2024", "31/02/2024"])).column("value") == ["13/02/2024", "31/02/2024"]


def test_a_rare_misfit_stops_with_file_line_column_text_and_what_to_do(tmp_path: Path) -> None:
    file = column_file(tmp_path, [*map(str, range(1, MANY)), "12,3O"])
    with pytest.raises(SourceError) as caught:
        load(file)
    assert caught.value.message == f'ORDERS: line {MANY + 1} of data/source/orders.csv, column value: "12,3O" is not an integer (BIGINT).'
    assert caught.value.hint == 'Set on_error = "reject" to put such rows in data/rejected.'
    assert (caught.value.path, caught.value.line, caught.value.column, caught.value.text) == (str(file), MANY + 1, "value", "12,3O")


def test_the_line_is_the_physical_one_where_the_row_starts(tmp_path: Path) -> None:
    lines = ['1,"a', 'b"', "", "2,c"]
    text = "report of today\n\nnumber,value\n" + "\n".join(lines * 500) + "\noops,x\n"
    with pytest.raises(SourceError, match=r'line 2004 of .*, column number: "oops" is not an integer'):
        load(write(tmp_path, text))


def test_a_row_with_the_wrong_number_of_fields_stops_with_its_line(tmp_path: Path) -> None:
    text = "id,name\n" + "".join(f"{number},x\n" for number in range(MANY)) + "7,y,z\n8,w\n"
    with pytest.raises(SourceError) as caught:
        load(write(tmp_path, text))
    assert caught.value.message == f"ORDERS: line {MANY + 2} of data/source/orders.csv has 3 fields, 2 expected."
    assert caught.value.hint == 'Set on_error = "reject" to put such rows in data/rejected.'


def test_lines_that_end_in_a_delimiter_have_no_field_more(tmp_path: Path) -> None:
    assert load(write(tmp_path, "id,name\n1,a,\n2,b,\n")).rows == [(1, "a"), (2, "b")]


def test_types_that_were_said_hold(tmp_path: Path) -> None:
    text = "Id,Code,When,Amount\n007,1,2024-01-05,12.345\n8,2,2024-01-06,1.500\n"
    table = load(write(tmp_path, text), types={"id": "INTEGER", "code": "VARCHAR", "amount": "DECIMAL(10,3)"})
    assert table.types == {"Id": "INTEGER", "Code": "VARCHAR", "When": "DATE", "Amount": "DECIMAL(10,3)"}
    assert table.column("Id") == [7, 8]
    assert table.column("Code") == ["1", "2"]


def test_a_type_that_was_said_loses_no_digit(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r'column value: "1.239" is not a number \(DECIMAL\(10,2\)\)'):
        load(column_file(tmp_path, ["1.20", "1.239"]), types={"value": "DECIMAL(10,2)"})


def test_a_type_that_only_duckdb_knows(tmp_path: Path) -> None:
    table = load(column_file(tmp_path, ["6f9619ff-8b86-d011-b42d-00c04fc964ff"]), types={"value": "UUID"})
    assert table.types["value"] == "UUID"


def test_a_type_or_column_that_there_is_not_is_told_by_its_key(tmp_path: Path) -> None:
    file = column_file(tmp_path, ["1"])
    with pytest.raises(SettingsError, match=r"source.ORDERS.types.value in pdbt.toml: there is no type 'INTEGRE'"):
        load(file, types={"value": "INTEGRE"})
    with pytest.raises(SettingsError, match=r"has no column 'vlaue'. Its columns are number, value."):
        load(file, types={"vlaue": "BIGINT"})
    with pytest.raises(SettingsError, match="there is no type"):
        load(file, types={"value": "BIGINT); DROP TABLE x; --"})


def test_bytes_beyond_ascii_that_come_late_are_read_as_windows_1252(tmp_path: Path) -> None:
    text = "id,name\n" + "".join(f"{number},plain\n" for number in range(60_000)) + "1,Zo\u00eb \u20ac\n"
    table = load(write(tmp_path, text.encode("windows-1252")))
    assert table.column("name")[-1] == "Zo\u00eb \u20ac"
    assert table.loaded.notes == ("Read as windows-1252.",)


def test_a_row_longer_than_duckdb_takes(tmp_path: Path) -> None:
    long = "\u00e9" * 1_100_000
    assert load(write(tmp_path, f'id,text\n1,{long}\n2,"{long[:10]}"\n')).column("text") == [long, long[:10]]


@pytest.mark.parametrize(
    "name", ["[1].csv", "a*b.csv", "it's.csv", "q?.csv", "{a,b}.csv", "**.csv", "x[1.csv", "a b%20#.csv", "\u00fc\n.csv"]
)
def test_any_file_name(tmp_path: Path, name: str) -> None:
    write(tmp_path, "id,name\n9,z\n", "another.csv")
    assert load(write(tmp_path, "id,name\n1,a\n", name)).rows == [(1, "a")]


def test_a_folder_that_looks_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    (tmp_path / "year=2024").mkdir()
    assert load(write(tmp_path / "year=2024", "id,name\n1,a\n")).types == {"id": "BIGINT", "name": "VARCHAR"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "windows-1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = "num\u00e9ro,nom\n1,Zo\u00eb\n2,\u20ac\n"
    assert load(write(tmp_path, text, encoding=encoding)).rows == [(1, "Zo\u00eb"), (2, "\u20ac")]


def test_a_mark_at_the_start_of_a_file_without_header_is_no_value(tmp_path: Path) -> None:
    assert load(write(tmp_path, "1,a\n2,b\n", encoding="utf-8-sig"), header=False).rows == [(1, "a"), (2, "b")]


def pack(text: str, ending: str) -> bytes:
    if ending == ".gz":
        return gzip.compress(text.encode())
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(text.encode())
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_packed_files(tmp_path: Path, ending: str) -> None:
    rows = "".join(f"{number},x\n" for number in range(MANY))
    assert load(write(tmp_path, pack("id,name\n" + rows, ending), f"orders.csv{ending}")).loaded.rows == MANY
    careful = load(write(tmp_path, pack("id,name\n" + rows + "1,2,3\n", ending), f"broken.csv{ending}"), on_error="reject")
    assert (careful.loaded.rows, careful.rejected[0]["line"]) == (MANY, str(MANY + 2))


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_packed_file_that_is_cut_short_is_told(tmp_path: Path, ending: str) -> None:
    packed = pack("id,name\n" + "".join(f"{number},{number * 7919 % 10007}\n" for number in range(MANY)), ending)
    with pytest.raises(SourceError, match=rf"ORDERS: data/source/orders.csv{ending} cannot be unpacked: it is damaged or cut short."):
        load(write(tmp_path, packed[:-400], f"orders.csv{ending}"))


def test_a_wide_table_is_loaded_with_what_its_columns_really_hold(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(120)]
    kinds = itertools.cycle(["1", "1.5", "2024-01-05", "text", "", "true"])
    row = [value for value, _ in zip(kinds, names, strict=False)]
    last = [{"1": " 2", "1.5": "NA", "2024-01-05": "2024-1-6", "text": " ", "": "7", "true": "False"}[value] for value in row]
    text = "\n".join([",".join(names), *[",".join(row)] * 1500, ",".join(last)])
    table = load(write(tmp_path, text))
    assert list(table.types.values())[:6] == ["BIGINT", "DOUBLE", "DATE", "VARCHAR", "BIGINT", "BOOLEAN"]
    assert table.rows[0][:6] == (1, 1.5, datetime.date(2024, 1, 5), "text", None, True)
    assert table.rows[-1][:6] == (2, None, datetime.date(2024, 1, 6), None, 7, False)


def test_column_names_are_kept_as_they_are_written(tmp_path: Path) -> None:
    table = load(write(tmp_path, 'select,"a ""b""",Gr\u00f6\u00dfe,c0,line\n1,2,3,4,5\n'))
    assert table.types == dict.fromkeys(["select", 'a "b"', "Gr\u00f6\u00dfe", "c0", "line"], "BIGINT")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('id,t\n1,"a\rb"\n2,c\n', [(1, "a\rb"), (2, "c")]),
        ('id,t\r\n1,"a\r\r\nb\n"\r\n2,"x\r"\r\n', [(1, "a\r\r\nb\n"), (2, "x\r")]),
        ('id,t\r1,"a\rb"\r2,c\r', [(1, "a\rb"), (2, "c")]),
        ('id;t\n1;"a\rb";\n2;"c\n\rd";\n', [(1, "a\rb"), (2, "c\n\rd")]),
        ("id,t\n" + "0,d\n" * 100_000 + '1,"a\rb"\n2,c\n', [(1, "a\rb"), (2, "c")]),
    ],
    ids=["LF", "CRLF", "CR", "delimiters at the end", "late"],
)
def test_a_lone_carriage_return_in_quotes_is_a_character_of_the_value(tmp_path: Path, text: str, rows: list[Any]) -> None:
    assert [row for row in load(write(tmp_path, text)).rows if row[0]] == rows
    assert [row for row in load(write(tmp_path, text, encoding="utf-16")).rows if row[0]] == rows


def test_the_text_of_a_rejected_row_keeps_its_carriage_return(tmp_path: Path) -> None:
    table = load(write(tmp_path, 'id,t\n2,d\n3,e\n4,f\n1,"a\rb",c\n'), on_error="reject")
    assert [row["text"] for row in table.rejected] == ['1,"a\rb",c']


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text("ab\r\n,\"' ;", min_size=1, max_size=5).map(lambda text: f"x{text}x"), min_size=1, max_size=6))
def test_what_is_written_as_csv_is_read_as_it_was(tmp_path: Path, texts: list[str]) -> None:
    with (tmp_path / "orders.csv").open("w", encoding="utf-8", newline="") as stream:
        CsvWriter(stream).write_all([["id", "t"], *enumerate(texts)])
    assert load(tmp_path / "orders.csv", delimiter=",", header=True).rows == list(enumerate(texts))
