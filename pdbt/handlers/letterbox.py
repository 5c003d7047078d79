"""Where a running pipeline puts the batches that it sets aside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .letters import Letter, write_letter
from .parcels import Parcel, unpack
from .rounds import Task


class Letterbox:
    """The dead letters of one run of a pipeline.

    Attributes:
        written: their files.
    """

    def __init__(self, folder: str | Path, pipeline: str) -> None:
        """Write nothing yet.

        Args:
            folder: where they are kept; made when it is needed.
            pipeline: the file that defines the pipeline; empty when it is not known.
        """
        self.written: set[Path] = set()
        self._folder = Path(folder)
        self._pipeline = pipeline

    def keep(self, letter: Letter, parcel: Parcel) -> None:
        """Keep a letter.

        Raises:
            OSError: the folder cannot be written to.
        """
        import pyarrow as pa

        table = unpack(parcel) if parcel else pa.table({})
        self.written.add(write_letter(self._folder, replace(letter, pipeline=self._pipeline), table))


def letters_of(task: Task, error: str) -> Iterator[tuple[Letter, Parcel]]:
    """Yield what is to be kept of a task that failed: one letter for each batch that it was given; the pieces of a batch are one."""
    if task.split is not None and task.split.failed:
        return
    joins, given = len(task.parts) > 1, task.round.batch_id
    for origin, parcel in (task.parts or {"": ()}).items():
        has_data = bool(task.parts)
        yield Letter(task.node, task.batch_id, error, given, task.part, task.place, origin, half=joins, has_data=has_data), parcel
