"""Readings as SQL: text to values, checked on every row.

Each column's expression is a CASE whose first branch is the cheapest test that proves an ordinary value right; the patterns
of the reading decide the rest. What follows was measured on 2 million rows, in ns a value, over the bare cast: the integer's
round trip 20, the DOUBLE's comparisons 15, a pattern 60, trimming 500. A long IN or list_contains would be planned as a
join that every row goes through, whichever branch it takes: 400.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from . import dates
from .dates import ORDERS, YEAR_FIRST
from .numbers import DOUBLE_DIGITS, DOUBLE_INTEGER_DIGITS, PLAIN
from .types import DATE_ORDER, DECIMAL, NULL_WORDS, TEXT, WHITE_SPACE, Reading, shape

MISFIT = "pdbt: a value does not fit"
"""The text of the error that a load ends with when a value is a misfit."""

_FIRST_PRINTED = "!"  # of ASCII's characters, no white space is above it, and nothing that is printed below
_BEYOND_WHITE_SPACE = "\u3001"  # no white space is at or above it
_LAST_ASCII = "~"
_LIKELY_YEARS = "'1000-01-01' AND '9999-12-31'"


def literal(text: str) -> str:
    """Quote a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quote a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


_WHITE_SPACE = literal(WHITE_SPACE)
_WORDS = literal("|".join(re.escape(word) for word in NULL_WORDS))


class Cast(NamedTuple):
    """One column's reading as SQL.

    Attributes:
        value: an expression that the inner SELECT computes once under the name of `casts.value_name`; empty when there is none.
        checked: the column's value; raises MISFIT.
        misfit: whether the value is a misfit; never NULL.
    """

    value: str
    checked: str
    misfit: str


def text_name(place: int) -> str:
    """Name the column at a place as it is read: text."""
    return f"c{place}"


def value_name(place: int) -> str:
    """Name what the inner SELECT computed for the column at a place."""
    return f"v{place}"


_ORDINARY = {
    "BIGINT": "-?(?:0|[1-9][0-9]{0,17})",
    "DOUBLE": "-?(?:0|[1-9][0-9]{0,7})(?:[.][0-9]{1,7})?",
    "DATE": "[1-9][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])",
}
_ORDINARY_PATTERNS = {type_name: re.compile(pattern) for type_name, pattern in _ORDINARY.items()}


def _has_short_form(reading: Reading) -> bool:
    if reading.kind == "date":
        return reading.type == "DATE" and reading.order == ORDERS[0] and not reading.forced
    return reading == TEXT or (reading.type in _ORDINARY and reading.form == PLAIN and not reading.forced)


def is_ordinary(reading: Reading, text: str) -> bool:
    """Whether `cast_ordinary` accepts a value as written."""
    if not text or not _has_short_form(reading):
        return not text
    if reading == TEXT:
        return _FIRST_PRINTED <= text <= _LAST_ASCII
    return _ORDINARY_PATTERNS[reading.type].fullmatch(text) is not None


def cast_ordinary(reading: Reading, place: int) -> Cast | None:
    """Return SQL for which all but the most ordinary values are misfits; None when the reading has no such short form.

    It is quick to plan, which is what small files and tables of thousands of columns cost: in 5,000 columns `cast` took DuckDB a minute,
    and this, whose parts have nothing in common, 5 s; for 4 columns of 8 rows they took 9 and 4 ms.
    """
    if not _has_short_form(reading):
        return None
    text = text_name(place)
    if reading == TEXT:
        ordinary, value = f"{text} BETWEEN '{_FIRST_PRINTED}' AND '{_LAST_ASCII}'", text
    else:
        ordinary, value = f"regexp_full_match({text}, {literal(_ORDINARY[reading.type])})", f"CAST({text} AS {reading.type})"
    checked = f"CASE WHEN {ordinary} THEN {value} WHEN {text} IS NULL THEN NULL ELSE error({literal(MISFIT)}) END"
    return Cast("", checked, f"CASE WHEN {ordinary} THEN false WHEN {text} IS NULL THEN false ELSE true END")


def cast(reading: Reading, place: int) -> Cast:
    """Return a column's reading as SQL over the names of its place."""
    text = text_name(place)
    if reading.kind == "text" and not reading.pattern:
        blank = f"WHEN {text} IS NULL THEN NULL WHEN trim({text}, {_WHITE_SPACE}) = '' THEN NULL ELSE {text} END"
        plain = f"{text} >= '{_FIRST_PRINTED}' AND ({text} < '\u00a0' OR {text} >= '{_BEYOND_WHITE_SPACE}')"
        return Cast("", f"CASE WHEN {plain} THEN {text} {blank}", "false")
    value, certain = _shortcut(reading, text, value_name(place))
    branches = [*certain, (f"{text} IS NULL", "NULL"), *_careful(reading, text)]
    checked = " ".join(f"WHEN {condition} THEN {result}" for condition, result in branches)
    misfit = " ".join(f"WHEN {condition} THEN false" for condition, _ in branches)
    return Cast(value, f"CASE {checked} ELSE error({literal(MISFIT)}) END", f"CASE {misfit} ELSE true END")


def _careful(reading: Reading, text: str) -> list[tuple[str, str]]:
    """Return the branches that settle any value once it is trimmed: the words for no value, and the reading's pattern."""
    trimmed = f"trim({text}, {_WHITE_SPACE})"
    blank = (f"{trimmed} = ''", "NULL")
    word = f"regexp_full_match({trimmed}, {_WORDS})"
    if reading.kind == "empty":
        return [blank, (word, text if reading.type == "VARCHAR" else "NULL")]
    if reading.kind == "text":
        return [blank, (f"{word} OR {_accepts(reading, trimmed)}", text)]
    return [blank, (word, "NULL"), (_accepts(reading, trimmed), _convert(reading, trimmed))]


def _shortcut(reading: Reading, text: str, value: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the inner expression of a reading and the branches that settle most values without trimming them."""
    if reading.kind == "empty":
        return "", []
    if reading.type == "BIGINT" and reading.form == PLAIN and not reading.forced:
        return f"TRY_CAST({text} AS BIGINT)", [(f"CAST({value} AS VARCHAR) = {text}", value)]
    if reading.type == "DOUBLE" and not reading.forced:
        return _convert(reading, text), _certain_doubles(reading, text, value)
    if reading.kind == "boolean":
        return "", [(f"{text} IN ('true', 'TRUE', 'True')", "true"), (f"{text} IN ('false', 'FALSE', 'False')", "false")]
    value, certain = _certain_dates(reading, text, value) if reading.kind == "date" and not reading.forced else ("", [])
    return (value, certain) if certain else ("", [(_accepts(reading, text), _convert(reading, text))])


def _certain_doubles(reading: Reading, text: str, value: str) -> list[tuple[str, str]]:
    """Numbers that are too short to lose a digit; with a plain point, those that start with 1 to 9, 0. or -1 to -9."""
    size = f"strlen({text})"
    if reading.form != PLAIN:
        short = f"{size} <= {DOUBLE_INTEGER_DIGITS} AND abs({value}) BETWEEN 1e-290 AND 1e290"
        return [(f"{short} AND regexp_full_match({text}, {literal(reading.pattern)})", value)]
    short = f"({size} <= {DOUBLE_INTEGER_DIGITS} OR {size} <= {DOUBLE_DIGITS + 1} AND contains({text}, '.'))"
    zero = f"regexp_full_match({text}, '[+-]?0?[.]?0*')"
    return [
        (f"{text} >= '1' AND {text} < ':' AND {short} AND {value} BETWEEN 1e-290 AND 1e290", value),
        (f"{text} >= '-1' AND {text} < '-:' AND {short} AND {value} BETWEEN -1e290 AND -1e-290", value),
        (f"{text} >= '0.' AND {text} < '0/' AND {size} <= {DOUBLE_DIGITS + 2} AND {value} >= 1e-290", value),
        (f"{text} >= '-0.' AND {text} < '-0/' AND {size} <= {DOUBLE_DIGITS + 3} AND {value} <= -1e-290", value),
        (f"{value} = 0 AND {zero}", value),
    ]


def _certain_dates(reading: Reading, text: str, value: str) -> tuple[str, list[tuple[str, str]]]:
    """Dates between the years 1000 and 9999: whatever DuckDB takes for one is written in the reading's order."""
    if reading.order is None:
        return "", []
    in_years = f"{value} BETWEEN {_LIKELY_YEARS}"
    if reading.order.name == YEAR_FIRST:
        if reading.type == "DATE":
            return f"TRY_CAST({text} AS DATE)", [(f"strlen({text}) = 10 AND {in_years}", value)]
        if reading.common and reading.type == "TIMESTAMP":
            return _strptime(text, reading.common), [(in_years, value)]
        if reading.common:
            return _strptime(text, reading.common), [(in_years, f"{value} AT TIME ZONE 'UTC'")]
        return "", []
    result = f"CAST({value} AS DATE)" if reading.type == "DATE" else value
    return _strptime(text, reading.common or dates.strptime_formats(reading.order, reading.type)), [(in_years, result)]


def _strptime(text: str, formats: tuple[str, ...]) -> str:
    return f"try_strptime({text}, [{', '.join(literal(form) for form in formats)}])"


def _accepts(reading: Reading, text: str) -> str:
    """Whether the reading accepts a text: its pattern, and what no pattern can say."""
    flags = ", 'i'" if reading.kind in ("date", "boolean") else ""
    matches = f"regexp_full_match({text}, {literal(reading.pattern)}{flags})"
    if reading.kind in ("text", "boolean"):
        return matches
    converted = _convert(reading, text)
    if reading.kind == "other":
        return f"{converted} IS NOT NULL"
    if reading.kind == "date" and reading.order is not None:
        return f"{matches} AND {converted} >= '0001-01-01'"
    if reading.type == "DOUBLE" and not reading.forced:
        return f"{matches} AND {_double_keeps(_normal(reading, text))}"
    return f"{matches} AND {converted} IS NOT NULL"


def _double_keeps(number: str) -> str:
    """Whether a DOUBLE is the same number as a text (`numbers.fits_double`)."""
    digits = f"trim(regexp_replace({number}, '[eE].*|[^0-9]', '', 'g'), '0')"
    allowed = f"CASE WHEN regexp_full_match({number}, '[+-]?[0-9]+') THEN {DOUBLE_INTEGER_DIGITS} ELSE {DOUBLE_DIGITS} END"
    value = f"TRY_CAST({number} AS DOUBLE)"
    return f"isfinite({value}) AND strlen({digits}) <= if({value} = 0, 0, {allowed})"


def _convert(reading: Reading, text: str) -> str:
    """Turn a text that the reading accepts into its value."""
    if reading.kind in ("text", "empty"):
        return text
    if reading.kind == "boolean":
        return f"lower({text}) = 'true'"
    if reading.kind == "number":
        return f"TRY_CAST({_normal(reading, text)} AS {reading.type})"
    if reading.kind == "date" and reading.order is not None and reading.order.name != YEAR_FIRST:
        return f"CAST({_strptime(text, dates.strptime_formats(reading.order, reading.type))} AS {reading.type})"
    if reading.type == "TIMESTAMP WITH TIME ZONE":
        return f"TRY_CAST(regexp_replace({text}, ' ?(Z|[+-][0-9:]+)$', '\\1') AS {reading.type})"
    return f"TRY_CAST({text} AS {reading.type})"


def _normal(reading: Reading, text: str) -> str:
    """Write a number with a point and without groups (`NumberFormat.normal`)."""
    for mark in reading.form.group:
        text = f"replace({text}, {literal(mark)}, '')"
    return text if reading.form.decimal == "." else f"replace({text}, '{reading.form.decimal}', '.')"


_THREE_DIGITS = re.compile("[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_WHAT = {"BIGINT": "an integer", "TIME": "a time", "BOOLEAN": "true or false"}


def reason(reading: Reading, text: str) -> str:
    """Say in words why a reading does not accept a text."""
    date = shape(text.strip(WHITE_SPACE)).date if reading.unknown == DATE_ORDER else None
    if date and len(date.orders) > 1:
        return f'"{text}" may be day first or month first ({reading.type})'
    if reading.unknown == DECIMAL and _THREE_DIGITS.fullmatch(text.strip(WHITE_SPACE)):
        return f'"{text}" may be a decimal or a thousand ({reading.type})'
    what = _WHAT.get(reading.type) or {"number": "a number", "date": "a date"}.get(reading.kind, "of that type")
    return f'"{text}" is not {what} ({reading.type})'


_SETTINGS = {DATE_ORDER: 'date_order = "DMY" or "MDY"', DECIMAL: 'decimal = "." or ","'}


def note_of(reading: Reading, name: str, values: Iterable[str]) -> str:
    """Return what a person should know of a column that is text because a setting is missing; empty when none is."""
    example = next(filter(_THREE_DIGITS.fullmatch, values), "") if reading.kind == "text" and reading.unknown == DECIMAL else ""
    if not example:
        return ""
    return f"Column {name} is text, since {example} may be a decimal or a thousand: set {_SETTINGS[DECIMAL]}."


def missing_setting(reading: Reading) -> str:
    """Return the setting, as pdbt.toml has it, that would say what the values of a column mean; empty when none would."""
    return _SETTINGS.get(reading.unknown, "")
