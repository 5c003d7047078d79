"""A transfer: what would be written is decided first, from the columns on both sides; then rows stream from one to the other."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from ..engine.errors import PdbtError
from .address import Address
from .base import MODES, Column, ConnectionLost, Engine, Reading, Table, TransferRefused, Writing
from .casts import casting
from .engines import open_engine
from .faults import BUSY, PORT, ConnectionFault
from .kinds import UNKNOWN, own, read_kind
from .limits import DoesNotFit, limited
from .names import require_name, require_table_names
from .receipts import Delivery, Digest, Receipt
from .schema import as_itself, decide
from .stream import ahead, closed
from .telling import Telling
from .values import convert

if TYPE_CHECKING:
    import pyarrow as pa

ATTEMPTS = 4
FIRST_DELAY_SECONDS = 1.0  # doubled each time

Progress = Callable[[int, int], None]
Done = TypeVar("Done")


@dataclass(frozen=True)
class Transfer:
    """What is to be brought where.

    Attributes:
        origin: where rows come from.
        destination: where they go.
        reading: the table or query.
        table: the target's name.
        mode: ``replace``, ``append`` or ``upsert``.
        key: the columns that identify a row, for upsert.
        casts: kinds that columns are sent as, by column.
        schema: ``evolve`` or ``freeze``: what becomes of an append or upsert whose source has other columns than the target.
        telling: who is told when it fails; None means nobody, or somebody else's task.
        delivery: what the target is to remember of the rows; None when they leave no receipt.
    """

    origin: Address
    destination: Address
    reading: Reading
    table: Table
    mode: str = "replace"
    key: tuple[str, ...] = ()
    casts: Mapping[str, str] = field(default_factory=dict)
    schema: str = "evolve"
    telling: Telling | None = field(default=None, compare=False, repr=False)
    delivery: Delivery | None = None


@dataclass(frozen=True)
class TransferPlan:
    """What a transfer would do.

    Attributes:
        transfer: what was asked for.
        statements: the DDL that the target would be given.
        columns: the columns as they are sent.
        rows: about how many rows there are; None when nobody knows.
        exists: whether the target is there.
    """

    transfer: Transfer
    statements: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: int | None
    exists: bool


@dataclass(frozen=True)
class Transferred:
    """What a transfer did.

    Attributes:
        rows: how many arrived.
        size: bytes of Arrow data.
        seconds: how long it took.
        attempts: how often it had to begin.
        note: what a person should know; empty when there is nothing.
    """

    rows: int
    size: int
    seconds: float
    attempts: int
    note: str = ""


def plan_transfer(wanted: Transfer) -> TransferPlan:
    """Return what a transfer would do, having written nothing.

    Raises:
        TransferRefused: something would not arrive as it left; names column and type.
        ConnectionFault: one of the two cannot be reached.
    """
    _check(wanted)
    with open_engine(wanted.origin) as origin, _destination(wanted, origin, writes=False) as destination:
        columns, writing, statements = _decided(wanted, origin, destination)
        return TransferPlan(wanted, statements, columns, origin.estimate(wanted.reading), writing.exists)


def estimate_rows(wanted: Transfer) -> int | None:
    """Return about how many rows a transfer brings; None when nobody knows."""
    with open_engine(wanted.origin) as origin:
        return origin.estimate(wanted.reading)


def carry_out(wanted: Transfer, progress: Progress | None = None) -> Transferred:
    """Bring rows from one database to another: all of them, or none.

    A fault that passes (a lost connection, a deadlock, a busy file) is met by beginning anew, a few times.

    Args:
        wanted: what to bring where.
        progress: told rows and bytes that were read so far; starts at 0 again with each attempt.

    Raises:
        TransferRefused: something would not arrive as it left; names column and type.
        TransferFailed: a database ended it; the target is as it was.
        ConnectionFault: one of the two cannot be reached.
    """
    started = time.perf_counter()
    origin, target = f"{wanted.reading.label} of {wanted.origin.label}", f"{wanted.table} of {wanted.destination.label}"
    try:
        _check(wanted)
        (rows, size, note), attempts = retried(lambda: _attempt(wanted, progress))
    except PdbtError as error:
        if wanted.telling is not None:
            wanted.telling.failed(origin, target, error)
        raise
    if wanted.telling is not None:
        wanted.telling.succeeded(origin, target)
    return Transferred(rows, size, time.perf_counter() - started, attempts, note)


def retried(work: Callable[[], Done]) -> tuple[Done, int]:
    """Do something again when it met a fault that passes; return its result, and how often it was begun.

    Raises:
        ConnectionLost, ConnectionFault: it met one each time.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return work(), attempt
        except ConnectionLost:
            pass
        except ConnectionFault as fault:
            # What has answered before is starting anew; what never did is told at once.
            if not (fault.kind == BUSY or (fault.kind == PORT and attempt > 1)):
                raise
        time.sleep(FIRST_DELAY_SECONDS * 2 ** (attempt - 1))
    return work(), ATTEMPTS


def _attempt(wanted: Transfer, progress: Progress | None) -> tuple[int, int, str]:
    """Carry a transfer out once; begin again where a replaced target's column does not hold a value, which then is given another type."""
    unfit: set[str] = set()
    while True:
        try:
            return _try(wanted, progress, unfit)
        except DoesNotFit as error:
            if wanted.mode != "replace" or error.column in unfit:
                raise
            unfit.add(error.column)


def _try(wanted: Transfer, progress: Progress | None, unfit: Collection[str]) -> tuple[int, int, str]:
    with open_engine(wanted.origin, writes=_is_one_file(wanted)) as origin, _destination(wanted, origin, writes=True) as destination:
        columns, writing, _ = _decided(wanted, origin, destination, unfit)
        digest = Digest(columns) if wanted.delivery is not None else None
        if wanted.delivery is not None and digest is not None:
            writing = replace(writing, receipt=Receipt(wanted.delivery, digest))
        with closed(origin.read(wanted.reading, _as_read(columns, wanted))) as read:
            counted = _Counted(casting(read if digest is None else digest.read(read), columns, wanted.casts), progress)
            with ahead(iter(counted)) as batches:
                sent = (convert(batch, writing.columns) for batch in batches)
                product = destination.address.driver.name
                there = limited(sent, writing.table, writing.columns, product, _origins(wanted, columns)) if writing.exists else sent
                rows = destination.write(writing, there)
        why = origin.undivided(wanted.reading) if wanted.reading.parallel > 1 else ""
        return rows, counted.size, f"{wanted.reading.label} was read by one connection: {why}." if why else ""


def _origins(wanted: Transfer, columns: Sequence[Column]) -> list[str]:
    """Return the types that columns have in a table of the target's product; empty texts where these are not known for certain."""
    known = wanted.origin.driver is wanted.destination.driver and wanted.reading.table is not None
    return [column.native if known and column.name not in wanted.casts else "" for column in columns]


def _is_one_file(wanted: Transfer) -> bool:
    return wanted.destination.path is not None and wanted.destination.path == wanted.origin.path


@contextlib.contextmanager
def _destination(wanted: Transfer, origin: Engine, *, writes: bool) -> Iterator[Engine]:
    """Open the destination; a DuckDB file that is also the origin is opened once, for DuckDB allows no more."""
    if _is_one_file(wanted):
        yield origin
        return
    with open_engine(wanted.destination, writes=writes) as destination:
        yield destination


def _decided(
    wanted: Transfer, origin: Engine, destination: Engine, unfit: Collection[str] = ()
) -> tuple[tuple[Column, ...], Writing, tuple[str, ...]]:
    """Return the columns as they are sent, what is written, and the DDL for it."""
    described = origin.describe(wanted.reading)
    columns = tuple(
        Column(column.name, wanted.casts[column.name], column.native) if column.name in wanted.casts else column for column in described
    )
    _require_known(wanted, columns)
    for column in columns:
        require_name(
            wanted.destination, "column", column.name, "Give it a shorter one with AS in --query.", "Give it a shorter one with AS."
        )
    native = wanted.origin.driver is wanted.destination.driver and not wanted.origin.driver.generic
    if native:
        product = wanted.destination.driver.name
        columns = tuple(column if column.name in wanted.casts else as_itself(column, product) for column in columns)
    writing = decide(wanted.table, columns, destination, wanted.mode, wanted.key, wanted.schema, native, wanted.casts, unfit)
    if native and any(own(column.kind) for column in columns):
        writing = replace(writing, types=tuple(destination.missing_types(origin, writing.columns)))
    return columns, writing, _statements(writing, destination)


def _as_read(columns: tuple[Column, ...], wanted: Transfer) -> tuple[Column, ...]:
    """Return the columns as the origin reads them: what a cast changes comes as text, and is cast then."""
    return tuple(Column(column.name, UNKNOWN, column.native) if column.name in wanted.casts else column for column in columns)


def _statements(writing: Writing, destination: Engine) -> tuple[str, ...]:
    if not writing.exists:
        return (*writing.types, destination.create_statement(writing.table, writing.columns, writing.key))
    if writing.mode == "replace":
        return () if writing.same else tuple(destination.reshape_statements(writing))
    return tuple(destination.alter_statements(writing))


def _check(wanted: Transfer) -> None:
    require_table_names(wanted.reading, wanted.origin, wanted.table, wanted.destination)
    if wanted.mode not in MODES:
        raise TransferRefused(f"There is no mode {wanted.mode!r}.", f"It is one of {', '.join(MODES)}.")
    if wanted.mode == "upsert" and not wanted.key:
        raise TransferRefused("upsert finds a row by its key, and none is named.", "Name its columns: --key id")
    if wanted.schema not in ("evolve", "freeze"):
        raise TransferRefused(f"There is no schema rule {wanted.schema!r}.", "It is evolve or freeze.")
    for name, kind in wanted.casts.items():
        if read_kind(kind) != kind:
            raise TransferRefused(
                f"--cast {name}={kind}: there is no type {kind}.", "Write VARCHAR, BIGINT, DECIMAL(12,2), TIMESTAMP, JSON …"
            )


def _require_known(wanted: Transfer, columns: tuple[Column, ...]) -> None:
    names = [column.name for column in columns]
    for name in (*wanted.casts, *wanted.key):
        if name not in names:
            raise TransferRefused(f"{wanted.reading.label} has no column {name}.", f"It has: {', '.join(names)}.", column=name)
    twice = next((name for name in names if [other.casefold() for other in names].count(name.casefold()) > 1), None)
    if twice is not None:
        raise TransferRefused(
            f"{wanted.reading.label} has two columns called {twice}.", "Give each a name of its own with AS.", column=twice
        )
    if not names:
        raise TransferRefused(f"{wanted.reading.label} has no columns.", "Read something else.")


class _Counted:
    """Counts rows and bytes on their way."""

    def __init__(self, batches: Iterator[pa.RecordBatch], progress: Progress | None) -> None:
        self._batches = batches
        self._progress = progress
        self.rows = self.size = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            self.size += batch.nbytes
            if self._progress is not None:
                self._progress(self.rows, self.size)
            yield batch
