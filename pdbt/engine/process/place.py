"""Where a Dagster lives, a project's or a whole workspace's: its home, its files, its port."""

from __future__ import annotations

import os
import shlex
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import PdbtError
from ..settings import FILE_NAME, Settings
from ..settings_rules import PORTS
from .libraries import python_command

# In the environment of every process of an instance: they are found by it, also when the one that began them is gone.
MARKER = "PDBT_DAGSTER_HOME"
HOST = "127.0.0.1"  # nobody from outside this machine reaches the page
PID_FILE = "dagster.pid"
_DEFINITIONS = ("dagster-run-process.py", "dagster-run-process-sample.py")


class Hosted(NamedTuple):
    """A project that an instance runs: the name that the page shows, and its folder."""

    name: str
    folder: Path


class InstancePlace(ABC):
    """What the machinery that launches, finds and stops needs to know of an instance, whatever it runs."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What a person calls it."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Where its process works."""

    @property
    @abstractmethod
    def home(self) -> Path:
        """Dagster's home: history, schedule state, logs of runs."""

    @property
    @abstractmethod
    def pid_file(self) -> Path:
        """Who runs the instance."""

    @property
    @abstractmethod
    def log_file(self) -> Path:
        """What the instance says."""

    @property
    @abstractmethod
    def port(self) -> int:
        """The port of its page, unless the command line says another one."""

    @abstractmethod
    def projects(self) -> Sequence[Hosted]:
        """Return the projects that the instance runs, as they are now."""

    def reading(self, project: Path) -> AbstractContextManager[None]:
        """Return what the definitions of one of them are read in."""
        return nullcontext()

    @property
    def port_setting(self) -> str:
        """Where a person sets the port for good."""
        return f"{self.folder / FILE_NAME}"

    @property
    def stop_command(self) -> str:
        """The command that a person types to stop it; empty when there is none."""
        return ""

    @property
    def runs_at_once(self) -> int | None:
        """How many runs go at the same time; None when each begins at once, and waits by itself for others of its project."""
        return None

    def check(self) -> None:
        """Read what the instance will load, so that a fault is told before anything is started.

        Raises:
            PdbtError: it could load nothing.
        """
        return

    def redact(self, text: str) -> str:
        """Return a text without the secrets that are known here."""
        return text


@dataclass(frozen=True)
class FolderPlace(InstancePlace):
    """The places of a project's own instance, found without reading the project: it may be broken, and running all the same."""

    project: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.project.name

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self.project

    @property
    def home(self) -> Path:
        """Dagster's home."""
        return self.project / "macro" / ".dagster"

    @property
    def pid_file(self) -> Path:
        """Who runs the instance."""
        return self.project / "macro" / PID_FILE

    @property
    def log_file(self) -> Path:
        """What the instance says."""
        return self.project / "macro" / "dagster.log"

    @property
    def port(self) -> int:
        """Unknown: that of a running instance is in its PID file."""
        return 0

    def projects(self) -> Sequence[Hosted]:
        """Return the one project."""
        return [Hosted(self.name, self.folder)]


@dataclass(frozen=True)
class Place(InstancePlace):
    """The places of a project's own instance."""

    settings: Settings

    @property
    def name(self) -> str:
        """The project's name."""
        return self.settings.name

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self.settings.project

    @property
    def macro(self) -> Path:
        """The folder of the project's scripts."""
        return self.settings.project / "macro"

    @property
    def home(self) -> Path:
        """Dagster's home: history, schedule state, logs of runs."""
        return self.macro / ".dagster"

    @property
    def pid_file(self) -> Path:
        """Who runs the instance."""
        return self.macro / PID_FILE

    @property
    def log_file(self) -> Path:
        """What the instance says."""
        return self.macro / "dagster.log"

    @property
    def definitions(self) -> Path:
        """The file of the Dagster definitions."""
        return definitions_file(self.settings.project)

    @property
    def port(self) -> int:
        """The port of the project's page, unless the command line says another one."""
        return self.settings.dagster.port or PORTS[self.settings.database_type]

    @property
    def stop_command(self) -> str:
        """The project's own script."""
        script = next(iter(sorted(self.macro.glob("dagster-run-process-stop*.py"))), None)
        return f"{python_command()} {shlex.quote(str(script))}" if script is not None else ""

    def projects(self) -> Sequence[Hosted]:
        """Return the one project."""
        return [Hosted(self.name, self.folder)]

    def check(self) -> None:
        """Read the project as its definitions will."""
        from ..session import read_project

        try:
            read_project(self.settings.project)
        except PdbtError as error:
            error.redact(self.settings.redact)
            raise

    def redact(self, text: str) -> str:
        """Return a text without the secrets of the settings."""
        return self.settings.redact(text)


def definitions_file(project: Path) -> Path:
    """Return the file of a project's Dagster definitions."""
    macro = project / "macro"
    return next((macro / name for name in _DEFINITIONS if (macro / name).is_file()), macro / _DEFINITIONS[0])


def pid_file_of(home: Path) -> Path:
    """Return the PID file of an instance by its home: that of a project lies beside it, that of a workspace in it."""
    inside = home / PID_FILE
    return inside if inside.exists() else home.with_name(PID_FILE)


def owner_of(home: Path) -> Path:
    """Return the project or workspace whose instance has this home: that of a project lies in its macro/."""
    return home.parent.parent if home.parent.name == "macro" else home.parent


def shared_home(project: Path) -> Path | None:
    """Return the home of the instance that this process belongs to, if it is one that several projects share, this one among them."""
    home = os.environ.get(MARKER)
    return Path(home) if home and Path(home).parent in project.parents else None


def page_url(port: int) -> str:
    """Return where a page is, for a browser on this machine."""
    return f"http://{HOST}:{port}"
