"""How a run's DuckDB file begins: empty, with tables that are kept, or with what was sealed.

DuckDB 2.0 opens a file by its name three times: to see that it is one of its own, to read its header, and to read its blocks.
A reader that is between the last two while a publication renames a new file into place reads the new one's blocks by the old
one's header, and fails. So a new file begins, even when nothing is kept, as a copy of the published one, and is written with
one checkpoint only. As a checkpoint writes to free blocks and leaves those of the one before as they are (a crash must find
them whole), the new file, given the end that the checkpoint may have cut off, holds all of the old run for whoever has the old
header. The price is the space of two runs and a copy within the kernel.
"""

from __future__ import annotations

import contextlib
import errno
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PdbtError
from .base import UnusableStart
from .files import SMALL_FILE_BYTES, DatabaseFiles, patiently, worth_rewriting
from .names import quoted, text
from .reader import sentence

if TYPE_CHECKING:
    import duckdb

CATALOG = "database"  # as a reader of db/database.duckdb sees it
KEPT = "published"
SHIELDED_BYTES = 1 << 30  # a larger file takes so long to make that two runs do not follow each other within a reader's opening
MOSTLY_FREE = 0.75  # the published run takes half of a file, and the one before it, now free, the other
# Half of DuckDB's own. A filter leaves a row group half empty, and those that DuckDB cannot write as they are it fills up one
# after the other, on one core: 2 million rows imported, filtered and exported take 1.95 s instead of 2.55 s with two cores.
ROW_GROUP_ROWS = 61_440
COPY_ADVANTAGE = 40.0  # measured: 119 MB copied in 0.15 s as a file, in 5 to 6 s as a table


class Beginning:
    """The first steps of one run."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: DatabaseFiles, lock_timeout: float) -> None:
        """Begin with a connection to a DuckDB in memory."""
        self._connection = connection
        self._files = files
        self._lock_timeout = lock_timeout

    def to_read(self) -> None:
        """Attach what is published."""
        self._attach(self._files.published, "READ_ONLY")

    def with_sealed(self) -> None:
        """Go on with the sealed file."""
        self._files.begin_with_sealed()
        self._attach_building()

    def empty(self) -> str:
        """Begin without tables; returns the token of the published file whose readers are shielded, empty if they are not."""
        token = self._files.token(self._files.published)
        if token and self._files.is_ours() and self._files.published.stat().st_size <= SHIELDED_BYTES:
            try:
                self._copy_file(set())
            except PdbtError:  # another program writes to it, or another DuckDB wrote it: that must not stop a run that needs nothing of it
                self._files.remove(self._files.building)
            else:
                return token
        self._attach_building()
        return ""

    def with_published(self, keep: Sequence[str]) -> str:
        """Begin with the kept tables, copied one by one or with the file; returns as `empty`."""
        kept = {name.casefold() for name in keep}
        token = self._files.token(self._files.published)
        if token and self._files.published.stat().st_size > SMALL_FILE_BYTES and self._copied_tables(kept):
            return ""
        self._copy_file(kept)
        return token or ""

    def _copy_file(self, kept: set[str]) -> None:
        """Begin with a copy of the published file without the other tables, whose blocks stay as they are."""
        with no_writer(self._files, self._lock_timeout if kept else 0):
            self._files.begin_with_copy()
        self._attach_building()
        for name in self._cells(CATALOG):
            if name.casefold() not in kept:
                self._connection.execute(f"DROP TABLE {quoted(name)}")

    def _copied_tables(self, kept: set[str]) -> bool:
        """Begin with new copies of the kept tables if the file is mostly free space, or too large; tells whether it did."""
        with no_writer(self._files, self._lock_timeout), self._usable():
            self._connection.execute(f"ATTACH {text(self._files.published)} AS {KEPT} (READ_ONLY)")
        try:
            cells, free = self._cells(KEPT), self._free_share()
            kept_cells = sum(count for name, count in cells.items() if name.casefold() in kept)
            large = self._files.published.stat().st_size > SHIELDED_BYTES
            if free <= MOSTLY_FREE and not (large and worth_rewriting(kept_cells, sum(cells.values()), free, COPY_ADVANTAGE)):
                return False
            self._attach_building()
            with self._usable():
                for name in (name for name in cells if name.casefold() in kept):
                    self._connection.execute(f"CREATE TABLE {quoted(name)} AS FROM {KEPT}.main.{quoted(name)}")
        finally:
            self._connection.execute(f"DETACH {KEPT}")
        return True

    def _attach(self, path: Path, option: str) -> None:
        """Attach a file and make it the one that names mean."""
        with self._usable():
            self._connection.execute(f"ATTACH {text(path)} AS {quoted(CATALOG)} ({option})")
        self._connection.execute(f"USE {quoted(CATALOG)}")

    def _attach_building(self) -> None:
        """Attach the work database.

        It has no write-ahead log: until it is sealed nobody needs it after a crash, and a thousand small tables would wait for
        a thousand writes to the disk. Only `seal` makes a checkpoint.
        """
        self._connection.execute("SET checkpoint_threshold = '1000TB'")
        self._attach(self._files.building, f"RECOVERY_MODE no_wal_writes, ROW_GROUP_SIZE {ROW_GROUP_ROWS}")

    def _cells(self, catalog: str) -> dict[str, int]:
        """Return rows times columns of each table, as DuckDB remembers them."""
        known = "SELECT table_name, estimated_size * column_count FROM duckdb_tables() WHERE database_name = ? AND schema_name = 'main'"
        return {str(name): int(cells) for name, cells in self._connection.execute(known, [catalog]).fetchall()}

    def _free_share(self) -> float:
        """Return the part of the published file that holds nothing."""
        measured = "SELECT free_blocks, total_blocks FROM pragma_database_size() WHERE database_name = ?"
        ((free, total),) = self._connection.execute(measured, [KEPT]).fetchall()
        return free / total if total else 0.0

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        """Tell which file it is that DuckDB cannot open."""
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            said = sentence(error).replace(str(self._files.building), self._files.label)
            raise UnusableStart(
                f"{self._files.label} cannot be opened by DuckDB {duckdb.__version__}: {said}",
                "Run with --full to build it anew, or install the version of DuckDB that wrote it.",
            ) from error


@contextlib.contextmanager
def no_writer(files: DatabaseFiles, lock_timeout: float) -> Iterator[None]:
    """Keep other programs from writing to the published file; one that does already is waited for, then named.

    DuckDB locks its files with fcntl. Without this a writer of the old file would leave its log beside the new one.
    """
    if sys.platform == "win32" or not files.published.exists():  # Windows itself refuses to touch a file in use
        yield
        return
    import fcntl

    with files.published.open("rb") as file:

        def lock() -> None:
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    raise
                # A file system without locks: DuckDB cannot have locked the file either.

        patiently(lock, lock_timeout, OSError, lambda: f"{files.label} is open for writing in {_writer(files.published)}.")
        yield


def _writer(published: Path) -> str:
    """Name the process that writes to a DuckDB file, as DuckDB finds it out."""
    import duckdb

    try:
        duckdb.connect(str(published), read_only=True).close()
    except duckdb.Error as error:
        found = re.search(r"PID \d+", str(error))
        return f"another program ({found[0]})" if found else "another program"
    return "another program"
