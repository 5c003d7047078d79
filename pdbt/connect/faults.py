"""What a driver says when it does not get through, as one of a few kinds of fault, each with what to do about it."""

from __future__ import annotations

import re

from ..engine.errors import PdbtError
from .address import Address

NAME, PORT, TLS, PASSWORD, DATABASE, PRIVILEGE, BUSY, OTHER = (
    "name",
    "port",
    "tls",
    "password",
    "database",
    "privilege",
    "busy",
    "other",
)

_MYSQL_KINDS = {1045: PASSWORD, 1698: PASSWORD, 1251: PASSWORD, 1049: DATABASE, 1044: PRIVILEGE, 1130: PRIVILEGE, 2026: TLS}
_MYSQL_KINDS |= {1040: BUSY, 1203: BUSY, 1226: BUSY, 1053: BUSY, 2013: BUSY}
# PostgreSQL's library gives no code for a login that failed, only the sentence; the first that fits says what it is. Names that stand
# in it in double quotes are taken out first: a database may be called password.
_POSTGRESQL_WORDS = (
    ("failed to resolve host", NAME),
    ("could not translate host name", NAME),
    ("connection refused", PORT),
    ("timeout expired", PORT),
    ("no route to host", PORT),
    ("the database system is", BUSY),
    ("too many", BUSY),
    ("remaining connection slots", BUSY),
    ("server closed the connection", BUSY),
    ("no pg_hba.conf entry", PRIVILEGE),
    ("permission denied for database", PRIVILEGE),
    ("certificate", TLS),
    ("ssl", TLS),
    ("password", PASSWORD),
    ("authentication failed", PASSWORD),
    ("role ", PASSWORD),
    ("database does not exist", DATABASE),
)


class ConnectionFault(PdbtError):
    """A connection that does not work.

    Attributes:
        kind: ``name``, ``port``, ``tls``, ``password``, ``database``, ``privilege``, ``busy`` or ``other``.
    """

    def __init__(self, kind: str, message: str, hint: str) -> None:
        """Keep the kind beside the sentence."""
        super().__init__(message, hint)
        self.kind = kind
        self.passing = kind in (NAME, PORT, BUSY)


def fault(kind: str, address: Address, said: str = "") -> ConnectionFault:
    """Return the sentence and the hint for a kind of fault at an address; `said` are the driver's own words."""
    place = f"{address.host}:{address.port}"
    reason = address.redact(" ".join(said.split())).rstrip(".")
    user = address.user or "the user"
    sentences = {
        NAME: (f"No host is called {address.host}: its name was not found.", "Check the host of the URL, and the network or VPN."),
        PORT: (
            f"Nothing answers at {place}: the port is closed.",
            f"Check that {address.driver.name} runs there, the port and the firewall.",
        ),
        TLS: (f"{address.label}: TLS failed: {reason}.", "Check the TLS options of the URL, and the server's certificate."),
        PASSWORD: (f"{address.label} refuses the user or the password of {user}.", "Check user and password of the URL, or of .env."),
        DATABASE: (
            f"{address.label}: there is no database {address.database!r}.",
            "Check the last part of the URL, or create the database.",
        ),
        PRIVILEGE: (f"{address.label}: {user} lacks a privilege: {reason}.", "Ask whoever owns the database to grant it."),
        BUSY: (
            f"{address.label} takes no connection now: {reason}.",
            "Try again later, or raise its limit of connections.",
        ),
        OTHER: (f"{address.label} cannot be used: {reason}.", "Check the URL of the connection."),
    }
    return ConnectionFault(kind, *map(address.redact, sentences[kind]))


def postgresql_fault(address: Address, said: str) -> ConnectionFault:
    """Return the fault that PostgreSQL's library told while connecting."""
    reason = said.strip().splitlines()[0] if said.strip() else "no answer"
    reason = reason.rpartition(" failed: ")[2]
    words = re.sub(r'"[^"]*" ?', "", reason).casefold()
    kind = next((kind for text, kind in _POSTGRESQL_WORDS if text in words), OTHER)
    return fault(kind, address, reason.removeprefix("FATAL:").strip())


def mysql_fault(address: Address, error: Exception) -> ConnectionFault:
    """Return the fault that PyMySQL raised while connecting."""
    code, said = _code_and_words(error)
    if code == 2003:
        return fault(NAME if "Errno -" in said or "not known" in said else PORT, address)
    return fault(_MYSQL_KINDS.get(code, OTHER), address, said)


def _code_and_words(error: Exception) -> tuple[int, str]:
    if len(error.args) >= 2 and isinstance(error.args[0], int):
        return error.args[0], str(error.args[1])
    return 0, str(error)
