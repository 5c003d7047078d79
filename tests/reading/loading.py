"""Loads source files into DuckDB as a run does, and shows what became of them."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from pdbt.engine.reading import load_table
from pdbt.engine.reading.model import Column, Loaded, ReadOptions, SourceTable

NAME = "ORDERS"


@dataclass(frozen=True)
class Table:
    """A table that was loaded, with moments that have a time zone as text in UTC."""

    loaded: Loaded
    types: dict[str, str]
    rows: list[tuple[Any, ...]]
    attempts: int
    rejected: list[dict[str, str]] = field(default_factory=list)

    def column(self, name: str) -> list[Any]:
        place = list(self.types).index(name)
        return [row[place] for row in self.rows]


@cache
def database() -> duckdb.DuckDBPyConnection:
    """One database for all tests of a process: opening one takes several times as long as a small load."""
    return duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})


def connect() -> duckdb.DuckDBPyConnection:
    """Return a new connection to the tests' database, with settings of its own."""
    connection = database().cursor()
    connection.execute("SET TimeZone = 'America/New_York'")
    return connection


def load(files: Path | Sequence[Path], label: str = "", **options: Any) -> Table:
    """Load files as one table; a single one is known as data/source/ and its name."""
    paths = [files] if isinstance(files, Path) else list(files)
    label = label or (f"data/source/{paths[0].name}" if isinstance(files, Path) else "data/source/orders")
    with connect() as connection:
        try:
            return _load(connection, SourceTable(NAME, tuple(paths), label), ReadOptions(**options))
        finally:
            connection.execute(f"DROP TABLE IF EXISTS {NAME}")


def _load(connection: duckdb.DuckDBPyConnection, source: SourceTable, options: ReadOptions) -> Table:
    selects = []

    def create(select: str, columns: Sequence[Column]) -> int:
        selects.append(select)
        connection.execute(f"CREATE OR REPLACE TABLE {NAME} AS {select}")
        made = connection.execute(f"DESCRIBE {NAME}").fetchall()
        assert [(row[0], row[1]) for row in made] == [(column.name, column.type) for column in columns]
        counted = connection.execute(f"SELECT count(*) FROM {NAME}").fetchone()
        assert counted
        return int(counted[0])

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "scratch"
        try:
            loaded = load_table(source, options, connection, create, scratch)
        finally:
            left = [path for path in scratch.iterdir() if path.name != f"{NAME}.rejected.csv"]
            assert left == [], "temporary files were left"
        rejected = read_rejected(loaded.rejected_file)
    if not loaded.columns:
        return Table(loaded, {}, [], len(selects), rejected)
    zoned = {column.name for column in loaded.columns if column.type == "TIMESTAMP WITH TIME ZONE"}
    shown = ", ".join(
        f"strftime({quoted} AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%fZ')" if name in zoned else quoted
        for name, quoted in ((column.name, '"' + column.name.replace('"', '""') + '"') for column in loaded.columns)
    )
    rows = connection.execute(f"SELECT {shown} FROM {NAME}").fetchall()
    assert len(rows) == loaded.rows
    return Table(loaded, {column.name: column.type for column in loaded.columns}, rows, len(selects), rejected)


def read_rejected(file: Path | None) -> list[dict[str, str]]:
    if file is None:
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write(folder: Path, text: str | bytes, name: str = "orders.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def column_file(folder: Path, values: Sequence[str], name: str = "orders.csv") -> Path:
    """Write a file with the columns ``number`` and ``value``."""
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["number", "value"])
        writer.writerows(enumerate(values, start=1))
    return path
