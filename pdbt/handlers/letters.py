"""Dead letters: batches that a handler failed at, kept as Parquet until they are replayed or thrown away."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.databases.files import synchronise
from ..engine.errors import PdbtError
from .rounds import Place

if TYPE_CHECKING:
    import pyarrow as pa

_KEY, _EXACT_KEY = b"pdbt", b"pdbt_batch"
# What a person sees beside the columns of the batch; a column of the batch that is called so goes before.
COLUMNS = ("pdbt_node", "pdbt_batch", "pdbt_error", "pdbt_time")


@dataclass(frozen=True)
class Letter:
    """A batch that was set aside, and what is needed to go on with it.

    Attributes:
        node: the node that failed at it; for one half of a join, the node that joins.
        batch: the id of the batch.
        error: what the handler said; for one half of a join, that the other is missing.
        time: when, in UTC as ISO text.
        given: the id that it was given in with.
        part: the number of the part; None for the batch that a producer was given.
        place: its way through the graph.
        origin: the node that it came from; empty for a producer's.
        half: it is one half of a join.
        has_data: False for a producer that makes its data itself.
        pipeline: the file that defines the pipeline; empty when it is not known.
    """

    node: str
    batch: str
    error: str
    given: str
    part: int | None = None
    place: Place = ()
    origin: str = ""
    half: bool = False
    has_data: bool = True
    pipeline: str = ""
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))

    @property
    def file_name(self) -> str:
        """The name of its file: the same when the same batch fails again."""
        told = hashlib.sha256("\0".join((self.node, self.batch, self.origin)).encode()).hexdigest()[:16]
        return f"{re.sub(r'[^A-Za-z0-9_-]', '_', self.node)[:60]}-{told}.parquet"


def write_letter(folder: Path, letter: Letter, table: pa.Table) -> Path:
    """Keep a letter so that it survives a crash; return its file.

    Raises:
        OSError: the folder cannot be written to.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    exact = _exact(table)
    shown = _shown(table) if exact else table
    added = []
    for name, value in zip(COLUMNS, (letter.node, letter.batch, letter.error, letter.time), strict=True):
        if name not in table.column_names:
            shown = shown.append_column(name, pa.array([value] * table.num_rows, pa.string()).dictionary_encode())
            added.append(name)
    note = {**asdict(letter), "added": added}
    table = shown.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: json.dumps(note).encode(), **exact})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / letter.file_name
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    with beside.open("wb") as file:
        pq.write_table(table, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    synchronise(folder)
    return path


def _exact(table: pa.Table) -> dict[bytes, bytes]:
    """Return a batch as Arrow writes it, by its key, if Parquet would give it back with other types or not hold it; else nothing."""
    import pyarrow as pa

    if _survives(table.schema):
        return {}
    with io.BytesIO() as content:
        with pa.ipc.new_stream(content, table.schema) as writer:
            writer.write_table(table)
        return {_EXACT_KEY: base64.b64encode(content.getvalue())}


def _read_exact(exact: bytes) -> pa.Table:
    import pyarrow as pa

    with pa.ipc.open_stream(base64.b64decode(exact)) as reader:
        return reader.read_all()


def _survives(schema: pa.Schema) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with io.BytesIO() as content:
        try:
            pq.write_table(schema.empty_table(), content)
        except pa.ArrowNotImplementedError:
            return False
        read: pa.Schema = pq.ParquetFile(content).read().schema
        return bool(read.remove_metadata().equals(schema.remove_metadata()))


def _shown(table: pa.Table) -> pa.Table:
    """Return a batch as a person sees it in the file: as text where Parquet has no type."""
    import pyarrow as pa

    for place, column in enumerate(table.schema):
        if not _survives(pa.schema([column])) and not _is_time(column.type):
            texts = [None if value is None else str(value) for value in table.column(place).to_pylist()]
            table = table.set_column(place, column.name, pa.array(texts, pa.string()))
    return table


def _is_time(kind: pa.DataType) -> bool:
    """Return True for types that Parquet holds in another unit."""
    import pyarrow as pa

    return bool(pa.types.is_temporal(kind) and not pa.types.is_interval(kind))


def read_letter(path: Path) -> tuple[Letter, pa.Table]:
    """Return a letter and its batch.

    Raises:
        PdbtError: the file is no dead letter.
    """
    with _opened(path) as file:
        letter, added = _noted(file.schema_arrow)
        table = file.read()
        exact = (file.schema_arrow.metadata or {}).get(_EXACT_KEY)
        if exact is not None:
            return letter, _read_exact(exact)
    metadata = {key: value for key, value in table.schema.metadata.items() if key != _KEY}
    return letter, table.drop_columns(added).replace_schema_metadata(metadata or None)


def read_note(path: Path) -> tuple[Letter, int]:
    """Return a letter and how many rows its batch has, which is not read.

    Raises:
        PdbtError: the file is no dead letter.
    """
    with _opened(path) as file:
        return _noted(file.schema_arrow)[0], file.metadata.num_rows


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not through the path: a folder called key=value on the way would become a column.
        with path.open("rb") as file:
            yield pq.ParquetFile(file)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise PdbtError(f"{path} is no dead letter: {type(error).__name__}: {error}.", "Move it out of the folder.") from error


def _noted(schema: pa.Schema) -> tuple[Letter, list[str]]:
    """Return the letter, and the columns that were added to its batch."""
    note = json.loads(schema.metadata[_KEY])
    added = note.pop("added")
    place = tuple((int(position), int(number)) for position, number in note.pop("place"))
    return Letter(place=place, **note), added


def letters_in(folder: Path) -> Sequence[Path]:
    """Return the files of a folder's letters, the oldest first."""
    return sorted(folder.glob("*.parquet"), key=lambda path: (path.stat().st_mtime_ns, path.name)) if folder.is_dir() else []
