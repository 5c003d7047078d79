"""Stop a project's Dagster: what ``macro/dagster-run-process-stop.py`` does."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..door import seconds, through_the_door
from ..errors import DONE, PIPELINE_FAILED, PdbtError, SettingsError
from ..report import say
from ..settings import load_settings
from . import ports
from .identity import Instance, find_instance, read_record, remove_record
from .place import FolderPlace, InstancePlace, Place
from .progress import Progress
from .turn import turn

if TYPE_CHECKING:
    import psutil

POLITE_SECONDS = 15.0
TURN_SECONDS = 5.0  # a launch that hangs is what one may want to stop
KILL_SECONDS = 10.0
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Ended:
    """What became of an instance's processes.

    Attributes:
        pid: the process that ran the instance; None when it was gone before.
        ended: how many processes ended.
        killed: how many of them had to be killed.
        seconds: how long it took.
    """

    pid: int | None
    ended: int
    killed: int
    seconds: float


def main(project: Path, arguments: Sequence[str] | None = None) -> int:
    """Stop a project's Dagster from the command line.

    Args:
        project: the project's folder.
        arguments: the command line's words; those of the process by default.

    Returns:
        The exit code: 0 nothing of it runs any more, 1 something could not be ended, 2 something to mend.
    """
    words = _parser().parse_args(arguments)

    def carry_out() -> int:
        for sentence in stop(project, words.timeout):
            say(sentence, sys.stdout)
        return DONE

    return through_the_door(carry_out, debug=words.debug, interrupted="Interrupted; some processes may still be ending.")


def stop(project: Path, timeout: float = POLITE_SECONDS) -> list[str]:
    """End all processes of a project's Dagster, and nobody else's.

    Args:
        project: the project's folder.
        timeout: seconds for them to end in order, before they are killed.

    Returns:
        sentences that say what was done.

    Raises:
        PdbtError: some of them could not be ended; or the settings are at fault, and nothing of it runs.
    """
    return stop_instance(_place_of(project), timeout)


def _place_of(project: Path) -> InstancePlace:
    """Return where the project's instance lives; also with settings that were broken since it began, if there is something to end."""
    try:
        return Place(load_settings(project))
    except SettingsError:
        place = FolderPlace(project.resolve())
        if not find_instance(place).members:
            raise
        return place


def stop_instance(place: InstancePlace, timeout: float = POLITE_SECONDS) -> list[str]:
    """End all processes of an instance, as `stop` does."""
    if not place.home.exists():
        return _stop(place, timeout)
    with turn(place, TURN_SECONDS):
        return _stop(place, timeout)


def _stop(place: InstancePlace, timeout: float) -> list[str]:
    instance = find_instance(place)
    record = instance.record or read_record(place)
    notes = _about_file(place, instance)
    with Progress(f"{place.name}: Dagster is ending") as progress:
        ended = end_family(place, timeout, progress.show)
    remove_record(place)
    port = record.port if record is not None else place.port
    return [*notes, _about_processes(place, ended), *_about_port(port, ended)]


# Ending ---------------------------------------------------------------------------------------------------------------


def end_family(place: InstancePlace, timeout: float, waiting: Callable[[], None] = lambda: None) -> Ended:
    """End an instance's processes: first the one that runs it, which ends the others in order, then what is left, by force.

    Args:
        place: where the instance lives.
        timeout: seconds for them to end in order.
        waiting: is called now and then.

    Raises:
        PdbtError: some of them could not be ended.
    """
    start = time.monotonic()
    instance = find_instance(place)
    pid = instance.root.pid if instance.root is not None else None
    seen = {process.pid for process in instance.members}
    told: set[int] = set()
    while instance.members and time.monotonic() - start < timeout:
        waiting()
        for process in [instance.root] if instance.root is not None else instance.members:
            if process.pid not in told:
                _signal(process.terminate, process)
                told.add(process.pid)
        _wait(instance.members, min(LOOK_SECONDS, max(0.0, start + timeout - time.monotonic())))
        instance = find_instance(place)
        seen.update(process.pid for process in instance.members)
    killed = _kill(place, instance, waiting)
    return Ended(pid, len(seen | killed), len(killed), time.monotonic() - start)


def _kill(place: InstancePlace, instance: Instance, waiting: Callable[[], None]) -> set[int]:
    """Kill what is left, looking again until nothing is: a process may have been starting another one meanwhile."""
    killed: set[int] = set()
    deadline = time.monotonic() + KILL_SECONDS
    while instance.members:
        if time.monotonic() >= deadline:
            names = ", ".join(ports.describe(process) for process in instance.members)
            raise PdbtError(
                f"Still there after being killed: {names}.", "The system cannot end them now; try again later.", PIPELINE_FAILED
            )
        waiting()
        for process in instance.members:
            _signal(process.kill, process)
            killed.add(process.pid)
        _wait(instance.members, LOOK_SECONDS)
        instance = find_instance(place)
    return killed


def _signal(send: Callable[[], None], process: psutil.Process) -> None:
    """Send a signal to a process; psutil makes sure that the PID is still that one's."""
    import psutil

    try:
        send()
    except psutil.AccessDenied:
        owner = "another user"
        with contextlib.suppress(psutil.Error):
            owner = process.username()
        raise PdbtError(f"{ports.describe(process)} belongs to {owner}, and may not be ended by you.", "Stop it as that user.") from None
    except psutil.NoSuchProcess:
        return


def _wait(processes: Iterable[psutil.Process], timeout: float) -> None:
    import psutil

    psutil.wait_procs(list(processes), timeout)


# Telling --------------------------------------------------------------------------------------------------------------


def _about_file(place: InstancePlace, instance: Instance) -> list[str]:
    """Say what is wrong with the PID file, which is then removed."""
    if instance.record is not None or not place.pid_file.exists():
        return []
    record = read_record(place)
    if record is None:
        return [f"{place.pid_file} says nothing that can be checked; it was removed."]
    other = process_named(record.pid)
    now = f"is now {other}, which was left alone" if other else "is gone"
    return [f"{place.pid_file} was stale: PID {record.pid} {now}; the file was removed."]


def process_named(pid: int) -> str:
    """Return who has this PID; empty when nobody has."""
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else ports.describe(process)
    except psutil.Error:
        return ""


def _about_processes(place: InstancePlace, ended: Ended) -> str:
    name = place.name
    if not ended.ended:
        return f"{name}: Dagster is not running."
    what = f"PID {ended.pid}" if ended.pid is not None else "left behind by one that was killed"
    number = f"{ended.ended} process{'es' if ended.ended > 1 else ''}"
    force = f", {ended.killed} of them by force" if ended.killed else ""
    return f"{name}: Dagster stopped ({what}, {number}{force}) in {ended.seconds:.1f} s."


def _about_port(port: int, ended: Ended) -> list[str]:
    """Say whether the port is free now; who has it is somebody else. Nothing is said of a port that nobody knows."""
    if not port:
        return []
    if ports.is_free(port):
        return [f"Port {port} is free."] if ended.ended else []
    return [f"Port {port} is taken by {ports.who_has(port)}, which is not this project's and was left alone."]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Stop the project's Dagster, with all its processes.")
    parser.add_argument(
        "--timeout", type=seconds, default=POLITE_SECONDS, metavar="SECONDS", help="how long they may take before they are killed"
    )
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    return parser
