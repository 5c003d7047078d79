"""TLS to MySQL and MariaDB, as the options of a URL ask for it."""

from __future__ import annotations

import ssl
from typing import Any

from pymysql.connections import Connection

from ..engine.errors import SettingsError
from .address import Address
from .faults import TLS, fault

# MySQL's own names, and those of PostgreSQL's URLs beside them.
_ENCRYPTED, _CERTIFIED, _IDENTIFIED = ("required", "require"), ("verify_ca",), ("verify_identity", "verify_full")
_WHERE_THERE_IS, _NEVER = ("", "preferred", "prefer"), ("disabled", "disable")


class MySQLConnection(Connection):  # type: ignore[misc]
    """A connection that loads authorities only where the server's certificate is checked: they cost more than all else in connecting."""

    def _create_ssl_ctx(self, given: Any) -> ssl.SSLContext:
        """Return the context of PyMySQL's options; with none of them TLS is used where the server offers it."""
        context: ssl.SSLContext = super()._create_ssl_ctx(given) if given else _unchecked()
        return context


def tls_arguments(address: Address) -> dict[str, Any]:
    """Return PyMySQL's arguments.

    Raises:
        SettingsError: there is no such mode: it must not be taken for a weaker one.
        ConnectionFault: the file of ssl_ca cannot be read.
    """
    options = address.options
    written = options.get("ssl_mode") or options.get("ssl-mode") or options.get("sslmode") or ""
    authority = options.get("ssl_ca")
    # Whoever names an authority wants its word, as with MySQL's own client.
    mode = written.casefold().replace("-", "_") or ("verify_ca" if authority else "")
    if mode in _NEVER:
        return {"ssl_disabled": True}
    if mode in _WHERE_THERE_IS:
        return {}
    if mode not in (*_ENCRYPTED, *_CERTIFIED, *_IDENTIFIED):
        raise SettingsError(
            f"{address.label}: there is no ssl_mode {written!r}.", "It is DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY."
        )
    return {"ssl": _context(address, mode, authority)}


def _unchecked() -> ssl.SSLContext:
    """Return a context that encrypts, and takes whatever certificate the server shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _context(address: Address, mode: str, authority: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:  # an SSLError is one, too
        raise fault(TLS, address, f"{authority}: {error.strerror or error}") from None
    # The certificates that MySQL and MariaDB make for themselves do not keep all of RFC 5280.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = mode in _IDENTIFIED
    context.verify_mode = ssl.CERT_NONE if mode in _ENCRYPTED else ssl.CERT_REQUIRED
    return context
