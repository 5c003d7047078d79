"""Dates and times as people write them: what a value could be, and what a column of them proves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from typing import NamedTuple

YEAR_FIRST = "year first"
_MONTHS = "January February March April May June July August September October November December".split()
_MONTH_NUMBER = {name[:size].lower(): number for number, name in enumerate(_MONTHS, start=1) for size in (3, len(name))}
_MONTH = f"(?:{'|'.join(name[:3] + (f'(?:{name[3:]})?' if name[3:] else '') for name in _MONTHS)})"

_CLOCK = "[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,6})?)?"
_HALF_DAY = "(?: ?[AaPp][Mm])"
_ZONE = " ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
_AFTER_DATE = f"(?: {_CLOCK}{_HALF_DAY}?)?"
TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,6})?)?"


@dataclass(frozen=True)
class DateOrder:
    """An order of day, month and year with its separators.

    Attributes:
        name: what it is called.
        pattern: of the date alone; case does not matter.
        formats: DuckDB's strptime formats of the date alone; empty for YEAR_FIRST, which is read by a cast.
    """

    name: str
    pattern: str
    formats: tuple[str, ...] = ()


def _numeric(name: str, mark: str, order: str) -> DateOrder:
    return DateOrder(f"{name} {mark}", f"[0-9]{{1,2}}[{mark}][0-9]{{1,2}}[{mark}][0-9]{{4}}", (order.replace(" ", mark),))


ORDERS = (
    DateOrder(YEAR_FIRST, "[0-9]{4}(?:-[0-9]{1,2}-[0-9]{1,2}|/[0-9]{1,2}/[0-9]{1,2}| [0-9]{1,2} [0-9]{1,2})"),
    *(_numeric("day first", mark, "%d %m %Y") for mark in "/.-"),
    *(_numeric("month first", mark, "%m %d %Y") for mark in "/.-"),
    DateOrder("day and month's name", f"[0-9]{{1,2}} {_MONTH} [0-9]{{4}}", ("%d %b %Y", "%d %B %Y")),
    DateOrder("day-month's name", f"[0-9]{{1,2}}-{_MONTH}-[0-9]{{4}}", ("%d-%b-%Y", "%d-%B-%Y")),
    DateOrder("month's name and day", f"{_MONTH} [0-9]{{1,2}},? [0-9]{{4}}", ("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y")),
)
_BY_NAME = {order.name: order for order in ORDERS}


def order_named(name: str) -> DateOrder:
    """Return an order by its name."""
    return _BY_NAME[name]


_NUMERIC = re.compile("([0-9]{1,2})([/.-])([0-9]{1,2})[/.-]([0-9]{4})(.*)")
_YEAR_FIRST = re.compile(f"([0-9]{{4}})([-/ ])([0-9]{{1,2}})\\2([0-9]{{1,2}})(?:[T ]({_CLOCK})({_ZONE})?)?")
_NAMED = re.compile(f"(?:([0-9]{{1,2}})([ -])({_MONTH})\\2|({_MONTH}) ([0-9]{{1,2}}),? )([0-9]{{4}})({_AFTER_DATE})", re.IGNORECASE)
_TIME_OF_DAY = re.compile(f"(?: ({_CLOCK})({_HALF_DAY})?)?")
_TIME = re.compile(TIME)


class DateShape(NamedTuple):
    """What one date could be.

    Attributes:
        orders: the names of the orders in which it is a day of the calendar.
        kind: ``date``, ``timestamp``, ``timestamptz`` or ``time``.
    """

    orders: frozenset[str]
    kind: str


DATE_ORDERS = {"DMY": "day first", "MDY": "month first", "YMD": YEAR_FIRST}
"""Values of the setting for the order of dates, and how the names begin of the orders that each means."""

_IS_YEAR_FIRST = frozenset({YEAR_FIRST})


def date_shape(text: str) -> DateShape | None:
    """Return what a trimmed value could be as a date or a time; None when it is none (31/02/2024 is none)."""
    if len(text) > 40:
        return None
    return _year_first(text) or _day_or_month_first(text) or _month_named(text) or _time_alone(text)


def in_order(shape: DateShape, said: str) -> DateShape | None:
    """Return what a date is when the order of days and months was said; None when it is a date in another order only.

    Names of months and a year that stands first leave nothing to be said.
    """
    others = tuple(name for order, name in DATE_ORDERS.items() if order != said and name != YEAR_FIRST)
    orders = frozenset(name for name in shape.orders if not name.startswith(others))
    return DateShape(orders, shape.kind) if orders or not shape.orders else None


def _year_first(text: str) -> DateShape | None:
    match = _YEAR_FIRST.fullmatch(text)
    if not match:
        return None
    year, _, month, day, clock, zone = match.groups()
    if not _exists(year, month, day, clock) or (zone and not _zone_exists(zone)):
        return None
    kind = "timestamptz" if zone else "timestamp" if clock else "date"
    return DateShape(_IS_YEAR_FIRST, kind)


def _day_or_month_first(text: str) -> DateShape | None:
    match = _NUMERIC.fullmatch(text)
    if not match:
        return None
    first, mark, second, year, rest = match.groups()
    moment = _TIME_OF_DAY.fullmatch(rest)
    if not moment or text[len(first) + 1 + len(second)] != mark:
        return None
    clock, half = moment.groups()
    orders = set()
    if _exists(year, second, first, clock, half):
        orders.add(f"day first {mark}")
    if _exists(year, first, second, clock, half):
        orders.add(f"month first {mark}")
    return DateShape(frozenset(orders), "timestamp" if clock else "date") if orders else None


def _month_named(text: str) -> DateShape | None:
    match = _NAMED.fullmatch(text)
    if not match:
        return None
    day, mark, month, american_month, american_day, year, rest = match.groups()
    moment = _TIME_OF_DAY.fullmatch(rest)
    clock, half = moment.groups() if moment else (None, None)
    number = _MONTH_NUMBER[(month or american_month).lower()]
    if not _exists(year, str(number), day or american_day, clock, half):
        return None
    name = "month's name and day" if american_month else "day-month's name" if mark == "-" else "day and month's name"
    return DateShape(frozenset({name}), "timestamp" if clock else "date")


def _time_alone(text: str) -> DateShape | None:
    return DateShape(frozenset(), "time") if _TIME.fullmatch(text) else None


def _exists(year: str, month: str, day: str, clock: str | None = None, half: str | None = None) -> bool:
    try:
        datetime(int(year), int(month), int(day))
        if clock:
            hour, minute, *second = clock.split(":")
            time(int(hour), int(minute), int(second[0].partition(".")[0]) if second else 0)
            return not half or 1 <= int(hour) <= 12
    except ValueError:
        return False
    return True


def _zone_exists(zone: str) -> bool:
    digits = re.sub("[^0-9]", "", zone)
    return int(digits[:2] or 0) <= 14 and int(digits[2:] or 0) < 60


@dataclass(frozen=True)
class DateColumn:
    """What a column of dates is.

    Attributes:
        type: ``DATE``, ``TIMESTAMP``, ``TIMESTAMP WITH TIME ZONE``, ``TIME``; empty when the values cannot be one.
        order: the order of day, month and year; None for a TIME.
        undecided: the pattern that all values have as long as nothing proves their order; empty when it is proven or impossible.
    """

    type: str = ""
    order: DateOrder | None = None
    undecided: str = ""


def decide_dates(shapes: Iterable[DateShape]) -> DateColumn:
    """Decide what the dates of a column are from the shapes of all of them."""
    shapes = list(shapes)
    kinds = {shape.kind for shape in shapes}
    if kinds == {"time"}:
        return DateColumn("TIME")
    if "time" in kinds or ("timestamptz" in kinds and len(kinds) > 1):
        return DateColumn()
    orders = frozenset.intersection(*(shape.orders for shape in shapes))
    if not orders:
        return DateColumn()
    if len(orders) > 1:
        return DateColumn(undecided=_ambiguous(next(iter(orders))[-1]))
    column_type = "TIMESTAMP WITH TIME ZONE" if "timestamptz" in kinds else "TIMESTAMP" if "timestamp" in kinds else "DATE"
    return DateColumn(column_type, _BY_NAME[next(iter(orders))])


def _ambiguous(mark: str) -> str:
    small = "(?:0?[1-9]|1[0-2])"
    return f"{small}[{mark}]{small}[{mark}][0-9]{{4}}{_AFTER_DATE}"


def accepted(order: DateOrder, date_type: str) -> str:
    """Return the pattern, case apart, of the values that a column of this order and type holds."""
    if date_type == "DATE":
        return order.pattern
    if date_type == "TIMESTAMP WITH TIME ZONE":
        return f"{order.pattern}[T ]{_CLOCK}{_ZONE}"
    return f"{order.pattern}(?:[T ]{_CLOCK})?" if order.name == YEAR_FIRST else f"{order.pattern}{_AFTER_DATE}"


def strptime_formats(order: DateOrder, date_type: str) -> tuple[str, ...]:
    """Return DuckDB's strptime formats, one of which reads any accepted value of an order that is not YEAR_FIRST."""
    if date_type == "DATE":
        return order.formats
    clocks = ("", " %H:%M:%S", " %H:%M", " %H:%M:%S.%f", " %I:%M:%S %p", " %I:%M %p", " %I:%M:%S%p", " %I:%M%p")
    return tuple(date + clock for date in order.formats for clock in clocks)


_ISO_FORMATS = {
    re.compile(f"[0-9-]+{re.escape(mark)}{digits}{zone}"): f"%Y-%m-%d{mark}{clock}{zone}"
    for mark in " T"
    for digits, clock in (("[0-9:]{8}", "%H:%M:%S"), ("[0-9:]{8}[.][0-9]+", "%H:%M:%S.%f"), ("[0-9:]{5}", "%H:%M"))
    for zone in ("", "Z")
}
_ISO_FORMATS[re.compile("[0-9-]+")] = "%Y-%m-%d"


def common_formats(order: DateOrder, date_type: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return strptime formats of the values, the commonest first; empty when a cast is as good (a DATE) or there is none."""
    if date_type not in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE") or order.name != YEAR_FIRST:
        return ()
    found = Counter(form for value in values for pattern, form in _ISO_FORMATS.items() if pattern.fullmatch(value))
    wanted = date_type != "TIMESTAMP"
    return tuple(form for form, _ in found.most_common(3) if form.endswith("Z") == wanted)
