"""What pdbt.toml may hold: every section, every key, and how a person reads what is allowed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LOWEST_PORT, HIGHEST_PORT = 1024, 65535
PORTS = {"duckdb": 3000, "sqlite": 4000, "commune": 5000}  # of a project's Dagster; its sample takes the next one
DATABASE_FILES = {"duckdb": "db/database.duckdb", "sqlite": "db/database.sqlite", "commune": "db/database.db"}
EXPORT_FORMATS = ("csv", "parquet", "json", "xlsx")
ON_ERROR = ("fail", "reject")
DATE_ORDERS = ("DMY", "MDY", "YMD")
NOTIFY_ON = ("failure", "late", "empty")
STATUSES = ("running", "stopped")
MAX_HEADER_ROWS = 3
MAX_DECIMAL_DIGITS = 38

_COLUMN_TYPE = re.compile(
    r"(?i)(BOOLEAN|TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|FLOAT|REAL|DOUBLE|VARCHAR|TEXT|DATE|TIME|TIMESTAMP|TIMESTAMPTZ"
    r"|DECIMAL\((?P<digits>\d{1,2})(,\s*(?P<decimals>\d{1,2}))?\))"
)


@dataclass(frozen=True)
class Rule:
    """What one key may hold: how a person reads it, and the test of a value."""

    allowed: str
    fits: Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_column_type(value: object) -> bool:
    match = _COLUMN_TYPE.fullmatch(value) if isinstance(value, str) else None
    if match is None or match["digits"] is None:
        return match is not None
    return int(match["decimals"] or 0) <= int(match["digits"]) <= MAX_DECIMAL_DIGITS and int(match["digits"]) > 0


def _is_encoding(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        codecs.lookup(value)
        "".encode(value)  # refuses what is a codec and no encoding of text, as base64
    except (LookupError, ValueError):
        return False
    return True


def one_of(*choices: str) -> Rule:
    """Return the rule of a key that is one of these texts."""
    return Rule(" | ".join(f'"{choice}"' for choice in choices), lambda value: isinstance(value, str) and value in choices)


def _is_timezone(value: object) -> bool:
    from zoneinfo import ZoneInfo

    try:
        return isinstance(value, str) and bool(ZoneInfo(value))
    except (KeyError, ValueError, OSError):  # KeyError: ZoneInfoNotFoundError is one
        return False


_TEXT = Rule("a text", _is_text)
_TIMEZONE = Rule('a time zone, as "UTC" or "Europe/Paris"', _is_timezone)
_SECONDS = Rule("a number of seconds, 0 or more", lambda value: (_is_integer(value) or isinstance(value, float)) and value >= 0)
_TYPES = Rule(
    'column = "TYPE" pairs, TYPE one of BOOLEAN, INTEGER, BIGINT, DOUBLE, DECIMAL(p,s), VARCHAR, DATE, TIME, TIMESTAMP, TIMESTAMPTZ',
    lambda value: isinstance(value, dict) and all(_is_column_type(kind) for kind in value.values()),
)
_HEADER = Rule(
    "true, false, or the number of header rows (0 to 3)",
    lambda value: isinstance(value, bool) or (_is_integer(value) and 0 <= value <= MAX_HEADER_ROWS),
)
_DELIMITER = Rule("one or more characters, none of them a line end", lambda value: _is_text(value) and not set("\r\n\0") & set(value))
_ENCODING = Rule('an encoding that Python knows, as "utf-8" or "windows-1252"', _is_encoding)
_PORT = Rule(f"a port, {LOWEST_PORT} to {HIGHEST_PORT}", lambda value: _is_integer(value) and LOWEST_PORT <= value <= HIGHEST_PORT)
_COUNT = Rule("a whole number, 0 or more", lambda value: _is_integer(value) and value >= 0)
_TEXTS = Rule("a list of texts", lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value))
_EVENTS = Rule('a list of "failure", "late", "empty"', lambda value: isinstance(value, list) and all(item in NOTIFY_ON for item in value))

SOURCE_KEYS: Mapping[str, Rule] = {
    "delimiter": _DELIMITER,
    "decimal": one_of(".", ","),
    "date_order": one_of(*DATE_ORDERS),
    "encoding": _ENCODING,
    "header": _HEADER,
    "types": _TYPES,
    "on_error": one_of(*ON_ERROR),
}
SECTIONS: Mapping[str, Mapping[str, Rule]] = {
    "project": {"name": _TEXT, "template_version": _TEXT},
    "database": {"type": one_of(*DATABASE_FILES), "path": _TEXT, "url": _TEXT, "lock_timeout": _SECONDS},
    "source": {"on_error": one_of(*ON_ERROR)},
    "export": {"format": one_of(*EXPORT_FORMATS)},
    "parameters": {},
    "dagster": {
        "port": _PORT,
        "schedule": _TEXT,
        "timezone": _TIMEZONE,
        "schedule_status": one_of(*STATUSES),
        "sensor_status": one_of(*STATUSES),
        "retries": _COUNT,
        "retry_delay": _SECONDS,
    },
    "connections": {},
    "notifications": {"urls": _TEXTS, "on": _EVENTS},
    "watch": {},
    "deployments": {},
}
# What only pdbt itself reads is checked where it is read: a project that runs without pdbt carries no rules for it.
ELSEWHERE = ("deployments", "watch")
CONNECTION_KEYS: Mapping[str, Rule] = {"url": _TEXT}
