"""Stop: the whole family of one instance, politely and then by force, and nobody else."""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

from pdbt.engine.errors import PdbtError
from pdbt.engine.process.ports import is_free
from pdbt.engine.process.stop import stop
from tests.process.instances import Shop, is_running, wait_until

Stranger = tuple[int, "subprocess.Popen[bytes]"]


def test_it_ends_the_family_and_frees_the_port(shop: Shop) -> None:
    shop.launch_apart()
    family = shop.family()
    stopped = shop.stop_apart()
    assert (stopped.code, stopped.stderr) == (0, "")
    first, second = stopped.stdout.splitlines()
    assert first.startswith(f"shop: Dagster stopped (PID {family[0].pid}, 3 processes) in ")
    assert second == f"Port {shop.port} is free."
    assert not any(is_running(process.pid) for process in family)
    assert is_free(shop.port)
    assert not shop.pid_file.exists()
    assert (shop.macro / ".dagster").is_dir()


def test_where_nothing_runs_it_says_so_and_writes_nothing(shop: Shop) -> None:
    before = sorted(shop.project.rglob("*"))
    stopped = shop.stop()
    assert (stopped.code, stopped.stdout, stopped.stderr) == (0, "shop: Dagster is not running.\n", "")
    assert [path for path in sorted(shop.project.rglob("*")) if "__pycache__" not in path.parts] == [
        path for path in before if "__pycache__" not in path.parts
    ]


def test_settings_that_were_broken_since_the_launch_do_not_keep_it_running(shop: Shop) -> None:
    shop.launch()
    family = shop.family()
    (shop.project / "pdbt.toml").write_text("[nonsense]\n", encoding="utf-8")
    stopped = shop.stop()
    assert (stopped.code, stopped.stderr) == (0, "")
    assert f"{shop.project.name}: Dagster stopped" in stopped.stdout
    assert not any(is_running(process.pid) for process in family)
    assert not shop.pid_file.exists()
    assert f"Port {shop.port} is free." in stopped.stdout
    again = shop.stop()
    assert (again.code, again.stderr.splitlines()[0]) == (2, "error: pdbt.toml: there is no section [nonsense].")


def test_what_does_not_end_politely_is_killed(shop: Shop) -> None:
    shop.behave(stubborn=True)
    shop.launch()
    family = shop.family()
    stopped = shop.stop("--timeout", "1")
    assert stopped.code == 0
    assert "3 processes, 3 of them by force) in " in stopped.stdout
    assert not any(is_running(process.pid) for process in family)


@pytest.mark.parametrize("stubborn", [False, True], ids=["polite", "stubborn"])
def test_what_a_killed_instance_left_behind_is_ended(stubborn: bool, shop: Shop) -> None:
    shop.behave(stubborn=stubborn)
    for _ in range(2):
        assert shop.launch().code == 0
        family = shop.family()
        os.kill(shop.record["pid"], signal.SIGKILL)
        wait_until(lambda: len(shop.family()) == 2)
        stopped = shop.stop("--timeout", "0.5")
        assert stopped.code == 0
        assert "is gone; the file was removed.\n" in stopped.stdout
        assert f"stopped (left behind by one that was killed, 2 processes{', 2 of them by force' if stubborn else ''})" in stopped.stdout
        assert not any(is_running(process.pid) for process in family)
        assert is_free(shop.port)
        assert not shop.pid_file.exists()


def test_it_finds_what_the_pid_file_no_longer_names(shop: Shop) -> None:
    shop.launch()
    pid = shop.record["pid"]
    shop.pid_file.unlink()
    assert f"stopped (PID {pid}, 3 processes)" in shop.stop().stdout
    assert shop.family() == []


# Others --------------------------------------------------------------------------------------------------------------


def forged(process: psutil.Process, home: Path, **changed: object) -> str:
    """Return a PID file of a process that is none of the project's."""
    record = {
        "pid": process.pid,
        "started": process.create_time(),
        "command": process.cmdline(),
        "port": 3000,
        "since": "2026-01-01T00:00:00+00:00",
        "home": str(home),
    }
    return json.dumps({**record, **changed})


@pytest.mark.parametrize("changed", [{"started": 1.0}, {"command": ["python3", "launch.py"]}, {}], ids=["start", "command", "nothing"])
def test_a_pid_that_was_given_away_again_is_not_touched(changed: dict[str, object], shop: Shop, sleeper: subprocess.Popen[bytes]) -> None:
    """Also where all of it agrees: it does not carry the mark."""
    process = psutil.Process(sleeper.pid)
    wait_until(lambda: process.name() == "sleep")
    text = forged(process, shop.macro / ".dagster", **changed)
    shop.pid_file.write_text(text, encoding="utf-8")
    stopped = shop.stop()
    assert stopped.code == 0
    assert stopped.stdout == (
        f"{shop.pid_file} was stale: PID {sleeper.pid} is now sleep (PID {sleeper.pid}), which was left alone; the file was removed.\n"
        "shop: Dagster is not running.\n"
    )
    assert not shop.pid_file.exists()
    shop.pid_file.write_text(text, encoding="utf-8")
    assert shop.launch().code == 0
    assert shop.record["pid"] != sleeper.pid


@pytest.mark.parametrize("text", ["", "{", "1234", "null", '{"pid": 1}', "\xff", '{"pid": -1, "started": 1}'])
def test_a_pid_file_that_says_nothing_is_removed(text: str, shop: Shop) -> None:
    shop.pid_file.write_bytes(text.encode("latin-1"))
    stopped = shop.stop()
    assert stopped.code == 0
    assert stopped.stdout == f"{shop.pid_file} says nothing that can be checked; it was removed.\nshop: Dagster is not running.\n"
    assert not shop.pid_file.exists()


def test_another_users_instance_is_told_and_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system refuses to show and to end stands for a process of another user."""
    shop.launch()
    record = shop.record

    def refuse(process: psutil.Process) -> NoReturn:
        raise psutil.AccessDenied(process.pid)

    for name in ("environ", "terminate", "kill"):
        monkeypatch.setattr(psutil.Process, name, refuse)
    with pytest.raises(PdbtError) as refused:
        stop(shop.project)
    assert refused.value.message.startswith("python")
    assert refused.value.message.endswith(f"(PID {record['pid']}) belongs to {getpass.getuser()}, and may not be ended by you.")
    monkeypatch.undo()
    assert shop.record == record
    assert is_running(record["pid"])


def test_a_stranger_on_the_port_is_named_and_left_alone(shop: Shop, stranger: Stranger) -> None:
    port, process = stranger
    settings = shop.project / "pdbt.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace(f"port = {shop.port}", f"port = {port}"), encoding="utf-8")
    stopped = shop.stop()
    assert stopped.code == 0
    first, second = stopped.stdout.splitlines()
    assert first == "shop: Dagster is not running."
    assert second.startswith(f"Port {port} is taken by python")
    assert second.endswith(f"(PID {process.pid}), which is not this project's and was left alone.")


def test_stopping_twice_at_once_is_stopping(shop: Shop) -> None:
    shop.launch()
    with ThreadPoolExecutor(3) as pool:
        results = [pool.submit(shop.stop_apart) for _ in range(3)]
    assert [result.result().code for result in results] == [0, 0, 0]
    assert shop.family() == []
