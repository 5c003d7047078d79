"""A project's Dagster: launched and stopped by the project's own scripts, and asked how it is; its log, and that of a workspace's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..engine.errors import PdbtError
from ..engine.process.logfile import follow, last_lines, size
from ..engine.process.place import FolderPlace
from ..engine.process.status import Status, status
from .scripts import find_home, run_script
from .workspace import Workspace
from .workspace_dagster import workspace_url
from .workspace_place import WorkspacePlace


def launch_dagster(project: Path | None, options: Sequence[str] = (), *, sample: bool = False) -> int:
    """Run the project's macro/dagster-run-process-launch.py with this Python; return its exit code.

    Args:
        project: the project's folder; None means the nearest one around the working folder.
        options: what the script is given, as ``--no-wait``.
        sample: the project's sample is meant.

    Raises:
        PdbtError: there is no project, no sample or no script.
    """
    return run_script(find_home(project, sample=sample), "dagster-run-process-launch", options)


def stop_dagster(project: Path | None, options: Sequence[str] = (), *, sample: bool = False) -> int:
    """Run the project's macro/dagster-run-process-stop.py with this Python; return its exit code.

    The arguments are those of `launch_dagster`.
    """
    return run_script(find_home(project, sample=sample), "dagster-run-process-stop", options)


def dagster_status(project: Path | None, *, sample: bool = False) -> Status:
    """Return how the project's Dagster is.

    Raises:
        PdbtError: there is no project or no sample, or its settings are at fault.
    """
    home = find_home(project, sample=sample)
    found = status(home)
    return found if found.running else replace(found, workspace_url=workspace_url(home))


def dagster_log(project: Path | None, lines: int, *, following: bool = False, sample: bool = False) -> Iterator[str]:
    """Return the end of the project's macro/dagster.log as texts to print one after the other; its settings may be at fault.

    Args:
        project: the project's folder; None means the nearest one around the working folder.
        lines: how many lines.
        following: go on with what is appended, without end.
        sample: the project's sample is meant.

    Raises:
        PdbtError: there is no project or no sample, or no log yet and it is not to be followed.
    """
    return end_of_log(FolderPlace(find_home(project, sample=sample)).log_file, lines, "pdbt launch", following=following)


def workspace_log(workspace: Workspace, lines: int, *, following: bool = False) -> Iterator[str]:
    """Return the end of the log of the workspace's Dagster, as `dagster_log` does."""
    return end_of_log(WorkspacePlace(workspace).log_file, lines, "pdbt launch --all", following=following)


def end_of_log(log: Path, lines: int, launch: str, *, following: bool) -> Iterator[str]:
    """Yield the end of a log of Dagster, and what is appended to it.

    Args:
        log: the file.
        lines: how many lines.
        launch: the command that makes Dagster write it.
        following: go on with what is appended, without end.

    Raises:
        PdbtError: there is none yet, and it is not to be followed.
    """
    if not log.exists() and not following:
        raise PdbtError(f"There is no {log} yet.", f"Dagster writes it from its first launch on: {launch}")
    end = size(log)  # one place for both: what is added while the first lines are being read comes after them
    yield "".join(f"{line}\n" for line in last_lines(log, lines, end=end))
    if following:
        yield from follow(log, end)
