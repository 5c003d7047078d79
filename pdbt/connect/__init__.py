"""Connections to a team's databases, and transfers of rows between them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connections import Connection, add_connection, list_connections, remove_connection, resolve_name
    from .execution import Transfer, TransferPlan, Transferred, estimate_rows, plan_transfer
    from .many import choose, transfer, transfer_all
    from .probe import test_connection

__all__ = [
    "Connection",
    "Transfer",
    "TransferPlan",
    "Transferred",
    "add_connection",
    "choose",
    "estimate_rows",
    "list_connections",
    "plan_transfer",
    "remove_connection",
    "resolve_name",
    "test_connection",
    "transfer",
    "transfer_all",
]

_HOMES = {
    "Connection": "connections",
    "Transfer": "execution",
    "TransferPlan": "execution",
    "Transferred": "execution",
    "add_connection": "connections",
    "choose": "many",
    "estimate_rows": "execution",
    "list_connections": "connections",
    "plan_transfer": "execution",
    "remove_connection": "connections",
    "resolve_name": "connections",
    "test_connection": "probe",
    "transfer": "many",
    "transfer_all": "many",
}


def __getattr__(name: str) -> object:
    """Load a public name where it is first asked for: listing connections loads no driver."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
