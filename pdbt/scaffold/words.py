"""What the words of a column's name say of its values: whether they identify, group, add up or average."""

from __future__ import annotations

_ID = frozenset("id key uuid guid code no nr num number ref reference sku isbn ean iata icao email slug login hash serial".split())
_IDENTIFIED = frozenset("order customer product invoice account ticket employee user flight transaction member patient vehicle".split())
_GROUP = frozenset(
    """
    category status state type kind class group segment region country continent city district department team channel brand carrier airline
    origin dest destination currency gender sex method level tier source language sector industry store shop branch warehouse market plan
    priority reason grade stage phase campaign species topic unit manufacturer maker supplier
    """.split()
)
_CALENDAR = frozenset("year month quarter week weekday day dayofweek hour minute second date time timestamp".split())
_CODE = frozenset(
    "zip postal postcode zipcode phone fax mobile tel telephone pin version row rank index position line sched tz timezone offset".split()
)
_ADDED = frozenset(
    """
    amount quantity qty total totals sum sales revenue turnover cost costs expense expenses fee tax units count counts population
    visits clicks views orders items hours minutes income profit budget spend payment paid donation volume net gross subtotal discount
    """.split()
)
_AVERAGED = frozenset(
    """
    rate price temp temperature lat latitude lon lng long longitude age delay score rating percent pct percentage ratio speed humid humidity
    pressure dewp dew visib visibility height weight width length depth duration distance salary wage mean avg average median gust wind dir
    direction altitude alt elevation bmi gpa margin share level hp mpg per
    """.split()
)


def _words(name: str) -> list[str]:
    return name.split("_")


def is_id(name: str) -> bool:
    """Whether a clean name says that its values tell rows apart: ``order_id``, ``isbn``, ``id_customer``."""
    words = _words(name)
    return words[-1] in _ID or words[0] in ("id", "uuid", "guid") or name in _IDENTIFIED


def is_group(name: str) -> bool:
    """Whether a clean name says that many rows share a value: ``status``, ``country_code``."""
    return any(word in _GROUP for word in _words(name))


def is_calendar(name: str) -> bool:
    """Whether a clean name says that its numbers are parts of a date or a time of day."""
    return any(word in _CALENDAR for word in _words(name))


def is_measure(name: str) -> bool:
    """Whether a clean name says nothing against computing with its numbers."""
    words = _words(name)
    if any(word in _ADDED or word in _AVERAGED for word in words):
        return not is_id(name)
    return not (is_id(name) or is_calendar(name) or any(word in _CODE for word in words))


def is_added(name: str) -> bool:
    """Whether a clean name says that a sum of its numbers means something; where two words disagree, the average is safe."""
    words = _words(name)
    return any(word in _ADDED for word in words) and not any(word in _AVERAGED for word in words)
