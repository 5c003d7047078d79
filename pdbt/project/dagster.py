"""A project's Dagster: launched and stopped by the project's own scripts, and asked how it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..engine.errors import PdbtError
from ..engine.process.logfile import follow, last_lines, size
from ..engine.process.place import Place
from ..engine.process.status import Status, status
from ..engine.settings import load_settings
from .scripts import find_home, run_script
from .workspace_dagster import workspace_url


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
    """Yield the end of the project's macro/dagster.log as texts to print one after the other.

    Args:
        project: the project's folder; None means the nearest one around the working folder.
        lines: how many lines.
        following: go on with what is appended, without end.
        sample: the project's sample is meant.

    Raises:
        PdbtError: there is no project or no sample, or no log yet and it is not to be followed.
    """
    place = Place(load_settings(find_home(project, sample=sample)))
    if not place.log_file.exists() and not following:
        raise PdbtError(f"There is no {place.log_file} yet.", "Dagster writes it from its first launch on: pdbt launch")
    end = size(place.log_file)  # one place for both: what is added while the first lines are being read comes after them
    yield "".join(f"{line}\n" for line in last_lines(place.log_file, lines, end=end))
    if following:
        yield from follow(place.log_file, end)
