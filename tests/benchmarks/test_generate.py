"""The benchmark's orders are the same bytes on every machine, and its command line answers."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.generate import generate

REPOSITORY = Path(__file__).resolve().parents[2]
THOUSAND_ORDERS = "22dfa13603e3d0b8936f65d2068ab82552c7c55db2f00cbb0c183581cfc62bb2"


def test_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    generate(tmp_path / "orders.csv", 1000)
    assert hashlib.sha256((tmp_path / "orders.csv").read_bytes()).hexdigest() == THOUSAND_ORDERS
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]


def test_rows_are_in_order_and_of_the_size_that_the_report_states(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    generate(path, 200_000)  # more than DuckDB gives one thread, which takes 122,880
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    assert header.startswith("order_id,")
    assert [int(row.partition(",")[0]) for row in rows] == list(range(1, 200_001))
    assert path.stat().st_size / len(rows) == pytest.approx(80, rel=0.02)


def test_every_group_of_the_summary_has_orders(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    generate(path, 20_000)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["category"], row["city"]) for row in rows if row["status"] != "returned"}) == 5 * 8
    assert {row["status"] for row in rows} == {"new", "paid", "shipped", "returned"}
    assert {int(row["quantity"]) for row in rows} == set(range(1, 10))


def test_help_names_every_comparison_without_loading_duckdb(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", str(REPOSITORY / "benchmarks/run.py"), "--help"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0
    for name in ("new", "sample", "orders", "unchanged", "sqlite-import", "unchanged-large", "memory-duckdb", "memory-sqlite"):
        assert name in answer.stdout
    assert "duckdb" not in {line.rpartition("|")[2].strip() for line in answer.stderr.splitlines()}
