"""What a test puts in place of the server of a project's Dagster: it answers as the page does, and is there in a moment.

`stand-in.json` in the project's macro/ says how it is to behave:
    fault: the page answers that the project cannot be loaded, for this reason.
    dies: it ends before it serves anything, having said this.
    silent: it serves nothing.
    stubborn: it and what it starts do not end at SIGTERM.
    mute_schedule: questions about schedules are not answered.
"""

import json
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

CHILDREN = 2
CHILD = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN if {stubborn} else signal.SIG_DFL); time.sleep(600)"


def serve(place: Any, port: int) -> None:
    """Behave as an instance until SIGTERM or SIGINT."""
    path = place.macro / "stand-in.json"
    behaviour: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if "dies" in behaviour:
        print("starting")
        raise RuntimeError(behaviour["dies"])
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None if behaviour.get("stubborn") else ended.set())
    program = CHILD.format(stubborn=bool(behaviour.get("stubborn")))
    children = [subprocess.Popen([sys.executable, "-S", "-c", program]) for _ in range(CHILDREN)]
    if not behaviour.get("silent"):
        server = HTTPServer(("127.0.0.1", port), _handler(behaviour))
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ended.wait()
    for child in children:
        child.terminate()
        child.wait()


def _handler(behaviour: dict[str, Any]) -> type[BaseHTTPRequestHandler]:
    class Page(BaseHTTPRequestHandler):
        """Answers the questions of a launch and of a status."""

        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
            if "schedules" in query and behaviour.get("mute_schedule"):
                time.sleep(60)
            body = json.dumps({"data": _schedules() if "schedules" in query else _assets(behaviour.get("fault"))}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the log to what a test looks for."""

    return Page


def _assets(fault: str | None) -> dict[str, object]:
    location: dict[str, object] = {"__typename": "RepositoryLocation"}
    if fault:
        location = {"__typename": "PythonError", "message": "outer", "errorChain": [{"error": {"message": f"{fault}\n"}}]}
    entries = [{"name": "shop", "loadStatus": "LOADED", "locationOrLoadError": location}]
    return {"assetNodes": [{"assetKey": {"path": ["ORDERS"]}}], "workspaceOrError": {"__typename": "Workspace", "locationEntries": entries}}


def _schedules() -> dict[str, object]:
    schedule = {
        "name": "main_every_5min",
        "scheduleState": {"status": "RUNNING"},
        "futureTicks": {"results": [{"timestamp": 4102444800.0}]},
    }
    repository = {"location": {"name": "shop"}, "schedules": [schedule]}
    return {"repositoriesOrError": {"__typename": "RepositoryConnection", "nodes": [repository]}}
