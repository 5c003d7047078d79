"""What a key of the watcher's settings may hold, and how a person is told that it holds something else."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from typing import Any

from ..engine.environment import redact
from ..engine.errors import SettingsError
from ..engine.settings_rules import Rule, one_of

MAX_SHOWN_CHARACTERS = 80


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


TEXT = Rule("a text", lambda value: isinstance(value, str) and value.strip() != "" and "\0" not in value)
BOOLEAN = Rule("true or false", lambda value: isinstance(value, bool))
COUNT = Rule("a whole number, 0 or more", lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0)
POSITIVE = Rule("a whole number, 1 or more", lambda value: COUNT.fits(value) and value >= 1)
SECONDS = Rule("a number of seconds, 0 or more", lambda value: _is_number(value) and value >= 0)
DAYS = Rule("a number of days, 0 or more", SECONDS.fits)
TIMEOUT = Rule("a number of seconds, or 0 for no limit", SECONDS.fits)
INTERVAL = Rule("a number of seconds, 0.1 or more", lambda value: _is_number(value) and value >= 0.1)
MATCHES = one_of("contains", "exact", "prefix", "glob", "regex")


def check_keys(section: str, keys: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Refuse a key that there is not, or a value that it may not hold.

    Args:
        section: what error texts call it.
        keys: what was written.
        rules: what is allowed.

    Raises:
        SettingsError: names the key, what was given and what is allowed.
    """
    for key, value in keys.items():
        if key not in rules:
            raise unknown(section, str(key), list(rules))
        if not rules[key].fits(value):
            raise wrong(f"{section}.{key}", rules[key].allowed, value)


def unknown(section: str, key: str, choices: list[str]) -> SettingsError:
    """Return the error of a key that there is not."""
    close = difflib.get_close_matches(key.lower(), choices, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    return SettingsError(f"{section} has no key {key!r}.", f"{hint}Allowed: {', '.join(choices)}.", key=f"{section}.{key}", allowed=choices)


def wrong(name: str, allowed: str, received: object, *, what: str = "it") -> SettingsError:
    """Return the error of a key that holds what it may not."""
    shown = "missing" if received is None else one_line(received)
    message, hint = f"{name} is {shown}.", f"{what.capitalize()} must be {allowed}."
    return SettingsError(message, hint, key=name, received=received, allowed=allowed)


def one_line(value: object) -> str:
    """Write a value for a person: a command as it was written, all else as TOML would, without passwords and not at length."""
    if isinstance(value, str) and value.strip():
        text = value
    elif isinstance(value, (list, tuple)) and value and all(isinstance(word, str) for word in value):
        text = " ".join(value)
    else:
        text = json.dumps(value, default=str)
    text = redact(text)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"
