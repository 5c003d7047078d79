"""`-- load:` in scripts/final: a published result brought to another database."""

from __future__ import annotations

from pathlib import Path

from ..engine.databases.postgres_names import folded
from ..engine.settings import load_settings
from .address import read_address
from .base import Reading, Table, TransferRefused
from .connections import resolve
from .execution import Transfer, carry_out


def deliver(project: Path, published: str, table: str, target: str, mode: str, key: tuple[str, ...], schema: str) -> int:
    """Bring a published table to a connection of the project; return its rows.

    Args:
        project: the project's folder.
        published: the URL of the database that readers see.
        table: the table's name.
        target: ``CONNECTION.table`` or ``CONNECTION.schema.table``.
        mode: ``replace``, ``append`` or ``upsert``.
        key: the columns by which upsert finds a row.
        schema: ``evolve`` or ``freeze``.

    Raises:
        PdbtError: it did not arrive; the target is as it was.
    """
    name, _, rest = target.partition(".")
    home, _, wanted = rest.rpartition(".")
    origin = read_address(published, project)
    own = folded(table) if origin.driver.name == "PostgreSQL" else table
    target_address = resolve(name, load_settings(project))
    try:
        return carry_out(Transfer(origin, target_address, Reading(Table("", own)), Table(home, wanted), mode, key, schema=schema)).rows
    except TransferRefused as refusal:
        raise refusal.of_script() from refusal
