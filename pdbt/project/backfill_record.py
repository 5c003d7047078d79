"""What became of each value of a backfill, written down so that nothing which ended well is done twice, whenever it is stopped."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..engine.errors import PdbtError, RunInProgress
from ..engine.lock import try_lock

BEGUN = "begun"


@dataclass(frozen=True)
class Entry:
    """One line: what is known of a value.

    Attributes:
        backfill: which backfill it belongs to, as `identity` says it.
        value: the value, as typed.
        status: ``begun``, or how its run ended.
        request: what its run on a deployment can be found by.
        at: when it was written, ISO 8601.
    """

    backfill: str
    value: str
    status: str
    request: str = ""
    at: str = ""


def identity(where: str, parameter: str, others: Mapping[str, str]) -> str:
    """Return a text that stands for a backfill: where, of which parameter, with which others. Their values, maybe secret, are not in it."""
    told = json.dumps([where, parameter, sorted(others.items())], ensure_ascii=False)
    return hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()[:16]


class Record:
    """The file of a project's backfills: a line of JSON for each thing that became known, the last one of a value being what holds."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Read what is there; `open_record` does this."""
        self._descriptor = descriptor
        self._path = path
        self._entries: dict[tuple[str, str], Entry] = {}
        text = path.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            with contextlib.suppress(ValueError, TypeError):  # the end of a line that a crash cut off
                entry = Entry(**json.loads(line))
                self._entries[entry.backfill, entry.value] = entry
        if text and not text.endswith("\n"):
            self._write(b"\n")

    def last(self, backfill: str, value: str) -> Entry | None:
        """Return what was last known of a value."""
        return self._entries.get((backfill, value))

    def add(self, entry: Entry) -> None:
        """Write down what is known now; it is on the disk when this returns.

        Raises:
            PdbtError: it cannot be written.
        """
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        self._write(json.dumps({**asdict(entry), "at": now}, ensure_ascii=False).encode() + b"\n")
        self._entries[entry.backfill, entry.value] = entry

    def _write(self, line: bytes) -> None:
        try:
            os.lseek(self._descriptor, 0, os.SEEK_END)
            os.write(self._descriptor, line)
            os.fsync(self._descriptor)
        except OSError as error:
            raise PdbtError(f"{self._path} cannot be written: {error.strerror}.", "Without it the backfill could not be resumed.") from None


@contextlib.contextmanager
def open_record(path: Path) -> Iterator[Record]:
    """Open the record of a project's backfills; made if it is not there. One process at a time has it.

    Raises:
        RunInProgress: another backfill of the project is going.
        PdbtError: it cannot be made or locked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise PdbtError(f"{path} cannot be written: {error.strerror}.", "Without it the backfill could not be resumed.") from None
    try:
        if not try_lock(descriptor, path):
            raise RunInProgress(f"Another backfill of this project is going: it has {path}.", "Try again when it has ended.")
        yield Record(path, descriptor)
    finally:
        os.close(descriptor)
