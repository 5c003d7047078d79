"""Launch a project's Dagster: what ``macro/dagster-run-process-launch.py`` does."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..door import seconds, through_the_door
from ..errors import DONE, PIPELINE_FAILED, PdbtError
from ..report import say
from ..settings import load_settings
from ..settings_rules import HIGHEST_PORT, LOWEST_PORT
from . import foreground, page, ports
from .identity import FOREGROUND, PORT, Record, find_instance, read_record, remove_record, write_record
from .libraries import require
from .logfile import rotate, size
from .place import InstancePlace, Place, page_url
from .starting import DiedStarting, Starting
from .stop import end_family
from .turn import turn

READY_SECONDS = 120.0
TURN_SECONDS = 60.0  # an instance that is being stopped takes some
LEFTOVER_SECONDS = 5.0


@dataclass(frozen=True)
class LaunchOptions:
    """What the command line says of a launch.

    Attributes:
        port: where the page is to answer; None means what pdbt.toml says, or the database type.
        wait: wait until the page can list the project's assets.
        timeout: seconds to wait for that.
    """

    port: int | None = None
    wait: bool = True
    timeout: float = READY_SECONDS


@dataclass(frozen=True)
class Launched:
    """An instance that runs.

    Attributes:
        place: where it lives.
        record: who runs it.
        before: it ran before this launch.
        loaded: what its page has of its projects; None when it was not waited for.
    """

    place: InstancePlace
    record: Record
    before: bool = False
    loaded: page.Loaded | None = None


def main(project: Path, script: Path, arguments: Sequence[str] | None = None) -> int:
    """Launch a project's Dagster from the command line.

    Args:
        project: the project's folder.
        script: the script that calls this, absolute: it is started again, as the instance.
        arguments: the command line's words; those of the process by default.

    Returns:
        The exit code: 0 it runs, 1 it did not come up, 2 something to mend.
    """
    words = _parser().parse_args(arguments)

    def carry_out() -> int:
        if words.foreground:
            return run_here(Place(load_settings(project)), command_of(script), words.port)
        try:
            launched = launch(project, script, LaunchOptions(words.port, not words.no_wait, words.timeout))
        except DiedStarting as error:
            say("\n".join(error.lines), sys.stderr)
            raise
        say(describe(launched, waited=not words.no_wait), sys.stdout)
        return DONE

    return through_the_door(carry_out, debug=words.debug, interrupted="Not waited for; a Dagster that was started goes on starting.")


def launch(project: Path, script: Path, options: LaunchOptions) -> Launched:
    """Start a project's Dagster in the background, unless it runs.

    Args:
        project: the project's folder.
        script: the launch script, absolute.
        options: what is wanted.

    Raises:
        PdbtError: a library, the settings, the SQL or the port keeps it from starting, and nothing was started; or what was started
            died, or cannot load the project.
    """
    place = Place(load_settings(project))
    launched = launch_instance(place, command_of(script), options)
    if launched.loaded is not None and launched.loaded.faults:
        raise _not_loaded(place, next(iter(launched.loaded.faults.values())), launched.record.port)
    return launched


def command_of(script: Path) -> list[str]:
    """Return the command of a project's launch script."""
    return [sys.executable, str(script)]


def launch_instance(place: InstancePlace, command: Sequence[str], options: LaunchOptions) -> Launched:
    """Start an instance in the background, unless it runs.

    Args:
        place: where it lives.
        command: what is started again, as the instance.
        options: what is wanted.

    Returns:
        what runs; projects that it cannot load are in it, and raise nothing.

    Raises:
        PdbtError: something keeps it from starting, and nothing was started; or what was started died.
    """
    require("Launching")
    with _my_turn(place):
        record = _running(place)
        if record is not None:
            return Launched(place, record, before=True)
        port = _prepare(place, options.port)
        rotate(place.log_file)
        log_start = size(place.log_file)
        process = foreground.start(place, command, port)
        starting = Starting(place, process, log_start, time.monotonic() + options.timeout)
        record = starting.wait_for_record()
    return Launched(place, record, loaded=starting.wait_for_page(port) if options.wait else None)


def run_here(place: InstancePlace, command: Sequence[str], port: int | None) -> int:
    """Be the instance in this process, until Ctrl-C or SIGTERM.

    Raises:
        PdbtError: a library, the settings, the SQL or the port keeps it from starting.
    """
    require("Launching")
    port = port or place.port
    if foreground.was_launched(place):
        foreground.claim(place, port)
    else:
        foreground.become_marked(place, command, port)
        with _my_turn(place):
            record = _running(place)
            if record is not None:
                say(describe(Launched(place, record, before=True)), sys.stdout)
                return DONE
            _prepare(place, port)
            foreground.claim(place, port)
        say(f"{place.name}: Dagster at {page_url(port)} until Ctrl-C.", sys.stdout)
    foreground.serve_until_ended(place, port)
    return DONE


def describe(launched: Launched, *, waited: bool = True) -> str:
    """Tell a person what runs, where, and how it is stopped."""
    record, place = launched.record, launched.place
    name = place.name
    if launched.before:
        return f"{name}: Dagster is already running at {record.url} (PID {record.pid}) since {record.since_text}."
    verb = "is running" if waited else "is starting"
    lines = [f"{name}: Dagster {verb} at {record.url} (PID {record.pid}).", f"Log:  {place.log_file}"]
    return "\n".join([*lines, f"Stop: {place.stop_command}"] if place.stop_command else lines)


# Before anything is started -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _my_turn(place: InstancePlace) -> Iterator[None]:
    with turn(place, TURN_SECONDS) as mine:
        if not mine:
            raise PdbtError(
                f"Another launch or stop of {place.name} has been going on for {TURN_SECONDS:g} s.",
                f"Look at {place.log_file}, and try again.",
            )
        yield


def _running(place: InstancePlace) -> Record | None:
    """Return who runs the instance, if somebody does; its PID file is written again if it was lost."""
    instance = find_instance(place)
    if instance.record is not None and read_record(place) != instance.record:
        write_record(place, instance.record)
    return instance.record


def _prepare(place: InstancePlace, port: int | None) -> int:
    """Make sure that the instance can start; nothing is started. Returns the port that it can have."""
    place.check()
    left = end_family(place, LEFTOVER_SECONDS)
    if left.ended:
        say(f"Ended {left.ended} processes that a killed Dagster of {place.name} had left behind.", sys.stderr)
    remove_record(place)
    port = port or place.port
    if not ports.is_free(port):
        raise _port_taken(place, port)
    return port


def _port_taken(place: InstancePlace, port: int) -> PdbtError:
    free = ports.free_port_near(port)
    other = f"{PORT} {free} for once, or [dagster] port = {free} in {place.port_setting}" if free else "another port"
    return PdbtError(f"Port {port} is taken by {ports.who_has(port)}.", f"Use {other}.")


def _not_loaded(place: InstancePlace, fault: str, port: int) -> PdbtError:
    return PdbtError(
        f"Dagster runs, but cannot load the project: {place.redact(fault)}",
        f"Mend it; the page at {page_url(port)} then loads it by itself, or at Deployment > Reload.",
        PIPELINE_FAILED,
    )


# The command line -----------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Start the project's Dagster in the background: page, schedule and sensor.")
    parser.add_argument(PORT, type=_port, metavar="PORT", help="where the page answers, instead of the port of pdbt.toml")
    parser.add_argument("--no-wait", action="store_true", help="do not wait until the page can list the project's assets")
    parser.add_argument("--timeout", type=seconds, default=READY_SECONDS, metavar="SECONDS", help="how long to wait for that")
    parser.add_argument(FOREGROUND, action="store_true", help="run in this terminal until Ctrl-C, as containers and supervisors want it")
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    return parser


def _port(text: str) -> int:
    value = int(text)
    if not LOWEST_PORT <= value <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"a port, {LOWEST_PORT} to {HIGHEST_PORT}")
    return value
