r"""Numbers as people write them: which marks separate decimals and thousands, and what only looks like a number.

The patterns are written in what Python's re and DuckDB's RE2 have in common, so that the one decides what the other loads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

DOUBLE_DIGITS = 17  # significant digits of a decimal fraction that a DOUBLE written out and read again still has
DOUBLE_INTEGER_DIGITS = 15  # significant digits of any integer that a DOUBLE holds exactly
DECIMAL_DIGITS = 38
LARGEST_BIGINT = 2**63 - 1
SMALLEST_BIGINT = -(2**63)

_SPACES = " \u00a0\u2009\u202f"
_APOSTROPHES = "'\u2019"


@dataclass(frozen=True)
class NumberFormat:
    """The marks of a column's numbers.

    Attributes:
        decimal: ``.`` or ``,``.
        group: the characters, any of which separates thousands; empty without.
    """

    decimal: str = "."
    group: str = ""

    @property
    def integer(self) -> str:
        """The pattern of an integer that is a number and no code: no leading zero, no ``+`` with seven digits or more."""
        plain = r"-?(?:0|[1-9][0-9]{0,18})|\+(?:0|[1-9][0-9]{0,5})"
        return f"{plain}|[+-]?{self._grouped}" if self.group else plain

    @property
    def fraction(self) -> str:
        """The pattern of a number with a decimal mark or an exponent, or with underscores as programs write them."""
        whole = rf"(?:0|[1-9][0-9]*(?:_[0-9]+)*{'|' + self._grouped if self.group else ''})"
        digits = "[0-9]+(?:_[0-9]+)*"
        mark = re.escape(self.decimal)
        exponent = r"(?:[eE][+-]?[0-9]+(?:_[0-9]+)*)"
        underscored = r"[+-]?[1-9][0-9]*(?:_[0-9]+)+"
        return rf"[+-]?{whole}{mark}(?:{digits})?{exponent}?|[+-]?{mark}{digits}{exponent}?|[+-]?{whole}{exponent}|{underscored}"

    def decimals(self, scale: int) -> str:
        """The pattern of a number with a decimal mark and no more than `scale` digits after it."""
        whole = rf"(?:0|[1-9][0-9]*{'|' + self._grouped if self.group else ''})"
        mark = re.escape(self.decimal)
        if scale == 0:
            return rf"[+-]?{whole}{mark}"
        return rf"[+-]?{whole}{mark}[0-9]{{0,{scale}}}|[+-]?{mark}[0-9]{{1,{scale}}}"

    @property
    def _grouped(self) -> str:
        mark = f"[{self.group}]"
        return rf"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+"

    def normal(self, text: str) -> str:
        """Write a number of this format as a program would: no groups, and a point."""
        for mark in self.group:
            text = text.replace(mark, "")
        return text.replace(self.decimal, ".").replace("_", "")


PLAIN = NumberFormat()
COMMA = NumberFormat(",")
POINT_COMMA_GROUPS = NumberFormat(".", ",")
COMMA_POINT_GROUPS = NumberFormat(",", ".")
FORMATS = (
    PLAIN,
    COMMA,
    POINT_COMMA_GROUPS,
    COMMA_POINT_GROUPS,
    NumberFormat(".", _SPACES),
    NumberFormat(",", _SPACES),
    NumberFormat(".", _APOSTROPHES),
    NumberFormat(",", _APOSTROPHES),
)
_ALL = (1 << len(FORMATS)) - 1
_BIT = {number_format: 1 << place for place, number_format in enumerate(FORMATS)}
_COMMA_FORMATS = sum(bit for number_format, bit in _BIT.items() if number_format.decimal == ",")
_POINT_FORMATS = sum(bit for number_format, bit in _BIT.items() if number_format.decimal == ".")
_SPACED = sum(bit for number_format, bit in _BIT.items() if number_format.group == _SPACES)
_PATTERNS = tuple((_BIT[form], re.compile(form.integer), re.compile(form.fraction)) for form in FORMATS)

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_POINTED = re.compile(r"-?(?:0\.[0-9]+|[1-9][0-9]*\.(?:[0-9]{1,2}|[0-9]{4,}))")
_LIKE_A_NUMBER = re.compile(f"[-+0-9.,_eE{_SPACES}{_APOSTROPHES}]+")
_WEAK = re.compile(r"[+-]?[0-9_]+(?:[eE][0-9_]+|[.,])?")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9_]+(?:[.,][0-9_]*)?(?:[eE][+-]?[0-9]+)?")
_PHONE = re.compile(r"\+[0-9]{7,}")
_DIGITS = re.compile(r"-?[0-9]{19,}")
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


class NumberShape(NamedTuple):
    """What one number could be.

    Attributes:
        integer: the formats, as bits, under which it is an integer.
        fraction: the formats, as bits, under which it is not.
        weak: it is a number only in the company of others that cannot be a code (``1e5``, ``5.``, ``1_000``).
    """

    integer: int
    fraction: int
    weak: bool = False


_PLAIN_INTEGER = NumberShape(_ALL, 0)
_PLAIN_FRACTION = NumberShape(0, _POINT_FORMATS)


def ordinary_shape(text: str) -> NumberShape | None:
    """Return the shape of a number that needs no second look: an integer, or a decimal point that separates no thousands."""
    if _INTEGER.fullmatch(text):
        return _PLAIN_INTEGER
    return _PLAIN_FRACTION if _POINTED.fullmatch(text) else None


def number_shape(text: str) -> NumberShape | None:
    """Return what a trimmed value could be as a number; None when it is none, or a code (`is_code`)."""
    if not _LIKE_A_NUMBER.fullmatch(text) or is_code(text):
        return None
    integer = fraction = 0
    for bit, whole, broken in _PATTERNS:
        if whole.fullmatch(text):
            integer |= bit
        elif broken.fullmatch(text):
            fraction |= bit
    if not integer | fraction:
        return None
    return NumberShape(integer, fraction, weak=not integer and _WEAK.fullmatch(text) is not None)


def is_code(text: str) -> bool:
    """Whether a trimmed value has the digits of a number but would lose something as one: 007, +33612345678, 20 digits, 10.0.0.1."""
    if _LEADING_ZERO.fullmatch(text) or _PHONE.fullmatch(text):
        return True
    if _DIGITS.fullmatch(text):
        return not SMALLEST_BIGINT <= int(text) <= LARGEST_BIGINT
    return _ADDRESS.fullmatch(text) is not None and all(int(part) < 256 for part in text.split("."))


@dataclass(frozen=True)
class NumberColumn:
    """What a column of numbers is.

    Attributes:
        type: ``BIGINT``, ``DOUBLE``, ``DECIMAL(38,s)``; empty when the values cannot be numbers of one format.
        form: the format.
        undecided: the pattern that all values have as long as nothing proves their format; empty when it is proven or impossible.
        proves: the format is proven by this column alone.
        ambiguous: its mark may be that of decimals or of thousands.
    """

    type: str = ""
    form: NumberFormat = PLAIN
    undecided: str = ""
    proves: bool = False
    ambiguous: bool = False


def decide_numbers(
    values: Iterable[str], shapes: Iterable[NumberShape], decimal: str | None, proven: NumberFormat | None, *, semicolons: bool = False
) -> NumberColumn:
    """Decide what the numbers of a column are.

    Args:
        values: its distinct trimmed values, numbers all.
        shapes: their shapes.
        decimal: the decimal mark, when it was said.
        proven: the format that other columns of the file prove, if they do.
        semicolons: the fields of the file are separated by semicolons, as where the comma is the decimal mark and the point groups.
    """
    values, shapes = list(values), list(shapes)
    if any(shape.weak for shape in shapes) and all(shape.weak or shape == _PLAIN_INTEGER for shape in shapes):
        return NumberColumn(undecided=f"{PLAIN.integer}|{_WEAK.pattern}")
    feasible = _ALL
    for shape in shapes:
        feasible &= shape.integer | shape.fraction
    form, undecided = _choose_format(feasible, values, decimal, proven, semicolons=semicolons)
    if form is None:
        return NumberColumn(undecided=undecided, ambiguous=undecided in (_WITH_COMMA, _WITH_POINT))
    bit = _BIT[form]
    proves = not feasible & (_COMMA_FORMATS if semicolons and form == PLAIN else _BIT[PLAIN])
    if not any(shape.fraction & bit for shape in shapes):
        return NumberColumn("BIGINT", form, proves=proves)
    return NumberColumn(_fraction_type([form.normal(value) for value in values]), form, proves=proves)


def _choose_format(
    feasible: int, values: list[str], decimal: str | None, proven: NumberFormat | None, *, semicolons: bool
) -> tuple[NumberFormat | None, str]:
    if decimal:
        feasible &= sum(bit for number_format, bit in _BIT.items() if number_format.decimal == decimal)
    possible = [number_format for number_format in FORMATS if feasible & _BIT[number_format]]
    if not possible:
        return None, ""
    if PLAIN in possible:
        if COMMA_POINT_GROUPS not in possible or (proven is not None and proven.decimal == "."):
            return PLAIN, ""
        if proven is not None:
            return COMMA_POINT_GROUPS, ""
        return (None, _WITH_POINT) if semicolons and any("." in value for value in values) else (PLAIN, "")
    if COMMA in possible and POINT_COMMA_GROUPS in possible:
        return _comma_with_three_digits(proven)
    if feasible & ~_SPACED == 0 and _look_alike(values):
        return None, f"[0-9{_SPACES}]+"
    return possible[0], ""


def _comma_with_three_digits(proven: NumberFormat | None) -> tuple[NumberFormat | None, str]:
    """1,234 may be a decimal or a thousand: only something else can tell."""
    if proven is not None and proven.decimal == ",":
        return COMMA, ""
    if proven == POINT_COMMA_GROUPS:
        return POINT_COMMA_GROUPS, ""
    return None, _WITH_COMMA


_WITH_COMMA, _WITH_POINT = (rf"-?(?:0|[1-9][0-9]{{0,18}})|[+-]?[1-9][0-9]{{0,2}}{mark}[0-9]{{3}}" for mark in (",", r"\."))
"""The patterns of integers and numbers whose mark may be that of decimals or of thousands."""


def _look_alike(values: list[str]) -> bool:
    """Whether numbers grouped by spaces could be codes: all of one length, without a decimal mark (``552 081 317``)."""
    return len({len(value) for value in values}) == 1 and not any("," in value or "." in value for value in values)


def _fraction_type(numbers: list[str]) -> str:
    """Return DOUBLE when it holds all numbers (with a point, without groups), else the DECIMAL that does, else nothing."""
    if all(fits_double(number) for number in numbers):
        return "DOUBLE"
    scale = whole = 0
    for number in numbers:
        if "e" in number or "E" in number:
            return ""
        left, _, right = number.lstrip("+-").partition(".")
        scale, whole = max(scale, len(right)), max(whole, len(left))
    return f"DECIMAL({DECIMAL_DIGITS},{scale})" if scale + whole <= DECIMAL_DIGITS else ""


def significant_digits(number: str) -> int:
    """Count the digits of a number's mantissa, from the first to the last that is not zero."""
    mantissa = re.split("[eE]", number, maxsplit=1)[0]
    return len(re.sub("[^0-9]", "", mantissa).strip("0"))


def fits_double(number: str) -> bool:
    """Whether a number (with a point, without groups) is still the same number as a DOUBLE."""
    if len(number) <= DOUBLE_INTEGER_DIGITS and "e" not in number and "E" not in number:
        return True
    fraction = not number.lstrip("+-").isdigit()
    if significant_digits(number) > (DOUBLE_DIGITS if fraction else DOUBLE_INTEGER_DIGITS):
        return False
    value = float(number)
    return abs(value) != float("inf") and (value != 0 or significant_digits(number) == 0)


@lru_cache(maxsize=64)
def accepted(form: NumberFormat, number_type: str) -> str:
    """Return the pattern of the values that a column of this format and type holds; their size is another question."""
    if number_type == "BIGINT":
        return form.integer
    if number_type == "DOUBLE":
        return f"{form.integer}|{form.fraction}"
    scale = int(number_type.removesuffix(")").rpartition(",")[2])
    return f"{form.integer}|{form.decimals(scale)}"
