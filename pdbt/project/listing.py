"""The projects of a workspace as they are now; one that is broken tells so, and hides nothing of the others."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..engine.errors import PdbtError
from ..engine.process.identity import Instance, Record, find_instances
from ..engine.process.place import FolderPlace, Place
from ..engine.process.status import last_run
from ..engine.settings import load_settings
from .names import RESERVED
from .workspace import Member, Workspace
from .workspace_dagster import ask_page
from .workspace_place import WorkspacePlace

RUNNING, STOPPED, KILLED, BROKEN = "running", "stopped", "killed", "broken"
OWN, WORKSPACE = "own", "workspace"


@dataclass(frozen=True)
class ListedProject:
    """One line of the list; what a broken project does not tell is None.

    Attributes:
        organisation: its organisation; empty for none.
        name: its name.
        folder: its folder.
        type: its database's type.
        port: where its Dagster answers, or would; that of the workspace when it runs there.
        schedule: its cron expression, behind the name of it if the organisation gave one.
        state: ``running``, ``stopped``, ``killed`` (its Dagster was, and left processes behind) or ``broken``.
        dagster: which Dagster runs it: ``own`` or ``workspace``; None when none does.
        last_run: when the last run began, ISO 8601; None when there was none.
        result: how that ended: ``done``, ``partial``, ``failed``, ``refused`` or ``interrupted``.
        error: what is broken, and what to do.
    """

    organisation: str
    name: str
    folder: str
    type: str | None = None
    port: int | None = None
    schedule: str | None = None
    state: str = BROKEN
    dagster: str | None = None
    last_run: str | None = None
    result: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Listing:
    """What a workspace has: its folder, its projects, and the names that no project can have, beside those of Python."""

    workspace: str
    projects: tuple[ListedProject, ...]
    reserved: tuple[str, ...]

    def as_json(self) -> str:
        """Return it as one JSON object, whose keys are these attributes."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def list_projects(workspace: Workspace, organisation: str | None = None) -> Listing:
    """Return the projects of a workspace, or of one of its organisations.

    Raises:
        PdbtError: there is no such organisation.
    """
    organisations = workspace.organisations()
    if organisation is not None and organisation not in organisations:
        known = ", ".join(organisations) or "none yet"
        raise PdbtError(f"The workspace {workspace.root} has no organisation {organisation}.", f"It has: {known}.")
    members = [member for member in workspace.members() if organisation in (None, member.organisation)]
    return Listing(str(workspace.root), tuple(_listed(workspace, members)), tuple(sorted({*RESERVED, *organisations})))


_UNSEEN = Instance(None, None, ())


@dataclass(frozen=True)
class _Together:
    """The workspace's Dagster, when it runs, and why it cannot load a project."""

    record: Record | None
    faults: Mapping[str, str]


def _listed(workspace: Workspace, members: Sequence[Member]) -> list[ListedProject]:
    places: dict[Member, Place] = {}
    closed = {member: _may_not_be_read(member.folder / "macro") for member in members if _is_closed(member.folder / "macro")}
    broken = {**workspace.clashes(), **closed}
    for member in [member for member in members if member not in broken]:
        try:
            places[member] = Place(load_settings(member.folder))
        except PdbtError as error:
            broken[member] = error
    open_ones = [member for member in members if member not in closed]
    found = find_instances([WorkspacePlace(workspace), *(places.get(member, FolderPlace(member.folder)) for member in open_ones)])
    instances = {**dict.fromkeys(closed, _UNSEEN), **dict(zip(open_ones, found[1:], strict=True))}
    loaded = ask_page(found[0].record) if found[0].record is not None else None
    together = _Together(found[0].record, loaded.faults if loaded is not None else {})
    return [
        _whole(member, places[member], instances[member], together)
        if member in places
        else _broken(member, str(broken[member]), instances[member])
        for member in members
    ]


def _whole(member: Member, place: Place, instance: Instance, together: _Together) -> ListedProject:
    dagster, run = place.settings.dagster, last_run(place)
    own, shared = instance.record, together.record
    if own is None and shared is not None and member.name in together.faults:
        return _broken(member, together.faults[member.name], instance)
    record = own or shared
    return ListedProject(
        organisation=member.organisation,
        name=member.name,
        folder=str(member.folder),
        type=place.settings.database_type,
        port=record.port if record is not None else place.port,
        schedule=f"{dagster.schedule_name}: {dagster.schedule}" if dagster.schedule_name else dagster.schedule,
        state=RUNNING if own is not None else KILLED if instance.members else RUNNING if shared is not None else STOPPED,
        dagster=OWN if own is not None else WORKSPACE if shared is not None else None,
        last_run=run.start if run is not None else None,
        result=run.status if run is not None else None,
    )


def _broken(member: Member, error: str, instance: Instance) -> ListedProject:
    own = OWN if instance.record is not None else None
    return ListedProject(member.organisation, member.name, str(member.folder), dagster=own, error=error)


def _is_closed(folder: Path) -> bool:
    return folder.exists() and not os.access(folder, os.R_OK | os.X_OK)


def _may_not_be_read(folder: Path) -> PdbtError:
    return PdbtError(f"{folder} may not be read.", "Get the right to read it.")
