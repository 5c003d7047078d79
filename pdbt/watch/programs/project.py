"""A project as a task: the file is put into its data/source/, unless it lies there, and the classic run runs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...engine.errors import PdbtError
from ...engine.files import hidden_sibling, write_durably
from ...engine.lock import try_lock
from ...project import run_classic
from . import carry_out, named_project

# Several files make several runs; each waits for the one before, however long that takes. The task's time-out is the limit.
LOCK_SECONDS = 30 * 24 * 3600
# A note for each file that was brought in: which file it is a copy of.
_ORIGINS = ".pdbt/arrivals"
_POLL_SECONDS = 0.05


def main(words: Sequence[str]) -> int:
    """Run a project for a file.

    Args:
        words: the project, and the file.

    Returns:
        the exit code of the run.
    """
    name, file = words[0], Path(words[-1])
    project = named_project(name)
    bring_in(file, project / "data" / "source", Path(os.environ.get("PDBT_FOLDER") or file.parent))
    return run_classic(project, ["--lock-timeout", str(LOCK_SECONDS)])


def bring_in(file: Path, source: Path, folder: Path) -> None:
    """Copy a file into the folder of sources, whole or not at all, unless it lies there already.

    Args:
        file: the file.
        source: the project's folder of sources.
        folder: the watched folder. Files of one name in several folders below it stay several files: `paris/orders.csv` becomes
            `paris.orders.csv`.

    Raises:
        PdbtError: it cannot be copied, or the file there came from another one that still exists.
    """
    if file.resolve().is_relative_to(source.resolve()):
        return
    target = source / ".".join(file.relative_to(folder).parts if file.is_relative_to(folder) else (file.name,))
    _claim(file, target)
    temporary = hidden_sibling(target)
    try:
        shutil.copyfile(file, temporary)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise PdbtError(f"{file} cannot be copied to {source}: {error.strerror}.", "Check that both are there and that you may.") from None


def _claim(file: Path, target: Path) -> None:
    """Write down which file the copy in the folder of sources is of, or refuse: the rows of another file would be lost.

    Raises:
        PdbtError: it is the copy of another file that still exists, or this cannot be written down.
    """
    note = target.parent.parent.parent / _ORIGINS / target.name
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        with _alone(note.parent / ".lock"):
            known = Path(json.loads(note.read_text(encoding="utf-8"))["file"]) if note.exists() else file
            if known != file and known.exists() and not known.samefile(file):
                message = f"{file} would take the place of {known}: both would become {target}."
                raise PdbtError(message, "Rename one of them, or the folder it is in.")
            write_durably(note, json.dumps({"file": str(file)}))
    except OSError as error:
        raise PdbtError(f"{note} cannot be written: {error.strerror}.", "Check its disk and its folder's permissions.") from None


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one task at a time look and write: two of one moment may want the same place."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not try_lock(descriptor, lock):
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    carry_out(main)
