"""What a task runs that is no script of one's own: a project, a job of a launched project, a SQL file. Each is a program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ...engine.errors import PdbtError
from ...engine.settings import FILE_NAME


def carry_out(program: Callable[[Sequence[str]], int]) -> None:
    """Run a program with the words of the command line, and end with its exit code; an error is a sentence in the task's log."""
    try:
        code = program(sys.argv[1:])
    except PdbtError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        code = error.exit_code
    sys.exit(code)


def named_project(name: str) -> Path:
    """Return the folder of a project that a task names, seen from the working folder, which is that of the settings.

    Args:
        name: a path, the name of a folder beside the settings' folder, or that folder's own name.

    Raises:
        PdbtError: there is no such project.
    """
    here = Path.cwd()
    candidates = [here / Path(name).expanduser(), here.parent / name]
    if name in (here.name, "."):
        candidates.insert(0, here)
    for candidate in candidates:
        if (candidate / FILE_NAME).is_file():
            return candidate.resolve()
    looked = " or ".join(str(candidate) for candidate in candidates)
    raise PdbtError(f"There is no project {name!r}: no {FILE_NAME} in {looked}.", "Write its path: project:/path/to/project.")
