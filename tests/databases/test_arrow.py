"""Streams of rows let go of what they read from."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conftest import RunProcess

ROOT = Path(__file__).resolve().parents[2]
NEVER_READ = """
import sys
from pathlib import Path
from pdbt.engine.databases.arrow import Rows
from pdbt.engine.databases.reader import connect

def refused():
    rows = Rows(connect(Path(sys.argv[1])), "SELECT i FROM range(1000000) t(i)")
    raise ValueError("before the first row was read")

try:
    refused()
except ValueError:
    pass
"""


def test_a_stream_that_nobody_reads_leaves_nothing_behind(run_process: RunProcess, tmp_path: Path) -> None:
    """DuckDB 2.0 prints a page about each connection that is still held when the process ends, below the error of a run."""
    ended = run_process([sys.executable, "-c", NEVER_READ, tmp_path], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
