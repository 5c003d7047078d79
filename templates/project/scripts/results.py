"""Results: the checks of scripts/checks/ are asked, then the tables are published and exported."""

from __future__ import annotations

import sys
from pathlib import Path

# The engine is the nearest one above this file; the sample has none and uses its project's.
sys.path.insert(0, str(next(folder for folder in Path(__file__).resolve().parents if (folder / "scripts/engine").is_dir()) / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from engine import Run, use_run
from engine.command import main

PROJECT = Path(__file__).resolve().parents[1]


def export_results(run: Run | None = None) -> None:
    """Audit, publish, export: what a check returns stops here, and readers keep what they see."""
    with use_run(PROJECT, run) as run:
        # Your own code before the checks.
        run.check()
        run.publish()
        # Your own code after publication: send data/final/ somewhere, for example.


if __name__ == "__main__":
    sys.exit(main(PROJECT, [export_results]))
