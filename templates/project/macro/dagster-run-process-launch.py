"""Start the project's Dagster in the background. Try: python3 macro/dagster-run-process-launch.py --help."""

from __future__ import annotations

import sys
from pathlib import Path

# The engine is the nearest one above this file; the sample has none and uses its project's.
sys.path.insert(0, str(next(folder for folder in Path(__file__).resolve().parents if (folder / "scripts/engine").is_dir()) / "scripts"))

from engine.process.launch import main

PROJECT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    sys.exit(main(PROJECT, Path(__file__).resolve()))
