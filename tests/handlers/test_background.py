"""A pipeline in the background is found again by its PID file."""

from __future__ import annotations

import json
import sys
import time
import tomllib
from pathlib import Path

import psutil
import pytest

from pdbt.cli.show_stream import show_launched
from pdbt.engine.errors import MissingLibrary
from pdbt.handlers import background
from pdbt.handlers.figures import as_prometheus
from pdbt.handlers.loading import load_pipeline
from tests.conftest import RunProcess, StartProcess

LAUNCHES = 40
AT_ONCE = 3
DEADLINE_SECONDS = 30.0


def test_a_process_is_known_again_however_early_it_was_written_down(start_process: StartProcess, tmp_path: Path) -> None:
    """For a moment after its start the system tells no command line of a process; one of eight launches met that moment."""
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    for _ in range(LAUNCHES):
        process = start_process(command)
        background._note(tmp_path, process.pid, command)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not psutil.Process(process.pid).cmdline():
            assert time.monotonic() < deadline
        known = background._running(tmp_path)
        assert known is not None
        assert known.pid == process.pid
        process.kill()
        process.wait()


def test_what_is_printed_can_be_typed_whatever_the_folder_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    served = background.Served(4711, "Serving scores at grpc://127.0.0.1:50051", before=True)
    show_launched(served, Path("my shop/macro"))
    assert capsys.readouterr().out == (
        "The stream is already running (PID 4711). Serving scores at grpc://127.0.0.1:50051\n"
        "Log:  my shop/macro/stream.log\nStop: pdbt stream stop --state 'my shop/macro'\n"
    )


ROOT = Path(__file__).resolve().parents[2]
PIPELINE = """
import os, time
from pdbt.handlers import HandlerNode, Ingest, PipelineExecutor

time.sleep(1)  # as one that loads a model
open(os.path.join(os.path.dirname(__file__), f"started {os.getpid()}"), "w").close()
pipeline = PipelineExecutor([HandlerNode("in", Ingest())])
"""


@pytest.mark.slow
def test_launches_at_once_start_one_server_and_each_says_so(start_process: StartProcess, run_process: RunProcess, tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    stream = [sys.executable, "-m", "pdbt", "stream"]
    command = [*stream, "launch", "pipeline.py", "--port", "0"]
    running = [start_process(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}) for _ in range(AT_ONCE)]
    said = [process.communicate(timeout=DEADLINE_SECONDS * AT_ONCE) for process in running]
    try:
        assert [process.returncode for process in running] == [0] * AT_ONCE, said
        pid = json.loads((tmp_path / "stream.pid").read_text())["pid"]
        first = sorted(output.splitlines()[0].partition(")")[0] + ")" for output, _ in said)
        assert sum(f"already running (PID {pid})" in line for line in first) == AT_ONCE - 1, said
        assert all(f"(PID {pid})" in line for line in first)
        assert [path.name for path in tmp_path.glob("started *")] == [f"started {pid}"]
    finally:
        stopped = run_process([*stream, "stop"], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert stopped.stdout == f"Stopped the stream (PID {pid}).\n"
    assert not psutil.pid_exists(pid)


def test_the_pid_file_of_a_later_launch_is_kept(tmp_path: Path) -> None:
    pid_file = tmp_path / background.PID_FILE
    pid_file.write_text(json.dumps({"pid": 2}))
    background._forget(pid_file, 1)
    assert pid_file.exists()
    background._forget(pid_file, 2)
    assert not pid_file.exists()


def test_a_library_that_is_missing_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipeline = tmp_path / "pipeline.py"
    pipeline.write_text(PIPELINE)
    (tmp_path / background.PID_FILE).write_text(json.dumps({"pid": 1, "started": 1.0, "command": []}))
    for library, needs, act in (
        ("psutil", "pdbt stream launch", lambda: background.launch(pipeline, tmp_path)),
        ("psutil", "pdbt stream stop", lambda: background.stop(tmp_path)),
        ("cloudpickle", "A pipeline that is served", lambda: load_pipeline(pipeline)),
        ("prometheus_client", "The text of the metrics", lambda: as_prometheus([], True)),
    ):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, library, None)
            with pytest.raises(MissingLibrary, match=rf"{needs} needs {library.replace('_', '.')}, which is not installed") as caught:
                act()
        assert library.replace("_", "-") in caught.value.hint
    assert list(tmp_path.glob("started *")) == []


def test_the_extra_of_streams_has_what_each_command_of_them_imports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {requirement.partition(">")[0] for requirement in project["optional-dependencies"]["stream"]}
    assert {"cloudpickle", "grpcio", "prometheus-client", "psutil"} <= names
