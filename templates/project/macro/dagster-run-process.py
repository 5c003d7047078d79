"""The Dagster definitions: tables and exports as assets, the job, its schedule, and a sensor that sees files arrive."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

# The engine is the nearest one above this file; the sample has none and uses its project's.
sys.path.insert(0, str(next(folder for folder in Path(__file__).resolve().parents if (folder / "scripts/engine").is_dir()) / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from engine.orchestration import definitions

PROJECT = Path(__file__).resolve().parents[1]

# The steps of the classic run, your own among them: what Dagster runs is what python3 macro/python-run-process.py runs.
STEPS = runpy.run_path(str(next(Path(__file__).resolve().parent.glob("python-run-process*.py"))))["STEPS"]

defs = definitions(PROJECT, STEPS)
