"""One at a time: whoever starts or ends an instance waits for another who does."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from ..errors import NEEDS_A_HAND, PdbtError
from ..lock import POLL_SECONDS, try_lock
from .place import InstancePlace


@contextlib.contextmanager
def turn(place: InstancePlace, timeout: float) -> Iterator[bool]:
    """Have the right to start or end an instance; the system takes it back from a process that is killed.

    Args:
        place: the project's places; the instance's home is made.
        timeout: seconds to wait.

    Yields:
        whether it was one's turn in time.

    Raises:
        PdbtError: the home cannot be made, or its disk knows no locks.
    """
    path = place.home / "launch.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise PdbtError(f"{path} cannot be written: {error.strerror}.", "Dagster must be able to write there.", NEEDS_A_HAND) from None
    try:
        deadline = time.monotonic() + timeout
        while not (mine := try_lock(descriptor, path)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        yield mine
    finally:
        os.close(descriptor)
