"""Opening a connection: the module for its kind of database, loaded when it is needed."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator

from .address import Address
from .base import Engine
from .drivers import require

_HOMES = {
    "PostgreSQL": ("postgresql", "PostgreSQL"),
    "MySQL": ("mysql", "MySQL"),
    "SQLite": ("sqlite", "SQLite"),
    "DuckDB": ("duck", "DuckDB"),
}


@contextlib.contextmanager
def open_engine(address: Address, *, writes: bool = False) -> Iterator[Engine]:
    """Connect to a database, and disconnect afterwards.

    Args:
        address: where it is.
        writes: whether it will be written to, perhaps while it is read: a DuckDB file is then opened for both from the start.

    Raises:
        ConnectionFault: it cannot be reached; says why.
        MissingDriver: its library is not installed.
    """
    require(address.driver)
    module, name = ("generic", "Generic") if address.driver.generic else _HOMES[address.driver.name]
    make: Callable[[Address], Engine] = getattr(importlib.import_module(f".{module}", __package__), name)
    engine = make(address)
    try:
        if writes:
            engine.prepare_to_write()
        yield engine
    finally:
        engine.close()
