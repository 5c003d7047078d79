"""Which delimiter, quote and escape a text file uses: the candidates that its first lines suggest, and the best of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from .aligned import spacings
from .judgement import COMMON, ORDINARY, PRIORS, SAMPLE_RECORDS, Reading, judge, judge_one_column
from .one_column import are_addresses, is_aligned, is_headed_column, is_json, note_of_column
from .profile import profile, reads_as_header
from .separation import NO_DELIMITER, Separation

_LINES_PROBED = 80
_LONGEST_DELIMITER = 5
_LONGEST_RUN = 8  # characters of a run of punctuation that are searched for delimiters
_MOST_DELIMITERS_OF_SEVERAL = 12
_LEAST_PRESENCE = 0.1  # of the lines probed, for a single character to be tried
_LEAST_PRESENCE_OF_SEVERAL = 0.5

_PUNCTUATION_RUN = re.compile(r"(?:[^\w \r\n\"'./\\()]|_){2,}")
_QUOTED = re.compile(r"\"[^\"]*\"")


def find_separation(lines: Sequence[str], *, whole: bool, delimiter: str | None = None) -> Reading:
    """Find how the fields of a file are separated.

    Args:
        lines: the first physical lines, with their ends.
        whole: they are all lines of the file.
        delimiter: the delimiter when a person has said it.
    """
    if delimiter:
        candidates = [_quoting(lines, delimiter), *(spacings(lines) if set(delimiter) == {" "} else ())]
        return max((judge(lines, each, whole=whole) for each in candidates), key=lambda reading: reading.score)
    probe = list(islice((line for line in lines if not line.isspace()), _LINES_PROBED))
    whole_line = _quoting(lines, NO_DELIMITER)
    best = judge_one_column(lines, whole_line, whole=whole, values_win=False)
    for candidates in _rounds(lines, probe, whole=whole):
        for candidate in candidates:
            reading = judge(lines, candidate, whole=whole)
            if reading.score <= best.score:
                continue
            if not candidate.spacing or (not best.regular and is_aligned(reading.records, reading.width)):
                best = reading
        if best.perfect:
            return best
    if best.width > 1 and not best.separation.spacing and (is_headed_column(best.records, best.width) or is_json(best.records)):
        note = note_of_column(best.separation.delimiter)
        return replace(judge_one_column(lines, whole_line, whole=whole, values_win=False), notes=(note,))
    if best.separation.delimiter == "@" and are_addresses(best.records):
        return judge_one_column(lines, whole_line, whole=whole, values_win=False)
    if best.separation.delimiter in ORDINARY and best.splits_first_line:
        return best
    values = judge_one_column(lines, whole_line, whole=whole, values_win=True)
    return values if values.score > best.score else best


def _rounds(lines: Sequence[str], probe: Sequence[str], *, whole: bool) -> Iterator[list[Separation]]:
    """Yield candidates, the likely ones first, so that an ordinary file is settled by the first round."""
    bare = [_QUOTED.sub("", line) for line in probe]
    common = _singles(bare, COMMON) or _singles(probe, COMMON)
    yield [_quoting(lines, _run_of(lines, each, probe, whole=whole) or each) for each in common]
    unusual = [each for each in PRIORS if each not in COMMON]
    several = [each for each in _several(probe) if not set(each) & set(COMMON) or (each == each[::-1] and len(set(each)) > 1)]
    yield [_quoting(lines, each) for each in [*_singles(probe, unusual), *several]]
    yield spacings(probe)


def _run_of(lines: Sequence[str], character: str, probe: Sequence[str], *, whole: bool) -> str:
    """Return the run of a common delimiter that separates fields: it stands between names, over values that it cuts all alike.

    Anything less may as well be that delimiter around empty columns.
    """
    header = next((line for line in probe if character in line), "")
    runs = set(re.findall(f"{re.escape(character)}+", _QUOTED.sub("x", header)))
    run = runs.pop() if len(runs) == 1 else ""
    if character == "," or len(run) < 2:
        return ""
    reading = judge(lines, _quoting(lines, run), whole=whole)
    rows = [record.fields for record in reading.records if len(record.fields) > 1]
    if len(rows) < 2 or {len(row) for row in rows} != {reading.width} or not all(map(str.strip, rows[0])):
        return ""
    return run if reads_as_header(rows[0], profile(rows[1:], reading.width)) else ""


def _singles(probe: Sequence[str], characters: Iterable[str]) -> list[str]:
    """Return the single characters that occur in enough lines to be tried."""
    least = max(1.0, _LEAST_PRESENCE * len(probe))
    return [character for character in characters if sum(character in line for line in probe) >= least]


def _several(probe: Sequence[str]) -> list[str]:
    """Return the delimiters of several characters that could be, the longest first: parts of runs of punctuation found in most lines."""
    presence: Counter[str] = Counter()
    for line in probe:
        presence.update(dict.fromkeys((part for run in _PUNCTUATION_RUN.findall(line) for part in _parts(run[:_LONGEST_RUN])), 1))
    least = _LEAST_PRESENCE_OF_SEVERAL * len(probe)
    likely = [part for part, lines in presence.most_common(_MOST_DELIMITERS_OF_SEVERAL) if lines >= least and set(part) != {","}]
    spaced = [f" {mark} " for mark in "|;:~^" if sum(f" {mark} " in line for line in probe) > least]
    return sorted(likely, key=len, reverse=True) + spaced


def _parts(run: str) -> Iterator[str]:
    for size in range(2, min(len(run), _LONGEST_DELIMITER) + 1):
        for start in range(len(run) - size + 1):
            yield run[start : start + size]


def _quoting(lines: Sequence[str], delimiter: str) -> Separation:
    """Add to a delimiter the quote and the escape that its lines show."""
    text = "".join(lines[: 10 * SAMPLE_RECORDS])
    mark = re.escape(delimiter)
    separation = Separation(delimiter=delimiter)
    if "'" in text and _is_single_quoted(text, mark):
        separation = replace(separation, quote="'", escape="'")
    quote = separation.quote
    if "\\" in text and re.search(rf"\\{quote}(?!{quote}| *(?:{mark}|[\r\n]|\Z))", text):
        return replace(separation, escape="\\")
    return separation


def _is_single_quoted(text: str, mark: str) -> bool:
    """Say whether fields open and close with single quotes, about as often, and more often than with double ones."""
    opening = len(re.findall(rf"(?:^|{mark}) *'", text, re.MULTILINE))
    closing = len(re.findall(rf"' *(?:{mark}|[\r\n]|\Z)", text))
    doubles = len(re.findall(rf'(?:^|{mark}) *"', text, re.MULTILINE))
    return min(opening, closing) > doubles and 2 * min(opening, closing) > max(opening, closing)
