"""Cron expressions: whether one is, as Dagster has it, found out without Dagster, so that nothing is started for one that is none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HINT = 'Write minute hour day month weekday, as "*/5 * * * *" for every five minutes.'
_SHORT_FORMS = frozenset({"@hourly", "@midnight", "@daily", "@weekly", "@monthly", "@yearly", "@annually"})
_LAST_DAY = "l"  # of whatever month
_MOST_OF_A_WEEKDAY = 5  # that a month has
_FEBRUARY, _NOT_IN_FEBRUARY = {2}, ({30}, {31})

_ELEMENT = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]+))?")
_NTH_WEEKDAY = re.compile(r"([a-z]+-[a-z]+|[a-z0-9]+)#([0-9]+)")
_LAST_WEEKDAY = re.compile(r"l([0-9]+)")


@dataclass(frozen=True)
class _Field:
    """One of the five: its lowest and highest value, the names of values, and the numbers that mean another."""

    lowest: int
    highest: int
    names: Mapping[str, int] = field(default_factory=dict)
    alias: Mapping[int, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """Read a number or a name; raises ValueError for what is neither, or is too low or too high."""
        value = self.names[text] if text in self.names else int(text)
        value = self.alias.get(value, value)
        if not self.lowest <= value <= self.highest:
            raise ValueError(text)
        return value

    def values(self, text: str) -> set[int]:
        """Read what stands between two commas: the values that it means. Raises ValueError for what is none."""
        found = _ELEMENT.fullmatch(text)
        if found is None:
            raise ValueError(text)
        low, high, step = found.groups()
        if high is step is None and low != "*":
            return {self.number(low)}
        begin = self.lowest if low == "*" and high is None else self.number(low)
        end = self.highest if high is None else self.number(high)
        size = self.highest - self.lowest + 1
        if begin == end:  # Monday to Monday is the whole week
            begin, end = self.lowest, self.highest
        # Friday to Monday goes on behind the last day of the week; a step of 0 is range's own ValueError.
        return {self.lowest + (begin - self.lowest + passed) % size for passed in range(0, (end - begin) % size + 1, int(step or 1))}


_MINUTE, _HOUR, _DAY = _Field(0, 59), _Field(0, 23), _Field(1, 31)
_MONTH = _Field(1, 12, {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)})
_WEEKDAY = _Field(0, 6, {name: number for number, name in enumerate("sun mon tue wed thu fri sat".split())}, {7: 0})


def is_cron(text: str) -> bool:
    """Whether Dagster takes this as a schedule: five fields, or a short form as ``@daily``.

    Refused beside what Dagster refuses are days and months of the number 0, and its minutes and hours at random, ``R``.
    """
    lowered = text.lower()
    fields = lowered.split()
    if lowered in _SHORT_FORMS or len(fields) != 5:
        return lowered in _SHORT_FORMS
    minute, hour, day, month, weekday = fields
    try:
        _values(_MINUTE, minute.split(","))
        _values(_HOUR, hour.split(","))
        days = _days(day)
        months = _values(_MONTH, month.split(","))
        _check_weekdays(weekday)
    except ValueError:
        return False
    return months != _FEBRUARY or days not in _NOT_IN_FEBRUARY


def _values(of: _Field, elements: Iterable[str]) -> set[int]:
    return {value for element in elements for value in of.values(element)}


def _days(text: str) -> set[int]:
    """Read the days of the month; the last one, ``L``, is no number, and may end a range."""
    elements = ["*"] if text == "?" else text.split(",")
    days = _values(_DAY, (re.sub(r"-l(?=/|$)", f"-{_DAY.highest}", element) for element in elements if element != _LAST_DAY))
    return days | ({0} if _LAST_DAY in elements else set())


def _check_weekdays(text: str) -> None:
    """Refuse what are no weekdays: raises ValueError; ``5#2`` is a month's second Friday, ``L5`` its last."""
    plain: set[int] = set()
    counted: set[int] = set()
    elements = ["*"] if text == "?" else text.split(",")
    for element in elements:
        nth, last = _NTH_WEEKDAY.fullmatch(element), _LAST_WEEKDAY.fullmatch(element)
        if nth is not None and not 1 <= int(nth[2]) <= _MOST_OF_A_WEEKDAY:
            raise ValueError(element)
        if nth is not None:
            counted |= _WEEKDAY.values(nth[1])
        elif last is not None:
            counted |= _WEEKDAY.values(last[1])
        elif element != "*":
            plain |= _WEEKDAY.values(element)
    # Dagster takes seven different elements for the whole week, and counts the star as one of them.
    whole = len(plain | counted) + ("*" in elements) == _WEEKDAY.highest + 1
    if counted and plain - counted and not whole:
        raise ValueError(text)  # Dagster does not know which of the two such a day is
