"""Merging: an owner's edits and a newer template's, line by line, against what the template had made before."""

from __future__ import annotations

import ast
import difflib
import re
import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from merge3 import Merge3

_BOM = b"\xef\xbb\xbf"
# Where lines can be comments, what was in conflict is marked in comments: the file stays valid, and the project runs on the owner's lines.
_COMMENTS = {".py": "# ", ".sql": "-- ", ".toml": "# ", ".txt": "# ", ".gitignore": "# "}
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MARKED = re.compile(rb"^(# |-- )?<<<<<<< yours\r?$", re.MULTILINE)
_VERSION_LINE = re.compile(r"^(\s*template_version\s*=\s*)(\"[^\"\n]*\"|'[^'\n]*')", re.MULTILINE)


@dataclass(frozen=True)
class Merged:
    """A merged file.

    Attributes:
        content: what it holds, its line ends and byte order mark as the owner had them.
        conflicts: how many places are marked in it.
    """

    content: bytes
    conflicts: int


class _Matcher(difflib.SequenceMatcher[str]):
    """Compares every line: difflib leaves frequent lines of long files out, which moves what is found to be in conflict."""

    def __init__(
        self, isjunk: Callable[[str], bool] | None = None, a: Sequence[str] = "", b: Sequence[str] = "", autojunk: bool = False
    ) -> None:
        super().__init__(isjunk, a, b, autojunk=False)

    def get_matching_blocks(self) -> list[tuple[int, int, int]]:  # type: ignore[override]
        return [tuple(block) for block in super().get_matching_blocks()]  # type: ignore[misc]


def merge_texts(path: str, base: bytes, yours: bytes, new: bytes, old_version: str, new_version: str) -> Merged | None:
    """Merge what the owner made of a file and what the templates make of it now.

    Args:
        path: the file's path in its project; its ending says how a comment is written.
        base: what the templates had made.
        yours: what the owner made of that.
        new: what the templates make now.
        old_version: the pdbt of `base`, for the marks.
        new_version: the pdbt of `new`.

    Returns:
        the merged file; None when there is no sound one: a text is not UTF-8, or settings or Python would no longer be valid, or
        a setting of the owner's would be another one.
    """
    try:
        texts = [content.removeprefix(_BOM).decode() for content in (base, yours, new)]
    except UnicodeDecodeError:
        return None
    if "\0" in "".join(texts):
        return None
    if PurePosixPath(path).name == "pdbt.toml":
        texts = [_with_version(text, new_version) for text in texts]
    before, owners, after = texts
    text, conflicts = _merge(path, before, owners, after, old_version, new_version)
    if not _is_sound(path, before, owners, after, text):
        return None
    return Merged((_BOM if yours.startswith(_BOM) else b"") + text.encode(), conflicts)


def is_marked(content: bytes) -> bool:
    """Whether a file still has a place that an update marked."""
    return _MARKED.search(content) is not None


def same_text(one: bytes, other: bytes) -> bool:
    """Whether two files differ at most in their line ends and byte order mark, which editors and version control change."""
    return _plain(one) == _plain(other)


def _plain(content: bytes) -> bytes:
    return content.removeprefix(_BOM).replace(b"\r\n", b"\n")


def _with_version(text: str, version: str) -> str:
    """Set template_version, which is pdbt's own and must not bring the lines beside it into conflict."""
    return _VERSION_LINE.sub(lambda found: f'{found[1]}"{version}"', text, count=1)


def _merge(path: str, base: str, yours: str, new: str, old_version: str, new_version: str) -> tuple[str, int]:
    raw = _LINE.findall(yours)
    before, owners, after = ([line.rstrip("\r\n") for line in _LINE.findall(text)] for text in (base, yours, new))
    end = "\r\n" if yours.count("\r\n") * 2 > yours.count("\n") else "\n"
    sides = Merge3(before, owners, after, sequence_matcher=_Matcher)
    # Lines that nobody changed are written as they stand in the owner's file.
    place = {iz + step: ia + step for iz, zmatch, ia, _, _, _ in sides.find_sync_regions() for step in range(zmatch - iz)}
    mark = _COMMENTS.get(PurePosixPath(path).suffix or PurePosixPath(path).name, "")
    written: list[str] = []
    conflicts = 0
    for what, *numbers in sides.merge_regions():
        if what == "unchanged":
            written += [raw[place[number]] for number in range(*numbers)]
        elif what in ("a", "same"):
            written += raw[slice(*numbers)]
        elif what == "b":
            written += _ended(after[slice(*numbers)], end)
        else:
            conflicts += 1
            iz, zmatch, ia, amatch, ib, bmatch = numbers
            written += [f"{mark}<<<<<<< yours{end}", *raw[ia:amatch], f"{mark}||||||| pdbt {old_version}{end}"]
            written += _ended([mark + line for line in before[iz:zmatch]], end)
            written += [f"{mark}======={end}", *_ended([mark + line for line in after[ib:bmatch]], end)]
            written.append(f"{mark}>>>>>>> pdbt {new_version}{end}")
    return _joined(written, end), conflicts


def _ended(lines: Sequence[str], end: str) -> list[str]:
    return [line + end for line in lines]


def _joined(lines: Sequence[str], end: str) -> str:
    """Join lines, of which only the last may be without an end."""
    return "".join(line if line.endswith("\n") else line + end for line in lines[:-1]) + "".join(lines[-1:])


def _is_sound(path: str, base: str, yours: str, new: str, merged: str) -> bool:
    """Whether the merged file is as valid as the two that it was made of, and says of the owner's settings what the owner said."""
    ending = PurePosixPath(path).suffix
    if ending == ".py":
        return _compiles(merged) or not (_compiles(yours) and _compiles(new))
    if ending == ".toml":
        return _keeps_settings(base, yours, merged)
    return True


def _compiles(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def _keeps_settings(base: str, yours: str, merged: str) -> bool:
    """Whether the merged settings are TOML in which every value that the owner set, and the template had not, is what it was."""
    try:
        before, owner, after = (dict(_values(tomllib.loads(text))) for text in (base, yours, merged))
    except (ValueError, RecursionError):
        return False
    return all(key in after and after[key] == value for key, value in owner.items() if before.get(key, _NOTHING) != value)


_NOTHING = object()


def _values(table: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """List the values of a TOML table and of the tables in it, each with its keys."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in table.items():
        found += _values(value, (*prefix, key)) if isinstance(value, dict) else [((*prefix, key), value)]
    return found
