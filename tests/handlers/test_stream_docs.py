"""The pipeline and the client in the docs are run as they stand there, and all that is there is described."""

from __future__ import annotations

import inspect
import re
import sqlite3
import sys
from pathlib import Path

from pdbt import handlers
from pdbt.handlers import BaseHandler, Trigger
from pdbt.handlers.figures import NodeFigures, as_prometheus
from tests.conftest import RunProcess, StartProcess
from tests.handlers.serving import SECONDS, free_port

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "stream.md").read_text(encoding="utf-8")


def test_the_pipeline_and_the_client_of_the_docs_run(start_process: StartProcess, run_process: RunProcess, tmp_path: Path) -> None:
    pipeline, client = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)[:2]
    port = free_port()
    (tmp_path / "scores.py").write_text(pipeline, encoding="utf-8")
    (tmp_path / "client.py").write_text(client.replace("50051", str(port)), encoding="utf-8")
    environment = {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pdbt", "stream", "serve", "scores.py", "--port", str(port)]
    server = start_process(command, cwd=tmp_path, env=environment)
    assert server.stdout is not None
    assert server.stdout.readline() == f"Serving transactions at grpc://127.0.0.1:{port}\n"
    sent = run_process([sys.executable, "client.py"], cwd=tmp_path, env=environment)
    assert re.fullmatch(r"[0-9a-f]{32}-0 1 1 [0-9.e-]+\n", sent.stdout), sent.stderr
    server.terminate()
    assert server.wait(SECONDS) == 0
    with sqlite3.connect(tmp_path / "db" / "stream.sqlite") as connection:
        assert connection.execute("SELECT * FROM scored").fetchall() == [(1, "a", 250.0, 0.025)]
    connection.close()


def test_every_handler_trigger_and_metric_is_in_the_docs() -> None:
    kinds = [getattr(handlers, name) for name in handlers.__all__]
    offered = [kind for kind in kinds if inspect.isclass(kind) and issubclass(kind, BaseHandler | Trigger) and kind is not Trigger]
    assert [kind.__name__ for kind in offered if f"`{kind.__name__}" not in PAGE and kind is not BaseHandler] == []
    text = as_prometheus([("node", NodeFigures(1, 1, 1, 1, 1, 1.0, 1.0, 1.0))], healthy=True)
    metrics = set(re.findall(r"^# HELP (\w+) ", text, flags=re.MULTILINE))
    assert len(metrics) == 8
    assert [metric for metric in sorted(metrics) if f"`{metric}" not in PAGE] == []
