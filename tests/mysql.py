"""A real MySQL or MariaDB server for the tests: the one that is named, the one on this machine, or one started from its program."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

from tests.postgres import NoServer

VARIABLE = "PDBT_TEST_MYSQL"
LOCAL_URL = "mysql://root@127.0.0.1:3306/"
CONNECT_SECONDS = 5
START_SECONDS = 60.0

_numbers = itertools.count(1)


def connect(url: str, **options: Any) -> Any:
    """Connect to the database of a URL, each statement a transaction of its own, in UTC."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.strip("/") or None,
        connect_timeout=CONNECT_SECONDS,
        autocommit=True,
        charset="utf8mb4",
        init_command="SET time_zone = '+00:00'",
        **{"ssl_disabled": True, **options},  # or each connection loads all certificates of the machine
    )


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Execute statements; return the rows of the last one."""
    with contextlib.closing(connect(url)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Give the url of a server in which databases and users may be made; one that was started for it is stopped again.

    Raises:
        NoServer: nothing answers, and there is no program to start.
    """
    for url in filter(None, (os.environ.get(VARIABLE), LOCAL_URL)):
        try:
            connect(url).close()
        except pymysql.Error as error:
            if url != LOCAL_URL:
                raise NoServer(f"{VARIABLE}: {error}") from error
        else:
            yield url
            return
    with _started(folder) as url:
        yield url


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Give the url of an empty database, which is removed at the end."""
    name = f"pdbt_test_{os.getpid()}_{next(_numbers)}"
    execute(server, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        yield f"{server.rstrip('/')}/{name}"
    finally:
        execute(server, f"DROP DATABASE IF EXISTS {name}")


@contextmanager
def _started(folder: Path) -> Iterator[str]:
    server, install = shutil.which("mariadbd") or "/usr/sbin/mariadbd", shutil.which("mariadb-install-db")
    if not Path(server).exists() or install is None:
        raise NoServer("no MySQL or MariaDB answers on this machine, and mariadbd is not installed to start one")
    data, (port, user) = folder / "data", (_free_port(), ["--user=root"] if os.getuid() == 0 else [])
    made = [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db", *user]
    subprocess.run(made, check=True, capture_output=True, timeout=START_SECONDS)
    command = [server, "--no-defaults", f"--datadir={data}", f"--port={port}", f"--socket={folder}/s", "--bind-address=127.0.0.1", *user]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield _answering(f"mysql://root@127.0.0.1:{port}/", process, folder / "log")
        finally:
            process.terminate()
            try:
                process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _answering(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            connect(url).close()
        except pymysql.Error as error:
            if time.monotonic() > deadline or process.poll() is not None:
                raise NoServer(f"mariadbd does not start: {log.read_text(errors='replace')[-500:]}") from error
            time.sleep(0.2)
        else:
            return url


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
