"""Status and log: what is so, said quickly, whether or not the page answers."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from pdbt.engine.process import page
from pdbt.engine.process.libraries import REQUIREMENTS
from pdbt.engine.process.logfile import follow, last_lines, rotate
from pdbt.engine.process.status import Status, status
from tests.process.instances import STOP, Shop, wait_until

RUN = {"start": "2026-01-01T10:00:00+00:00", "seconds": 1.5, "status": "done", "command": "python-run-process.py", "steps": []}


def test_one_that_runs(shop: Shop) -> None:
    shop.launch()
    found = status(shop.project)
    record = shop.record
    assert found == Status(
        name="shop",
        project=str(shop.project),
        database="duckdb",
        running=True,
        port=shop.port,
        url=f"http://127.0.0.1:{shop.port}",
        pid=record["pid"],
        since=record["since"],
        processes=3,
        memory_mb=found.memory_mb,
        left_behind=(),
        schedule="main_every_5min",
        schedule_state="RUNNING",
        next_tick=found.next_tick,
        last_run=None,
    )
    assert found.memory_mb
    assert 10 < found.memory_mb < 1000
    assert found.next_tick
    assert found.next_tick[:4] in ("2099", "2100")
    assert json.loads(found.as_json())["next_tick"] == found.next_tick


def test_one_that_does_not_run(shop: Shop) -> None:
    found = status(shop.project)
    assert (found.running, found.pid, found.since, found.memory_mb, found.processes) == (False, None, None, None, 0)
    assert (found.port, found.schedule, found.schedule_state, found.next_tick) == (shop.port, None, None, None)


def test_one_that_was_killed(shop: Shop) -> None:
    shop.launch()
    family = {process.pid for process in shop.family()}
    os.kill(shop.record["pid"], signal.SIGKILL)
    wait_until(lambda: len(shop.family()) == 2)
    found = status(shop.project)
    assert not found.running
    assert set(found.left_behind) == family - {shop.record["pid"]}


def test_a_page_that_does_not_answer_is_not_waited_for_long(shop: Shop) -> None:
    shop.behave(mute_schedule=True)
    shop.launch()
    start = time.monotonic()
    found = status(shop.project)
    assert (found.running, found.schedule, found.schedule_state, found.next_tick) == (True, None, "unknown", None)
    assert 2.5 < time.monotonic() - start < 10


@pytest.mark.parametrize("broken", ["", "{", '{"start": 1}\n'], ids=["whole", "cut off", "strange"])
def test_the_last_run_is_the_last_whole_line(broken: str, shop: Shop) -> None:
    lines = [json.dumps({**RUN, "status": "failed"}), json.dumps({**RUN, "steps": ["x" * 200_000]})]
    (shop.macro / "runs.jsonl").write_text("".join(f"{line}\n" for line in lines) + broken, encoding="utf-8")
    found = status(shop.project).last_run
    assert found
    assert (found.start, found.status, found.seconds, found.command) == (RUN["start"], "done", 1.5, "python-run-process.py")


def test_a_page_that_is_not_there_or_says_nothing_is_no_answer(shop: Shop) -> None:
    with pytest.raises(page.NoAnswer):
        page.schedules(shop.port, 1.0)
    shop.behave(mute_schedule=True)
    shop.launch()
    with pytest.raises(page.NoAnswer, match="timed out"):
        page.schedules(shop.port, 0.2)


def test_where_nothing_was_launched_psutil_is_not_missed(shop: Shop, stranger: tuple[int, object]) -> None:
    settings = shop.project / "pdbt.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace(f"port = {shop.port}", f"port = {stranger[0]}"), encoding="utf-8")
    hidden = "import runpy, sys; sys.modules['psutil'] = None; sys.argv = sys.argv[1:]; "
    program = f"{hidden}runpy.run_path(sys.argv[0], run_name='__main__')"
    stopped = shop.run_process([sys.executable, "-c", program, shop.script(STOP)])
    assert (stopped.code, stopped.stderr) == (0, "")
    assert stopped.stdout.startswith("shop: Dagster is not running.\nPort ")
    (shop.macro / ".dagster").mkdir()
    refused = shop.run_process([sys.executable, "-c", program, shop.script(STOP)])
    assert refused.code == 2
    assert refused.stderr.startswith("error: Finding the processes of Dagster needs psutil, which is not installed for ")


# The log -------------------------------------------------------------------------------------------------------------


def test_the_last_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "dagster.log"
    assert last_lines(path, 5) == []
    path.write_text("".join(f"line {number} é\n" for number in range(20_000)), encoding="utf-8")
    assert last_lines(path, 2) == ["line 19998 é", "line 19999 é"]
    assert last_lines(path, 0) == []
    assert len(last_lines(path, 15_000)) == 15_000
    assert len(last_lines(path, 100_000)) == 20_000
    assert last_lines(path, 5, path.stat().st_size - len("line 19999 é\n".encode())) == ["line 19999 é"]
    assert last_lines(path, 1, 1 << 40) == ["line 19999 é"]
    assert last_lines(path, 2, end=len("line 0 é\nline 1 é\n".encode())) == ["line 0 é", "line 1 é"]
    path.write_bytes(b"one\nno end \xff")
    assert last_lines(path, 2) == ["one", "no end \ufffd"]


def test_a_file_is_followed_through_its_rotation(tmp_path: Path) -> None:
    path = tmp_path / "dagster.log"
    path.write_text("before\n", encoding="utf-8")
    start = path.stat().st_size
    seen: list[str] = []

    def read() -> None:
        for text in follow(path, start):
            seen.append(text)
            if "end" in text:
                return

    reader = threading.Thread(target=read, daemon=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("a longer line than the first one\n")  # before anybody has begun to read
        file.flush()
        reader.start()
        wait_until(lambda: "".join(seen) == "a longer line than the first one\n", 20.0)
        rotate(path, 10)
        file.write("end\n")
        file.flush()
    reader.join(20.0)
    assert "".join(seen) == "a longer line than the first one\nend\n"
    assert path.read_text(encoding="utf-8") == "end\n"
    assert path.with_name("dagster.log.1").read_text(encoding="utf-8") == "before\na longer line than the first one\n"


# What has to be installed --------------------------------------------------------------------------------------------


def test_what_has_to_be_installed_is_the_same_everywhere(shop: Shop) -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(REQUIREMENTS.values()) <= set(project["dependencies"])
    lines = (shop.project / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert {*REQUIREMENTS.values(), "pandas>=3", "duckdb>=1.5,<3"} <= set(lines)
    assert set(project["optional-dependencies"]["pandas"]) <= set(lines)
