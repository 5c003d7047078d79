"""Serve the project's stream until Ctrl-C. Try: python3 macro/stream-run-process.py --help."""

from __future__ import annotations

import sys
from pathlib import Path

from pdbt.cli import main

PIPELINE = Path(__file__).resolve().parents[1] / "scripts" / "stream" / "pipeline.py"

if __name__ == "__main__":
    sys.exit(main(["stream", "serve", str(PIPELINE), *sys.argv[1:]]))
