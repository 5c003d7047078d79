"""What `pdbt run --cloud` and `pdbt backfill` share: parameters as they are typed, and what is printed of runs."""

from __future__ import annotations

import contextlib
import signal
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from ..engine.errors import PdbtError
from .words import counted

if TYPE_CHECKING:
    from ..project.backfill import BackfillResult, BackfillValue
    from ..project.cloud import CloudResult
    from ..project.local import Typed


def run_on_deployment(
    project: Path | None, labels: Sequence[str], parameters: Sequence[str], *, full: bool, wait: bool, sample: bool, quiet: bool
) -> int:
    """Run a project on a deployment, and print what becomes of it; return the exit code."""
    from ..project.cloud import await_end, find_target, submit

    given = typed(parameters)
    target = find_target(project, sample=sample)
    with interruptible():
        begun = submit(target, labels, given, request=str(uuid.uuid4()), full=full)
        result = begun.result
        if not quiet:
            typer.echo(f"{target.name}: run {result.run_id} has begun on {result.deployment}: {result.url}")
        if wait:
            result = await_end(begun, tell=tell)
            _show_end(target.name, result, quiet=quiet)
    return result.exit_code


def typed(parameters: Sequence[str]) -> dict[str, Typed]:
    """Return ``name=value`` texts by name.

    Raises:
        SettingsError: one is none.
    """
    from ..engine.parameters import split_override
    from ..project.local import Typed

    return {name: Typed(text) for name, text in map(split_override, parameters)}


def varying(parameters: Sequence[str]) -> tuple[str, dict[str, Typed]]:
    """Return the one name without a value, and the others by name.

    Raises:
        PdbtError: there is not one name without a value.
    """
    names = [parameter for parameter in parameters if "=" not in parameter]
    if len(names) != 1 or not names[0].isidentifier():
        given = f"--param {' --param '.join(names)}: one parameter varies." if names else "No parameter is said to vary."
        raise PdbtError(given, "Name one without a value, as --param day")
    return names[0], typed([parameter for parameter in parameters if "=" in parameter])


def refuse_together(what: str, options: Mapping[str, bool], hint: str = "Leave it out.") -> None:
    """Refuse options that do not go with something.

    Raises:
        PdbtError: some are given.
    """
    given = [option for option, is_given in options.items() if is_given]
    if given:
        raise PdbtError(f"{' and '.join(given)} {'do' if len(given) > 1 else 'does'} not go with {what}.", hint)


def tell(sentence: str) -> None:
    """Print a sentence beside what is printed for programs."""
    typer.echo(sentence, err=True)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM be what Ctrl-C is, and print what the interrupted work says of itself."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        for note in getattr(interrupt, "__notes__", ()):
            tell(note)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def show_value(value: BackfillValue) -> None:
    """Print a line for a value of a backfill."""
    typer.echo(f"{value.value}  {value.status} earlier" if value.earlier else f"{value.value}  {value.status}  {value.seconds:.2f} s")


def show_backfill(result: BackfillResult, *, quiet: bool) -> None:
    """Print how a backfill ended, and a line for each value that failed."""
    from ..project.backfill_values import counted_by_status

    statuses = (f"{value.status} earlier" if value.earlier else value.status for value in result.values)
    if not quiet:
        typer.echo(f"{counted(len(result.values), 'value')}: {counted_by_status(statuses)}")
    for value in result.failed:
        if value.error is not None or value.url:
            tell(
                f"error: {value.value}: {' '.join(filter(None, (value.error, value.url if value.url not in (value.error or '') else '')))}"
            )
    if not result.ok:
        tell("hint: The same command runs again what did not end well, and nothing else.")


def _show_end(name: str, result: CloudResult, *, quiet: bool) -> None:
    if not quiet:
        typer.echo(f"{name}: {result.status} in {result.seconds:.2f} s, {counted(len(result.tables), 'table')}")
    if result.error is not None:
        tell(f"error: {result.error}")
