"""The classic run of a project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .scripts import find_home, run_script


def run_classic(project: Path | None, options: Sequence[str] = (), *, sample: bool = False) -> int:
    """Run the project's macro/python-run-process.py with this Python; return its exit code.

    Args:
        project: the project's folder; None means the nearest one around the working folder.
        options: what the script is given, as ``--full``.
        sample: run the project's sample instead.

    Raises:
        PdbtError: there is no project, no sample or no script.
    """
    return run_script(find_home(project, sample=sample), "python-run-process", options)
