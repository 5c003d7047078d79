"""Commands as a person sees them who types them on a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.conftest import project_environment
from tests.project.conftest import ROOT

SECONDS = 60.0


def on_a_terminal(*words: str | Path, cwd: Path | None = None) -> tuple[int, str]:
    """Type a command of pdbt with a terminal as its standard output; return its exit code, and what the terminal received."""
    mine, its = pty.openpty()
    command = [sys.executable, "-m", "pdbt", *map(str, words)]
    with subprocess.Popen(command, cwd=cwd, stdout=its, env=project_environment({"PYTHONPATH": str(ROOT)})) as process:
        os.close(its)
        said = b""
        with contextlib.suppress(OSError):  # the other end is closed: all is said
            while part := os.read(mine, 65536):
                said += part
        code = process.wait(SECONDS)
    os.close(mine)
    return code, said.decode()
