"""A run for each value of a parameter, in order; what ended well is not done again when the same is asked for once more."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..engine.errors import DONE, PIPELINE_FAILED, PdbtError
from ..engine.settings import Parameter
from .backfill_record import BEGUN, Entry, Record, identity, open_record
from .backfill_values import Bound, values_between, values_listed
from .cloud import CloudResult, Target, await_end, begun_as, find_target, submit
from .following import DONE as WELL_DONE
from .following import LOST, PARTIAL
from .local import RunResult, Typed, check_parameters_here, run_local, written
from .remote import find_run
from .scripts import find_home

NOT_RUN, FAILED = "not run", "failed"
RECORD = "backfill.jsonl"
_WELL = (WELL_DONE, PARTIAL)

Tell = Callable[[str], None]


@dataclass(frozen=True)
class BackfillValue:
    """What became of one value.

    Attributes:
        value: the value, as one would type it.
        status: as that of a `RunResult` or `CloudResult`; ``not run``, when the backfill was stopped before.
        earlier: it ended well in an earlier backfill, and was not run now.
        seconds: how long its run took.
        error: what went wrong; None when nothing did.
        url: where a person sees its run on a deployment; empty for a run here.
    """

    value: str
    status: str
    earlier: bool = False
    seconds: float = 0.0
    error: str | None = None
    url: str = ""

    @property
    def ok(self) -> bool:
        """Whether its run was published."""
        return self.status in _WELL


@dataclass(frozen=True)
class BackfillResult:
    """What became of all values, in order."""

    values: tuple[BackfillValue, ...]

    @property
    def ok(self) -> bool:
        """Whether all of them are published."""
        return all(value.ok for value in self.values)

    @property
    def failed(self) -> tuple[BackfillValue, ...]:
        """Those that are not."""
        return tuple(value for value in self.values if not value.ok)

    @property
    def exit_code(self) -> int:
        """That of the command."""
        return DONE if self.ok else PIPELINE_FAILED


def backfill(
    project: str | os.PathLike[str] | None,
    parameter: str,
    first: Bound | None = None,
    last: Bound | None = None,
    *,
    values: Sequence[str] | None = None,
    step: int = 1,
    parameters: Mapping[str, Parameter] | None = None,
    cloud: bool = False,
    labels: Sequence[str] = (),
    full: bool = False,
    again: bool = False,
    stop_on_error: bool = False,
    lock_timeout: float | None = None,
    sample: bool = False,
    on_value: Callable[[BackfillValue], None] | None = None,
    tell: Tell | None = None,
) -> BackfillResult:
    """Run a project once for each value of a parameter, in order.

    Args:
        project: the project's folder, or its name; None means the nearest one around the working folder.
        parameter: the parameter's name.
        first: the first value: a day (``2026-01-31``), a month (``2026-01``) or a whole number.
        last: the last value.
        values: the values themselves, as one would type them, in place of `first` and `last`.
        step: how many days, months or ones it is from a value to the next.
        parameters: the values of other parameters, the same for all runs.
        cloud: run on a deployment instead of here.
        labels: what the deployment must serve.
        full: let each run make everything again.
        again: also run what ended well in an earlier backfill.
        stop_on_error: leave the other values when one fails.
        lock_timeout: seconds that a run here waits for another run of the project; None means what pdbt.toml says.
        sample: the project's sample is meant.
        on_value: is told what became of each value, as soon as it is known.
        tell: is told sentences for a person about a deployment.

    Returns:
        what became of each value; a run that fails is part of it, and raises nothing.

    Raises:
        PdbtError: nothing was run: there is no such project, parameter or deployment, or the values make no sense.
        RunInProgress: another backfill of the project is going.
    """
    wanted = _values(first, last, values, step)
    others = dict(parameters or {})
    if parameter in others:
        raise PdbtError(f"{parameter} is given twice: as what varies, and as {parameter}=….", "Leave one of them out.")
    place: _Place
    if cloud:
        place = _There(find_target(project, sample=sample), tuple(labels), full, tell)
    else:
        place = _Here(find_home(None if project is None else Path(project), sample=sample), full, lock_timeout)
    name = identity(place.identity, parameter, {key: written(value, has_kind=False) for key, value in others.items()})
    with open_record(place.record) as record:
        work = _Work(place, record, name, parameter, others, again)
        return BackfillResult(tuple(_done(work, wanted, stop_on_error, on_value or _nothing)))


def _values(first: Bound | None, last: Bound | None, values: Sequence[str] | None, step: int) -> list[str]:
    if values is not None and first is None and last is None:
        return values_listed(values)
    if values is None and first is not None and last is not None:
        return values_between(first, last, step)
    raise PdbtError("A backfill goes from one value to another, or through a list.", "Give --from and --to, or --values.")


def _nothing(value: BackfillValue) -> None:
    """Tell nobody."""


# Where the runs are ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """Where the runs of a backfill are."""

    @property
    def identity(self) -> str:
        """What tells it from other places."""
        raise NotImplementedError

    @property
    def record(self) -> Path:
        """The file that remembers what became of each value."""
        raise NotImplementedError

    def check(self, parameters: Mapping[str, Parameter]) -> None:
        """Refuse parameters that no run would take."""

    def run(self, parameters: Mapping[str, Parameter], request: str) -> RunResult:
        """Run to the end; a run that is elsewhere can be found by its `request`."""
        raise NotImplementedError

    def taken_up(self, request: str) -> RunResult | None:
        """Return how the run ended that an earlier backfill began and did not see end; None when there is none."""
        return None


@dataclass(frozen=True)
class _Here(_Place):
    home: Path
    full: bool
    lock_timeout: float | None

    @property
    def identity(self) -> str:
        return "here"

    @property
    def record(self) -> Path:
        return self.home / "macro" / RECORD

    def check(self, parameters: Mapping[str, Parameter]) -> None:
        check_parameters_here(self.home, parameters)

    def run(self, parameters: Mapping[str, Parameter], request: str) -> RunResult:
        return run_local(self.home, parameters, full=self.full, lock_timeout=self.lock_timeout)


@dataclass(frozen=True)
class _There(_Place):
    target: Target
    labels: tuple[str, ...]
    full: bool
    tell: Tell | None

    @property
    def identity(self) -> str:
        return self.target.known.choose(self.labels).url

    @property
    def record(self) -> Path:
        if self.target.home is not None:
            return self.target.home / "macro" / RECORD
        return self.target.known.files[-1].parent / ".pdbt" / "backfill" / f"{self.target.name}.jsonl"

    def run(self, parameters: Mapping[str, Parameter], request: str) -> RunResult:
        return await_end(submit(self.target, self.labels, parameters, request=request, full=self.full), tell=self.tell)

    def taken_up(self, request: str) -> RunResult | None:
        deployment = self.target.known.choose(self.labels)
        run_id = find_run(deployment, request)
        return await_end(begun_as(deployment, run_id), tell=self.tell) if run_id is not None else None


# The work -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Work:
    """What is the same for all values."""

    place: _Place
    record: Record
    backfill: str
    parameter: str
    others: Mapping[str, Parameter]
    again: bool

    def given(self, value: str) -> dict[str, Parameter]:
        return {**self.others, self.parameter: Typed(value)}


def _done(work: _Work, values: Sequence[str], stop_on_error: bool, told: Callable[[BackfillValue], None]) -> list[BackfillValue]:
    found: list[BackfillValue] = []
    begun = False
    for place, value in enumerate(values):
        earlier = work.record.last(work.backfill, value)
        if earlier is not None and earlier.status in _WELL and not work.again:
            outcome = BackfillValue(value, earlier.status, earlier=True)
            goes_on = True
        else:
            if not begun:
                work.place.check(work.given(value))
            outcome, goes_on = _one(work, value, earlier, first=not begun)
            begun = True
        found.append(outcome)
        told(outcome)
        if not goes_on or (stop_on_error and not outcome.ok):
            return [*found, *(_left(work, rest) for rest in values[place + 1 :])]
    return found


def _left(work: _Work, value: str) -> BackfillValue:
    """Return what is known of a value that is not come to."""
    earlier = work.record.last(work.backfill, value)
    if earlier is not None and earlier.status in _WELL and not work.again:
        return BackfillValue(value, earlier.status, earlier=True)
    return BackfillValue(value, NOT_RUN)


def _one(work: _Work, value: str, earlier: Entry | None, *, first: bool) -> tuple[BackfillValue, bool]:
    """Run one value; return what became of it, and whether it makes sense to go on with the next.

    Raises:
        PdbtError: it could not be run, and was the first.
    """
    try:
        result = _ran(work, value, earlier)
    except PdbtError as error:  # not of this value: settings, the deployment
        if first:
            raise
        return BackfillValue(value, FAILED, error=str(error)), False
    except KeyboardInterrupt as error:
        error.add_note(f"Stopped at {work.parameter}={value}. The same command goes on there.")
        raise
    url = result.url if isinstance(result, CloudResult) else ""
    return BackfillValue(value, result.status, seconds=result.seconds, error=result.error, url=url), result.status != LOST


def _ran(work: _Work, value: str, earlier: Entry | None) -> RunResult:
    record = work.record
    if earlier is not None and earlier.status == BEGUN and not work.again:
        result = work.place.taken_up(earlier.request)
        if result is not None and (result.ok or result.status == LOST):
            if result.ok:
                record.add(replace(earlier, status=result.status))
            return result
    begun = Entry(work.backfill, value, BEGUN, request=str(uuid.uuid4()))
    record.add(begun)
    result = work.place.run(work.given(value), begun.request)
    if result.status != LOST:  # how a lost run ends is asked for the next time
        record.add(replace(begun, status=result.status))
    return result
