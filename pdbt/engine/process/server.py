"""Dagster's page and daemons in one process, for one project or many: the libraries are loaded once, and the definitions, too."""

from __future__ import annotations

import contextlib
import signal
import threading
from types import FrameType

from . import forking
from .place import HOST, InstancePlace

TICK_SECONDS = 5.0
SHUTDOWN_SECONDS = 5


def serve(place: InstancePlace, port: int) -> None:
    """Serve an instance's page on 127.0.0.1 and run its daemons, until SIGTERM or SIGINT.

    Args:
        place: where the instance lives.
        port: a free port.
    """
    forking.begin()
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    _serve(place, port, stopped)


def _serve(place: InstancePlace, port: int, stopped: threading.Event) -> None:
    import uvicorn
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._daemon.controller import DagsterDaemonController, create_daemons_from_instance
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.version import __version__

    from .housekeeping import Housekeeping
    from .instance import fail_lost_runs, open_instance
    from .runs import ForkedRunLauncher
    from .workspace import ProjectsTarget

    target = ProjectsTarget(place)
    with contextlib.ExitStack() as stack:
        instance = stack.enter_context(open_instance(place))
        fail_lost_runs(instance)
        workspace = stack.enter_context(WorkspaceProcessContext(instance, target, version=__version__))
        app = create_app_from_workspace_process_context(workspace)
        server = uvicorn.Server(uvicorn.Config(app, HOST, port, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_SECONDS))
        page = threading.Thread(target=server.run, name="page")
        page.start()
        daemons = [stack.enter_context(daemon) for daemon in create_daemons_from_instance(instance)]
        controller = stack.enter_context(DagsterDaemonController(workspace, daemons))
        housekeeping = Housekeeping(place, instance)
        try:
            while page.is_alive() and not stopped.wait(TICK_SECONDS):
                controller.check_daemon_threads()
                if target.changed():
                    workspace.refresh_workspace()
                for name in target.due():
                    workspace.reload_code_location(name)
                housekeeping.tick()
        finally:
            server.should_exit = True
            if isinstance(instance.run_launcher, ForkedRunLauncher):
                instance.run_launcher.end_all()
            page.join()
