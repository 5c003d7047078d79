"""A project whose Dagster a test launches and stops, and looks at from outside."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pdbt.engine.process.place import MARKER
from tests import typed
from tests.conftest import Ended, RunProcess

DEADLINE_SECONDS = 60.0
LAUNCH = "dagster-run-process-launch"
STOP = "dagster-run-process-stop"


@dataclass(frozen=True)
class Shop:
    """A project and its port; commands are typed in a folder that has nothing to do with it."""

    project: Path
    port: int
    run_process: RunProcess
    cwd: Path

    @property
    def macro(self) -> Path:
        """Where its scripts are."""
        return self.project / "macro"

    @property
    def pid_file(self) -> Path:
        """Its PID file."""
        return self.macro / "dagster.pid"

    @property
    def record(self) -> dict[str, Any]:
        """What its PID file says."""
        found: dict[str, Any] = json.loads(self.pid_file.read_text(encoding="utf-8"))
        return found

    def behave(self, **behaviour: object) -> None:
        """Say how its stand-in is to behave."""
        (self.macro / "stand-in.json").write_text(json.dumps(behaviour), encoding="utf-8")

    def script(self, name: str) -> Path:
        """Return its script of this name, or the sample's."""
        plain = self.macro / f"{name}.py"
        return plain if plain.is_file() else self.macro / f"{name.replace('process', 'process-sample')}.py"

    def launch(self, *words: str, env: dict[str, str] | None = None) -> Ended:
        """Launch it, in the background, from the tests' own process."""
        return typed.launch(self.project, self.script(LAUNCH), *words, cwd=self.cwd, env=env)

    def launch_apart(self, *words: str) -> Ended:
        """Launch it from a process that ends, as its owner does."""
        return self.run_process([sys.executable, self.script(LAUNCH), *words], cwd=self.cwd, timeout=DEADLINE_SECONDS)

    def stop(self, *words: str) -> Ended:
        """Stop it, from the tests' own process."""
        return typed.stop(self.project, *words, cwd=self.cwd)

    def stop_apart(self, *words: str) -> Ended:
        """Stop it from a process of its own, as its owner does."""
        return self.run_process([sys.executable, self.script(STOP), *words], cwd=self.cwd, timeout=DEADLINE_SECONDS)

    def family(self) -> list[psutil.Process]:
        """Return its processes, found by their mark alone."""
        home = str(self.macro / ".dagster")
        return [process for process in psutil.process_iter() if _mark(process) == home]


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARKER) if process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, OSError):
        return None


def wait_until(holds: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until something holds, and fail when it never does; how long it takes is not asserted."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def dagster_settings(project: Path, **values: object) -> None:
    """Write values under [dagster]."""
    path = project / "pdbt.toml"
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if line.partition(" = ")[0] not in values]
    path.write_text("\n".join(kept).replace("[dagster]", f"[dagster]\n{lines}") + "\n", encoding="utf-8")
