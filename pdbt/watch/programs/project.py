"""A project as a task: the file is put into its data/source/, unless it lies there, and the classic run runs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ...engine.errors import PdbtError
from ...engine.files import hidden_sibling
from ...project import run_classic
from . import carry_out, named_project

# Several files make several runs; each waits for the one before, however long that takes. The task's time-out is the limit.
LOCK_SECONDS = 30 * 24 * 3600


def main(words: Sequence[str]) -> int:
    """Run a project for a file.

    Args:
        words: the project, and the file.

    Returns:
        the exit code of the run.
    """
    name, file = words[0], Path(words[-1])
    project = named_project(name)
    bring_in(file, project / "data" / "source")
    return run_classic(project, ["--lock-timeout", str(LOCK_SECONDS)])


def bring_in(file: Path, source: Path) -> None:
    """Copy a file into the folder of sources, whole or not at all, unless it lies there already.

    Raises:
        PdbtError: it cannot be copied.
    """
    if file.resolve().is_relative_to(source.resolve()):
        return
    temporary = hidden_sibling(source / file.name)
    try:
        shutil.copyfile(file, temporary)
        temporary.replace(source / file.name)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise PdbtError(f"{file} cannot be copied to {source}: {error.strerror}.", "Check that both are there and that you may.") from None


if __name__ == "__main__":
    carry_out(main)
