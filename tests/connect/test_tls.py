"""TLS: what a server does not speak, what nobody vouches for, and that no option of a URL means less than it says."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from pdbt.connect.address import read_address
from pdbt.connect.mysql_tls import MySQLConnection, tls_arguments
from pdbt.engine.errors import PdbtError
from tests.connect.own_postgres import OwnServer
from tests.connect.test_connections import ENCODED, Command, at, pdbt

__all__ = ["pdbt"]
HINT = "hint: Check the TLS options of the URL, and the server's certificate."


def test_tls_that_postgresql_does_not_speak(pdbt: Command, own_postgres: OwnServer) -> None:
    told = pdbt("connection", "test", own_postgres.url(password=ENCODED) + "?sslmode=require")
    place = f"PostgreSQL at 127.0.0.1:{own_postgres.port}/postgres"
    assert told.code == 2
    assert told.err.splitlines() == [f"error: {place}: TLS failed: server does not support SSL, but SSL was required.", HINT]


def test_tls_that_mysql_does_not_speak_or_a_certificate_of_its_own(pdbt: Command, mysql_server: str) -> None:
    told = pdbt("connection", "test", at(mysql_server, database="x") + "?ssl_mode=VERIFY_IDENTITY")
    assert told.code == 2
    assert told.err.splitlines()[0].startswith("error: MySQL at 127.0.0.1:")
    assert "/x: TLS failed: " in told.err.splitlines()[0]
    assert told.err.splitlines()[1] == HINT


@pytest.mark.parametrize(
    ("options", "certified", "identified"),
    [
        ("ssl_mode=REQUIRED", ssl.CERT_NONE, False),
        ("ssl_mode=VERIFY_CA", ssl.CERT_REQUIRED, False),
        ("ssl_mode=VERIFY_IDENTITY", ssl.CERT_REQUIRED, True),
        ("ssl-mode=verify-identity&ssl_ca={ca}", ssl.CERT_REQUIRED, True),
        ("ssl_ca={ca}", ssl.CERT_REQUIRED, False),
    ],
)
def test_mysql_is_verified_as_the_url_asks(options: str, certified: ssl.VerifyMode, identified: bool, tmp_path: Path) -> None:
    from tests.handlers.test_serve import certificate

    authority, _ = certificate(tmp_path)
    context = tls_arguments(read_address("mysql://u@h/d?" + options.replace("{ca}", str(authority))))["ssl"]
    assert (context.verify_mode, context.check_hostname) == (certified, identified)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("ssl_mode=VERIFY", "MySQL at h:3306/d: there is no ssl_mode 'VERIFY'."),
        ("ssl_ca=/no/such.pem", "MySQL at h:3306/d: TLS failed: /no/such.pem: No such file or directory."),
    ],
)
def test_tls_that_cannot_be_is_no_weaker_tls(options: str, message: str) -> None:
    with pytest.raises(PdbtError) as refused:
        tls_arguments(read_address(f"mysql://u@h/d?{options}"))
    assert refused.value.message == message


def test_mysql_that_is_asked_for_no_proof_encrypts_where_it_can_and_loads_no_authorities() -> None:
    connection = MySQLConnection(host="h", defer_connect=True, **tls_arguments(read_address("mysql://u@h/d")))
    assert (connection.ssl, connection._ssl_required) == (True, False)
    assert (connection.ctx.verify_mode, connection.ctx.check_hostname) == (ssl.CERT_NONE, False)
    assert connection.ctx.cert_store_stats()["x509"] == 0
    given = tls_arguments(read_address("mysql://u@h/d?ssl_mode=VERIFY_CA"))
    assert MySQLConnection(host="h", defer_connect=True, **given).ctx is given["ssl"]
