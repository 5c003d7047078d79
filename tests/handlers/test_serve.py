"""A served pipeline is killed, stopped and stalled while clients send: every acknowledged row is there exactly once."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import socket
import sqlite3
import ssl
import time
import urllib.request
from pathlib import Path
from typing import Any

import duckdb
import psutil
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pdbt.cli import main
from pdbt.handlers import Client, ServerRefused, ServerUnavailable
from tests import mysql
from tests.conftest import StartProcess
from tests.handlers.serving import SECONDS, Load, Served, free_port

KINDS = [*(pytest.param(kind, marks=pytest.mark.slow) for kind in ("duckdb", "mysql", "postgresql")), "sqlite"]
MEMORY_BOUND = 500_000_000


def stored(target: str, column: str = "n", table: str = "stored") -> list[Any]:
    """Return a column of all rows of the target, ordered."""
    select = f"SELECT {column} FROM {table} ORDER BY {column}"
    if target.startswith("postgres"):
        with psycopg.connect(target) as connection:
            return [value for (value,) in connection.execute(select).fetchall()]
    if target.startswith("mysql"):
        return [value for (value,) in mysql.execute(target, select)]
    path = target.partition("///")[2]
    if target.startswith("duckdb"):
        with duckdb.connect(path, read_only=True) as reader:
            return [value for (value,) in reader.execute(select).fetchall()]
    lite = sqlite3.connect(path)
    try:
        return [value for (value,) in lite.execute(select)]
    finally:
        lite.close()


def check_exactly_once(load: Load, target: str) -> None:
    assert load.faults == []
    found = stored(target)
    assert len(found) == len(set(found)), "a row is there twice"
    assert found == load.expected(), "rows are missing, or there that nobody acknowledged"
    assert stored(target, "twice") == [2 * n for n in found]
    assert all(ack.rows_stored == ack.rows_received for ack in load.acks)


@pytest.mark.parametrize("target", KINDS, indirect=True)
def test_a_server_and_workers_that_are_killed_lose_and_double_nothing(start_process: StartProcess, tmp_path: Path, target: str) -> None:
    served = Served(start_process, tmp_path, target)
    served.start()
    with Load(served.url, clients=4, rows=50) as load:
        for _ in range(2):
            for _ in range(3):
                load.wait_for(20)
                served.kill_a_worker(0)  # the oldest, so that it is each node's in turn
            load.wait_for(30)
            served.kill()
            served.start()
        load.wait_for(30)
    served.process.terminate()
    assert served.process.wait(SECONDS) == 0
    check_exactly_once(load, target)


def test_sigterm_finishes_what_is_under_way(start_process: StartProcess, tmp_path: Path) -> None:
    """What is acknowledged is there, the server ends with 0, and the clients go on with the next server."""
    target = f"sqlite:///{tmp_path}/target.sqlite"
    served = Served(start_process, tmp_path, target)
    served.start()
    with Load(served.url, clients=4, rows=50) as load:
        load.wait_for(30)
        served.process.terminate()
        assert served.process.wait(SECONDS) == 0
        assert served.process.stderr is not None
        assert served.process.stderr.read() == ""
        served.start()
        load.wait_for(30)
    served.process.terminate()
    assert served.process.wait(SECONDS) == 0
    check_exactly_once(load, target)


@pytest.mark.parametrize("seconds", [pytest.param(4.0, id="short"), pytest.param(15.0, marks=pytest.mark.slow, id="long")])
def test_a_stalled_consumer_fills_no_memory(start_process: StartProcess, tmp_path: Path, seconds: float) -> None:
    """Clients that would send far more than the bound are held up, and sent away for some time; when it goes on, all is stored once."""
    target = f"sqlite:///{tmp_path}/target.sqlite"
    served = Served(start_process, tmp_path, target, options=("--patience", "3"))
    served.start()
    with Load(served.url, clients=6, rows=2_000, window=20, text="x" * 1_000) as load:  # 240 MB, were they let
        load.wait_for(4)
        (tmp_path / "stalled").touch()
        most, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            most = max(most, memory_of(served))
            time.sleep(0.2)
        held = len(load.acks)
        (tmp_path / "stalled").unlink()
        load.wait_for(12)
    served.process.terminate()
    assert served.process.wait(SECONDS) == 0
    print(f"stalled for {seconds:g} s: at most {most / 1e6:.0f} MB; {held} batches before, {len(load.acks)} in the end")
    assert most < MEMORY_BOUND
    check_exactly_once(load, target)


def memory_of(served: Served) -> int:
    """Return the proportional set size of the server and its workers, and of the batches in files in memory."""
    processes = [psutil.Process(served.process.pid), *served.workers()]
    files = 0
    for path in Path("/dev/shm").glob(f"pdbt-stream-{served.process.pid}-*/*"):
        with contextlib.suppress(FileNotFoundError):  # it was let go of between the two looks
            files += path.stat().st_size
    return sum(map(own_memory, processes)) + files


def own_memory(process: psutil.Process) -> int:
    """Return the proportional set size of a process but for files in memory, which are counted as a whole."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return sum(int(value) * 1024 for value in re.findall(r"^Pss_(?:Anon|File): +(\d+) kB", rollup, flags=re.MULTILINE))


def certificate(folder: Path) -> tuple[Path, Path]:
    """Return the files of a certificate for this machine and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kind = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


def test_tls_and_a_token(start_process: StartProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = certificate(tmp_path)
    options = ("--tls-cert", str(cert), "--tls-key", str(key), "--token-env", "STREAM_TOKEN", "--host", "127.0.0.1")
    monkeypatch.setenv("STREAM_TOKEN", "open sesame")
    target = f"sqlite:///{tmp_path}/target.sqlite"
    served = Served(start_process, tmp_path, target, options=options)
    served.start()
    assert served.said == f"Serving in at grpc+tls://127.0.0.1:{served.port}\n"
    secure = f"grpc+tls://localhost:{served.port}"
    with Client(secure, token="open sesame", tls_ca=cert.read_bytes()) as client:
        assert client.send("in", [{"n": 1, "text": "x"}])[0].rows_stored == 1
    with (
        Client(secure, token="sesame", tls_ca=cert.read_bytes()) as client,
        pytest.raises(ServerRefused, match="token is missing or wrong"),
    ):
        client.send("in", [{"n": 2, "text": "x"}])
    for url, authority in ((secure, None), (served.url, None)):
        with Client(url, token="open sesame", tls_ca=authority, patience=0.5) as client, pytest.raises(ServerUnavailable):
            client.send("in", [{"n": 3, "text": "x"}])
    served.process.terminate()
    assert served.process.wait(SECONDS) == 0
    assert served.process.stderr is not None
    assert "sesame" not in served.process.stderr.read()
    assert stored(target) == [1]


def test_https_beside_flight_hears_others_while_a_client_says_nothing(start_process: StartProcess, tmp_path: Path) -> None:
    """At an address of IPv6, with one client that does not begin TLS, and one that does not speak it."""
    cert, key = certificate(tmp_path)
    port = free_port()
    options = ("--tls-cert", str(cert), "--tls-key", str(key), "--host", "::1", "--http-port", str(port))
    served = Served(start_process, tmp_path, f"sqlite:///{tmp_path}/target.sqlite", options=options)
    served.start()
    assert served.said == f"Serving in at grpc+tls://[::1]:{served.port}\n"
    assert served.process.stdout is not None
    assert served.process.stdout.readline() == f"Health, metrics and triggers at https://[::1]:{port}\n"
    with socket.create_connection(("::1", port)), socket.create_connection(("::1", port)) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        trusted = ssl.create_default_context(cafile=str(cert))
        trusted.check_hostname = False
        with urllib.request.urlopen(f"https://[::1]:{port}/health", timeout=SECONDS, context=trusted) as answer:
            assert json.loads(answer.read()) == {"status": "serving"}
    served.process.terminate()
    assert served.process.wait(SECONDS) == 0
    assert served.process.stderr is not None
    assert served.process.stderr.read() == ""


def test_a_pipeline_that_fails_ends_the_server_with_1(start_process: StartProcess, tmp_path: Path) -> None:
    served = Served(start_process, tmp_path, f"sqlite:///{tmp_path}/target.sqlite")
    served.file.write_text(served.file.read_text().replace("2 * n for n", "2 / n for n"))
    served.start()
    with Client(served.url, patience=1) as client, pytest.raises(ServerRefused, match="ZeroDivisionError"):
        client.send("in", [{"n": 0, "text": "x"}])
    assert served.process.wait(SECONDS) == 1
    assert served.process.stderr is not None
    said = served.process.stderr.read()
    assert said.startswith("error: Node double: handle() of Double (")
    assert "hint: Mend the handler, or the data.\n" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        (None, [], "There is no file {file}."),
        ("x = 1", [], "{file}: there is no pipeline."),
        ("pipeline = 1", [], "{file}: pipeline is int."),
        ("import nothing_of_that_name", [], "{file} line 1: ModuleNotFoundError: No module named 'nothing_of_that_name'."),
        ("def pipeline():\n    return 1 / 0", [], "{file} line 2: ZeroDivisionError: division by zero."),
        (
            "from pdbt.handlers import *\npipeline = PipelineExecutor([])",
            [],
            "The pipeline has no producer: no data can enter it.",
        ),
        (
            "from pdbt.handlers import *\npipeline = PipelineExecutor([HandlerNode('in', Ingest())])",
            ["--token-env", "NOT_SET"],
            "--token-env NOT_SET: there is no such variable, or it is empty.",
        ),
        (
            "from pdbt.handlers import *\npipeline = PipelineExecutor([HandlerNode('in', Ingest())])",
            ["--tls-cert", "cert.pem"],
            "TLS needs a certificate and its key.",
        ),
        (
            "from pdbt.handlers import *\npipeline = PipelineExecutor([HandlerNode('in', Ingest())])",
            ["--tls-cert", "none.pem", "--tls-key", "none.pem"],
            "none.pem: No such file or directory.",
        ),
    ],
    ids=["no file", "no pipeline", "another thing", "no module", "a failing function", "a bad graph", "no token", "no key", "no pem"],
)
def test_what_cannot_be_served_is_one_sentence(
    text: str | None, options: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pipeline.py"
    if text is not None:
        file.write_text(text)
    assert main(["stream", "serve", str(file), "--port", "0", *options]) == 2
    assert capsys.readouterr().err.splitlines()[0] == "error: " + sentence.format(file=file)


def test_a_taken_port_is_one_sentence_that_names_who_has_it(
    start_process: StartProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That of Arrow Flight as well as that of HTTP; and what was launched in the background says it without error: and hint: of its own."""
    http = free_port()
    served = Served(start_process, tmp_path, f"sqlite:///{tmp_path}/target.sqlite", options=("--http-port", str(http)))
    served.start()
    who = f"{psutil.Process(served.process.pid).name()} (PID {served.process.pid})"
    file, state = str(served.file), str(tmp_path / "state")
    for command, began in (
        (("serve", file, "--port", str(served.port)), f"error: Port {served.port} is taken by {who}."),
        (("serve", file, "--port", "0", "--http-port", str(http)), f"error: Port {http} is taken by {who}."),
        (
            ("launch", file, "--state", state, "--port", str(served.port)),
            f"error: The stream ended while it was starting: Port {served.port} is taken by {who}.",
        ),
    ):
        assert main(["stream", *command]) == (1 if command[0] == "launch" else 2)
        sentence, hint = capsys.readouterr().err.splitlines()
        assert sentence == began
        assert re.fullmatch(rf"hint: Use {command[-2]} \d+\.", hint)
    served.process.terminate()
    assert served.process.wait(SECONDS) == 0


def test_what_else_keeps_a_server_from_a_port_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, port = tmp_path / "pipeline.py", str(free_port())
    file.write_text("from pdbt.handlers import *\npipeline = PipelineExecutor([HandlerNode('in', Ingest())])")
    (tmp_path / "no.pem").write_text("no PEM")
    pem = str(tmp_path / "no.pem")
    for options, said in (
        (
            ("--tls-cert", pem, "--tls-key", pem),
            f"error: No server can listen at 127.0.0.1:{port} with this TLS certificate and key.\n"
            "hint: Name two PEM files that belong together.\n",
        ),
        (
            ("--host", "192.0.2.1"),
            f"error: No server can listen at 192.0.2.1:{port}: Cannot assign requested address.\nhint: Choose another --host or --port.\n",
        ),
        (("--http-port", port), f"error: --port and --http-port are both {port}.\nhint: Give each a port of its own.\n"),
    ):
        assert main(["stream", "serve", str(file), "--port", port, *options]) == 2
        assert capsys.readouterr().err == said
