"""Watch the folder of [watch] in pdbt.toml until Ctrl-C. Try: python3 macro/watch-run-process.py --help."""

from __future__ import annotations

import sys
from pathlib import Path

from pdbt.cli import main

SETTINGS = Path(__file__).resolve().parents[1] / "pdbt.toml"

if __name__ == "__main__":
    sys.exit(main(["watch", "start", "--pipeline", str(SETTINGS), *sys.argv[1:]]))
