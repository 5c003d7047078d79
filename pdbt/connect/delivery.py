"""`-- load:` in scripts/final: a published result brought to another database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..engine.databases.postgres_names import folded
from ..engine.settings import load_settings
from .address import read_address
from .base import Reading, Table, TransferRefused
from .connections import resolve
from .execution import Transfer, carry_out
from .receipts import Delivery, has_already, with_forgotten


def deliver(
    project: Path,
    published: str,
    table: str,
    target: str,
    mode: str,
    key: tuple[str, ...],
    schema: str,
    scripts: tuple[str, ...] | None = None,
    note: Callable[[str], None] | None = None,
) -> int:
    """Bring a published table to a connection of the project; return its rows.

    Args:
        project: the project's folder.
        published: the URL of the database that readers see.
        table: the table's name.
        target: ``CONNECTION.table`` or ``CONNECTION.schema.table``.
        mode: ``replace``, ``append`` or ``upsert``.
        key: the columns by which upsert finds a row.
        schema: ``evolve`` or ``freeze``.
        scripts: the tables of all scripts of the project, by which one that was renamed is known; None where they are not known.
        note: told what a person should know though nothing failed.

    Raises:
        PdbtError: it did not arrive; the target is as it was.
    """
    name, _, rest = target.partition(".")
    home, _, wanted = rest.rpartition(".")
    origin = read_address(published, project)
    own = folded(table) if origin.driver.name == "PostgreSQL" else table
    settings = load_settings(project)
    address, reading, to = resolve(name, settings), Reading(Table("", own)), Table(home, wanted)
    try:
        delivery = None
        if mode == "append" and not address.driver.generic:
            delivery = Delivery(to, settings.name, table)
            if scripts is not None:
                delivery = with_forgotten(delivery, scripts, address)
            if has_already(origin, reading, address, delivery):
                if note is not None:
                    note(f"{target} has the rows of {table} already: nothing is appended.")
                return 0
        return carry_out(Transfer(origin, address, reading, to, mode, key, schema=schema, delivery=delivery)).rows
    except TransferRefused as refusal:
        raise refusal.of_script() from refusal
