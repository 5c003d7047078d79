"""How batches travel between processes: small ones with the message, large ones as a file in memory that is mapped, not copied."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

# A message of this size crosses a socket in less time than a file is made and mapped.
INLINE_BYTES = 64 * 1024
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder made in it is private to this user, as tempfile makes all of its folders
_ENOUGH_MEMORY = 1 << 30
_PREFIX = "pdbt-stream-"


@dataclass(frozen=True, eq=False)
class Piece:
    """A table as an Arrow stream: either its bytes, or where they are. One is like no other, also when it holds the same rows.

    Attributes:
        content: the bytes, or a buffer of them; None when they are elsewhere.
        path: the file that holds them, or what the executor calls them; empty when they are nowhere else.
        rows: how many rows it has.
        size: its size in bytes.
    """

    content: bytes | pa.Buffer | None
    path: str
    rows: int
    size: int


# Pieces in order make one table: what parallel workers made of one batch is put together without being copied.
Parcel = tuple[Piece, ...]


def rows_of(parcel: Parcel) -> int:
    """Return how many rows a parcel holds."""
    return sum(piece.rows for piece in parcel)


def pack(table: pa.Table, folder: str) -> Parcel:
    """Write a table where another process can have it; without a folder a large one is kept in a buffer.

    Raises:
        OSError: the folder has no room.
    """
    import pyarrow as pa

    small = table.nbytes < INLINE_BYTES
    if small or not folder:
        buffer = _buffer(table)
        return (Piece(buffer.to_pybytes() if small else buffer, "", table.num_rows, buffer.size),)
    path = Path(folder) / uuid.uuid4().hex
    with pa.OSFile(str(path), "wb") as file:
        _write(table, file)
        size = file.tell()
    return (Piece(None, str(path), table.num_rows, size),)


def _buffer(table: pa.Table) -> pa.Buffer:
    """Write a table into memory of just its size: a growing buffer would copy it again and again."""
    import pyarrow as pa

    counting = pa.MockOutputStream()
    _write(table, counting)
    buffer = pa.allocate_buffer(counting.size())
    _write(table, pa.FixedSizeBufferWriter(buffer))
    return buffer


def _write(table: pa.Table, sink: Any) -> None:
    import pyarrow as pa

    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def unpack(parcel: Parcel) -> pa.Table:
    """Return the table of a parcel; a file stays mapped as long as the table is used, also when it is removed meanwhile."""
    import pyarrow as pa

    tables = [_read(piece) for piece in parcel]
    # Pieces come from different calls of a handler: one may have found only nulls, or only integers, where another found more.
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="permissive")


def _read(piece: Piece) -> pa.Table:
    import pyarrow as pa

    source = pa.BufferReader(piece.content) if piece.content is not None else pa.memory_map(piece.path)
    return pa.ipc.open_stream(source).read_all()


class Parcels(ABC):
    """What a pipeline has under way; what the last who needs it is done with is dropped.

    Attributes:
        path: the folder in which workers put large batches; empty when they hand them over in memory.
        size: how many bytes are under way.
    """

    def __init__(self, path: str) -> None:
        """Begin with nothing."""
        self.path = path
        self.size = 0
        self._users: Counter[Piece] = Counter()

    def keep(self, parcel: Parcel) -> None:
        """Keep a parcel for one more user."""
        for piece in parcel:
            if not self._users[piece]:
                self.size += piece.size
            self._users[piece] += 1

    def let_go(self, parcels: Iterable[Parcel]) -> None:
        """Take a user off parcels; those of nobody are removed."""
        for piece in (piece for parcel in parcels for piece in parcel):
            self._users[piece] -= 1
            if not self._users[piece]:
                del self._users[piece]
                self.size -= piece.size
                self._drop(piece)

    @abstractmethod
    def pack(self, table: pa.Table) -> Parcel:
        """Put a table where workers can have it."""

    @abstractmethod
    def _drop(self, piece: Piece) -> None:
        """Free what nobody needs any more."""

    @abstractmethod
    def remove(self) -> None:
        """Free all of it."""


class ParcelFolder(Parcels):
    """The folder of a pipeline's files."""

    def __init__(self) -> None:
        """Make the folder, in memory where there is room for it, and remove those of processes that are no more."""
        home = _IN_MEMORY if _has_room(_IN_MEMORY) else Path(tempfile.gettempdir())
        remove_abandoned(home, _PREFIX)
        super().__init__(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=home))

    def pack(self, table: pa.Table) -> Parcel:
        """Put a table where workers can have it.

        Raises:
            OSError: the folder has no room.
        """
        return pack(table, self.path)

    def _drop(self, piece: Piece) -> None:
        if piece.path:
            Path(piece.path).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder with all that it holds."""
        shutil.rmtree(self.path, ignore_errors=True)


def _has_room(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= _ENOUGH_MEMORY


def remove_abandoned(home: Path, prefix: str) -> None:
    """Remove folders that killed processes left, named by a prefix and their process id.

    One whose process id lives, if only as another process, is left alone.
    """
    for folder in home.glob(f"{prefix}*"):
        owner = folder.name.removeprefix(prefix).partition("-")[0]
        with contextlib.suppress(OSError):
            if owner.isdecimal() and folder.stat().st_uid == os.getuid() and not _lives(int(owner)):
                shutil.rmtree(folder, ignore_errors=True)


def _lives(process: int) -> bool:
    """Whether a process id is that of a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
