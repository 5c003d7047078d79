"""The values that a backfill goes through: days, months or whole numbers from one to another, or a list."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence

from ..engine.errors import PdbtError

# A backfill of more runs than this is a slip of the pen.
MOST_VALUES = 100_000
_DAY, _MONTH, _NUMBER = "a day", "a month", "a whole number"
_FORMS = ((re.compile(r"\d{4}-\d{2}-\d{2}"), _DAY), (re.compile(r"\d{4}-\d{2}"), _MONTH), (re.compile(r"[+-]?\d{1,18}"), _NUMBER))

Bound = str | int | datetime.date


def values_between(first: Bound, last: Bound, step: int = 1) -> list[str]:
    """Return the values from one to another, both included, as somebody would type them.

    Args:
        first: a day as ``2026-01-31``, a month as ``2026-01``, or a whole number.
        last: the same.
        step: how many days, months or ones it is from a value to the next.

    Raises:
        PdbtError: they are no such values, not of one kind, or in the wrong order, or there are too many.
    """
    (kind, begin), (other, end) = _counted(first), _counted(last)
    if kind != other:
        raise PdbtError(f"{first} is {kind}, and {last} is {other}.", "Give two values of one kind.")
    if step < 1:
        raise PdbtError(f"A step of {step} leads nowhere.", "It must be 1 or more.")
    if begin > end:
        raise PdbtError(f"{first} comes after {last}.", "Give the first value first.")
    count = (end - begin) // step + 1
    if count > MOST_VALUES:
        raise PdbtError(f"From {first} to {last} there are {count:,} values.", f"A backfill goes through {MOST_VALUES:,} at most.")
    return [_written(kind, number) for number in range(begin, end + 1, step)]


def values_listed(values: Sequence[str]) -> list[str]:
    """Return these values, each once, in their order.

    Raises:
        PdbtError: there is none, or one is empty.
    """
    if not values or not all(values):
        raise PdbtError("A value of the list is empty.", "Write for example: --values red,green,blue")
    return list(dict.fromkeys(values))


def _counted(bound: Bound) -> tuple[str, int]:
    """Return the kind of a value, and its place among those of its kind."""
    text = str(bound)
    kind = next((kind for form, kind in _FORMS if form.fullmatch(text)), None)
    try:
        if kind == _DAY:
            return kind, datetime.date.fromisoformat(text).toordinal()
        if kind == _MONTH:
            day = datetime.date.fromisoformat(f"{text}-01")
            return kind, day.year * 12 + day.month - 1
        if kind == _NUMBER:
            return kind, int(text)
    except ValueError:  # a form without a day, as 2026-02-30
        pass
    raise PdbtError(f"{text} is no day, month or whole number.", "Write 2026-01-31, 2026-01 or 7; other values as --values a,b,c")


def _written(kind: str, number: int) -> str:
    if kind == _DAY:
        return datetime.date.fromordinal(number).isoformat()
    return f"{number // 12:04}-{number % 12 + 1:02}" if kind == _MONTH else str(number)


def counted_by_status(statuses: Iterator[str]) -> str:
    """Say how many there are of each, as ``29 done, 2 failed``."""
    counts: dict[str, int] = {}
    for status in statuses:
        counts[status] = counts.get(status, 0) + 1
    return ", ".join(f"{count:,} {status}" for status, count in counts.items())
