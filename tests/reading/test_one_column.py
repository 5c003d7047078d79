"""Files of one column, of columns that are empty, and of columns that spaces align: what cuts a line, and what is part of its text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.engine.reading.dialect import Sniffed, sniff
from pdbt.engine.reading.records import read_records
from tests.reading.loading import load, write

DELIMITERS = [",", ";", "\t", "|"]
WORDS = "the a of service food was very cold and friendly staff we will come back soon Order 12 7 shipped to in on Monday 2024".split()
ALIGNED = "Read as columns of fixed width, aligned by spaces."
GAPS = "Read as columns aligned by two spaces or more."
RUNS = "Read as columns separated by spaces."


def read(path: Path) -> tuple[Sniffed, list[tuple[str, ...]]]:
    sniffed = sniff(path)
    rows = [record.fields for record in read_records(path, sniffed.dialect)]
    assert sniffed.rows == rows[:1000]
    return sniffed, rows


def lines(*texts: str) -> str:
    return "".join(f"{text}\n" for text in texts)


def test_thirty_parts_with_four_empty_columns_have_all_their_columns(tmp_path: Path) -> None:
    path = write(tmp_path, lines(*(f"{row}|Part {row}|P-{row}|0|0|||||0" for row in range(30))))
    table = load(path)
    assert list(table.types) == [f"column_{place}" for place in range(1, 11)]
    assert table.rows[3] == (3, "Part 3", "P-3", 0, 0, None, None, None, None, 0)
    assert table.loaded.rows == 30


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("number", [3, 30])
@pytest.mark.parametrize("pattern", ["vvvvveeeev", "veev", "vev", "veeeev", "evvev", "vevev", "veeeeeeev", "eevv"])
@pytest.mark.parametrize("headed", [False, True])
def test_a_common_delimiter_that_cuts_all_rows_alike_wins_over_its_runs(
    delimiter: str, number: int, pattern: str, headed: bool, tmp_path: Path
) -> None:
    rows = [tuple((f"{row}", f"Part {row}")[place % 2] * (kind == "v") for place, kind in enumerate(pattern)) for row in range(number)]
    names = tuple(f"name {place}" if headed else f"column_{place}" for place in range(1, len(pattern) + 1))
    path = write(tmp_path, lines(*(delimiter.join(row) for row in ([names] if headed else []) + rows)))
    sniffed, found = read(path)
    assert (sniffed.dialect.delimiter, sniffed.dialect.names, found) == (delimiter, names, rows)


@pytest.mark.parametrize("delimiter", ["||", ";;", "\t\t", "|||"])
def test_a_run_of_a_delimiter_is_one_when_it_stands_between_names(delimiter: str, tmp_path: Path) -> None:
    sniffed, found = read(write(tmp_path, lines(*(delimiter.join(row) for row in [("id", "name"), ("1", "Ada"), ("2", "Bob")]))))
    assert (sniffed.dialect.names, found) == (("id", "name"), [("1", "Ada"), ("2", "Bob")])


TEXTS = {
    "phone": ["+49 30 1234567", "+49 30 1234568", "+49 30 1234569", "+49 30 1234560"],
    "Telefon": ["030 1234567", "030 7654321", "089 1234567"],
    "tel": ["(555) 123-4567", "(555) 765-4321", "(212) 111-2222"],
    "numero": ["06 12 34 56 78", "06 22 33 44 55", "01 23 45 67 89"],
    "iban": ["DE12 3456 7890 1234 5678 90", "DE98 7654 3210 9876 5432 10", "FR76 3000 6000 0112 3456 78"],
    "card": ["4111 1111 1111 1111", "5500 0000 0000 0004", "3400 0000 0000 0009"],
    "comment": ["Good service and friendly staff", "The food was cold", "Nothing to say here now", "We will come back soon"],
    "message": ["Order 12 shipped to Paris", "Order 13 shipped to Rome", "Order 14 shipped to Bonn"],
    "log": ["2024-01-05 12:00:00 INFO started", "2024-01-05 12:00:01 WARN cold", "2024-01-05 12:00:02 INFO done"],
    "colours": ["red;green;blue", "cyan;lime;teal", "plum;navy;gold"],
    "tags": ["a|b", "c|d", "e|f"],
    "words": ["red; green; blue", "yellow; black", "white; grey; pink; gold"],
    "cells": ["red\tgreen", "blue\twhite", "black\tpink"],
    "address": ["12 Main St; Springfield; 12345", "7 High St; Shelbyville; 54321", "1 Low Rd; Ogdenville; 99999"],
    "place": ["12 Main St|Springfield", "7 High St|Shelbyville", "1 Low Rd|Ogdenville"],
    "period": ["2024-01-01;2024-01-05", "2024-02-01;2024-02-05", "2024-03-01;2024-03-05"],
    "url": ["http://a.org/x?a=1&b=2", "https://b.org/y;z=1", "http://c.org/a|b", "https://d.org/?q=1,2"],
    "time": ["12:30:00", "13:45:10", "09:00:01"],
    "json": ['{"a":1,"b":2}', '{"a":3,"b":4}', '{"a":5,"b":6}'],
    "point": ["48.85 2.35", "52.52 13.40", "41.90 12.49"],
    "hash": ["#tag one", "#tag two", "#tag three"],
    "email": ["a@x.org", "b@y.org", "c.d@z.example.org"],
    "file": [
        "-rw-r--r-- 1 ada users 4096 Jan  5 12:00 a.txt",
        "drwxr-xr-x 2 ada users 4096 Jan 15 12:01 b",
        "-rw-r--r-- 1 bob wheel 12 Feb  1 09:00 c",
    ],
    "grade": ["Good  work", "Bad   work", "Fine  work"],
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("times", [1, 10])
def test_one_clean_word_over_text_is_the_header_of_one_column(name: str, times: int, tmp_path: Path) -> None:
    sniffed, found = read(write(tmp_path, lines(name, *TEXTS[name] * times)))
    assert (sniffed.dialect.names, found) == ((name,), [(text,) for text in TEXTS[name] * times])


@pytest.mark.parametrize(
    "name", ["phone", "Telefon", "tel", "numero", "iban", "card", "comment", "message", "log", "url", "time", "json", "file"]
)
def test_text_without_a_header_is_not_cut_at_its_spaces(name: str, tmp_path: Path) -> None:
    sniffed, found = read(write(tmp_path, lines(*TEXTS[name] * 3)))
    assert (sniffed.dialect.names, found) == (("column_1",), [(text,) for text in TEXTS[name] * 3])


def test_a_column_whose_text_holds_a_delimiter_is_read_whole_with_a_note(tmp_path: Path) -> None:
    path = write(tmp_path, lines("tags", "a|b", "c|d", "e|f"))
    assert load(path).loaded.notes == ("Read as one column whose text holds pipes. If they separate columns, set delimiter.",)
    table = load(path, delimiter="|", header=False)
    assert (table.types, table.rows) == ({"column_1": "VARCHAR", "column_2": "VARCHAR"}, [("a", "b"), ("c", "d"), ("e", "f")])


@given(st.integers(3, 40), st.integers(1, 3), st.integers(0, 9), st.randoms(use_true_random=False))
def test_sentences_are_never_cut(number: int, least: int, more: int, dice: random.Random) -> None:
    texts = [" ".join(dice.choices(WORDS, k=dice.randint(least, least + more))) for _ in range(number)]
    path = _folder[0] / "texts.csv"
    path.write_text(lines("comment", *texts), encoding="utf-8")
    sniffed, found = read(path)
    assert (sniffed.dialect.names, found) == (("comment",), [(text,) for text in texts])


_folder: list[Path] = []


@pytest.fixture(autouse=True, scope="module")
def _make_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    _folder.append(tmp_path_factory.mktemp("texts"))


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("title", ["Guests\n", "Guests\nParis\n", "Guest list, by name\n\n", "Guests\n\n"])
def test_a_title_over_a_table_is_still_a_title(delimiter: str, title: str, tmp_path: Path) -> None:
    rows = [("1", "Ada", "36.5"), ("2", "Bob", "41"), ("3", "Cy", "7.25")]
    sniffed, found = read(write(tmp_path, title + lines(*(delimiter.join(row) for row in [("id", "name", "age"), *rows]))))
    assert (sniffed.dialect.names, found, sniffed.dialect.skip_lines) == (("id", "name", "age"), rows, title.count("\n"))


@pytest.mark.parametrize(
    ("content", "names", "first", "note"),
    [
        (
            "NAME           READY   STATUS    AGE\nweb-7d4b9c6f   1/1     Running   3d\ndb-0           0/1     Pending   10d\n",
            ("NAME", "READY", "STATUS", "AGE"),
            ("web-7d4b9c6f", "1/1", "Running", "3d"),
            GAPS,
        ),
        (
            "  PID TTY          TIME CMD\n    1 ?        00:00:01 systemd\n  345 pts/0    00:00:00 bash\n 1234 pts/1    00:10:00 vi x\n",
            ("PID", "TTY", "TIME", "CMD"),
            ("1", "?", "00:00:01", "systemd"),
            ALIGNED,
        ),
        (
            "MONTHLY REPORT\nCreated 2024-01-05\n\nItem       Qty     Price\nApples       5     12.50\nPears       10      7.00\n",
            ("Item", "Qty", "Price"),
            ("Apples", "5", "12.50"),
            GAPS,
        ),
        ("id name age\n1 Ada 36.5\n2 Bob 41\n3 Cy 7.25\n", ("id", "name", "age"), ("1", "Ada", "36.5"), RUNS),
        ("1 5.5\n2 6.5\n10 7.5\n", ("column_1", "column_2"), ("1", "5.5"), RUNS),
    ],
)
def test_columns_that_spaces_align_are_read_with_a_note(
    content: str, names: tuple[str, ...], first: tuple[str, ...], note: str, tmp_path: Path
) -> None:
    sniffed, found = read(write(tmp_path, content))
    assert (sniffed.dialect.names, found[0]) == (names, first)
    assert note in sniffed.dialect.notes


@pytest.mark.parametrize("header", ["id name age", "person", "identifier and full name of person, age"])
@pytest.mark.parametrize("number", [5, 30])
def test_a_header_that_is_not_cut_where_its_rows_are_is_the_header_of_whole_lines(header: str, number: int, tmp_path: Path) -> None:
    texts = [f"{100 + row:<6}{'Ada Paris' if row % 2 else 'Bob Rome':<16}{20 + row}" for row in range(number)]
    sniffed, found = read(write(tmp_path, lines(header, *texts)))
    assert (sniffed.dialect.names, found) == ((header,), [(text,) for text in texts])


def test_a_comma_that_cuts_all_rows_alike_wins_over_a_comma_with_what_every_value_begins_with(tmp_path: Path) -> None:
    rows = [(f"2017-09-{day:02}", f"#tag{day % 3}") for day in range(1, 20)]
    sniffed, found = read(write(tmp_path, lines(*(",".join(row) for row in rows))))
    assert (sniffed.dialect.delimiter, found) == (",", rows)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_lines_of_a_title_over_a_table_of_text_are_a_title(delimiter: str, tmp_path: Path) -> None:
    rows = [(f"#{row}a", f"Order {row}; x~y, z".replace(delimiter, "/")) for row in range(9)]
    content = "Exported by Ada\nSales report\n" + lines(*(delimiter.join(row) for row in [("color", "text"), *rows]))
    sniffed, found = read(write(tmp_path, content))
    assert (sniffed.dialect.names, found, sniffed.dialect.skip_lines) == (("color", "text"), rows, 2)


def test_addresses_are_not_cut_at_their_sign(tmp_path: Path) -> None:
    sniffed, found = read(write(tmp_path, lines("a@x.org", "b@y.org", "c@y.org")))
    assert len(sniffed.dialect.names) == 1
    assert [*sniffed.dialect.names, *(text for (text,) in found)][-3:] == ["a@x.org", "b@y.org", "c@y.org"]
