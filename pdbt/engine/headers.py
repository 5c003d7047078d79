"""What the first comments of a script say of it: ``-- connection: warehouse``, ``-- load: warehouse.sales.orders``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from .errors import GraphError

SOURCE_WORDS = ("connection", "cursor", "key", "lookback", "schema")
LOAD_WORDS = ("load", "mode", "key", "schema")
_LINE = re.compile(r"\s*(?:--|#)\s*(?P<word>[A-Za-z_]+)\s*:\s*(?P<value>.*?)\s*")
# A comment that begins like this is prose, unless its first word looks like one of ours.
_CLOSE = 0.8


def read_header(text: str, words: Sequence[str], label: str) -> Mapping[str, str]:
    """Return what the comments before a script's first statement say, by word.

    Args:
        text: the script, SQL or Python.
        words: what may be said.
        label: the file, for error texts.

    Raises:
        GraphError: a word is said twice, or is nearly one of the words.
    """
    said: dict[str, str] = {}
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith(("--", "#")):
            break
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        word = found["word"].lower()
        if word in words:
            if word in said:
                raise GraphError(f"{label} line {number}: {word} is said twice.", "Keep one of the lines.")
            said[word] = found["value"]
        elif close := difflib.get_close_matches(word, words, n=1, cutoff=_CLOSE):
            raise GraphError(f"{label} line {number}: {word} means nothing here.", f"Did you mean {close[0]}?")
    return said


def names_of(text: str) -> tuple[str, ...]:
    """Return the column names of ``a, b``."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
