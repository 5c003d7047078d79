"""Commands that need no data load none of the heavy libraries."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conftest import RunProcess

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("duckdb", "dagster", "pandas", "sqlalchemy", "pyarrow", "fastapi", "watchdog", "ray", "numpy", "psycopg", "rich", "click")
COMMANDS = [["--help"], ["--version"], ["new", "a"], ["new", "b", "--dry-run"], ["new", "c", "--db", "commune"]]
PROGRAM = f"""
import sys
from pdbt.cli import main
for words in {COMMANDS!r}:
    code = main(words)
    print("LOADED", code, *(name for name in {HEAVY!r} if name in sys.modules), sep=",")
"""


def test_nothing_heavy_is_loaded(run_process: RunProcess, tmp_path: Path) -> None:
    result = run_process([sys.executable, "-c", PROGRAM], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert result.code == 0, result.stderr
    assert [line for line in result.stdout.splitlines() if line.startswith("LOADED")] == ["LOADED,0"] * len(COMMANDS)
