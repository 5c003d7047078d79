"""Whether contestants computed the same: their files and tables, compared value by value."""

from __future__ import annotations

import csv
import hashlib
import math
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import zip_longest
from pathlib import Path

from benchmarks.contest import Disagreement

ROUNDING = 1e-9  # relative: sums of doubles differ in their last digits with the order of adding


def same_bytes(one: Path, other: Path) -> None:
    """Raise Disagreement unless two files are equal byte for byte."""
    if _digest(one) != _digest(other):
        raise Disagreement(f"{one} and {other} differ.")


def same_values(one: Path, other: Path) -> None:
    """Raise Disagreement unless two CSV files hold the same rows, numbers within `ROUNDING`."""
    with one.open(newline="") as left, other.open(newline="") as right:
        _same_rows(csv.reader(left), csv.reader(right), f"{one} and {other}")


def same_sqlite_rows(one: Path, other: Path, table: str) -> None:
    """Raise Disagreement unless a table holds the same rows in the same order in two SQLite databases."""
    select = f"SELECT * FROM {table} ORDER BY rowid"
    with closing(_read_only(one)) as left, closing(_read_only(other)) as right:
        _same_rows(left.execute(select), right.execute(select), f"{table} of {one} and of {other}")


def sqlite_rows(database: Path, table: str, rows: int) -> None:
    """Raise Disagreement unless a table of a SQLite database has this many rows."""
    with closing(_read_only(database)) as connection:
        (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    if found != rows:
        raise Disagreement(f"{table} in {database} has {found} rows, {rows} expected.")


def _read_only(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same_rows(rows: Iterable[Sequence[object]], twins: Iterable[Sequence[object]], what: str) -> None:
    pairs: Iterable[tuple[Sequence[object], Sequence[object]]] = zip_longest(rows, twins, fillvalue=())
    for number, (row, twin) in enumerate(pairs, start=1):
        if row != twin and not (len(row) == len(twin) and all(map(_alike, row, twin))):
            raise Disagreement(f"{what} differ in row {number}: {row} and {twin}.")


def _alike(one: object, other: object) -> bool:
    """Whether two values are the same: two texts or two numbers, numbers written as text compared as numbers."""
    if one == other:
        return True
    if isinstance(one, str) is not isinstance(other, str):
        return False
    try:
        return math.isclose(float(str(one)), float(str(other)), rel_tol=ROUNDING)
    except ValueError:
        return False
