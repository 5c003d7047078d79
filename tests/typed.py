"""Commands of pdbt, and classic runs, in the tests' own process: they print and end as they do in one of their own, which takes longer."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO
from unittest import mock

from pdbt.cli import main
from pdbt.engine import Run, command
from pdbt.engine.process import launch as launching
from pdbt.engine.process import stop as stopping
from tests import bytecode
from tests.conftest import Ended, project_environment

ROOT = Path(__file__).resolve().parents[1]


def typed(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """Type a command in a folder, in an environment as a process of the tests has it; a script that it starts is seen, too."""
    bytecode.lend(words, cwd)
    with contextlib.chdir(cwd), _outliving():
        return _ended(lambda: main(list(map(str, words))), {"PYTHONPATH": str(ROOT), **(env or {})})


def classic_run(project: Path, *words: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run a project as its script does, with the steps that a new project has and the engine that it has a copy of."""
    return _ended(lambda: command.main(project, [_import_data, _transform_data, _export_results], words), env or {})


def launch(project: Path, script: Path, *words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """Launch a project's Dagster as its script does."""
    bytecode.lend([script], cwd)
    with contextlib.chdir(cwd), _outliving():
        return _ended(lambda: launching.main(project, script, words), env or {})


def stop(project: Path, *words: str, cwd: Path) -> Ended:
    """Stop a project's Dagster as its script does."""
    with contextlib.chdir(cwd):
        return _ended(lambda: stopping.main(project, words), {})


def _import_data(run: Run) -> None:
    run.import_sources()


def _transform_data(run: Run) -> None:
    run.build_tables()


def _export_results(run: Run) -> None:
    run.check()
    run.publish()


@contextlib.contextmanager
def _outliving() -> Iterator[None]:
    """Let processes that are launched outlive what launches them, which is this process, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()  # what refers to itself, as an error does, would be freed when the warning is no longer ignored


def _ended(action: Callable[[], int], env: Mapping[str, str]) -> Ended:
    """Do what a process would do, and put back what is the process's own."""
    terminated = signal.getsignal(signal.SIGTERM)
    environment = mock.patch.dict(os.environ, project_environment(env), clear=True)
    try:
        with environment, _caught("stdout") as said, _caught("stderr") as complained:
            code = _code(action)
    finally:
        signal.signal(signal.SIGTERM, terminated)
    return Ended(code, said.pop(), complained.pop())


def _code(action: Callable[[], int]) -> int:
    """Return the exit code, as Python ends a process: an error that nothing foresees is shown with its traceback."""
    try:
        return action()
    except SystemExit as ended:
        return int(ended.code or 0)
    except Exception:
        traceback.print_exc()
        return 1


@contextlib.contextmanager
def _caught(name: str) -> Iterator[list[str]]:
    """Catch what is written to a standard stream, also by processes that inherit it; the text is in the list after the block."""
    found: list[str] = []
    before: IO[str] = getattr(sys, name)
    number = {"stdout": 1, "stderr": 2}[name]
    kept = os.dup(number)
    with tempfile.TemporaryFile() as file, os.fdopen(os.dup(file.fileno()), "w", encoding="utf-8", newline="") as stream:
        before.flush()
        os.dup2(file.fileno(), number)
        setattr(sys, name, stream)
        try:
            yield found
        finally:
            stream.flush()
            setattr(sys, name, before)
            os.dup2(kept, number)
            os.close(kept)
            file.seek(0)
            found.append(file.read().decode("utf-8").replace("\r\n", "\n"))
