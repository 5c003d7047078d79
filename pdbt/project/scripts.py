"""A project's own scripts, started from outside it: each in a process of its own, so that there is one code path."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from ..engine.errors import PdbtError
from ..scaffold.generated import sample_script
from .workspace import locate_project

# A terminal sends Ctrl-C to the script as well; one that has not noticed after this time was not told, and is told then.
_INTERRUPT_SECONDS = 1.0
_MACRO = "macro"
_SAMPLE_ENDING = "-sample"


def find_home(project: Path | None, *, sample: bool = False) -> Path:
    """Return the folder of the project, or of its sample.

    Args:
        project: the project's folder, or its name inside a workspace; None means the nearest one around the working folder.
        sample: the sample is meant, if this is not the sample itself.

    Raises:
        PdbtError: there is no project, or no sample.
    """
    found = locate_project(project)
    if not sample:
        return found
    if (found / "sample").is_dir():
        return found / "sample"
    if any((found / _MACRO).glob(f"*{_SAMPLE_ENDING}*.py")):
        return found
    raise PdbtError(f"{found} has no sample.", "The folder sample/ was removed; run the project itself without --sample.")


def run_script(home: Path, name: str, options: Sequence[str] = ()) -> int:
    """Run a script of ``macro/`` with this Python; return its exit code.

    Args:
        home: the folder of a project, or of a sample.
        name: the script's name in a project, without its ending.
        options: what it is given.

    Raises:
        PdbtError: there is no such script.
    """
    with subprocess.Popen([sys.executable, str(find_script(home, name)), *options]) as process, _passing_on_termination(process):
        try:
            code = process.wait()
        except KeyboardInterrupt:
            code = _wait_after_interrupt(process)
    return code if code >= 0 else 128 - code  # ended by a signal: what a shell reports


def find_script(home: Path, name: str) -> Path:
    """Return a script of ``macro/``, of a project or of a sample.

    Raises:
        PdbtError: there is no such script.
    """
    for called in (name, sample_script(name), f"{name}{_SAMPLE_ENDING}"):  # the last one in projects of an earlier pdbt
        script = home / _MACRO / f"{called}.py"
        if script.is_file():
            return script
    raise PdbtError(f"{home} has no {_MACRO}/{name}.py.", "Bring it back from version control, or from a new project.")


def _wait_after_interrupt(process: subprocess.Popen[bytes]) -> int:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(_INTERRUPT_SECONDS)
    process.send_signal(signal.SIGINT)
    return process.wait()


@contextlib.contextmanager
def _passing_on_termination(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let SIGTERM end the script too, which would otherwise go on without its parent."""

    def terminate(number: int, frame: FrameType | None) -> None:
        process.terminate()

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
