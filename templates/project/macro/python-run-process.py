"""The classic run: import, transform, audit, publish, export. Try: python3 macro/python-run-process.py --help."""

from __future__ import annotations

import sys
from pathlib import Path

# The engine is the nearest one above this file; the sample has none and uses its project's.
sys.path.insert(0, str(next(folder for folder in Path(__file__).resolve().parents if (folder / "scripts/engine").is_dir()) / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from engine.command import main
from results import export_results
from source import import_data
from transforming import transform_data

PROJECT = Path(__file__).resolve().parents[1]

# Your own steps can stand between these: any function that takes the run.
STEPS = [import_data, transform_data, export_results]

if __name__ == "__main__":
    sys.exit(main(PROJECT, STEPS))
