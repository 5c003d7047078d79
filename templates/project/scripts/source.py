"""Import: every file, and every folder of files, in data/source/ becomes a table."""

from __future__ import annotations

import sys
from pathlib import Path

# The engine is the nearest one above this file; the sample has none and uses its project's.
sys.path.insert(0, str(next(folder for folder in Path(__file__).resolve().parents if (folder / "scripts/engine").is_dir()) / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from engine import Run, use_run
from engine.command import main

PROJECT = Path(__file__).resolve().parents[1]


def import_data(run: Run | None = None) -> None:
    """Import what changed in data/source/ since the last run."""
    with use_run(PROJECT, run) as run:
        # Your own code before the import: fetch files into data/source/, for example.
        run.import_sources()
        # Your own code after the import.


if __name__ == "__main__":
    sys.exit(main(PROJECT, [import_data]))
