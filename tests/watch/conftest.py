"""Things that the watcher's tests share: an inbox, tasks that tell what they saw, and a watcher in this process or in one of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from pdbt.watch import Watcher
from tests.conftest import StartProcess, take_project_environment
from tests.process.instances import DEADLINE_SECONDS, wait_until

__all__ = ["DEADLINE_SECONDS", "ROOT", "Scene", "wait_until"]
ROOT = Path(__file__).resolve().parents[2]
WATCHING_PROCESS = Path(__file__).with_name("watching_process.py")

# Appends one line in one write: the file's name, the hash of its content, what the environment says, and when.
TELLING_TASK = """
import hashlib, json, os, sys, time
began = time.time()
path = sys.argv[-1]
told = {name: os.environ[name] for name in ("PDBT_FILE", "PDBT_TAG", "PDBT_RUN_ID", "PDBT_TASK_ID")}
told |= {"file": path, "arguments": sys.argv[1:], "python": sys.executable, "began": began, "script": os.path.basename(sys.argv[0])}
told["sha256"] = hashlib.sha256(open(path, "rb").read()).hexdigest()
time.sleep(float(os.environ.get("TASK_SECONDS", "0")))
told["ended"] = time.time()
line = (json.dumps(told) + "\\n").encode()
descriptor = os.open(os.environ["TOLD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
os.write(descriptor, line)
"""


@dataclass
class Scene:
    """A folder to watch, with what the tasks of its files told.

    Attributes:
        home: the folder of the settings.
        inbox: the watched folder.
        logs: the log folder.
        environment: changes what tasks find there, as long as the test lasts.
    """

    home: Path
    inbox: Path
    logs: Path
    told_file: Path
    start_process: StartProcess
    environment: pytest.MonkeyPatch
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    watchers: list[Watcher] = field(default_factory=list)

    def script(self, name: str, text: str = TELLING_TASK) -> str:
        """Write a task's script; return its path."""
        path = self.home / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def task(self, name: str, group: str = "1", text: str = TELLING_TASK) -> tuple[str, str, str]:
        """Write a task's script; return the task as a dict says it."""
        return self.script(name, text), group, str(self.logs)

    def drop(self, name: str, content: str = "content") -> Path:
        """Put a whole file into the inbox, as a careful person does: written elsewhere, renamed in."""
        beside = self.home / f"dropping-{name.replace('/', '-')}"
        beside.write_text(content, encoding="utf-8")
        return beside.rename(self.inbox / name)

    def told(self) -> list[dict[str, Any]]:
        """Return what the tasks told so far."""
        return [json.loads(line) for line in self.told_file.read_text(encoding="utf-8").splitlines()] if self.told_file.exists() else []

    def told_of(self) -> list[str]:
        """Return the names of the files that tasks told of, sorted."""
        return sorted(Path(line["file"]).name for line in self.told())

    def watch(self, pipeline: Mapping[str, Any], *, env: Mapping[str, str] | None = None, **settings: Any) -> Watcher:
        """Start a watcher in this process: for a test that neither kills nor signals it, a process of its own costs more than all else."""
        for name, value in (env or {}).items():
            self.environment.setenv(name, value)
        watcher = Watcher(self.inbox, pipeline, base=self.home, **settings)
        watcher.start()
        self.watchers.append(watcher)
        return watcher

    def start(
        self, pipeline: Mapping[str, Any], *, env: Mapping[str, str] | None = None, ready: bool = True, **settings: Any
    ) -> subprocess.Popen[str]:
        """Start a watcher in a process of its own, and wait until it is ready."""
        marker = self.home / f"ready-{len(self.processes)}"
        given = {"folder": str(self.inbox), "pipeline": pipeline, "base": str(self.home), "ready": str(marker), "settings": settings}
        environment = {"PYTHONPATH": str(ROOT), "TOLD": str(self.told_file), **(env or {})}
        process = self.start_process([sys.executable, WATCHING_PROCESS, json.dumps(given)], cwd=self.home, env=environment)
        self.processes.append(process)
        if ready:
            wait_until(lambda: marker.exists() or process.poll() is not None)
            assert marker.exists(), process.communicate()[1]
        return process

    def stop(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Stop a watcher as a service manager does; return its exit code and what it said."""
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=DEADLINE_SECONDS)
        return process.returncode, said

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End a watcher as a crash does; its tasks live on."""
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=DEADLINE_SECONDS)

    def stop_now(self, process: subprocess.Popen[str]) -> None:
        """Stop a watcher, and its tasks at once."""
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: "stopping: " in self.log_lines())
        self.stop(process)

    @property
    def state(self) -> Path:
        """The folder of the ledger."""
        (found,) = (self.home / ".pdbt" / "watch").iterdir()
        return found

    def log_lines(self) -> str:
        """Return the watcher's log."""
        return (self.state / "watch.log").read_text(encoding="utf-8")

    def history(self) -> list[dict[str, Any]]:
        """Return the lines of watch.jsonl."""
        path = self.state / "watch.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@pytest.fixture
def scene(tmp_path: Path, start_process: StartProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A scene of the test's own; its watchers are stopped with it, and tasks that outlive one are ended."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    made = Scene(tmp_path, inbox, tmp_path / "logs", tmp_path / "told.jsonl", start_process, monkeypatch)
    take_project_environment(monkeypatch, {"TOLD": str(made.told_file)})
    yield made
    for watcher in made.watchers:
        watcher.stop(0.0)
    if made.processes:
        _end_tasks(made)


def _end_tasks(scene: Scene) -> None:
    """End the tasks of watchers that were killed."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("TOLD") == str(scene.told_file):
                process.kill()
        except (psutil.Error, OSError):
            continue
