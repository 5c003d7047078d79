"""The whole workspace in one Dagster: launched, stopped, and asked how it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..engine.errors import PdbtError
from ..engine.files import write_durably
from ..engine.organisation import WORKSPACE_FILE
from ..engine.process import page
from ..engine.process.identity import Record, find_instance, find_instances, running_record
from ..engine.process.launch import LaunchOptions, launch_instance, run_here
from ..engine.process.libraries import is_installed
from ..engine.process.place import FolderPlace
from ..engine.process.status import memory
from ..engine.process.stop import POLITE_SECONDS, stop_instance
from .workspace import Member, Workspace
from .workspace_place import WorkspacePlace

ANSWER_SECONDS = 3.0
# Without -P, Python would look for modules in the folder that one is in, which is full of other people's names.
COMMAND = (sys.executable, "-P", "-m", "pdbt", "launch", "--all")


@dataclass(frozen=True)
class HostedProject:
    """A project in the workspace's Dagster.

    Attributes:
        organisation: its organisation; empty for none.
        name: its name, and that of its code location.
        fault: why it cannot be loaded; None when it is, or when that is not known.
        own_url: where its own Dagster answers, which then keeps its schedule and sensor; None when that does not run.
    """

    organisation: str
    name: str
    fault: str | None = None
    own_url: str | None = None


@dataclass(frozen=True)
class WorkspaceStatus:
    """How the workspace's Dagster is; what is not known, or is not there, is None.

    Attributes:
        workspace: its folder.
        running: whether the process that runs it is there.
        before: whether it ran before it was launched just now.
        ready: whether the page has looked at every project.
        port: where the page answers; None when it does not run.
        url: the page's address.
        pid: the process that runs it.
        since: when that began, ISO 8601.
        processes: how many processes it has.
        memory_mb: the memory of all of them, in MB of a million bytes; what they share counts once for each.
        log: its log file.
        left_behind: processes that are still there though the one that ran them was killed.
        projects: its projects.
    """

    workspace: str
    running: bool
    before: bool
    ready: bool
    port: int | None
    url: str | None
    pid: int | None
    since: str | None
    processes: int
    memory_mb: float | None
    log: str
    left_behind: tuple[int, ...]
    projects: tuple[HostedProject, ...]

    def as_json(self) -> str:
        """Return it as one JSON object, whose keys are these attributes."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def launch_workspace(workspace: Workspace, options: LaunchOptions) -> WorkspaceStatus:
    """Start the workspace's Dagster in the background, unless it runs.

    A project that cannot be loaded is told of, and keeps none of the others from being usable.

    Raises:
        PdbtError: something keeps it from starting, and nothing was started; or what was started died.
    """
    place = WorkspacePlace(workspace)
    if workspace.members():
        write_durably(place.home / ".gitignore", "*\n")  # history and PID files are this machine's
    launched = launch_instance(place, COMMAND, options)
    return workspace_status(workspace, before=launched.before, loaded=launched.loaded)


def run_workspace_here(workspace: Workspace, port: int | None) -> int:
    """Be the workspace's Dagster in this process, until Ctrl-C or SIGTERM."""
    return run_here(WorkspacePlace(workspace), COMMAND, port)


def stop_workspace(workspace: Workspace, timeout: float = POLITE_SECONDS) -> Iterator[str]:
    """Stop the workspace's Dagster, and that of every project and sample in it which has one of its own up; yield what was done.

    Raises:
        PdbtError: some could not be ended; the others were.
    """
    errors = []
    for place in [WorkspacePlace(workspace), *_own_places_up(workspace)]:
        try:
            yield from stop_instance(place, timeout)
        except PdbtError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def workspace_status(workspace: Workspace, *, before: bool = True, loaded: page.Loaded | None = None) -> WorkspaceStatus:
    """Return how the workspace's Dagster is.

    Args:
        workspace: which.
        before: whether it was not just launched.
        loaded: what its page has; None means that the page is to be asked.
    """
    place, clashes = WorkspacePlace(workspace), workspace.clashes()
    instance = find_instance(place)
    record = instance.record
    if loaded is None and record is not None and before:
        loaded = ask_page(record)
    return WorkspaceStatus(
        workspace=str(workspace.root),
        running=record is not None,
        before=before,
        ready=loaded is not None and loaded.whole,
        port=record.port if record is not None else None,
        url=record.url if record is not None else None,
        pid=record.pid if record is not None else None,
        since=record.since if record is not None else None,
        processes=len(instance.members),
        memory_mb=memory(instance.members) if instance.members else None,
        log=str(place.log_file),
        left_behind=() if record is not None else tuple(process.pid for process in instance.members),
        projects=tuple(_hosted(member, loaded, clashes.get(member)) for member in workspace.members()),
    )


def ask_page(record: Record) -> page.Loaded | None:
    """Return what the page of a running instance has; None when it does not answer in time."""
    try:
        return page.look(record.port, ANSWER_SECONDS)
    except page.NoAnswer:
        return None


def workspace_of(project: Path) -> Workspace | None:
    """Return the workspace that a project is a member of; None for one that is in none, and for a sample."""
    for folder in (project.parent, project.parent.parent):
        if (folder / WORKSPACE_FILE).is_file():
            workspace = Workspace(folder)
            return workspace if any(member.folder == project for member in workspace.members()) else None
    return None


def workspace_url(project: Path) -> str | None:
    """Return where the Dagster of a project's workspace answers; None when there is none, or it does not run."""
    record = workspace_record(project)
    return record.url if record is not None else None


def workspace_record(project: Path) -> Record | None:
    """Return who runs the Dagster of a project's workspace; None when there is none, or it does not run."""
    workspace = workspace_of(project)
    return find_instance(WorkspacePlace(workspace)).record if workspace is not None and is_installed("psutil") else None


def _hosted(member: Member, loaded: page.Loaded | None, clash: PdbtError | None) -> HostedProject:
    fault = str(clash) if clash is not None else loaded.faults.get(member.name) if loaded is not None else None
    own = running_record(FolderPlace(member.folder)) if is_installed("psutil") else None
    return HostedProject(member.organisation, member.name, fault, own.url if own is not None else None)


def _own_places_up(workspace: Workspace) -> list[FolderPlace]:
    homes = [home for member in workspace.members() for home in (member.folder, member.folder / "sample")]
    places = [FolderPlace(home) for home in homes if (home / "macro").is_dir()]
    found = find_instances(places)
    return [place for place, instance in zip(places, found, strict=True) if instance.members or place.pid_file.exists()]
