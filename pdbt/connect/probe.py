"""`pdbt connection test`: one step after the other, so that the first that fails says what is wrong."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from .address import Address
from .drivers import require
from .engines import open_engine
from .faults import DATABASE, NAME, PORT, PRIVILEGE, ConnectionFault, fault

CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Tested:
    """A connection that works.

    Attributes:
        label: the place, as a person may see it.
        version: product and version, as the database itself says.
        tables: how many tables the user may read.
        writable: whether the user may create tables.
    """

    label: str
    version: str
    tables: int
    writable: bool


def test_connection(address: Address) -> Tested:
    """Find out whether a connection works.

    Raises:
        ConnectionFault: it does not; the kind says whether name, port, TLS, password, database or privilege.
        MissingDriver: its library is not installed.
    """
    require(address.driver)
    if address.path is not None:
        _check_file(address, address.path)
    elif address.host and address.port and not address.host.startswith("/"):
        _check_port(address)
    with open_engine(address) as engine:
        found = Tested(address.label, engine.version(), len(engine.tables("*")), engine.may_create())
    if not found.tables and not found.writable:
        raise fault(PRIVILEGE, address, "it may read no table and create none")
    return found


def _check_file(address: Address, path: Path) -> None:
    if not path.is_file():
        raise ConnectionFault(DATABASE, f"{address.label}: there is no such file.", "Check the path of the URL; a transfer makes the file.")


def _check_port(address: Address) -> None:
    try:
        socket.create_connection((address.host, address.port), CONNECT_SECONDS).close()
    except (socket.gaierror, UnicodeError):  # the latter for a name that cannot be one
        raise fault(NAME, address) from None
    except OSError:
        raise fault(PORT, address) from None
