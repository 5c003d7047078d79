"""Stop the project's stream; what is under way is finished first. Try: python3 macro/stream-run-process-stop.py --help."""

from __future__ import annotations

import sys
from pathlib import Path

from pdbt.cli import main

MACRO = Path(__file__).resolve().parent

if __name__ == "__main__":
    sys.exit(main(["stream", "stop", "--state", str(MACRO), *sys.argv[1:]]))
