"""`pdbt doctor` tells which source files are not what their names say, by their beginning and their end."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from pdbt.project.doctor import Check
from tests.conftest import StartProcess
from tests.project.diagnosis import check, checks, write


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("empty.csv", b"", "data/source/empty.csv is empty."),
        ("text.csv", b"a,b\n1,\0\0\n" * 40, "data/source/text.csv is no text: it has NUL bytes."),
        ("t.parquet", b"a,b\n", "data/source/t.parquet is no .parquet file: it begins with other bytes."),
        ("half.parquet", b"PAR1" + b"x" * 50, "data/source/half.parquet is no whole Parquet file: its end is missing."),
        ("t.csv.gz", b"a,b\n", "data/source/t.csv.gz is no .gz file: it begins with other bytes."),
        ("t.json", b"a,b\n", "data/source/t.json is no JSON: it begins with neither [ nor {."),
        ("t.xlsx", b"PK\x03\x04 half", "data/source/t.xlsx is no whole spreadsheet: it cannot be opened."),
    ],
)
def test_a_source_that_is_not_what_it_says(orders: Path, name: str, content: bytes, text: str) -> None:
    write(orders / "data" / "source" / name, content)
    found = check(orders, "sources")
    assert (found.state, found.text) == ("error", text)
    assert found.hint.startswith("Bring it again")


def test_sources_that_are_what_they_say(orders: Path) -> None:
    folder = orders / "data" / "source"
    write(folder / "wide.csv", "a,b\n1,é\n".encode("utf-16"))
    write(folder / "wider.csv", "a,b\n1,2\n".encode("utf-16-le"))
    write(folder / "packed.csv.gz", gzip.compress(b"a\n1\n"))
    write(folder / "rows.jsonl", b'{"a": 1}\n')
    write(folder / "days" / "one.csv", b"a\n1\n")
    assert check(orders, "sources") == Check("sources", "ok", "6 files of 6 tables, all readable.")


def test_a_source_that_cannot_be_opened(orders: Path) -> None:
    (orders / "data" / "source" / "gone.csv").symlink_to(orders / "nowhere.csv")
    found = check(orders, "sources")
    assert (found.state, found.text) == ("error", "data/source/gone.csv cannot be read: No such file or directory.")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes to a file")
def test_a_source_that_is_still_being_written(orders: Path, start_process: StartProcess) -> None:
    path = orders / "data" / "source" / "coming.csv"
    program = f"import time; f = open({str(path)!r}, 'w'); f.write('a\\n1\\n'); f.flush(); print('open', flush=True); time.sleep(600)"
    writer = start_process([sys.executable, "-S", "-c", program])
    assert writer.stdout is not None
    assert writer.stdout.readline() == "open\n"
    found = check(orders, "sources")
    assert (found.state, found.text) == ("warning", "data/source/coming.csv is still being written.")
    writer.kill()
    writer.wait()
    assert check(orders, "sources").state == "ok"


def test_a_file_of_no_kind_and_many_faults(orders: Path) -> None:
    write(orders / "data" / "source" / "notes.docx", b"x")
    assert check(orders, "sources").text == "data/source/notes.docx is not a kind of file that is read."
    for number in range(9):
        write(orders / "data" / "source" / f"empty_{number}.csv", b"")
    found = checks(orders, "sources")
    assert len(found) == 6
    assert found[-1].text == "5 more files have faults."
