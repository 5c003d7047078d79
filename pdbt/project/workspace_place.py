"""Where the Dagster of a whole workspace lives, and that of a project whose settings cannot be read."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.errors import PdbtError, SettingsError
from ..engine.organisation import WORKSPACE_FILE
from ..engine.process import ports
from ..engine.process.place import PID_FILE, Hosted, InstancePlace
from ..engine.settings_rules import HIGHEST_PORT, LOWEST_PORT
from ..engine.toml import read_toml
from .workspace import Workspace

if TYPE_CHECKING:
    from .isolation import Isolation

# Beyond the ranges of the projects; browsers open all of them, which they do not with some a little higher and lower.
FIRST_PORT, LAST_PORT = 6100, 6199


@dataclass(frozen=True)
class WorkspacePlace(InstancePlace):
    """The places of the one instance that runs all projects of a workspace."""

    workspace: Workspace

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.workspace.root.name

    @property
    def folder(self) -> Path:
        """The workspace's folder."""
        return self.workspace.root

    @property
    def home(self) -> Path:
        """Dagster's home, beside the projects."""
        return self.workspace.root / ".dagster"

    @property
    def pid_file(self) -> Path:
        """Who runs the instance."""
        return self.home / PID_FILE

    @property
    def log_file(self) -> Path:
        """What the instance says."""
        return self.home / "dagster.log"

    @property
    def port(self) -> int:
        """The port that the workspace's settings say; without one, the first of the range that is free now.

        Raises:
            PdbtError: the settings are at fault, or none is free.
        """
        said = _port_of(self.workspace.root / WORKSPACE_FILE)
        if said is not None:
            return said
        free = next((port for port in range(FIRST_PORT, LAST_PORT + 1) if ports.is_free(port)), None)
        if free is None:
            raise PdbtError(f"No port from {FIRST_PORT} to {LAST_PORT} is free.", "Give another one with --port.")
        return free

    @property
    def port_setting(self) -> str:
        """The workspace's own file."""
        return str(self.workspace.root / WORKSPACE_FILE)

    @property
    def stop_command(self) -> str:
        """The command that stops it, in the workspace."""
        return "pdbt stop --all"

    @property
    def runs_at_once(self) -> int | None:
        """One run for each processor that this process may use, two at least: projects do not wait for one another's slowest."""
        return max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)

    def projects(self) -> Sequence[Hosted]:
        """Return the workspace's projects, also those at fault; of several of one name the first, for the page keeps one of a name."""
        clashes = self.workspace.clashes()
        return [Hosted(member.name, member.folder) for member in self.workspace.members() if member not in clashes]

    def reading(self, project: Path) -> AbstractContextManager[None]:
        """Return what keeps the modules of one project from those of the others."""
        return _isolation().reading(project)

    def check(self) -> None:
        """Make sure that there is a project; what is wrong with one of them keeps none of the others from being loaded."""
        if not self.workspace.members():
            raise PdbtError(f"The workspace {self.workspace.root} has no projects yet.", "Make one with: pdbt add-project NAME")


def _port_of(file: Path) -> int | None:
    """Return the port of [dagster] in the workspace's file; None when it says none.

    Raises:
        SettingsError: it is no TOML, or the port is none.
    """
    section = read_toml(file).get("dagster", {})
    port = section.get("port") if isinstance(section, dict) else section
    if port is None:
        return None
    if isinstance(port, bool) or not isinstance(port, int) or not LOWEST_PORT <= port <= HIGHEST_PORT:
        raise SettingsError(
            f"{file}: dagster.port is {port!r}.",
            f"It must be a port, {LOWEST_PORT} to {HIGHEST_PORT}.",
            key="dagster.port",
            received=port,
        )
    return port


@functools.cache
def _isolation() -> Isolation:
    from .isolation import Isolation

    return Isolation()
