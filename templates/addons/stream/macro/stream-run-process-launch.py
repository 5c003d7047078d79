"""Start the project's stream in the background. Try: python3 macro/stream-run-process-launch.py --help."""

from __future__ import annotations

import sys
from pathlib import Path

from pdbt.cli import main

MACRO = Path(__file__).resolve().parent
PIPELINE = MACRO.parent / "scripts" / "stream" / "pipeline.py"

if __name__ == "__main__":
    sys.exit(main(["stream", "launch", str(PIPELINE), "--state", str(MACRO), *sys.argv[1:]]))
