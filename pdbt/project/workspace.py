"""A workspace: a folder whose projects know of each other by name and port."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..engine.errors import PdbtError, RunInProgress, SettingsError
from ..engine.lock import POLL_SECONDS, try_lock
from ..engine.organisation import CONSTANTS_FILE, SCHEDULES_FILE, WORKSPACE_FILE
from ..engine.settings import FILE_NAME
from ..engine.settings_rules import PORTS
from ..engine.toml import read_toml
from ..scaffold import NewProject, Plan, find_project
from .names import check_workspace_name

TURN_SECONDS = 30.0
RENAME = "Names are unique in the whole workspace: rename one of the two folders."
# Each type has a range of this many ports, a pair of them for each project: its own, and its sample's.
PORT_RANGE = 1000
_LOCK = ".pdbt-workspace.lock"
_PORT = re.compile(r"^\s*(?:dagster\.)?port\s*=\s*(\d+)", re.MULTILINE)


class NotAWorkspace(PdbtError, FileNotFoundError):
    """A folder that is in no workspace, where one is needed."""


@dataclass(frozen=True)
class Member:
    """A project of a workspace, known by its folder alone.

    Attributes:
        name: the folder's name.
        organisation: the name of the organisation's folder; empty for a project of none.
        folder: the project's folder, absolute.
    """

    name: str
    organisation: str
    folder: Path


@dataclass(frozen=True)
class Workspace:
    """A workspace, read from its folders; nothing else is written down about it.

    Attributes:
        root: its folder, absolute.
    """

    root: Path

    def members(self) -> list[Member]:
        """Return its projects: those of no organisation first, then by organisation and name."""
        found = []
        for folder in _folders(self.root):
            if (folder / FILE_NAME).is_file():
                found.append(Member(folder.name, "", folder))
            else:
                found += [Member(inner.name, folder.name, inner) for inner in _folders(folder) if (inner / FILE_NAME).is_file()]
        return sorted(found, key=lambda member: (member.organisation, member.name))

    def organisations(self) -> list[str]:
        """Return the names of its organisations: the folders of it that hold projects, or what projects share."""
        with_projects = {member.organisation for member in self.members()} - {""}
        return sorted(with_projects.union(self._folders_with(CONSTANTS_FILE), self._folders_with(SCHEDULES_FILE)))

    def _folders_with(self, file: str) -> list[str]:
        return [folder.name for folder in _folders(self.root) if (folder / file).is_file() and not (folder / FILE_NAME).is_file()]

    def clashes(self) -> dict[Member, PdbtError]:
        """Return what is wrong with the projects whose name another one before them has: `add_project` makes none, a copied folder does."""
        first: dict[str, Member] = {}
        pairs = [(member, first.setdefault(member.name, member)) for member in self.members()]
        return {member: PdbtError(f"{other.folder} has this name, too.", RENAME) for member, other in pairs if other is not member}

    def taken_names(self) -> dict[str, Path]:
        """Return every name that is given in it, with its folder."""
        organisations = {name: self.root / name for name in self.organisations()}
        return {**organisations, **{member.name: member.folder for member in self.members()}}

    def find(self, name: str) -> Member:
        """Return the project of this name, or of ``organisation/name``.

        Raises:
            PdbtError: there is none, or more than one; lists those that there are.
        """
        members = self.members()
        found = [member for member in members if name in (member.name, f"{member.organisation}/{member.name}")]
        if len(found) > 1:
            raise PdbtError(f"{' and '.join(str(member.folder) for member in found)} have one name.", RENAME)
        if not found:
            known = ", ".join(member.name for member in members) or "none yet"
            raise PdbtError(f"The workspace {self.root} has no project {name}.", f"It has: {known}.")
        return found[0]


def find_workspace(folder: Path | None = None) -> Workspace:
    """Return the workspace that a folder is in, the nearest one; None means the working folder.

    Raises:
        NotAWorkspace: it is in none.
    """
    start = (folder or Path.cwd()).resolve()
    for candidate in (start, *start.parents):
        if (candidate / WORKSPACE_FILE).is_file():
            return Workspace(candidate)
    raise NotAWorkspace(f"{start} is in no workspace.", "Go into one, or make one with: pdbt init-workspace")


def locate_project(project: Path | None) -> Path:
    """Return the folder of a project, absolute.

    Args:
        project: its folder; or its name, inside a workspace; None means the nearest one around the working folder.

    Raises:
        PdbtError: there is none; inside a workspace it lists the projects that there are.
    """
    if project is None or project.exists() or project.is_absolute():
        return find_project(project)
    try:
        workspace = find_workspace()
    except NotAWorkspace:
        return find_project(project)
    return workspace.find(project.as_posix()).folder


def init_workspace(folder: Path) -> Workspace:
    """Mark a folder as a workspace; one that is a workspace already stays as it is.

    Raises:
        PdbtError: it is in a workspace or a project, or cannot be written.
    """
    from ..scaffold.apply import add_files
    from ..scaffold.plan import PlannedFile
    from ..scaffold.templates import read_tree, shipped

    root = folder.resolve()
    if (root / WORKSPACE_FILE).is_file():
        return Workspace(root)
    for above in (root, *root.parents):
        what = "project" if (above / FILE_NAME).is_file() else "workspace" if (above / WORKSPACE_FILE).is_file() else ""
        if what:
            raise PdbtError(f"{root} is in the {what} {above}.", "A workspace is in no project and no workspace: choose another folder.")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PdbtError(f"{root} cannot be made: {error.strerror}.", "Choose another folder.") from None
    files = tuple(PlannedFile("create", path, content) for path, content in read_tree(shipped("templates") / "workspace"))
    add_files(Plan(root, files))
    return Workspace(root)


def add_project(workspace: Workspace, wanted: NewProject, organisation: str | None = None, *, dry_run: bool = False) -> Plan:
    """Make a project in a workspace, or with `dry_run` only find out what would be made.

    Args:
        workspace: where.
        wanted: the project; its name is a name and no path, its port None for the next pair that is free.
        organisation: the organisation that it belongs to, made when there is none of this name.
        dry_run: plan only.

    Returns:
        the plan, carried out unless it was a dry run.

    Raises:
        NameRefused: a name is not snake_case, reserved, or given already.
        PdbtError: whatever else `new_project` refuses, or another project has the port.
    """
    with _my_turn(workspace):
        return _add_project(workspace, wanted, organisation, dry_run)


def _add_project(workspace: Workspace, wanted: NewProject, organisation: str | None, dry_run: bool) -> Plan:
    from ..scaffold.apply import make_project
    from ..scaffold.new import plan_project

    taken = workspace.taken_names()
    check_workspace_name(wanted.name, taken)
    if organisation is not None and organisation not in workspace.organisations():
        check_workspace_name(organisation, {**taken, wanted.name: workspace.root / organisation / wanted.name}, "organisation")
    home = workspace.root / organisation if organisation is not None else workspace.root
    port = _checked_port(workspace, wanted)
    plan = plan_project(replace(wanted, name=str(home / wanted.name), port=port))
    if not dry_run:
        if not home.exists():
            make_project(_plan_organisation(home))
        make_project(plan)
    return plan


def _plan_organisation(home: Path) -> Plan:
    from ..scaffold.plan import PlannedFile
    from ..scaffold.templates import read_tree, shipped

    return Plan(home, tuple(PlannedFile("create", path, content) for path, content in read_tree(shipped("templates") / "organisation")))


# Ports ----------------------------------------------------------------------------------------------------------------


def ports_in_use(workspace: Workspace) -> dict[int, Path]:
    """Return the ports that the projects of a workspace and their samples have, each with its project's folder."""
    used: dict[int, Path] = {}
    for member in workspace.members():
        for home in (member.folder, member.folder / "sample"):
            port = _port_of(home)
            if port is not None:
                used.setdefault(port, home)
    return used


def _checked_port(workspace: Workspace, wanted: NewProject) -> int | None:
    used = ports_in_use(workspace)
    if wanted.port is None:
        return _free_pair(used, wanted.database)
    for port in (wanted.port, wanted.port + 1):
        if port in used:
            free = _free_pair(used, wanted.database)
            raise SettingsError(f"Port {port} is that of {used[port]}.", f"Leave --port out for a pair that is free: {free} and the next.")
    return wanted.port


def _free_pair(used: Mapping[int, Path], database: str) -> int | None:
    """Return the first of two ports of a type's range that no project has; None for a type that there is not, which is told later."""
    first = PORTS.get(database)
    if first is None:
        return None
    for port in range(first, first + PORT_RANGE, 2):
        if port not in used and port + 1 not in used:
            return port
    raise PdbtError(f"All ports from {first} to {first + PORT_RANGE - 1} are taken in this workspace.", "Give one with --port.")


def _port_of(home: Path) -> int | None:
    """Return the port that the settings of a project say, also when they are at fault elsewhere; None when there are none."""
    try:
        text = (home / FILE_NAME).read_bytes().decode(errors="replace")
    except OSError:
        return None
    try:
        document = read_toml(home / FILE_NAME)
        said = document.get("dagster", {}).get("port") or PORTS[document.get("database", {}).get("type", "duckdb")]
        return said if isinstance(said, int) else None
    except (SettingsError, KeyError, TypeError, AttributeError):
        found = _PORT.search(text)
        return int(found[1]) if found else None


# ----------------------------------------------------------------------------------------------------------------------


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder that can be projects or organisations, in the order of their names.

    One that may not be looked into, as `lost+found` of a disk, is neither.
    """
    try:
        found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
        return [path for path in found if os.access(path, os.R_OK | os.X_OK)]
    except OSError as error:
        raise PdbtError(f"{folder} cannot be read: {error.strerror}.", "Check its permissions.") from None


@contextlib.contextmanager
def _my_turn(workspace: Workspace) -> Iterator[None]:
    """Let one process at a time give names and ports."""
    path = workspace.root / _LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise PdbtError(f"{path} cannot be written: {error.strerror}.", "Get the right to write in the workspace.") from None
    try:
        deadline = time.monotonic() + TURN_SECONDS
        while not try_lock(descriptor, path):
            if time.monotonic() >= deadline:
                message = f"Others have been adding projects to {workspace.root} for {TURN_SECONDS:g} s."
                raise RunInProgress(message, "Try again when they are done.")
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)
