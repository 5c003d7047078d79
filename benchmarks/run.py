"""Measure pdbt against its rivals: prints one table and writes benchmarks/results.md.

Linux only; needs pip and the network the first time, for the rivals' virtual environments. Run it on an idle machine.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Run the benchmark of this checkout, from whatever folder."""
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from benchmarks.command import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
