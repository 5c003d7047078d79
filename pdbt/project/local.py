"""Running a project from Python, here: the same run as the command, with a value that says what became of it."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.errors import DONE, NEEDS_A_HAND, RUN_IN_PROGRESS, PdbtError
from ..engine.process.logfile import last_lines
from ..engine.settings import Parameter, load_settings
from .scripts import find_home, find_script

FAILED, REFUSED, INTERRUPTED = "failed", "refused", "interrupted"
# Runs that ended between ours and the moment at which its line is looked for.
_LINES = 50
_TABLE_STEPS = ("import", "build")
_STOPPED = "The run was stopped. Nothing was published."
_STOPPED_PUBLISHED = "The run was stopped. What it made had been published before."
_ERROR, _HINT = "error: ", "hint: "


@dataclass(frozen=True)
class RunResult:
    """What became of a run.

    Attributes:
        status: ``done``; ``partial``, when unreadable files were left out; ``failed``; ``refused``, when another run did not end in time;
            or ``interrupted``.
        tables: the names of the tables that were made, or reused because they were up to date, in order.
        rows: the number of rows of each of them.
        seconds: how long it took.
        error: what happened and what to do; None when it went well.
        exit_code: that of the command.
    """

    status: str
    tables: tuple[str, ...]
    rows: Mapping[str, int]
    seconds: float
    error: str | None
    exit_code: int

    @property
    def ok(self) -> bool:
        """Whether the run was published."""
        return self.exit_code == DONE


def run_local(
    project: str | os.PathLike[str],
    parameters: Mapping[str, Parameter] | None = None,
    *,
    full: bool = False,
    timeout: float | None = None,
    lock_timeout: float | None = None,
) -> RunResult:
    """Run a project's pipeline here, in the environment of this process.

    Args:
        project: the project's folder, or its name inside a workspace.
        parameters: values of ``$name`` for this run.
        full: make everything again.
        timeout: seconds after which the run is interrupted, and publishes nothing; None means never.
        lock_timeout: seconds to wait for another run of the project to end; None means what pdbt.toml says.

    Returns:
        what became of it; a pipeline that fails is a result, and raises nothing.

    Raises:
        PdbtError: there is no such project, or its settings are at fault: nothing was run.
    """
    home = find_home(Path(project))
    waiting = [] if lock_timeout is None else [f"--lock-timeout={lock_timeout}"]
    options = [*(["--full"] if full else []), *waiting, *parameter_options(home, parameters or {})]
    command = [sys.executable, str(find_script(home, "python-run-process")), "--quiet", *options]
    start = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            said = _communicate(process, timeout)
        except BaseException:
            process.terminate()
            raise
    line = _line_of(home, process.pid)
    return _result(line, said, process.returncode, time.monotonic() - start)


def parameter_options(home: Path, parameters: Mapping[str, Parameter]) -> list[str]:
    """Return the words of a command line that give a run these parameters, each read back as the value that it is.

    Raises:
        PdbtError: the settings of the project are at fault.
    """
    defaults = load_settings(home).parameters
    return [f"--param={name}={written(value, has_kind=name in defaults)}" for name, value in parameters.items()]


def check_parameters_here(home: Path, parameters: Mapping[str, Parameter]) -> None:
    """Refuse parameters that a run of a project would not take, running nothing.

    Raises:
        PdbtError: whatever would stop the run before it begins.
    """
    command = [sys.executable, str(find_script(home, "python-run-process")), "--dry-run", *parameter_options(home, parameters)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if ended.returncode:
        message, hint = _sentences(ended.stderr.decode(errors="replace"))
        raise PdbtError(message or f"{home} cannot be run: the script ended with {ended.returncode}.", hint)


class Typed(str):
    """A value as somebody typed it after ``--param name=``: a run reads it as it stands."""

    __slots__ = ()


def written(value: Parameter, *, has_kind: bool) -> str:
    """Write a value as a run reads it.

    Args:
        value: the value.
        has_kind: pdbt.toml says of what type it must be: a text then stands as it is, and otherwise as TOML, as all else does.
    """
    return value if isinstance(value, Typed) or (isinstance(value, str) and has_kind) else _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)  # inf and nan are TOML's words too
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _communicate(process: subprocess.Popen[bytes], timeout: float | None) -> str:
    try:
        _, said = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.terminate()  # as Ctrl-C: nothing is published
        _, said = process.communicate()
    return said.decode(errors="replace")


def _line_of(home: Path, pid: int) -> dict[str, Any] | None:
    """Return what the run with this PID wrote into macro/runs.jsonl; None when it ended before it could."""
    for line in reversed(last_lines(home / "macro" / "runs.jsonl", _LINES)):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            said: dict[str, Any] = json.loads(line)
            if said["pid"] == pid:
                return said
    return None


def _result(line: dict[str, Any] | None, said: str, code: int, seconds: float) -> RunResult:
    if line is None:
        error = _error_of(said) or f"The run ended with {code} before it said why."
        return RunResult(_status_of(code), (), {}, round(seconds, 3), error, code if code >= 0 else 128 - code)
    steps = [step for step in line["steps"] if step["step"] in _TABLE_STEPS and step["result"] in ("rebuilt", "reused")]
    rows = {step["name"]: step["rows"] for step in steps if step["rows"] is not None}
    error = line["error"]
    if line["status"] == INTERRUPTED:  # the lines of an engine of before do not say whether they published
        error = _STOPPED_PUBLISHED if line.get("published") else _STOPPED
    return RunResult(line["status"], tuple(step["name"] for step in steps), rows, line["seconds"], error, code)


def _status_of(code: int) -> str:
    return REFUSED if code == RUN_IN_PROGRESS else FAILED if 0 <= code <= NEEDS_A_HAND else INTERRUPTED


def _error_of(said: str) -> str:
    """Return the sentence and the hint that a script printed last."""
    return " ".join(filter(None, _sentences(said)))


def _sentences(said: str) -> tuple[str, str]:
    """Return the error and the hint that a script printed last; without any, its last line."""
    lines = said.splitlines()
    errors = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
    hints = [line.removeprefix(_HINT) for line in lines if line.startswith(_HINT)]
    if errors or hints:
        return errors[-1] if errors else "", hints[-1] if hints else ""
    return (lines[-1] if lines else ""), ""
