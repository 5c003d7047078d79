"""Bring the changes of a newer pdbt's templates into this project, keeping what was edited: the same as `pdbt update`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent


def update(arguments: list[str]) -> int:
    """Run `pdbt update` on this project with this Python; the only script of the project that needs pdbt."""
    if importlib.util.find_spec("pdbt") is None:
        print(f"error: updating a project needs pdbt, which is not installed for {sys.executable}.", file=sys.stderr)
        print(f"hint: Run: {sys.executable} -m pip install pdbt. Running the project does not need it.", file=sys.stderr)
        return 2
    return subprocess.run([sys.executable, "-m", "pdbt", "update", str(PROJECT), *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(update(sys.argv[1:]))
