"""The classic run, started from outside the project: its own script in a process of its own, so that there is one code path."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from ..engine.errors import PdbtError
from ..scaffold import find_project

_SCRIPTS = ("macro/python-run-process.py", "macro/python-run-process-sample.py")
# A terminal sends Ctrl-C to the run as well; a run that has not noticed after this time was not told, and is told then.
_INTERRUPT_SECONDS = 1.0


def run_classic(project: Path | None, options: Sequence[str] = (), *, sample: bool = False) -> int:
    """Run the project's macro/python-run-process.py with this Python; return its exit code.

    Args:
        project: the project's folder; None means the nearest one around the working folder.
        options: what the script is given, as ``--full``.
        sample: run the project's sample instead.

    Raises:
        PdbtError: there is no project, no sample or no script.
    """
    script = _find_script(find_project(project), sample=sample)
    with subprocess.Popen([sys.executable, str(script), *options]) as process, _passing_on_termination(process):
        try:
            code = process.wait()
        except KeyboardInterrupt:
            code = _wait_after_interrupt(process)
    return code if code >= 0 else 128 - code  # ended by a signal: what a shell reports


def _find_script(project: Path, *, sample: bool) -> Path:
    home = project / "sample" if sample and (project / "sample").is_dir() else project
    if sample and home == project and not (project / _SCRIPTS[1]).is_file():
        raise PdbtError(f"{project} has no sample.", "The folder sample/ was removed; run the project itself without --sample.")
    for script in _SCRIPTS:
        if (home / script).is_file():
            return home / script
    raise PdbtError(f"{home} has no {_SCRIPTS[0]}.", "Bring it back from version control, or from a new project.")


def _wait_after_interrupt(process: subprocess.Popen[bytes]) -> int:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(_INTERRUPT_SECONDS)
    process.send_signal(signal.SIGINT)
    return process.wait()


@contextlib.contextmanager
def _passing_on_termination(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let SIGTERM end the run too, which would otherwise go on without its parent."""

    def terminate(number: int, frame: FrameType | None) -> None:
        process.terminate()

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
