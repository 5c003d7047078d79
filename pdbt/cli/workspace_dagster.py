"""`pdbt launch --all`, `stop --all`, `status --all` and `logs --all`: the whole workspace in one Dagster."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from .words import counted

if TYPE_CHECKING:
    from ..project.workspace_dagster import HostedProject, WorkspaceStatus


def launch_all(port: int | None, timeout: float | None, *, wait: bool, foreground: bool) -> int:
    """Start the workspace's Dagster, or be it; return the exit code."""
    from ..engine.process.launch import READY_SECONDS, LaunchOptions
    from ..engine.process.starting import DiedStarting
    from ..project.workspace import find_workspace
    from ..project.workspace_dagster import launch_workspace, run_workspace_here

    workspace = find_workspace()
    if foreground:
        return run_workspace_here(workspace, port)
    try:
        status = launch_workspace(workspace, LaunchOptions(port, wait, READY_SECONDS if timeout is None else timeout))
    except DiedStarting as error:
        typer.echo("\n".join(error.lines), err=True)
        raise
    _show(status, "already running" if status.before else "running")
    return 0


def stop_all(timeout: float | None) -> int:
    """Stop whatever Dagster runs in the workspace; return the exit code."""
    from ..engine.process.stop import POLITE_SECONDS
    from ..project.workspace import find_workspace
    from ..project.workspace_dagster import stop_workspace

    for sentence in stop_workspace(find_workspace(), POLITE_SECONDS if timeout is None else timeout):
        typer.echo(sentence)
    return 0


def status_all(*, as_json: bool) -> None:
    """Show how the workspace's Dagster is, and each project in it."""
    from ..project.workspace import find_workspace
    from ..project.workspace_dagster import workspace_status

    status = workspace_status(find_workspace())
    if as_json:
        typer.echo(status.as_json())
    else:
        _show(status, "running")


def log_of_all(lines: int, *, follow: bool) -> Iterator[str]:
    """Return the end of the log of the workspace's Dagster."""
    from ..project import workspace_log
    from ..project.workspace import find_workspace

    return workspace_log(find_workspace(), lines, following=follow)


def _show(status: WorkspaceStatus, running: str) -> None:
    typer.echo(_headline(status, running))
    width = max((len(_name(project)) for project in status.projects), default=0)
    for project in status.projects:
        colour = typer.colors.RED if project.fault else typer.colors.GREEN if status.ready else None
        typer.secho(f"  {_name(project):<{width}}  {_state(status, project)}", fg=colour)
    if status.running:
        typer.echo(f"Log:  {status.log}\nStop: pdbt stop --all")


def _headline(status: WorkspaceStatus, running: str) -> str:
    name = status.workspace.rpartition("/")[2]
    if not status.running or status.since is None:
        left = ", ".join(map(str, status.left_behind))
        return f"{name}: Dagster was killed; processes left behind: {left}." if left else f"{name}: Dagster is not running."
    where = f"at {status.url} (PID {status.pid})"
    if not status.before:
        return f"{name}: Dagster is {running if status.ready else 'starting'} {where}."
    since = f"{datetime.datetime.fromisoformat(status.since):%Y-%m-%d %H:%M:%S}"
    processes = counted(status.processes, "process", "processes")
    return f"{name}: Dagster is {running} {where} since {since}, {status.memory_mb:,.0f} MB in {processes}."


def _name(project: HostedProject) -> str:
    return f"{project.organisation}/{project.name}" if project.organisation else project.name


def _state(status: WorkspaceStatus, project: HostedProject) -> str:
    if project.fault:
        return f"broken: {project.fault}"
    if project.own_url:
        kept = " and keeps schedule and sensor" if status.running else ""
        return f"its own Dagster is up at {project.own_url}{kept}"
    return "ready" if status.ready else "starting" if status.running else "not running"
