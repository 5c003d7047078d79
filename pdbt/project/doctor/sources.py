"""The source files: whether they can be read, are what their names say, and are whole."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...engine.errors import PdbtError
from ...engine.files import discover_sources, is_being_written
from ...engine.reading.formats import COMPRESSED, JSON, PARQUET, TEXT, ending
from .check import ERROR, OK, WARNING, Check, Patient

# As Dagster's sensor has it: a file that was written to lately, and is open for writing, is still coming.
STILL_SECONDS = 600.0
SHOWN = 5
_HEAD_BYTES = 64 * 1024
_MAGIC = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd", ".xls": b"\xd0\xcf\x11\xe0", ".parquet": b"PAR1"}
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_NAME = "sources"


def examine_sources(patient: Patient) -> Iterable[Check]:
    """Check every file of data/source by its beginning and its end; how long that takes does not depend on its size."""
    try:
        found = discover_sources(patient.home)
    except PdbtError as error:
        return [Check(_NAME, ERROR, error.message, error.hint)]
    files = [path for table in found.tables for path in table.files]
    faults = [check for path in files for check in source_checks(path, path.relative_to(patient.home).as_posix())]
    faults += [
        Check(_NAME, WARNING, f"{sentence}.", "Move it away, or give it the ending that says what it is.") for sentence in found.ignored
    ]
    if not faults:
        text = f"{len(files)} file{'s' if len(files) != 1 else ''} of {len(found.tables)} table{'s' if len(found.tables) != 1 else ''}"
        return [Check(_NAME, OK, f"{text}, all readable." if files else "There are none in data/source.")]
    return _shortened(faults)


def source_checks(path: Path, label: str) -> Iterator[Check]:
    """Yield what is wrong with a source file."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        recent = time.time() - path.stat().st_mtime < STILL_SECONDS
    except OSError as error:
        yield Check(_NAME, ERROR, f"{label} cannot be read: {error.strerror}.", "Check that it is there and that you may read it.")
        return
    if recent and is_being_written(path):
        yield Check(_NAME, WARNING, f"{label} is still being written.", "Wait until whatever writes it is done.")
    elif not head:
        yield Check(_NAME, ERROR, f"{label} is empty.", "Bring it again, or remove it.")
    elif fault := content_fault(path, head):
        yield Check(_NAME, ERROR, f"{label} {fault}.", "Bring it again, or give it the ending that says what it is.")


def content_fault(path: Path, head: bytes) -> str:
    """Return what speaks against a file's being what its name says; empty when nothing does.

    Args:
        path: the file.
        head: its first bytes.
    """
    kind = ending(path)
    packed = next((packed for packed in COMPRESSED if kind.endswith(packed)), "")
    magic = _MAGIC.get(packed or kind)
    if magic is not None and not head.startswith(magic):
        return f"is no {packed or kind} file: it begins with other bytes"
    if kind in PARQUET and not _ends_with(path, magic or b""):
        return "is no whole Parquet file: its end is missing"
    if kind in (".xlsx", ".xlsb", ".ods") and not zipfile.is_zipfile(path):
        return "is no whole spreadsheet: it cannot be opened"
    if packed:
        return ""
    if kind in JSON and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"[", b"{"):
        return "is no JSON: it begins with neither [ nor {"
    if kind in TEXT and b"\0" in head and not head.startswith(_BYTE_ORDER_MARKS) and not _is_utf_16(head):
        return "is no text: it has NUL bytes"
    return ""


def _is_utf_16(head: bytes) -> bool:
    """Whether text may be UTF-16 without a byte order mark: every other byte is a NUL in most of it."""
    return max(head[::2].count(0), head[1::2].count(0)) > len(head) // 4


def _ends_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(magic)))
        return file.read() == magic and path.stat().st_size > 2 * len(magic)


def _shortened(faults: list[Check]) -> list[Check]:
    """Return the first faults, the worst before the others, and how many more there are."""
    worst = sorted(faults, key=lambda check: check.state != ERROR)
    rest = worst[SHOWN:]
    more = (
        [Check(_NAME, rest[0].state, f"{len(rest)} more files have faults.", "Mend those that are named, and look again.")] if rest else []
    )
    return [*worst[:SHOWN], *more]
