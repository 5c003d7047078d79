"""A folder of broken files with on_error = "reject": each row is in the table or among the rejected ones, with file, line and reason."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.reading.broken_files import HEADER, NUMBER, BrokenFile, make_broken_files
from tests.reading.loading import Table, load

TYPES = {"qty": "BIGINT", "day": "DATE"}


def numbers_in(row: tuple[Any, ...]) -> set[str]:
    return {number for cell in row if isinstance(cell, str) for number in NUMBER.findall(cell)}


def text_lines(file: BrokenFile) -> list[str]:
    """Return the lines of a text file as an editor shows them; bytes of another encoding are what they may be."""
    content = file.path.read_bytes()
    content = gzip.decompress(content) if file.path.suffix == ".gz" else content
    return content.decode(file.encoding, "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def check(table: Table, files: list[BrokenFile]) -> None:
    by_label = {f"data/source/orders/{file.path.name}": file for file in files}
    unreadable = {path for path, _ in table.loaded.unreadable}
    owner = {number: file for file in files for number in file.numbers}
    seen: Counter[str] = Counter()
    rows: Counter[Path] = Counter()
    for row in table.rows:
        numbers = numbers_in(row)
        assert numbers, row
        seen.update(numbers)
        rows[owner[min(numbers)].path] += 1
    for rejected in table.rejected:
        file = by_label[rejected["file"]]
        assert rejected["reason"]
        if not rejected["line"]:
            assert file.path in unreadable
            continue
        seen.update(NUMBER.findall(rejected["text"]))
        rows[file.path] += 1
        if file.encoding:
            line = text_lines(file)[int(rejected["line"]) - 1]
            assert all(number in line for number in NUMBER.findall(rejected["text"])[:1]), (rejected, line)
    assert sum(not rejected["line"] for rejected in table.rejected) == len(unreadable)
    for file in files:
        if file.path in unreadable:
            assert not any(seen[number] for number in file.numbers), file
            continue
        assert all(seen[number] == 1 for number in file.numbers), file
        assert file.rows is None or rows[file.path] == file.rows, (file, rows[file.path])


@pytest.mark.parametrize(
    ("count", "seed", "types"),
    [
        (60, 1, {}),
        (40, 2, TYPES),
        pytest.param(2000, 3, {}, marks=pytest.mark.slow),
        pytest.param(700, 4, TYPES, marks=pytest.mark.slow),
    ],
)
def test_no_row_of_a_folder_of_broken_files_is_lost(tmp_path: Path, count: int, seed: int, types: dict[str, str]) -> None:
    files = make_broken_files(tmp_path, count, seed)
    table = load([file.path for file in files], on_error="reject", types=types)
    assert set(HEADER) <= set(table.types)
    assert {name: table.types[name] for name in types} == types
    assert len(table.loaded.unreadable) < count / 4
    check(table, files)


@pytest.mark.parametrize("seed", [5, pytest.param(6, marks=pytest.mark.slow), pytest.param(7, marks=pytest.mark.slow)])
def test_each_broken_file_is_read_by_itself_as_well(tmp_path: Path, seed: int) -> None:
    for file in make_broken_files(tmp_path, 25, seed):
        check(load([file.path], on_error="reject"), [file])
