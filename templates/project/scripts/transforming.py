"""Transform: every file in scripts/processed/ and scripts/final/ makes the table that it is named after."""

from __future__ import annotations

import sys
from pathlib import Path

# The engine is the nearest one above this file; the sample has none and uses its project's.
sys.path.insert(0, str(next(folder for folder in Path(__file__).resolve().parents if (folder / "scripts/engine").is_dir()) / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from engine import Run, use_run
from engine.command import main

PROJECT = Path(__file__).resolve().parents[1]


def transform_data(run: Run | None = None) -> None:
    """Build the tables whose SQL, Python or inputs changed, in the order of what they read."""
    with use_run(PROJECT, run) as run:
        # Your own code before the tables are built.
        run.build_tables()
        # Your own code after they were built.


if __name__ == "__main__":
    sys.exit(main(PROJECT, [transform_data]))
