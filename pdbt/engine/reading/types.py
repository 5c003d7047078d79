"""What a column of text is: the one classifier of values, and the decision over all values of a column.

A `Reading` says how a column is read: its type and the pattern that every value must have. Whatever a reading's pattern
does not accept is a misfit that the load finds, and the decision is made again with it. Even a column of text may have a
pattern: as long as its values prove nothing (dates that are all before the 13th), any value that would is a misfit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from . import dates, numbers
from .dates import DateOrder, DateShape
from .numbers import PLAIN, NumberFormat, NumberShape

NULL_WORDS = ("NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "none", "nan", "NaN", "-", "--", "?", ".", "nil")
"""No value, in a column of numbers, dates or booleans; text anywhere else."""

WHITE_SPACE = " \t\n\r\v\f\u00a0\u2009\u202f\u3000"
"""What is trimmed from a value before it is looked at; a value of nothing else is NULL."""

EXCEPTIONS_SHARE = 0.02  # of a column's values may be rejected before the column is text instead
EXCEPTIONS_FROM = 50  # values that a column must have before any of them is an exception
_SUSPECTED_SHARE = 0.1  # in a sample: more than that may be few in the whole file, and is counted there

DATE_ORDER = "date_order"
DECIMAL = "decimal"

Kind = Literal["text", "empty", "boolean", "number", "date", "other"]


@dataclass(frozen=True)
class Reading:
    """How one column is read.

    Attributes:
        type: the DuckDB type of its values.
        kind: which rules turn text into values; ``empty`` has none, ``other`` is a type that only DuckDB knows.
        pattern: what a trimmed value must match in full, case apart for dates and booleans; empty accepts any text.
        form: the marks of numbers.
        order: the order of day, month and year of dates; None for times.
        forced: the type was said, not found.
        unknown: the setting that would say what some values mean; such values are misfits, or a column that only has such is text.
        common: DuckDB's strptime formats of most of the dates, which only make the load faster.
    """

    type: str = "VARCHAR"
    kind: Kind = "text"
    pattern: str = ""
    form: NumberFormat = PLAIN
    order: DateOrder | None = None
    forced: bool = False
    unknown: str = ""
    common: tuple[str, ...] = field(default=(), compare=False)

    @property
    def checked(self) -> bool:
        """Whether there are values that it does not accept."""
        return self.kind != "text" or self.pattern != ""


TEXT = Reading()
EMPTY = Reading(kind="empty")
BOOLEAN = Reading("BOOLEAN", "boolean", "true|false")


class Shape(NamedTuple):
    """What one value is, by itself: its family, and what it could be within it."""

    family: Literal["null", "code", "number", "date", "boolean", "other"]
    number: NumberShape | None = None
    date: DateShape | None = None


_NULL = Shape("null")
_CODE = Shape("code")
_BOOLEAN = Shape("boolean")
_OTHER = Shape("other")
_NULL_WORDS = frozenset(NULL_WORDS)
_DIGIT = re.compile("[0-9]")
_LIKE_A_DATE = re.compile("[0-9]{1,4}[-/.: ]")
_CODE_WITH_LETTERS = re.compile("[A-Za-z]{1,5}[-_/ .]?[0-9]+[A-Za-z]?|[0-9]+[-_/ ]?[A-Za-z]|[0-9]+-[0-9]+")


def shape(text: str) -> Shape:
    """Say what one trimmed value is."""
    if not text or text in _NULL_WORDS:
        return _NULL
    if not _DIGIT.search(text):
        return _BOOLEAN if text.lower() in ("true", "false") else _OTHER
    if text[0].isalpha():
        date = dates.date_shape(text)
        return Shape("date", date=date) if date else _OTHER
    number = numbers.ordinary_shape(text)
    date = dates.date_shape(text) if not number and _LIKE_A_DATE.match(text) else None
    if date:
        return Shape("date", date=date)
    number = number or numbers.number_shape(text)
    if number:
        return Shape("number", number=number)
    return _CODE if numbers.is_code(text) else _OTHER


@dataclass(frozen=True)
class Count:
    """How a whole column stands to a reading: its values that are not NULL, and how many of them are misfits."""

    values: int
    misfits: int


@dataclass
class Evidence:
    """What is known of a column's values.

    Attributes:
        seen: distinct trimmed values, with how often the sample had them.
        counts: for a reading, what the whole column was found to be.
        padded: some had white space around them.
        semicolons: the fields of their file are separated by semicolons.
        misfits: for a reading, the distinct trimmed values of the whole column that it does not accept, when they are few.
    """

    seen: Counter[str] = field(default_factory=Counter)
    counts: dict[Reading, Count] = field(default_factory=dict)

    padded: bool = False
    semicolons: bool = False
    misfits: dict[Reading, set[str]] = field(default_factory=dict)

    def add(self, values: Iterable[str]) -> None:
        """Take more values of the column into account, as written."""
        for value in values:
            text = value.strip(WHITE_SPACE)
            self.seen[text] += 1
            self.padded = self.padded or text != value

    def shapes(self, date_order: str | None = None) -> dict[str, Shape] | None:
        """Return each value that is not NULL with its shape; None as soon as they show that the column is text.

        Args:
            date_order: the order of dates, when it was said: a value that is a date in another order only is none.
        """
        found: dict[str, Shape] = {}
        others = 0
        bearable = sum(self.seen.values()) if self.counts else max(1, _SUSPECTED_SHARE * sum(self.seen.values()))
        for value, times in self.seen.items():
            what = shape(value)
            if date_order and what.date:
                date = dates.in_order(what.date, date_order)
                what = Shape("date", date=date) if date else _OTHER
            others += times if what.family == "other" else 0
            if what.family == "code" or others > bearable:
                return None
            if what.family != "null":
                found[value] = what
        return found


class Decision(NamedTuple):
    """How a column is read, whether some values are known not to fit, and the number format that it proves."""

    reading: Reading
    exceptions: bool = False
    proves: NumberFormat | None = None


def decide(evidence: Evidence, decimal: str | None = None, proven: NumberFormat | None = None, date_order: str | None = None) -> Decision:
    """Decide how a column is read.

    Args:
        evidence: its values.
        decimal: the decimal mark, when it was said.
        proven: the number format that other columns of the file prove.
        date_order: the order of dates, when it was said.
    """
    shapes = evidence.shapes(date_order)
    if shapes is None:
        return Decision(TEXT)
    families = {found.family for found in shapes.values()}
    if not families:
        return Decision(EMPTY)
    if "other" not in families:
        return _decide_family(shapes, decimal, proven, evidence.semicolons) if len(families) == 1 else Decision(TEXT)
    known = families - {"other"}
    if known not in ({"number"}, {"date"}):
        return Decision(TEXT)
    fitting = {value: found for value, found in shapes.items() if found.family != "other"}
    decision = _decide_family(fitting, decimal, proven, evidence.semicolons)
    others = [value for value in shapes if value not in fitting]
    if decision.reading.kind == "text" or not _few(evidence, decision.reading, others, shapes):
        return Decision(TEXT)
    if decision.reading.type == "BIGINT" and any(_CODE_WITH_LETTERS.fullmatch(value) for value in others):
        return Decision(TEXT)
    return Decision(decision.reading, True, decision.proves)


def _few(evidence: Evidence, reading: Reading, others: list[str], shapes: Mapping[str, Shape]) -> bool:
    """Whether the values that do not fit are rare exceptions; in a sample: whether they may be."""
    count = evidence.counts.get(reading)
    if count:
        return count.values >= EXCEPTIONS_FROM and count.misfits <= EXCEPTIONS_SHARE * count.values
    total = sum(evidence.seen[value] for value in shapes)
    return sum(evidence.seen[value] for value in others) <= max(1, _SUSPECTED_SHARE * total)


def _decide_family(shapes: Mapping[str, Shape], decimal: str | None, proven: NumberFormat | None, semicolons: bool) -> Decision:
    """Decide a column whose values are all of one known family."""
    family = next(iter(shapes.values())).family
    if family == "boolean":
        return Decision(BOOLEAN)
    if family == "date":
        return Decision(_date_reading({value: found.date for value, found in shapes.items() if found.date}))
    found = [one.number for one in shapes.values() if one.number]
    column = numbers.decide_numbers(shapes, found, decimal, proven, semicolons=semicolons)
    if not column.type:
        undecided = Reading(pattern=column.undecided, unknown=DECIMAL * column.ambiguous)
        return Decision(undecided if all(fits(undecided, value) for value in shapes) else TEXT)
    pattern = numbers.accepted(column.form, column.type)
    return Decision(Reading(column.type, "number", pattern, column.form), proves=column.form if column.proves else None)


def _date_reading(shapes: Mapping[str, DateShape]) -> Reading:
    column = dates.decide_dates(shapes.values())
    if not column.type:
        return Reading(pattern=column.undecided)
    if column.order is None:
        return Reading(column.type, "date", dates.TIME)
    common = dates.common_formats(column.order, column.type, shapes)
    return Reading(column.type, "date", dates.accepted(column.order, column.type), order=column.order, common=common)


def decide_all(
    columns: list[Evidence], decimal: str | None = None, forced: Mapping[int, str] | None = None, date_order: str | None = None
) -> list[Decision]:
    """Decide how the columns of a file are read; a number format that one column proves holds for those that prove none.

    Args:
        columns: the evidence of each.
        decimal: the decimal mark, when it was said.
        forced: the types that were said, by the column's place.
        date_order: the order of dates, when it was said.
    """
    forced = forced or {}
    decisions = [
        Decision(force(forced[place], evidence, decimal, date_order))
        if place in forced
        else decide(evidence, decimal, date_order=date_order)
        for place, evidence in enumerate(columns)
    ]
    proofs = {decision.proves for decision in decisions if decision.proves}
    if len({proof.decimal for proof in proofs}) != 1:
        return decisions
    proven = min(proofs, key=lambda proof: (not proof.group, numbers.FORMATS.index(proof)))
    for place, (evidence, decision) in enumerate(zip(columns, decisions, strict=True)):
        if place not in forced and _open_to_proof(decision):
            decisions[place] = decide(evidence, decimal, proven, date_order)
        elif place in forced:
            decisions[place] = Decision(force(forced[place], evidence, decimal, date_order, proven))
    return decisions


def _open_to_proof(decision: Decision) -> bool:
    reading = decision.reading
    return not decision.proves and (reading.pattern != "" if reading.kind == "text" else reading.kind == "number")


_INTEGER_TYPE = re.compile(r"U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|INT[1248]|LONG|SHORT|SIGNED")
_FRACTION_TYPE = re.compile(r"DOUBLE(?: PRECISION)?|FLOAT[48]?|REAL")
_DECIMAL_TYPE = re.compile(r"(?:DECIMAL|NUMERIC)(?:\(\s*[0-9]+\s*(?:,\s*([0-9]+)\s*)?\))?")
_TEXT_TYPE = re.compile(r"(?:VARCHAR|CHAR|BPCHAR|TEXT|STRING)(?:\([0-9]+\))?")
_DATE_TYPES = {
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "TIMESTAMP",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP WITH TIME ZONE",
}


_NOTHING = r"[^\s\S]"  # the pattern of a reading that cannot be known: every value is a misfit


def force(
    type_name: str, evidence: Evidence, decimal: str | None = None, date_order: str | None = None, proven: NumberFormat | None = None
) -> Reading:
    """Return the reading of a column whose type was said; its values only say how numbers and dates are written.

    Where they leave that open, the reading accepts no value and names the setting that says it.
    """
    name = " ".join(type_name.upper().split())
    if _TEXT_TYPE.fullmatch(name):
        return Reading(forced=True)
    if name in _DATE_TYPES:
        return _force_date(_DATE_TYPES[name], evidence, date_order)
    decimals = _DECIMAL_TYPE.fullmatch(name)
    if decimals or _INTEGER_TYPE.fullmatch(name) or _FRACTION_TYPE.fullmatch(name):
        form, certain = _commonest_format(evidence, decimal, proven)
        if not certain and not _INTEGER_TYPE.fullmatch(name):
            return Reading(name, "number", _NOTHING, form, forced=True, unknown=DECIMAL)
        zeros = "[+-]?0*"  # a leading zero may go, since the type was said
        if decimals:
            scale = int(decimals[1] or (0 if "(" in name else 3))
            pattern = f"{zeros}(?:{form.integer}|{form.decimals(scale)}0*|{zeros}[0-9]*)"
        elif _FRACTION_TYPE.fullmatch(name):
            pattern = f"{zeros}(?:{form.integer}|{form.fraction}|[0-9]+)"
        else:
            pattern = f"{zeros}(?:{form.integer}|[0-9]+)"
        return Reading(name, "number", pattern, form, forced=True)
    return Reading(type_name, "other", forced=True)


def _commonest_format(evidence: Evidence, decimal: str | None, proven: NumberFormat | None) -> tuple[NumberFormat, bool]:
    """Return the number format that most values have, and if it is certain; of equal ones that of the proven mark, or the plainest.

    ``1,234`` in every row that has a mark may be a decimal or a thousand, which leaves two that are equal.
    """
    patterns = {form: re.compile(f"{form.integer}|{form.fraction}") for form in numbers.FORMATS if decimal in (None, form.decimal)}
    votes = {form: sum(times for value, times in evidence.seen.items() if pattern.fullmatch(value)) for form, pattern in patterns.items()}
    best = max(votes, key=lambda form: (votes[form], proven is not None and form.decimal == proven.decimal))
    other = {numbers.COMMA: numbers.POINT_COMMA_GROUPS}
    if evidence.semicolons and any("." in value for value in evidence.seen):
        other[PLAIN] = numbers.COMMA_POINT_GROUPS
    return best, proven is not None or best not in other or votes.get(other[best], 0) < max(1, votes[best])


def _force_date(type_name: str, evidence: Evidence, said: str | None) -> Reading:
    if type_name == "TIME":
        return Reading("TIME", "date", dates.TIME, forced=True)
    votes: Counter[str] = Counter()
    ambiguous = False
    for value, times in evidence.seen.items():
        date = shape(value).date
        date = dates.in_order(date, said) if date and said else date
        if date and len(date.orders) == 1:
            votes[next(iter(date.orders))] += times
        elif date and date.orders:
            ambiguous = True
    order = max(dates.ORDERS, key=lambda order: votes[order.name])  # of equal ones the first
    reading = Reading(type_name, "date", dates.accepted(order, type_name), order=order, forced=True)
    if (ambiguous and not votes) or _contradict(votes, evidence.counts.get(reading)):
        return Reading(type_name, "date", _NOTHING, forced=True, unknown=DATE_ORDER)
    return reading


def _contradict(votes: Mapping[str, int], count: Count | None) -> bool:
    """Return True if some values are day first and some month first, and neither are rare exceptions."""
    days, months = (sum(number for name, number in votes.items() if name.startswith(first)) for first in ("day first", "month first"))
    few = EXCEPTIONS_SHARE * (days + months)
    return min(days, months) > few or (min(days, months) > 0 and count is not None and count.misfits > EXCEPTIONS_SHARE * count.values)


def fits(reading: Reading, text: str) -> bool:
    """Whether a reading that is not ``other`` accepts a trimmed value that is not NULL (which all accept)."""
    if not reading.pattern:
        return reading.kind == "text"
    if not _compiled(reading.pattern, reading.kind).fullmatch(text):
        return False
    if reading.kind == "date":
        return reading.order is None or _is_day(reading.order, text)
    return reading.kind != "number" or reading.forced or _number_fits(reading, text)


def _number_fits(reading: Reading, text: str) -> bool:
    number = reading.form.normal(text)
    if reading.type == "BIGINT":
        return numbers.SMALLEST_BIGINT <= int(number) <= numbers.LARGEST_BIGINT
    if reading.type == "DOUBLE":
        return numbers.fits_double(number)
    whole = number.lstrip("+-").partition(".")[0]
    scale = int(reading.type.removesuffix(")").rpartition(",")[2])
    return len(whole.lstrip("0")) + scale <= numbers.DECIMAL_DIGITS


def _is_day(order: DateOrder, text: str) -> bool:
    found = dates.date_shape(text)
    return found is not None and order.name in found.orders


@lru_cache(maxsize=256)
def _compiled(pattern: str, kind: Kind) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE if kind in ("date", "boolean") else 0)
