"""Commands that need no data load none of the heavy libraries."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import RunProcess

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("duckdb", "dagster", "pandas", "sqlalchemy", "pyarrow", "fastapi", "watchdog", "ray", "numpy", "psycopg", "rich", "click")
PROGRAM = f"""
import sys
from pdbt.cli import main
code = main(sys.argv[1:])
print("LOADED", *(name for name in {HEAVY!r} if name in sys.modules), sep=",")
sys.exit(code)
"""


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), ("new", "shop"), ("new", "shop", "--dry-run"), ("new", "shop", "--db", "commune")], ids=" ".join
)
def test_nothing_heavy_is_loaded(words: Sequence[str], run_process: RunProcess, tmp_path: Path) -> None:
    result = run_process([sys.executable, "-c", PROGRAM, *words], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert result.code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "LOADED"
