"""Batches to send: made up, of the columns that a node takes."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ...engine.errors import PdbtError

if TYPE_CHECKING:
    import pyarrow as pa

_WORDS = ("alpha", "Beta ", " gamma", "DELTA", "epsilon")
_START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_YEAR_SECONDS = 365 * 86_400


def samples(schema: bytes, rows: int, seed: int) -> Iterator[pa.Table]:
    """Yield batches for ever.

    Args:
        schema: the columns, as Arrow writes them; without columns id, name and amount are taken.
        rows: how many rows each has.
        seed: another one gives other values; integers differ from batch to batch and from seed to seed.

    Raises:
        PdbtError: a column is of a type that cannot be made up.
    """
    import pyarrow as pa

    columns = pa.ipc.read_schema(pa.py_buffer(schema)) if schema else pa.schema([])
    if not columns.names:
        columns = pa.schema([("id", pa.int64()), ("name", pa.string()), ("amount", pa.float64())])
    chance = random.Random(seed)  # noqa: S311 - sample data
    makers = [_maker(field, chance) for field in columns]
    number = seed * 10_000_000
    while True:
        values = [pa.array([make(number + row) for row in range(rows)], field.type) for make, field in zip(makers, columns, strict=True)]
        yield pa.table(values, schema=columns)
        number += rows


def _maker(field: pa.Field, chance: random.Random) -> Callable[[int], Any]:
    import pyarrow as pa

    types, kind = pa.types, field.type
    if types.is_integer(kind):
        return lambda number: number % (2 ** (kind.bit_width - 1))
    if types.is_floating(kind):
        return lambda _: round(chance.uniform(0, 10_000), 2)
    if types.is_boolean(kind):
        return lambda _: chance.random() < 0.5
    if types.is_string(kind) or types.is_large_string(kind):
        return lambda number: f"{chance.choice(_WORDS)}{number % 1000}"
    if types.is_timestamp(kind):
        return lambda _: _moment(chance) if kind.tz else _moment(chance).replace(tzinfo=None)
    if types.is_date(kind):
        return lambda _: _moment(chance).date()
    raise PdbtError(f"Column {field.name}: the load test makes up no {kind}.", "Serve a node that takes numbers, texts and times.")


def _moment(chance: random.Random) -> datetime.datetime:
    return _START + datetime.timedelta(seconds=chance.randrange(_YEAR_SECONDS))
