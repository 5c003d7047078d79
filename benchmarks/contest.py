"""What a comparison is: contestants that run in turn, and the bars that pdbt must stay under."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

from benchmarks.measure import Cost, measure

Quantity = Literal["seconds", "peak"]
MEGABYTE = 1_000_000


class Disagreement(Exception):
    """The contestants did not compute the same; comparing their speed would mean nothing."""


@dataclass(frozen=True)
class Contestant:
    """One side of a comparison.

    Attributes:
        name: how the report calls it.
        command: the program, as a full path, and its arguments.
        folder: the working directory of the command.
        reset: takes away what an earlier run left, so that each run starts alike; not timed.
        variables: what its environment has beside everybody's.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    reset: Callable[[], None] = lambda: None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bar:
    """What must hold between two contestants, or for one alone.

    Attributes:
        title: what is measured, as the report says it.
        ours: the name of the contestant that must stay under the bar.
        limit: the bar: a ratio to the rival, or bytes when there is no rival.
        rival: the name of the other contestant.
        quantity: seconds, or peak memory in bytes.
    """

    title: str
    ours: str
    limit: float
    rival: str | None = None
    quantity: Quantity = "seconds"


@dataclass(frozen=True)
class Contest:
    """Contestants that do the same work, measured in turn within one run of the benchmark.

    Attributes:
        name: what ``--only`` takes.
        contestants: in the order in which they take turns.
        bars: what must hold.
        agree: raises Disagreement unless the contestants' results, as their last run left them, are what they should be.
        large: whether it needs the 20 million orders.
    """

    name: str
    contestants: tuple[Contestant, ...]
    bars: tuple[Bar, ...]
    agree: Callable[[], None]
    large: bool = False


@dataclass(frozen=True)
class Outcome:
    """One bar and what was measured; the figures of all rounds, seconds or bytes, in the order of the rounds."""

    bar: Bar
    ours: tuple[float, ...]
    rival: tuple[float, ...]

    @property
    def figure(self) -> float:
        """The ratio of the medians, or the median itself when there is no rival."""
        return median(self.ours) / median(self.rival) if self.rival else median(self.ours)

    @property
    def met(self) -> bool:
        """Whether the bar holds."""
        return self.figure <= self.bar.limit


def hold(contest: Contest, runs: int, environment: Mapping[str, str], say: Callable[[str], None]) -> list[Outcome]:
    """Run the contestants in turn, first once unmeasured to compare results, then `runs` times measured.

    Args:
        contest: what to measure.
        runs: rounds; in each, every contestant runs once.
        environment: the whole environment of the measured commands.
        say: told each measurement, for a person who waits.

    Raises:
        Disagreement: the contestants did not compute the same.
        CommandFailed: a contestant failed.
    """
    for contestant in contest.contestants:
        _turn(contestant, environment)
    contest.agree()
    costs: dict[str, list[Cost]] = {contestant.name: [] for contestant in contest.contestants}
    for number in range(1, runs + 1):
        for contestant in contest.contestants:
            cost = _turn(contestant, environment)
            costs[contestant.name].append(cost)
            say(f"{contest.name} {number}/{runs}  {contestant.name}: {cost.seconds:.3f} s, {cost.peak / MEGABYTE:.0f} MB")
    contest.agree()
    return [_outcome(bar, costs) for bar in contest.bars]


def _turn(contestant: Contestant, environment: Mapping[str, str]) -> Cost:
    """Measure one run from a clean start, with nobody's unwritten pages left to slow it down."""
    contestant.reset()
    os.sync()
    return measure(contestant.command, contestant.folder, {**environment, **contestant.variables})


def _outcome(bar: Bar, costs: Mapping[str, list[Cost]]) -> Outcome:
    def figures(name: str | None) -> tuple[float, ...]:
        return tuple(getattr(cost, bar.quantity) for cost in costs[name]) if name else ()

    return Outcome(bar, figures(bar.ours), figures(bar.rival))
