"""Giving dead letters again; those that succeed are removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..engine.errors import PdbtError
from .executor import PipelineExecutor
from .letters import Letter, letters_in, read_letter, read_note
from .loading import load_pipeline

# So many batches are under way at a time.
_TOGETHER = 16


@dataclass(frozen=True)
class Waiting:
    """A dead letter that may be replayed.

    Attributes:
        path: its file.
        letter: what it says.
        rows: how many rows it has.
    """

    path: Path
    letter: Letter
    rows: int


@dataclass(frozen=True)
class Replayed:
    """What became of the letters of one batch.

    Attributes:
        batch: the id that the batch was given in with.
        letters: its letters.
        stored: how many rows sinks hold of them now.
        left: how many of them failed again, and are kept.
    """

    batch: str
    letters: int
    stored: int
    left: int


def plan_replay(place: Path, node: str = "") -> tuple[PipelineExecutor, list[Waiting]]:
    """Return the pipeline and the dead letters that a replay would give to it; nothing is started.

    Args:
        place: the file of the pipeline, or the folder of its dead letters, which say where the pipeline is.
        node: only letters of batches that failed at this node; all by default.

    Raises:
        PdbtError: there is no such file or folder, a file in it is no dead letter, or nobody knows the pipeline.
    """
    if place.is_dir():
        found = [waiting_in(path) for path in letters_in(place)]
        pipeline = load_pipeline(_file_of(place, found))
    else:
        pipeline = load_pipeline(place)
        found = [waiting_in(path) for path in letters_in(Path(pipeline.rules.dead_letters))]
    if node and node not in pipeline.graph.nodes:
        raise PdbtError(f"{node} is no node of the pipeline.", f"Its nodes are {', '.join(pipeline.graph.nodes)}.")
    wanted = {waiting.letter.given for waiting in found if not node or (waiting.letter.node == node and not waiting.letter.half)}
    # With a batch go its halves that wait for it at a join.
    return pipeline, [
        waiting for waiting in found if waiting.letter.given in wanted and (not node or waiting.letter.node == node or waiting.letter.half)
    ]


def replay(pipeline: PipelineExecutor, waiting: Sequence[Waiting], tell: Callable[[Replayed], None] = lambda _: None) -> list[Replayed]:
    """Give dead letters to their nodes again, and remove those that succeed; a sink that holds a batch does not store it again.

    Args:
        pipeline: a pipeline that is not started.
        waiting: the letters, as `plan_replay` returns them.
        tell: is called for each batch when it is done.

    Raises:
        PdbtError: the pipeline cannot be started; every letter that was not done is kept.
    """
    if not waiting:
        return []
    folder = waiting[0].path.parent
    pipeline.rules = replace(pipeline.rules, on_error="dead_letter", dead_letters=folder.absolute())
    batches: dict[str, list[Waiting]] = {}
    for item in waiting:
        batches.setdefault(item.letter.given, []).append(item)
    done = []
    with pipeline:
        given = list(batches.items())
        for start in range(0, len(given), _TOGETHER):
            futures = [
                (batch, items, pipeline.revive(batch, [read_letter(item.path) for item in items]))
                for batch, items in given[start : start + _TOGETHER]
            ]
            for batch, items, future in futures:
                receipt = future.result()
                again = pipeline.letters
                kept = [item for item in items if item.path.absolute() in again]
                for item in items:
                    if item not in kept:
                        item.path.unlink(missing_ok=True)
                done.append(Replayed(batch, len(items), receipt.stored, receipt.dead_letters))
                tell(done[-1])
    return done


def waiting_in(path: Path) -> Waiting:
    """Return the dead letter that a file holds. Raises PdbtError when it holds none."""
    letter, rows = read_note(path)
    return Waiting(path, letter, rows)


def _file_of(folder: Path, found: Sequence[Waiting]) -> Path:
    files = {waiting.letter.pipeline for waiting in found if waiting.letter.pipeline}
    if len(files) != 1:
        said = f"are of {len(files)} pipelines" if files else "do not say of which pipeline they are"
        what = f"The dead letters in {folder} {said}" if found else f"There are no dead letters in {folder}"
        raise PdbtError(f"{what}.", "Name the file of the pipeline: pdbt stream replay FILE.py")
    return Path(files.pop())
