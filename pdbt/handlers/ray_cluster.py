"""The Ray cluster of a process: one that is there, or one of its own, which ends with it."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..engine.errors import MissingLibrary, PdbtError
from .parcels import remove_abandoned
from .ray_address import AUTO, check_answers, place_of

# Beside what may be under way the object store holds what workers have just made and what they have just read.
_STORE_FACTOR = 4
_STORE_LEAST = 256_000_000
_PREFIX = "pdbt-ray-"
# Ray's sockets lie deep in its folder, and the path of a socket has at most 107 characters.
_LONGEST_HOME = 24
_LOOPBACK = "127.0.0.1"
# How often Ray tries to reach a cluster; its name says seconds, as the tries of another use of it take one each.
_TRIES = "RAY_gcs_server_port_wait_time_s"

_lock = threading.Lock()
_users = 0
_own: _OwnCluster | None = None


class Cluster:
    """A cluster that a pipeline uses."""

    def leave(self) -> None:
        """Say that it is not needed any more; the last of this process who does ends a cluster of its own."""
        global _users, _own  # noqa: PLW0603 - Ray knows one cluster a process
        with _lock:
            _users -= 1
            if _users == 0 and _own is not None:
                _own.end()
                _own = None


class _OwnCluster:
    """A cluster that was started, or a connection that was made, by us."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        atexit.register(self.end)

    def end(self) -> None:
        """End it, with all of its processes."""
        import ray

        atexit.unregister(self.end)
        with contextlib.suppress(Exception):  # a cluster that was killed has nothing left to end
            ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def reach(address: str | None, memory: int) -> Cluster:
    """Reach a cluster, or start one on this machine that only this machine can reach; one that the process has already is used.

    Args:
        address: the cluster, as ``host:port`` or ``auto``; None starts one.
        memory: how many bytes of batches a pipeline may have under way.

    Raises:
        MissingLibrary: Ray is not installed.
        PdbtError: the cluster cannot be reached, or none be started.
    """
    global _users, _own  # noqa: PLW0603
    ray = _ray()
    with _lock:
        if not ray.is_initialized():
            _own = _started(ray, memory) if address is None else _connected(ray, address)
        elif address is not None:
            _check_is_used(address, ray.get_runtime_context().gcs_address)
        _users += 1
    return Cluster()


def processors() -> int:
    """Return how many processors the cluster has."""
    return int(_ray().cluster_resources().get("CPU", 1))


def first_line(error: Exception) -> str:
    """Return what an error of Ray says first; the rest tells of Ray's own inside."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".:")


def _ray() -> Any:
    # Read when Ray is loaded, also by its processes: it reports how it is used unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of what a coming version does
    try:
        import ray
    except ModuleNotFoundError:
        raise MissingLibrary("ray", 'A pipeline with executor="ray"') from None
    return ray


def _started(ray: Any, memory: int) -> _OwnCluster:
    """Start a cluster; once more if it does not come up, as happens on a machine with more to do than it can."""
    try:
        return _start(ray, memory)
    except PdbtError:
        return _start(ray, memory)


def _start(ray: Any, memory: int) -> _OwnCluster:
    folder = _folder()
    store = max(_STORE_LEAST, _STORE_FACTOR * memory)
    try:
        with _only_this_machine(), _signals_kept():
            ray.init(
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=store,
                _node_ip_address=_LOOPBACK,
                _temp_dir=str(folder),
            )
    except Exception as error:
        _OwnCluster(folder).end()
        raise PdbtError(f"No Ray cluster can be started on this machine: {first_line(error)}.", "Look at its memory.") from error
    return _OwnCluster(folder)


def _connected(ray: Any, address: str) -> _OwnCluster:
    where = address
    try:
        host, port = place_of(address)
        where = address if address == f"{host}:{port}" else f"{address} ({host}:{port})"
        check_answers(host, port)
        with _asked_once(), _signals_kept():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        raise PdbtError(
            f"The Ray cluster at {where} cannot be used: {first_line(error)}.",
            "Start one with `ray start --head` and give its address as host:port, or leave address out.",
        ) from error
    return _OwnCluster(None)


def _check_is_used(address: str, used: str) -> None:
    """Look whether an address means the cluster that this process uses: Ray knows one a process."""
    with contextlib.suppress(ValueError):
        if address in (AUTO, used) or used == ":".join(map(str, place_of(address))):
            return
    raise PdbtError(
        f"This process uses the Ray cluster at {used} and cannot use that at {address}.",
        "Stop what uses it first, or run this pipeline in a process of its own.",
    )


def _folder() -> Path:
    """Make the folder of a cluster's sockets and logs, and remove those of processes that are no more."""
    home = Path(tempfile.gettempdir())
    if len(str(home)) > _LONGEST_HOME:
        home = Path("/tmp")  # noqa: S108 - the folder made in it is private to this user, as tempfile makes all of its folders
    remove_abandoned(home, _PREFIX)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=home))


@contextlib.contextmanager
def _only_this_machine() -> Iterator[None]:
    """Have Ray listen on the loopback address: where clusters are possible it takes that of the network, whatever it is told."""
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextlib.contextmanager
def _asked_once() -> Iterator[None]:
    """Have Ray ask a cluster that does not answer any more for 40 seconds, and not 20 times for as long."""
    before = os.environ.get(_TRIES)
    os.environ[_TRIES] = before or "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TRIES]


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Have a signal mean what it meant before: Ray sets SIGTERM to end this process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
