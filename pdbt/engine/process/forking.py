"""The process that runs are forked from: begun first of all, so that it gets ready beside everything else."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess

# Libraries without threads or connections of their own making, each of which costs a run time to import.
_PRELOADED = ["dagster", "dagster._grpc.impl", "dagster._core.execution.api", "dagster._core.storage.local_compute_log_manager", "duckdb"]
# Held while definitions are being read, for then sys.path is not as it was, and a process that was started would be given it like that.
STEADY_PATH = threading.RLock()
_FORKS = "forkserver" in multiprocessing.get_all_start_methods()


def process(target: Callable[..., None], arguments: tuple[str, ...]) -> BaseProcess:
    """Return a process that will call this function: forked where the system can, begun anew where it cannot (Windows)."""
    if _FORKS:
        return multiprocessing.get_context("forkserver").Process(target=target, args=arguments)
    return multiprocessing.get_context("spawn").Process(target=target, args=arguments)


def begin() -> None:
    """Begin to get ready."""
    if _FORKS:
        from multiprocessing import forkserver

        multiprocessing.get_context("forkserver").set_forkserver_preload(_PRELOADED)
        forkserver.ensure_running()
